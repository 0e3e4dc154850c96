//! One command and its response: how both are put together and checked, whichever command it is.

use core::fmt;

use zeroize::Zeroize;

use crate::constant;
use crate::wire::{self, MESSAGE_BYTES, Reader, Writer};

/// A command (TPM_CC, part 2, 6.5.2).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Command {
    code: u32,
    name: &'static str,
}

macro_rules! commands {
    ($($name:ident = $code:literal, $text:literal;)+) => {
        #[allow(missing_docs, reason = "they are named as in the specification")]
        impl Command {
            $(pub const $name: Self = Self { code: $code, name: $text };)+
        }
    };
}

commands! {
    NV_DEFINE_SPACE = 0x12A, "TPM2_NV_DefineSpace";
    CREATE_PRIMARY = 0x131, "TPM2_CreatePrimary";
    NV_INCREMENT = 0x134, "TPM2_NV_Increment";
    NV_WRITE = 0x137, "TPM2_NV_Write";
    NV_WRITE_LOCK = 0x138, "TPM2_NV_WriteLock";
    SHUTDOWN = 0x145, "TPM2_Shutdown";
    ACTIVATE_CREDENTIAL = 0x147, "TPM2_ActivateCredential";
    NV_READ = 0x14E, "TPM2_NV_Read";
    POLICY_SECRET = 0x151, "TPM2_PolicySecret";
    CREATE = 0x153, "TPM2_Create";
    LOAD = 0x157, "TPM2_Load";
    QUOTE = 0x158, "TPM2_Quote";
    UNSEAL = 0x15E, "TPM2_Unseal";
    FLUSH_CONTEXT = 0x165, "TPM2_FlushContext";
    LOAD_EXTERNAL = 0x167, "TPM2_LoadExternal";
    NV_READ_PUBLIC = 0x169, "TPM2_NV_ReadPublic";
    POLICY_AUTHORIZE = 0x16A, "TPM2_PolicyAuthorize";
    POLICY_AUTH_VALUE = 0x16B, "TPM2_PolicyAuthValue";
    POLICY_OR = 0x171, "TPM2_PolicyOR";
    START_AUTH_SESSION = 0x176, "TPM2_StartAuthSession";
    VERIFY_SIGNATURE = 0x177, "TPM2_VerifySignature";
    GET_CAPABILITY = 0x17A, "TPM2_GetCapability";
    GET_RANDOM = 0x17B, "TPM2_GetRandom";
    PCR_READ = 0x17E, "TPM2_PCR_Read";
    POLICY_PCR = 0x17F, "TPM2_PolicyPCR";
    PCR_EXTEND = 0x182, "TPM2_PCR_Extend";
}

impl Command {
    /// Its number.
    pub const fn code(self) -> u32 {
        self.code
    }

    /// Its name in the specification.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// Something was wrong during this command.
    pub const fn error(self, problem: Problem) -> Error {
        Error {
            command: self,
            problem,
        }
    }

    /// A field of the response has the value that it must have.
    ///
    /// # Errors
    /// When it has another.
    pub fn check(self, name: &'static str, found: u64, expected: u64) -> Result<(), Error> {
        if found == expected {
            return Ok(());
        }
        Err(self.error(Problem::Field {
            name,
            found,
            expected,
        }))
    }
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// What a TPM did that it should not have done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Error {
    /// During which command.
    pub command: Command,
    /// What was wrong.
    pub problem: Problem,
}

/// See [`Error`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Problem {
    /// The command did not reach the TPM, or no response came back: status of the firmware or the driver.
    Transport(u64),
    /// The TPM's response code (TPM_RC).
    Code(u32),
    /// The response is shorter or longer than it says or than its contents are; or the command would be too long.
    Length,
    /// A field that is fixed has another value.
    Field {
        /// Which.
        name: &'static str,
        /// Its value.
        found: u64,
        /// What it should be.
        expected: u64,
    },
    /// The response is not authentic: its HMAC is not that of the session.
    #[cfg(feature = "sessions")]
    NotAuthentic,
    /// The TPM's key is no point of its curve.
    #[cfg(feature = "sessions")]
    BadKey,
}

