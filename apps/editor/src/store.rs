//! Texts in files: reading and writing them in parts, and what the editor asks the user for.

use alloc::string::String;
use alloc::vec;
use core::fmt;

use nonos_proto::CallError;
use nonos_ui::buffer::{Buffer, LONGEST};

/// Bytes that are read or written at a time.
const PART: usize = 64 * 1024;

/// A file.
pub trait File {
    /// Bytes.
    fn size(&self) -> Result<u64, CallError>;

    /// Reads from a place on: how many bytes, fewer only at the end.
    fn read(&self, at: u64, out: &mut [u8]) -> Result<usize, CallError>;

    /// Writes at a place.
    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), CallError>;

    /// From now on what is written goes into a new file in its place, which is there from [`File::commit`] on.
    fn begin(&self) -> Result<(), CallError>;

    /// Has what was written since be the file.
    fn commit(&self) -> Result<(), CallError>;
}

/// A file that the user gave.
#[derive(Debug)]
pub struct Given<F> {
    /// It.
    pub file: F,
    /// Its name, for a person.
    pub name: String,
    /// Whether it may be written.
    pub writable: bool,
}

/// The user, who is asked for files.
pub trait User {
    /// A file.
    type File: File;

    /// Asks for a file to read and write: number of the request.
    fn ask_open(&mut self) -> Result<u64, CallError>;

    /// Asks for a file to save in; the name is a suggestion.
    fn ask_save(&mut self, name: &str) -> Result<u64, CallError>;

    /// The answer to a request, once; none while there is none. [`nonos_proto::Refusal::Declined`] when the user said no.
    fn answer(&mut self, request: u64) -> Result<Option<Given<Self::File>>, CallError>;

    /// What the program was opened with.
    fn opened_with(&mut self) -> Result<Option<Given<Self::File>>, CallError>;

    /// Gives a request up.
    fn withdraw(&mut self, request: u64);
}

/// Why a file was not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unread {
    /// It has so many bytes, too many.
    TooLong(u64),
    /// It is no UTF-8: the first byte that is wrong.
    NotText(u64),
    /// The file system's reason.
    Failed(CallError),
}

impl From<CallError> for Unread {
    fn from(error: CallError) -> Self {
        Self::Failed(error)
    }
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(size) => write!(
                f,
                "it has {} MB, and texts have at most {} MB",
                size >> 20,
                LONGEST >> 20
            ),
            Self::NotText(at) => write!(f, "it is no text in UTF-8, from byte {at} on"),
            Self::Failed(error) => write!(f, "{error}"),
        }
    }
}

/// Reads a text.
///
/// # Errors
/// When it is too long, no UTF-8, or cannot be read.
pub fn read(file: &impl File) -> Result<Buffer, Unread> {
    let size = file.size()?;
    if size > LONGEST as u64 {
        return Err(Unread::TooLong(size));
    }
    let mut buffer = Buffer::default();
    let mut bytes = vec![0; PART];
    // Bytes at the beginning that are part of a character.
    let (mut at, mut kept) = (0_u64, 0);
    loop {
        let count = file.read(at, &mut bytes[kept..])?;
        let begin = at - kept as u64;
        at += count as u64;
        let read = &bytes[..kept + count];
        let valid = match core::str::from_utf8(read) {
            Ok(_) => read.len(),
            // A character that goes on in the next part, if there is one.
            Err(error) if error.error_len().is_none() && count > 0 => error.valid_up_to(),
            Err(error) => return Err(Unread::NotText(begin + error.valid_up_to() as u64)),
        };
        let text = core::str::from_utf8(&read[..valid]).unwrap_or_default();
        buffer.load(text).map_err(|_| Unread::TooLong(at))?;
        if count == 0 {
            return Ok(buffer);
        }
        kept = read.len() - valid;
        bytes.copy_within(valid..valid + kept, 0);
    }
}

/// Writes a text in the place of what the file held.
///
/// # Errors
/// The file system's reason. The file is as it was.
pub fn write(file: &impl File, buffer: &Buffer) -> Result<(), CallError> {
    file.begin()?;
    let mut part = String::with_capacity(PART);
    let mut at = 0;
    for text in buffer.parts(0..buffer.len()) {
        if part.len() + text.len() > PART {
            file.write(at, part.as_bytes())?;
            at += part.len() as u64;
            part.clear();
        }
        part.push_str(text);
    }
    if !part.is_empty() {
        file.write(at, part.as_bytes())?;
    }
    file.commit()
}
