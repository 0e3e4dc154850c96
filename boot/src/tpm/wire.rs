//! The encoding of TPM commands and responses: big-endian numbers, byte strings led by a 16-bit length
//! (TPM2B). A [`Writer`] fills a fixed buffer that is long enough for every command here; a [`Reader`] never
//! reads past the end and every failure names the command.

use super::{Command, Error, Problem, constant};

/// Tag, size, code (part 1, 18.2).
pub const HEADER_BYTES: usize = 10;

/// Long enough for the longest command, TPM2_NV_DefineSpace.
const COMMAND_BYTES: usize = 64;

/// A command under construction.
pub struct Writer {
    bytes: [u8; COMMAND_BYTES],
    used: usize,
    session: bool,
}

impl Writer {
    pub fn new(command: u32) -> Self {
        let mut new = Self {
            bytes: [0; COMMAND_BYTES],
            used: 6,
            session: false,
        };
        new.u32(command);
        new
    }

    pub fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Commands are fixed, so that one too long is a mistake in this module, found by its tests.
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.used..self.used + bytes.len()].copy_from_slice(bytes);
        self.used += bytes.len();
    }

    /// The authorisation area with one session: an empty password (part 1, 19.4).
    pub fn empty_password(&mut self) {
        self.session = true;
        self.u32(9); // bytes of the area
        self.u32(constant::PASSWORD_SESSION);
        self.u16(0); // nonce
        self.u8(0); // attributes
        self.u16(0); // password
    }

    pub fn has_session(&self) -> bool {
        self.session
    }

    /// The whole command, with tag and size.
    pub fn finish(&mut self) -> &[u8] {
        let tag = if self.session {
            constant::SESSIONS
        } else {
            constant::NO_SESSIONS
        };
        self.bytes[..2].copy_from_slice(&tag.to_be_bytes());
        self.bytes[2..6].copy_from_slice(&(self.used as u32).to_be_bytes());
        &self.bytes[..self.used]
    }
}

/// Bytes of a response, read from the front.
#[derive(Debug)]
pub struct Reader<'a> {
    command: Command,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub fn new(command: Command, bytes: &'a [u8]) -> Self {
        Self { command, bytes }
    }

    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.bytes.split_first_chunk().ok_or(self.length())?;
        self.bytes = rest;
        Ok(*array)
    }

    pub fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    pub fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    pub fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    pub fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_be_bytes)
    }

    /// The next `bytes` bytes as a reader of their own.
    pub fn part(&mut self, bytes: usize) -> Result<Reader<'a>, Error> {
        let (part, rest) = self.bytes.split_at_checked(bytes).ok_or(self.length())?;
        self.bytes = rest;
        Ok(Reader {
            command: self.command,
            bytes: part,
        })
    }

    /// A byte string led by its length (TPM2B).
    pub fn sized(&mut self) -> Result<Reader<'a>, Error> {
        let bytes = self.u16()?;
        self.part(bytes.into())
    }

    pub fn expect_u8(&mut self, name: &'static str, expected: u8) -> Result<(), Error> {
        let found = self.u8()?;
        self.check(name, found.into(), expected.into())
    }

    pub fn expect_u16(&mut self, name: &'static str, expected: u16) -> Result<(), Error> {
        let found = self.u16()?;
        self.check(name, found.into(), expected.into())
    }

    pub fn expect_u32(&mut self, name: &'static str, expected: u32) -> Result<(), Error> {
        let found = self.u32()?;
        self.check(name, found.into(), expected.into())
    }

    pub fn check(&self, name: &'static str, found: u64, expected: u64) -> Result<(), Error> {
        if found == expected {
            Ok(())
        } else {
            Err(self.field(name, found, expected))
        }
    }

    pub fn field(&self, name: &'static str, found: u64, expected: u64) -> Error {
        Error {
            command: self.command,
            problem: Problem::Field {
                name,
                found,
                expected,
            },
        }
    }

    /// All that is left.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Nothing may be left.
    pub fn end(&self) -> Result<(), Error> {
        if self.bytes.is_empty() {
            Ok(())
        } else {
            Err(self.length())
        }
    }

    fn length(&self) -> Error {
        Error {
            command: self.command,
            problem: Problem::Length,
        }
    }
}