impl Error {
    /// The response code that the TPM gave, without the numbers of handle, parameter or session (part 2, 6.6.2).
    pub fn code(&self) -> Option<u32> {
        const FORMAT_ONE: u32 = 1 << 7;
        match self.problem {
            Problem::Code(code) if code & FORMAT_ONE != 0 => Some(code & 0xBF),
            Problem::Code(code) => Some(code),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.command.name)?;
        match self.problem {
            Problem::Transport(status) => {
                write!(f, "found transport status {status:#x}, expected success")
            }
            Problem::Code(code) => write!(f, "found response code {code:#x}, expected success"),
            Problem::Length => f.write_str(
                "found a response of the wrong length, expected as many bytes as its contents",
            ),
            Problem::Field {
                name,
                found,
                expected,
            } => {
                write!(f, "found {name} {found:#x}, expected {expected:#x}")
            }
            #[cfg(feature = "sessions")]
            Problem::NotAuthentic => f.write_str("the response is not authentic"),
            #[cfg(feature = "sessions")]
            Problem::BadKey => f.write_str("the TPM's key is no point of its curve"),
        }
    }
}

impl core::error::Error for Error {}

/// Carries commands to a TPM: the firmware's EFI_TCG2_PROTOCOL, a driver, or a test's fake.
pub trait Transport {
    /// Sends a command and writes the response to the start of `response`, which holds zeros.
    ///
    /// # Errors
    /// The status of firmware or driver.
    fn submit(&mut self, command: &[u8], response: &mut [u8]) -> Result<(), u64>;

    /// Waits a moment, before a command is sent again for which the TPM was not ready.
    fn pause(&mut self) {}
}

/// Codes of a TPM that did nothing yet and wants the command again: YIELDED, TESTING, NV_RATE, RETRY (part 2, 6.6.3).
const AGAIN: [u32; 4] = [0x908, 0x90A, 0x920, 0x922];
/// How often a command is sent at most.
const TRIES: usize = 100;

/// A name that a TPM gives to an object or NV index: the algorithm and the hash of its public area (part 1, 16).
pub type Name = [u8; 34];

/// What a command works on: a handle, and the name that authorisations are bound to.
#[derive(Clone, Copy, Debug)]
pub struct Entity {
    /// Its handle.
    pub handle: u32,
    /// Its name; `None` for what is named by its handle: PCRs, sessions, hierarchies.
    pub name: Option<Name>,
}

impl Entity {
    /// What is named by its handle.
    pub const fn permanent(handle: u32) -> Self {
        Self { handle, name: None }
    }

    /// An object or NV index.
    pub const fn named(handle: u32, name: Name) -> Self {
        Self {
            handle,
            name: Some(name),
        }
    }

    /// Shows the bytes that authorisations are bound to.
    pub fn visit_name(&self, visit: impl FnOnce(&[u8])) {
        match &self.name {
            Some(name) => visit(name),
            None => visit(&self.handle.to_be_bytes()),
        }
    }
}

/// How a command is authorised. At most one of a command's authorities is a session.
pub enum Authority<'a> {
    /// By an empty password.
    EmptyPassword,
    /// By a session, which may encrypt the first parameter, too.
    Session(&'a mut dyn Protection),
}

/// What a session does with a command and its response (part 1, 19).
pub trait Protection {
    /// Encrypts the first parameter when the session does that, and appends the session's authorisation.
    fn authorise(
        &mut self,
        command: Command,
        entities: &[Entity],
        parameters: &mut [u8],
        area: &mut Writer,
    );

    /// Reads the session's part of the response and checks that it fits these parameters.
    ///
    /// # Errors
    /// When the response is not authentic.
    fn check(
        &mut self,
        command: Command,
        parameters: &[u8],
        area: &mut Reader<'_>,
    ) -> Result<(), Error>;

    /// Decrypts the first parameter of a checked response when the session does that.
    ///
    /// # Errors
    /// When there is none.
    fn decrypt(&mut self, command: Command, parameters: &mut [u8]) -> Result<(), Error>;
}

/// A response whose header, and authorisations, were found right. Wiped when dropped.
pub struct Response {
    command: Command,
    bytes: [u8; MESSAGE_BYTES],
    handle: u32,
    parameters: core::ops::Range<usize>,
}

impl Response {
    /// The handle that the response led with; 0 when it had none.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// Its parameters.
    pub fn parameters(&self) -> Reader<'_> {
        Reader::new(self.command, &self.bytes[self.parameters.clone()])
    }
}

impl Drop for Response {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// A command that is to be sent.
pub struct Request<'a> {
    command: Command,
    entities: &'a [Entity],
    /// Whether the response leads with a handle.
    makes_handle: bool,
    /// Parameters, to be appended.
    pub parameters: Writer,
}

impl<'a> Request<'a> {
    /// A command that works on these, in the order of its handles; those that need authorisation come first.
    pub const fn new(command: Command, entities: &'a [Entity]) -> Self {
        Self {
            command,
            entities,
            makes_handle: false,
            parameters: Writer::new(),
        }
    }

