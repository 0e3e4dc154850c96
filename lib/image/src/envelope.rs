//! What makes a file signed: `[header 512][Ed25519 64][ML-DSA-65 3309][zeros to 4096][body]`.
//!
//! Both signatures are over the raw header and bound to a context, so that an image never passes as a
//! list of modules: Ed25519 signs `context || header` (the header's length is fixed, so the split is unambiguous),
//! ML-DSA-65 takes the context as its own parameter (FIPS 204, 5.2). The header holds length and BLAKE3
//! hash of the body.
//!
//! Order of checks: length of the envelope, Ed25519, ML-DSA-65, padding; then [`crate::image`] or
//! [`crate::list`] reads the header; then length of the body, hash of the body.

use core::fmt;

use nonos_abi::Name;

#[cfg(feature = "sign")]
use crate::bytes::put;
use crate::bytes::{Hex, Text, field, number};
use crate::keys::PublicKeys;
use crate::signature::{self, ED25519_SIGNATURE_BYTES, ML_DSA_SIGNATURE_BYTES};

/// Bytes of the signed header.
pub const HEADER_BYTES: usize = 512;
/// Bytes before the body. A page, so that a page-aligned file has a page-aligned body.
pub const ENVELOPE_BYTES: usize = 4096;
/// Where the Ed25519 signature stands.
pub const ED25519_AT: usize = HEADER_BYTES;
/// Where the ML-DSA-65 signature stands.
pub const ML_DSA_AT: usize = ED25519_AT + ED25519_SIGNATURE_BYTES;
/// Where the zeros start.
pub const PADDING_AT: usize = ML_DSA_AT + ML_DSA_SIGNATURE_BYTES;
/// The format version that this code reads and writes.
pub const FORMAT_VERSION: u64 = 1;

/// Bytes of the longest context.
const CONTEXT_BYTES_MAX: usize = 32;

/// A header, raw.
pub type Header = [u8; HEADER_BYTES];

/// What a file claims to be.
pub(crate) struct Kind {
    pub(crate) context: &'static str,
    pub(crate) magic: [u8; 8],
    /// First byte of the header after its last field.
    pub(crate) fields_end: usize,
}

/// Why a file was refused: the first check that failed, with what was found and what was expected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The file is shorter than an envelope.
    Length {
        /// Bytes.
        found: usize,
    },
    /// Lists of modules: no trust anchor has this publisher's name.
    Publisher {
        /// The name, by that of the list.
        found: Name,
    },
    /// The Ed25519 signature is not valid.
    Ed25519,
    /// The ML-DSA-65 signature is not valid.
    MlDsa,
    /// A byte between signatures and body is not zero.
    Padding {
        /// Where in the file.
        offset: usize,
        /// The byte.
        found: u8,
    },
    /// The header starts with other bytes.
    Magic {
        /// What it starts with.
        found: [u8; 8],
        /// What it should start with.
        expected: [u8; 8],
    },
    /// The header has a format version that this code does not know.
    Format {
        /// Its version.
        found: u64,
    },
    /// A field of the header, or of a list that it signs, has a value that is not allowed.
    Field {
        /// Which.
        field: &'static str,
    },
    /// A reserved byte of the header is not zero.
    Reserved {
        /// Where in the file.
        offset: usize,
        /// The byte.
        found: u8,
    },
    /// The body is shorter or longer than the signed length.
    BodyLength {
        /// Bytes after the envelope.
        found: u64,
        /// Bytes by the header.
        expected: u64,
    },
    /// The BLAKE3 hash of the body, or of a module, is not the signed one.
    Hash {
        /// Hash of what there is.
        found: [u8; 32],
        /// Hash that is signed.
        expected: [u8; 32],
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { found } => {
                write!(
                    f,
                    "too short: {found} bytes, at least {ENVELOPE_BYTES} expected"
                )
            }
            Self::Publisher { found } => write!(f, "publisher \"{found}\" is not trusted"),
            Self::Ed25519 => f.write_str("Ed25519 signature is not valid for the trusted key"),
            Self::MlDsa => f.write_str("ML-DSA-65 signature is not valid for the trusted key"),
            Self::Padding { offset, found } => {
                write!(
                    f,
                    "padding: found {found:#04x} at byte {offset}, expected 0"
                )
            }
            Self::Magic { found, expected } => {
                write!(
                    f,
                    "not this kind of file: found \"{}\", expected \"{}\"",
                    Text(found),
                    Text(expected)
                )
            }
            Self::Format { found } => {
                write!(
                    f,
                    "unknown format version: found {found}, expected {FORMAT_VERSION}"
                )
            }
            Self::Field { field } => write!(f, "what is signed has an invalid {field}"),
            Self::Reserved { offset, found } => {
                write!(
                    f,
                    "reserved header byte: found {found:#04x} at byte {offset}, expected 0"
                )
            }
            Self::BodyLength { found, expected } => {
                write!(
                    f,
                    "body has the wrong length: found {found} bytes, signed {expected}"
                )
            }
            Self::Hash { found, expected } => {
                write!(
                    f,
                    "BLAKE3 hash is wrong: found {}, signed {}",
                    Hex(found),
                    Hex(expected)
                )
            }
        }
    }
}

impl core::error::Error for Refusal {}

