//! The TPM 2.0 commands that the loader sends, encoded and decoded by hand.
//!
//! Eight commands with fixed parameters do not need a TPM library. [`wire`] reads and writes the big-endian
//! encoding (TPM 2.0 Library, part 1, 18) with a check at every step; the functions here each send one
//! command and check every length and every field of the response that is fixed. Anything unexpected is an
//! [`Error`] that names the command; a caller that needs the TPM refuses to boot then.

mod wire;

use core::fmt;

use wire::{Reader, Writer};

/// NV index of the rollback counter, in the range for the owner's use (TCG registry of reserved TPM 2.0
/// handles, 2.2: 01800000 to 01BFFFFF).
pub const ROLLBACK_INDEX: u32 = 0x0180_4E4F;

/// Number of PCRs in a bank (PC Client platform profile, 4.6).
pub const PCRS: usize = 24;

/// Longest response that any command here may yield.
const RESPONSE_BYTES: usize = 1024;

/// Values of part 2 of the TPM 2.0 Library specification.
mod constant {
    /// TPM_ST, 6.9.
    pub const NO_SESSIONS: u16 = 0x8001;
    pub const SESSIONS: u16 = 0x8002;
    /// TPM_RH, 7.4.
    pub const OWNER: u32 = 0x4000_0001;
    pub const PASSWORD_SESSION: u32 = 0x4000_0009;
    /// TPM_ALG, 6.3.
    pub const SHA256: u16 = 0x000B;
    /// TPM_RC_HANDLE for the first handle, 6.6: no such NV index.
    pub const RC_NO_SUCH_HANDLE: u32 = 0x18B;

    /// TPMA_NV, 13.4. The index's own empty password reads and increments it, no lockout applies, and after
    /// [`super::write_lock`] it stays as it is until the machine starts anew.
    pub const COUNTER: u32 = AUTH_WRITE | TYPE_COUNTER | WRITE_STCLEAR | AUTH_READ | NO_DA;
    pub const AUTH_WRITE: u32 = 1 << 2;
    pub const TYPE_COUNTER: u32 = 1 << 4;
    pub const WRITE_LOCKED: u32 = 1 << 11;
    pub const WRITE_STCLEAR: u32 = 1 << 14;
    pub const AUTH_READ: u32 = 1 << 18;
    pub const NO_DA: u32 = 1 << 25;
    pub const WRITTEN: u32 = 1 << 29;
}

/// A command (TPM_CC, part 2, 6.5.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
#[allow(missing_docs)]
pub enum Command {
    NvDefineSpace = 0x12A,
    NvIncrement = 0x134,
    NvWriteLock = 0x138,
    NvRead = 0x14E,
    NvReadPublic = 0x169,
    GetRandom = 0x17B,
    PcrRead = 0x17E,
}

impl Command {
    /// Its name in the specification.
    pub const fn name(self) -> &'static str {
        match self {
            Self::NvDefineSpace => "TPM2_NV_DefineSpace",
            Self::NvIncrement => "TPM2_NV_Increment",
            Self::NvWriteLock => "TPM2_NV_WriteLock",
            Self::NvRead => "TPM2_NV_Read",
            Self::NvReadPublic => "TPM2_NV_ReadPublic",
            Self::GetRandom => "TPM2_GetRandom",
            Self::PcrRead => "TPM2_PCR_Read",
        }
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
    /// The firmware did not pass the command on; its status.
    Firmware(u64),
    /// The TPM's response code (TPM_RC).
    Code(u32),
    /// The response is shorter or longer than it says or than its contents are.
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
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.command.name())?;
        match self.problem {
            Problem::Firmware(status) => {
                write!(f, "found firmware status {status:#x}, expected success")
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
        }
    }
}

impl core::error::Error for Error {}

/// Carries commands to a TPM: the firmware's EFI_TCG2_PROTOCOL, or a test's fake.
pub trait Transport {
    /// Sends a command and writes the response to the start of `response`.
    ///
    /// # Errors
    /// The firmware's status.
    fn submit(&mut self, command: &[u8], response: &mut [u8]) -> Result<(), u64>;
}

/// The public area of the rollback counter, as far as it is not fixed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CounterState {
    /// It has been incremented at least once.
    pub written: bool,
    /// It cannot be incremented before the next start of the machine.
    pub write_locked: bool,
}