    /// The response leads with the handle of what was made.
    #[must_use]
    pub const fn making_handle(mut self) -> Self {
        self.makes_handle = true;
        self
    }

    /// Sends it and checks the response's header; fails on any code but success.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn send(
        mut self,
        tpm: &mut dyn Transport,
        authorities: &mut [Authority<'_>],
    ) -> Result<Response, Error> {
        let command = self.command;
        let mut bytes = Writer::new();
        bytes.u16(tag(authorities));
        bytes.u32(0); // size, known below
        bytes.u32(command.code);
        self.entities.iter().for_each(|e| bytes.u32(e.handle));
        if !authorities.is_empty() {
            self.authorise(&mut bytes, authorities);
        }
        bytes.bytes(self.parameters.as_slice());
        if !bytes.fits() || !self.parameters.fits() {
            return Err(command.error(Problem::Length));
        }
        let size = bytes.as_slice().len() as u32;
        bytes.as_mut_slice()[2..6].copy_from_slice(&size.to_be_bytes());

        let mut response = Response {
            command,
            bytes: [0; MESSAGE_BYTES],
            handle: 0,
            parameters: 0..0,
        };
        for _ in 1..TRIES {
            match self.exchange(tpm, &bytes, &mut response, authorities) {
                Err(Error {
                    problem: Problem::Code(code),
                    ..
                }) if AGAIN.contains(&code) => tpm.pause(),
                result => return result.map(|()| response),
            }
        }
        self.exchange(tpm, &bytes, &mut response, authorities)?;
        Ok(response)
    }

    fn exchange(
        &self,
        tpm: &mut dyn Transport,
        bytes: &Writer,
        response: &mut Response,
        authorities: &mut [Authority<'_>],
    ) -> Result<(), Error> {
        response.bytes.fill(0);
        tpm.submit(bytes.as_slice(), &mut response.bytes)
            .map_err(|status| self.command.error(Problem::Transport(status)))?;
        self.receive(response, authorities)
    }

    /// Appends the authorisation area (part 1, 18.4).
    fn authorise(&mut self, bytes: &mut Writer, authorities: &mut [Authority<'_>]) {
        let mut area = Writer::new();
        for authority in authorities {
            match authority {
                Authority::EmptyPassword => {
                    area.u32(constant::PASSWORD_SESSION);
                    area.u16(0); // nonce
                    area.u8(0); // attributes
                    area.u16(0); // password
                }
                Authority::Session(session) => {
                    let parameters = self.parameters.as_mut_slice();
                    session.authorise(self.command, self.entities, parameters, &mut area);
                }
            }
        }
        bytes.u32(area.as_slice().len() as u32);
        bytes.bytes(area.as_slice());
    }

    /// Checks a response and finds its parts.
    fn receive(
        &self,
        response: &mut Response,
        authorities: &mut [Authority<'_>],
    ) -> Result<(), Error> {
        let command = self.command;
        let mut header = Reader::new(command, &response.bytes);
        let found_tag = header.u16()?;
        let size = header.u32()? as usize;
        let code = header.u32()?;
        if code != 0 {
            return Err(command.error(Problem::Code(code)));
        }
        command.check("response tag", found_tag.into(), tag(authorities).into())?;
        let contents = response.bytes.get(wire::HEADER_BYTES..size);
        let mut rest = Reader::new(command, contents.ok_or(command.error(Problem::Length))?);
        response.handle = if self.makes_handle { rest.u32()? } else { 0 };
        let parameters = if authorities.is_empty() {
            rest.part(rest.rest().len())?
        } else {
            let bytes = rest.u32()? as usize;
            rest.part(bytes)?
        };
        let start = size - rest.rest().len() - parameters.rest().len();
        response.parameters = start..start + parameters.rest().len();
        for authority in authorities.iter_mut() {
            match authority {
                Authority::EmptyPassword => {
                    rest.expect_u16("session nonce length", 0)?;
                    rest.u8()?; // session attributes
                    rest.expect_u16("session HMAC length", 0)?;
                }
                Authority::Session(session) => {
                    session.check(command, parameters.rest(), &mut rest)?;
                }
            }
        }
        rest.end()?;
        let parameters = &mut response.bytes[response.parameters.clone()];
        for authority in authorities {
            if let Authority::Session(session) = authority {
                session.decrypt(command, parameters)?;
            }
        }
        Ok(())
    }
}

fn tag(authorities: &[Authority<'_>]) -> u16 {
    if authorities.is_empty() {
        constant::NO_SESSIONS
    } else {
        constant::SESSIONS
    }
}
