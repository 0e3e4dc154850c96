//! The encoding of TPM commands and responses: big-endian numbers, byte strings led by a 16-bit length
//! (TPM2B). A [`Writer`] says when something did not fit; a [`Reader`] never reads past the end and every failure
//! names the command.

use zeroize::Zeroize;

use crate::command::{Command, Error, Problem};

/// Tag, size, code (part 1, 18.2).
pub const HEADER_BYTES: usize = 10;

/// Longest command that is sent, and longest response that is taken.
pub const MESSAGE_BYTES: usize = 1024;

/// Bytes under construction. They are wiped when dropped.
pub struct Writer {
    bytes: [u8; MESSAGE_BYTES],
    used: usize,
    fits: bool,
}

impl Writer {
    /// No bytes yet.
    pub const fn new() -> Self {
        Self {
            bytes: [0; MESSAGE_BYTES],
            used: 0,
            fits: true,
        }
    }

    /// Appends a byte.
    pub fn u8(&mut self, value: u8) {
        self.bytes(&[value]);
    }

    /// Appends a number of 16 bits.
    pub fn u16(&mut self, value: u16) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends a number of 32 bits.
    pub fn u32(&mut self, value: u32) {
        self.bytes(&value.to_be_bytes());
    }

    /// Appends bytes.
    pub fn bytes(&mut self, bytes: &[u8]) {
        let end = self.used.saturating_add(bytes.len());
        match self.bytes.get_mut(self.used..end) {
            Some(room) => {
                room.copy_from_slice(bytes);
                self.used = end;
            }
            None => self.fits = false,
        }
    }

    /// Appends bytes, led by their length (TPM2B).
    pub fn sized(&mut self, bytes: &[u8]) {
        match u16::try_from(bytes.len()) {
            Ok(length) => self.u16(length),
            Err(_) => self.fits = false,
        }
        self.bytes(bytes);
    }

    /// A selection of PCRs of the SHA-256 bank (TPML_PCR_SELECTION, part 2, 10.9.7), lowest PCR first.
    pub fn pcr_selection(&mut self, selection: u32) {
        self.u32(1); // banks
        self.u16(crate::constant::SHA256);
        self.u8(3); // bytes of the selection
        self.bytes(&selection.to_le_bytes()[..3]);
    }

    /// What was appended so far.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.used]
    }

    /// The same, to be changed in place.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.used]
    }

    /// Everything that was appended is there.
    pub fn fits(&self) -> bool {
        self.fits
    }
}

impl Default for Writer {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

/// Bytes of a response, read from the front.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    command: Command,
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Bytes that answer a command.
    pub fn new(command: Command, bytes: &'a [u8]) -> Self {
        Self { command, bytes }
    }

    /// The next bytes.
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (array, rest) = self.bytes.split_first_chunk().ok_or(self.length())?;
        self.bytes = rest;
        Ok(*array)
    }

    /// The next byte.
    pub fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_be_bytes)
    }

    /// The next number of 16 bits.
    pub fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_be_bytes)
    }

    /// The next number of 32 bits.
    pub fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_be_bytes)
    }

    /// The next number of 64 bits.
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

    /// The next byte is this one.
    pub fn expect_u8(&mut self, name: &'static str, expected: u8) -> Result<(), Error> {
        let found = self.u8()?;
        self.check(name, found.into(), expected.into())
    }

    /// The next number is this one.
    pub fn expect_u16(&mut self, name: &'static str, expected: u16) -> Result<(), Error> {
        let found = self.u16()?;
        self.check(name, found.into(), expected.into())
    }

    /// The next number is this one.
    pub fn expect_u32(&mut self, name: &'static str, expected: u32) -> Result<(), Error> {
        let found = self.u32()?;
        self.check(name, found.into(), expected.into())
    }

    /// A field has the value that it must have.
    pub fn check(&self, name: &'static str, found: u64, expected: u64) -> Result<(), Error> {
        self.command.check(name, found, expected)
    }

    /// The command that this answers.
    pub fn command(&self) -> Command {
        self.command
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

    /// The response is shorter or longer than its contents.
    pub fn length(&self) -> Error {
        self.command.error(Problem::Length)
    }
}