/// Reads the public area of [`ROLLBACK_INDEX`] (part 3, 31.6); `None` when it is not defined.
///
/// # Errors
/// See [`Error`]; also when the index is anything but the counter that [`define_counter`] makes.
pub fn read_counter_state(tpm: &mut dyn Transport) -> Result<Option<CounterState>, Error> {
    let mut exchange = Exchange::new(Command::NvReadPublic);
    exchange.request.u32(ROLLBACK_INDEX);
    match exchange.submit(tpm) {
        Err(Error {
            problem: Problem::Code(constant::RC_NO_SUCH_HANDLE),
            ..
        }) => return Ok(None),
        other => other?,
    }
    let mut response = exchange.response()?;
    let mut public = response.sized()?;
    public.expect_u32("index", ROLLBACK_INDEX)?;
    public.expect_u16("name algorithm", constant::SHA256)?;
    let attributes = public.u32()?;
    let state = CounterState {
        written: attributes & constant::WRITTEN != 0,
        write_locked: attributes & constant::WRITE_LOCKED != 0,
    };
    let fixed = attributes & !(constant::WRITTEN | constant::WRITE_LOCKED);
    public.check("attributes", fixed.into(), constant::COUNTER.into())?;
    public.expect_u16("policy length", 0)?;
    public.expect_u16("data length", 8)?;
    public.end()?;
    response.sized()?; // the index's name, a hash of the public area
    response.end()?;
    Ok(Some(state))
}

/// Defines [`ROLLBACK_INDEX`] as a counter (part 3, 31.3), with an empty owner password.
///
/// # Errors
/// See [`Error`].
pub fn define_counter(tpm: &mut dyn Transport) -> Result<(), Error> {
    let mut exchange = Exchange::new(Command::NvDefineSpace);
    exchange.request.u32(constant::OWNER);
    exchange.request.empty_password();
    exchange.request.u16(0); // empty password for the index
    exchange.request.u16(14); // bytes of the public area that follows
    exchange.request.u32(ROLLBACK_INDEX);
    exchange.request.u16(constant::SHA256);
    exchange.request.u32(constant::COUNTER);
    exchange.request.u16(0); // no policy
    exchange.request.u16(8);
    exchange.submit(tpm)?;
    exchange.parameters()?.end()
}

/// Increments [`ROLLBACK_INDEX`] (part 3, 31.8).
///
/// # Errors
/// See [`Error`].
pub fn increment_counter(tpm: &mut dyn Transport) -> Result<(), Error> {
    let mut exchange = Exchange::new(Command::NvIncrement);
    exchange.request.u32(ROLLBACK_INDEX); // authorised by the index itself
    exchange.request.u32(ROLLBACK_INDEX);
    exchange.request.empty_password();
    exchange.submit(tpm)?;
    exchange.parameters()?.end()
}

/// Reads [`ROLLBACK_INDEX`] (part 3, 31.13).
///
/// # Errors
/// See [`Error`].
pub fn read_counter(tpm: &mut dyn Transport) -> Result<u64, Error> {
    let mut exchange = Exchange::new(Command::NvRead);
    exchange.request.u32(ROLLBACK_INDEX);
    exchange.request.u32(ROLLBACK_INDEX);
    exchange.request.empty_password();
    exchange.request.u16(8); // bytes
    exchange.request.u16(0); // offset
    exchange.submit(tpm)?;
    let mut parameters = exchange.parameters()?;
    parameters.expect_u16("data length", 8)?;
    let value = parameters.u64()?;
    parameters.end()?;
    Ok(value)
}

/// Locks [`ROLLBACK_INDEX`] against increments until the machine starts anew (part 3, 31.11).
///
/// # Errors
/// See [`Error`].
pub fn write_lock(tpm: &mut dyn Transport) -> Result<(), Error> {
    let mut exchange = Exchange::new(Command::NvWriteLock);
    exchange.request.u32(ROLLBACK_INDEX);
    exchange.request.u32(ROLLBACK_INDEX);
    exchange.request.empty_password();
    exchange.submit(tpm)?;
    exchange.parameters()?.end()
}

/// Fills the start of `out` with random bytes (part 3, 16.1) and says how many the TPM gave.
///
/// # Errors
/// See [`Error`].
pub fn get_random(tpm: &mut dyn Transport, out: &mut [u8; 32]) -> Result<usize, Error> {
    let mut exchange = Exchange::new(Command::GetRandom);
    exchange.request.u16(out.len() as u16);
    exchange.submit(tpm)?;
    let mut response = exchange.response()?;
    let random = response.sized()?;
    response.end()?;
    let random = random.rest();
    let Some(start) = out.get_mut(..random.len()) else {
        return Err(Error {
            command: Command::GetRandom,
            problem: Problem::Length,
        });
    };
    start.copy_from_slice(random);
    Ok(random.len())
}

