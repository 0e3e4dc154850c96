//! Why a command failed, in one line that names the file.

use std::fmt;
use std::path::{Path, PathBuf};

use nonos_image::anchors::AnchorsError;
use nonos_image::archive::ArchiveError;
use nonos_image::image::UnpackError;
use nonos_image::sign::KeyFileError;
use nonos_image::symbols::SymbolsError;
use nonos_image::{elf, envelope};

/// A failure and the file it is about.
#[derive(Debug)]
pub struct Error {
    path: PathBuf,
    reason: Reason,
}

/// What went wrong with a file.
#[derive(Debug)]
pub enum Reason {
    /// Reading or writing failed.
    Io(std::io::Error),
    /// A file that is never overwritten exists.
    Exists,
    /// A secret key file is malformed.
    Key(KeyFileError),
    /// The operating system has no random numbers.
    Random(String),
    /// A public key file does not have its one length.
    PublicKeyLength(usize),
    /// A manifest is malformed.
    Manifest(String),
    /// An image, a list or a module was refused.
    Refused(envelope::Refusal),
    /// An ELF file was refused.
    Elf(elf::Refusal),
    /// An image does not unpack.
    Unpack(UnpackError),
    /// What an image unpacks to is no archive.
    Archive(ArchiveError),
    /// A list of trust anchors is malformed.
    Anchors(AnchorsError),
    /// A symbol table is malformed.
    Symbols(SymbolsError),
    /// Part of an image was refused: its name in the archive, and why.
    Entry(String, Box<Reason>),
    /// An archive lacks an entry.
    Missing(&'static str),
    /// A module of the archive is named by no list of modules, or by two.
    Listed,
    /// Neither an image nor a list of modules.
    Kind,
    /// More than a host tool unpacks without keys.
    TooLarge(u64),
}

impl Reason {
    /// This reason, for a file.
    pub fn at(self, path: &Path) -> Error {
        Error {
            path: path.to_owned(),
            reason: self,
        }
    }

    /// This reason, for an entry of an archive.
    pub fn in_entry(self, name: impl fmt::Display) -> Self {
        Self::Entry(name.to_string(), Box::new(self))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.reason)
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Exists => f.write_str("exists already; keys are never overwritten"),
            Self::Key(error) => error.fmt(f),
            Self::Random(error) => write!(f, "no random numbers: {error}"),
            Self::PublicKeyLength(found) => write!(
                f,
                "not a public key file: {found} bytes, {} expected",
                nonos_image::keys::PUBLIC_KEYS_BYTES
            ),
            Self::Manifest(error) => write!(f, "bad manifest: {error}"),
            Self::Refused(refusal) => write!(f, "refused: {refusal}"),
            Self::Elf(refusal) => write!(f, "no executable for this system: {refusal}"),
            Self::Unpack(error) => error.fmt(f),
            Self::Archive(error) => error.fmt(f),
            Self::Anchors(error) => error.fmt(f),
            Self::Symbols(error) => error.fmt(f),
            Self::Entry(name, reason) => write!(f, "entry \"{name}\": {reason}"),
            Self::Missing(name) => write!(f, "the archive has no entry \"{name}\""),
            Self::Listed => f.write_str("not named by exactly one list of modules"),
            Self::Kind => f.write_str("neither a system image nor a list of modules"),
            Self::TooLarge(bytes) => write!(
                f,
                "claims to unpack to {bytes} bytes; not unpacked without keys"
            ),
        }
    }
}

impl std::error::Error for Error {}

macro_rules! reasons {
    ($($variant:ident($type:ty),)+) => {
        $(impl From<$type> for Reason {
            fn from(error: $type) -> Self {
                Self::$variant(error)
            }
        })+
    };
}

reasons! {
    Io(std::io::Error),
    Key(KeyFileError),
    Refused(envelope::Refusal),
    Elf(elf::Refusal),
    Unpack(UnpackError),
    Archive(ArchiveError),
    Anchors(AnchorsError),
    Symbols(SymbolsError),
}

/// Names the file of a failure.
pub trait At<T> {
    /// The result, with the file that its error is about.
    fn at(self, path: impl AsRef<Path>) -> Result<T, Error>;
}

impl<T, E: Into<Reason>> At<T> for Result<T, E> {
    fn at(self, path: impl AsRef<Path>) -> Result<T, Error> {
        self.map_err(|error| error.into().at(path.as_ref()))
    }
}
