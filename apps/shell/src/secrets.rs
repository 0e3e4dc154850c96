//! `vault`: what the user has the vault do. Passphrases and secrets are typed without echo, and wiped when they were sent.

use core::fmt;

use nonos_proto::vault::{APPROVAL_BYTES, BLOB_BYTES, Client, SECRET_BYTES};
use nonos_proto::{CallError, Refusal};
use nonos_rt::object::Endpoint;
use nonos_rt::parent;
use shell::command::{Entry, HELP_COLUMN};
use shell::hex::{self, Hex};
use shell::keys::INTERRUPT;
use shell::report;
use shell::vault::{Act, Task, WORDS, parse};
use zeroize::{Zeroize, Zeroizing};

use crate::session::Session;

/// Most bytes that are typed without echo: a key at rest in hexadecimal digits.
const HIDDEN: usize = 2 * BLOB_BYTES;
/// Most bytes of a signature or public key.
const LONGEST: usize = 4096;
/// Most bytes that are shown of one.
const SHOWN: usize = 64;
/// Most events that are shown.
const EVENTS: u64 = 32;

/// What was typed without echo.
type Hidden = Zeroizing<([u8; HIDDEN], usize)>;

/// The last signature.
pub struct Signature {
    bytes: [u8; LONGEST],
    length: usize,
}

impl Signature {
    /// None yet.
    pub const fn new() -> Self {
        Self {
            bytes: [0; LONGEST],
            length: 0,
        }
    }
}

type Vault = Client<Endpoint>;

/// Why it was not done: the vault's reason, or that the user gave up.
enum Failure {
    Call(CallError),
    GivenUp,
    NotTheSame,
    NotHex(usize),
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        Self::Call(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Call(error) => fmt::Display::fmt(error, f),
            Self::GivenUp => f.write_str("given up, nothing was done"),
            Self::NotTheSame => f.write_str("these are not the same, nothing was done"),
            Self::NotHex(digits) => write!(f, "{digits} hexadecimal digits are needed"),
        }
    }
}

impl Session {
    /// `vault`
    pub(crate) fn vault(&mut self, line: &str) {
        let Some(task) = parse(line) else {
            return self.fail(format_args!("vault help lists what can stand behind vault"));
        };
        let done = match parent::connect("vault") {
            Ok(endpoint) => self.do_task(&Client(endpoint), task),
            Err(error) => Err(error.into()),
        };
        if let Err(failure) = done {
            self.fail(format_args!("vault: {failure}"));
        }
    }

    fn do_task(&mut self, vault: &Vault, task: Task<'_>) -> Result<(), Failure> {
        let done = match task {
            Task::Status => {
                let state = vault.status()?;
                let _ = report::vault(&mut self.terminal, &state);
                return Ok(());
            }
            Task::Help => return self.vault_help(),
            Task::Log => return self.vault_log(vault),
            Task::Keys => return self.vault_keys(vault),
            Task::With(name, act) => {
                let key = Client(Endpoint::from_handle(vault.open(name)?));
                return self.with_key(&key, act);
            }
            Task::Unlock => {
                let passphrase = self.hidden("Passphrase: ")?;
                vault.unlock(typed(&passphrase))?;
                "open"
            }
            Task::Lock => {
                vault.lock()?;
                "locked"
            }
            Task::Passphrase => {
                let passphrase = self.hidden_twice()?;
                vault.set_passphrase(typed(&passphrase))?;
                match passphrase.1 {
                    0 => "no passphrase is set",
                    _ => "the passphrase is set",
                }
            }
            Task::Duress => {
                let passphrase = self.hidden_twice()?;
                vault.set_duress(typed(&passphrase))?;
                match passphrase.1 {
                    0 => "no duress passphrase is set",
                    _ => "the duress passphrase is set: it destroys everything",
                }
            }
            Task::AutoLock(seconds) => {
                vault.set_auto_lock(seconds)?;
                "done"
            }
            Task::Keep(on) => {
                vault.keep(on.into())?;
                match on {
                    true => "the TPM keeps the root",
                    false => "the TPM keeps the root no more",
                }
            }
            Task::Wipe => {
                self.print(format_args!("Type wipe to destroy all keys. "));
                let answer = self.hidden("")?;
                if typed(&answer) != b"wipe" {
                    return Err(Failure::GivenUp);
                }
                vault.wipe()?;
                "wiped"
            }
            Task::New {
                name,
                kind,
                uses,
                typed: false,
            } => {
                drop(Endpoint::from_handle(vault.create(name, kind, uses)?));
                "made"
            }
            Task::New {
                name, kind, uses, ..
            } => {
                let digits = self.hidden("64 hexadecimal digits: ")?;
                let mut secret = Zeroizing::new([0; SECRET_BYTES]);
                hex::parse_all(typed(&digits), &mut secret)
                    .ok_or(Failure::NotHex(2 * SECRET_BYTES))?;
                let key = vault.import(name, kind, uses, &*secret)?;
                drop(Endpoint::from_handle(key));
                "imported"
            }
            Task::Approve => {
                let digits = self.hidden("The approval: ")?;
                let mut approval = [0; APPROVAL_BYTES];
                hex::parse_all(typed(&digits), &mut approval)
                    .ok_or(Failure::NotHex(2 * APPROVAL_BYTES))?;
                vault.approve(&approval)?;
                "the TPM keeps the approval"
            }
            Task::Unwrap => {
                let digits = self.hidden("The key at rest: ")?;
                let mut blob = [0; BLOB_BYTES];
                hex::parse_all(typed(&digits), &mut blob).ok_or(Failure::NotHex(2 * BLOB_BYTES))?;
                drop(Endpoint::from_handle(vault.unwrap(&blob)?));
                "taken back"
            }
        };
        self.print(format_args!("{done}\n"));
        Ok(())
    }