/// Reads all PCRs of the SHA-256 bank (part 3, 22.4).
///
/// # Errors
/// See [`Error`]; also when the TPM has no such bank.
pub fn read_pcrs(tpm: &mut dyn Transport) -> Result<[[u8; 32]; PCRS], Error> {
    let mut values = [[0; 32]; PCRS];
    let mut missing: u32 = (1 << PCRS) - 1;
    // A response holds at most eight digests; every one must make progress.
    while missing != 0 {
        let read = read_some_pcrs(tpm, missing, &mut values)?;
        missing &= !read;
    }
    Ok(values)
}

/// Reads some of the PCRs in a selection, at least one, and says which.
fn read_some_pcrs(
    tpm: &mut dyn Transport,
    selection: u32,
    values: &mut [[u8; 32]; PCRS],
) -> Result<u32, Error> {
    let mut exchange = Exchange::new(Command::PcrRead);
    exchange.request.u32(1); // banks
    exchange.request.u16(constant::SHA256);
    exchange.request.u8(3); // bytes of the selection, lowest PCR first
    exchange.request.bytes(&selection.to_le_bytes()[..3]);
    exchange.submit(tpm)?;
    let mut response = exchange.response()?;
    response.u32()?; // update counter
    response.expect_u32("number of banks", 1)?;
    response.expect_u16("bank", constant::SHA256)?;
    response.expect_u8("selection length", 3)?;
    let [low, middle, high] = response.array()?;
    let read = u32::from_le_bytes([low, middle, high, 0]);
    response.check("PCRs not asked for", (read & !selection).into(), 0)?;
    let count = response.u32()?;
    response.check("number of digests", count.into(), read.count_ones().into())?;
    if read == 0 {
        return Err(response.field("number of SHA-256 PCRs", 0, PCRS as u64));
    }
    for (index, value) in values.iter_mut().enumerate() {
        if read & 1 << index != 0 {
            response.expect_u16("digest length", 32)?;
            *value = response.array()?;
        }
    }
    response.end()?;
    Ok(read)
}

/// One command and its response.
struct Exchange {
    command: Command,
    request: Writer,
    answer: [u8; RESPONSE_BYTES],
    answer_bytes: usize,
}

impl Exchange {
    fn new(command: Command) -> Self {
        Self {
            command,
            request: Writer::new(command as u32),
            answer: [0; RESPONSE_BYTES],
            answer_bytes: 0,
        }
    }

    /// Sends the request, checks the response's header, fails on any code but success.
    fn submit(&mut self, tpm: &mut dyn Transport) -> Result<(), Error> {
        let error = |problem| Error {
            command: self.command,
            problem,
        };
        let sessions = self.request.has_session();
        let request = self.request.finish();
        tpm.submit(request, &mut self.answer)
            .map_err(|status| error(Problem::Firmware(status)))?;

        let mut header = Reader::new(self.command, &self.answer);
        let tag = header.u16()?;
        let bytes = header.u32()? as usize;
        let code = header.u32()?;
        if code != 0 {
            return Err(error(Problem::Code(code)));
        }
        let expected = if sessions {
            constant::SESSIONS
        } else {
            constant::NO_SESSIONS
        };
        header.check("response tag", tag.into(), expected.into())?;
        if !(wire::HEADER_BYTES..=RESPONSE_BYTES).contains(&bytes) {
            return Err(error(Problem::Length));
        }
        self.answer_bytes = bytes;
        Ok(())
    }

    /// What follows the header of a response without a session.
    fn response(&self) -> Result<Reader<'_>, Error> {
        let bytes = self
            .answer
            .get(wire::HEADER_BYTES..self.answer_bytes)
            .unwrap_or_default();
        Ok(Reader::new(self.command, bytes))
    }

    /// The parameters of a response with the one password session; its acknowledgement is checked.
    fn parameters(&self) -> Result<Reader<'_>, Error> {
        let mut response = self.response()?;
        let bytes = response.u32()?;
        let parameters = response.part(bytes as usize)?;
        response.expect_u16("session nonce length", 0)?;
        response.u8()?; // session attributes
        response.expect_u16("session HMAC length", 0)?;
        response.end()?;
        Ok(parameters)
    }
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