/// The kernel's answer to whoever asked for a module.
impl From<Refusal> for nonos_abi::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Publisher { .. } => Self::ModulePublisher,
            Refusal::Ed25519 => Self::ModuleEd25519,
            Refusal::MlDsa => Self::ModuleMlDsa,
            Refusal::Hash { .. } => Self::ModuleHash,
            _ => Self::ModuleFormat,
        }
    }
}

/// A file whose signatures are valid; its header may be read now. The body is not checked yet.
pub(crate) struct Signed<'a> {
    pub(crate) header: &'a Header,
    body: &'a [u8],
}

/// Checks both signatures and the padding, then magic, format version and reserved bytes.
pub(crate) fn verify<'a>(
    kind: &Kind,
    file: &'a [u8],
    keys: &PublicKeys,
) -> Result<Signed<'a>, Refusal> {
    let too_short = Refusal::Length { found: file.len() };
    let (envelope, body) = file
        .split_first_chunk::<ENVELOPE_BYTES>()
        .ok_or(too_short)?;
    let (header, rest) = envelope.split_first_chunk().ok_or(too_short)?;
    let (ed25519, rest) = rest.split_first_chunk().ok_or(too_short)?;
    let (ml_dsa, padding) = rest.split_first_chunk().ok_or(too_short)?;

    let mut buffer = [0; CONTEXT_BYTES_MAX + HEADER_BYTES];
    let message = with_context(kind.context, header, &mut buffer);
    if !signature::ed25519_is_valid(&keys.ed25519, message, ed25519) {
        return Err(Refusal::Ed25519);
    }
    if !signature::ml_dsa_is_valid(&keys.ml_dsa, header, kind.context.as_bytes(), ml_dsa) {
        return Err(Refusal::MlDsa);
    }
    if let Some((offset, found)) = first_nonzero(padding) {
        return Err(Refusal::Padding {
            offset: PADDING_AT + offset,
            found,
        });
    }
    check_header(kind, header)?;
    Ok(Signed { header, body })
}

/// What both kinds of header have in common.
pub(crate) fn check_header(kind: &Kind, header: &Header) -> Result<(), Refusal> {
    let magic = field::<0, 8, _>(header);
    if magic != kind.magic {
        return Err(Refusal::Magic {
            found: magic,
            expected: kind.magic,
        });
    }
    let format = number::<8, _>(header);
    if format != FORMAT_VERSION {
        return Err(Refusal::Format { found: format });
    }
    let reserved = header.get(kind.fields_end..).unwrap_or_default();
    if let Some((offset, found)) = first_nonzero(reserved) {
        return Err(Refusal::Reserved {
            offset: kind.fields_end + offset,
            found,
        });
    }
    Ok(())
}

impl<'a> Signed<'a> {
    /// The body, when it has the length and the hash that the header says.
    pub(crate) fn body(&self, bytes: u64, hash: &[u8; 32]) -> Result<&'a [u8], Refusal> {
        let found = self.body.len() as u64;
        if found != bytes {
            return Err(Refusal::BodyLength {
                found,
                expected: bytes,
            });
        }
        check_hash(self.body, hash)?;
        Ok(self.body)
    }
}

/// Whether bytes have a hash.
pub(crate) fn check_hash(bytes: &[u8], expected: &[u8; 32]) -> Result<(), Refusal> {
    let found = signature::hash(bytes);
    if found != *expected {
        return Err(Refusal::Hash {
            found,
            expected: *expected,
        });
    }
    Ok(())
}

/// What Ed25519 signs.
fn with_context<'b>(
    context: &str,
    header: &Header,
    buffer: &'b mut [u8; CONTEXT_BYTES_MAX + HEADER_BYTES],
) -> &'b [u8] {
    let context = context.as_bytes();
    debug_assert!(context.len() <= CONTEXT_BYTES_MAX);
    let bytes = context.iter().chain(header);
    buffer
        .iter_mut()
        .zip(bytes)
        .for_each(|(to, from)| *to = *from);
    buffer
        .get(..context.len() + HEADER_BYTES)
        .unwrap_or_default()
}

fn first_nonzero(bytes: &[u8]) -> Option<(usize, u8)> {
    bytes
        .iter()
        .copied()
        .enumerate()
        .find(|&(_, byte)| byte != 0)
}

/// A header with magic, format version, and zeros for the rest.
#[cfg(feature = "sign")]
pub(crate) fn new_header(kind: &Kind) -> Header {
    let mut header = [0; HEADER_BYTES];
    put::<0, 8, _>(&mut header, &kind.magic);
    put::<8, 8, _>(&mut header, &FORMAT_VERSION.to_le_bytes());
    header
}

/// Signs a header and puts the file together.
#[cfg(feature = "sign")]
pub(crate) fn seal(
    kind: &Kind,
    header: &Header,
    body: &[u8],
    keys: &crate::keys::SecretKeys,
) -> alloc::vec::Vec<u8> {
    let mut buffer = [0; CONTEXT_BYTES_MAX + HEADER_BYTES];
    let message = with_context(kind.context, header, &mut buffer);
    let mut file = alloc::vec::Vec::with_capacity(ENVELOPE_BYTES + body.len());
    file.extend_from_slice(header);
    file.extend_from_slice(&keys.sign_ed25519(message));
    file.extend_from_slice(&keys.sign_ml_dsa(header, kind.context.as_bytes()));
    file.resize(ENVELOPE_BYTES, 0);
    file.extend_from_slice(body);
    file
}