    fn with_key(&mut self, key: &Vault, act: Act<'_>) -> Result<(), Failure> {
        match act {
            Act::Public => {
                let mut public = [0; LONGEST];
                let length = key.public_key(0, &mut public)?;
                self.show_bytes(&public, length);
            }
            Act::Sign(text) => {
                let length = key.sign(text.as_bytes(), &mut self.signature.bytes)?;
                self.signature.length = usize::try_from(length).unwrap_or(0).min(LONGEST);
                let signature = self.signature.bytes;
                self.show_bytes(&signature, length);
            }
            Act::Verify(text) => {
                let signature = &self.signature.bytes[..self.signature.length];
                key.verify(text.as_bytes(), signature)?;
                self.print(format_args!(
                    "the last signature is this key's, for this text\n"
                ));
            }
            Act::Rotate => {
                let version = key.rotate()?;
                self.print(format_args!("version {version}\n"));
            }
            Act::Export => {
                let mut secret = Zeroizing::new([0; SECRET_BYTES]);
                key.export(0, &mut *secret)?;
                self.show_bytes(&*secret, SECRET_BYTES as u64);
            }
            Act::Wrap => {
                let mut blob = [0; BLOB_BYTES];
                key.wrap(0, &mut blob)?;
                // All of it: it has to be typed again.
                self.print(format_args!("{}\n", Hex(&blob)));
            }
            Act::Destroy => {
                key.destroy()?;
                self.print(format_args!("destroyed\n"));
            }
        }
        Ok(())
    }

    /// Shows bytes, the beginning only when they are many.
    fn show_bytes(&mut self, bytes: &[u8], length: u64) {
        let length = usize::try_from(length)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let (shown, rest) = bytes[..length].split_at(length.min(SHOWN));
        self.print(format_args!("{}", Hex(shown)));
        match rest.len() {
            0 => self.print(format_args!("\n")),
            more => self.print(format_args!(" and {more} bytes more\n")),
        }
    }

    fn vault_keys(&mut self, vault: &Vault) -> Result<(), Failure> {
        for index in 0.. {
            match vault.list(index) {
                Ok(info) => {
                    if index == 0 {
                        let _ = report::keys_heading(&mut self.terminal);
                    }
                    let _ = report::key(&mut self.terminal, &info);
                }
                Err(CallError::Refused(Refusal::NoSuchKey)) => {
                    if index == 0 {
                        self.print(format_args!("no keys\n"));
                    }
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn vault_log(&mut self, vault: &Vault) -> Result<(), Failure> {
        let _ = report::events_heading(&mut self.terminal);
        let mut next = 0;
        // More may come while they are read.
        for _ in 0..2 * EVENTS {
            match vault.event(next) {
                Ok(event) => {
                    next = event.sequence.saturating_add(1);
                    let _ = report::event(&mut self.terminal, &event);
                }
                Err(CallError::Refused(Refusal::NoSuchKey)) => break,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    fn vault_help(&mut self) -> Result<(), Failure> {
        for Entry {
            name,
            arguments,
            help,
        } in WORDS
        {
            let width = HELP_COLUMN - name.len() - 3;
            self.print(format_args!("  {name} {arguments:<width$}{help}\n"));
        }
        Ok(())
    }

    /// Has something typed twice, so that a mistake does not lock the user out.
    fn hidden_twice(&mut self) -> Result<Hidden, Failure> {
        let first = self.hidden("New passphrase, empty for none: ")?;
        let second = self.hidden("Again: ")?;
        match typed(&first) == typed(&second) {
            true => Ok(first),
            false => Err(Failure::NotTheSame),
        }
    }

    /// Reads a line that is not shown. Ctrl-C gives up, Ctrl-U begins again.
    fn hidden(&mut self, prompt: &str) -> Result<Hidden, Failure> {
        self.print(format_args!("{prompt}"));
        let mut line = Zeroizing::new(([0; HIDDEN], 0_usize));
        loop {
            let (bytes, length) = &mut *line;
            match self.typed.pop() {
                None => {
                    let read = self.terminal.terminal.read()?;
                    self.typed.push(read.as_slice());
                }
                Some(b'\r' | b'\n') => break,
                Some(INTERRUPT) => {
                    self.print(format_args!("^C\n"));
                    return Err(Failure::GivenUp);
                }
                Some(0x15) => {
                    bytes.zeroize();
                    *length = 0;
                }
                Some(0x08 | 0x7F) => *length = length.saturating_sub(1),
                Some(byte) => {
                    if let Some(place) = bytes.get_mut(*length) {
                        *place = byte;
                        *length += 1;
                    }
                }
            }
        }
        self.print(format_args!("\n"));
        Ok(line)
    }
}

fn typed(hidden: &Hidden) -> &[u8] {
    &hidden.0[..hidden.1]
}
