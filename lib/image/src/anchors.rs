//! Trust anchors: whose modules this system runs. An entry of the signed image, so they change only with it.
//!
//! `[magic "NONOSANC" 8][count u64]`, then for each publisher `[name 32][Ed25519 key 32][ML-DSA-65 key 1952]`,
//! names strictly ascending. Nothing follows.

use core::fmt;

use nonos_abi::Name;

use crate::bytes::Fields;
use crate::keys::{PUBLIC_KEYS_BYTES, PublicKeys};

const MAGIC: &[u8; 8] = b"NONOSANC";
const ENTRY_BYTES: usize = Name::BYTES + PUBLIC_KEYS_BYTES;

/// A checked list of trust anchors.
#[derive(Clone, Copy)]
pub struct Anchors<'a> {
    entries: &'a [[u8; ENTRY_BYTES]],
}

/// Why bytes are no list of trust anchors.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AnchorsError {
    /// They start with other bytes.
    Magic,
    /// Their length does not follow from the count.
    Length {
        /// Bytes.
        found: usize,
    },
    /// The name of this entry is not valid.
    Name {
        /// Number of the entry.
        entry: usize,
    },
    /// The name of this entry is not greater than the one before.
    Order {
        /// Number of the entry.
        entry: usize,
    },
}

impl fmt::Display for AnchorsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("trust anchors: ")?;
        match self {
            Self::Magic => f.write_str("wrong magic"),
            Self::Length { found } => {
                write!(f, "{found} bytes do not fit the count")
            }
            Self::Name { entry } => write!(f, "invalid name in entry {entry}"),
            Self::Order { entry } => {
                write!(f, "entry {entry} is out of order or twice")
            }
        }
    }
}

impl core::error::Error for AnchorsError {}

impl<'a> Anchors<'a> {
    /// No anchors: trusts nobody.
    pub const NONE: Anchors<'static> = Anchors { entries: &[] };

    /// Checks all entries.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, AnchorsError> {
        let length = AnchorsError::Length { found: bytes.len() };
        let mut fields = Fields(bytes);
        if fields.array() != Some(MAGIC) {
            return Err(AnchorsError::Magic);
        }
        let count = fields.u64().ok_or(length)?;
        let (entries, rest) = fields.0.as_chunks();
        if !rest.is_empty() || entries.len() as u64 != count {
            return Err(length);
        }
        let mut previous = None;
        for (entry, bytes) in entries.iter().enumerate() {
            let name = name_of(bytes).ok_or(AnchorsError::Name { entry })?;
            if previous.is_some_and(|previous| previous >= name) {
                return Err(AnchorsError::Order { entry });
            }
            previous = Some(name);
        }
        Ok(Self { entries })
    }

    /// The keys of a publisher.
    pub fn find(&self, publisher: Name) -> Option<PublicKeys> {
        self.iter()
            .find(|(name, _)| *name == publisher)
            .map(|(_, keys)| PublicKeys::from_bytes(keys))
    }

    /// All publishers with their encoded keys.
    pub fn iter(&self) -> impl Iterator<Item = (Name, &'a [u8; PUBLIC_KEYS_BYTES])> + use<'a> {
        self.entries
            .iter()
            .filter_map(|bytes| Some((name_of(bytes)?, bytes.last_chunk()?)))
    }
}

fn name_of(entry: &[u8; ENTRY_BYTES]) -> Option<Name> {
    entry.first_chunk().copied().and_then(Name::from_bytes)
}

/// Puts a list of trust anchors together, in any order.
///
/// # Errors
/// [`AnchorsError::Order`] when a name occurs twice.
#[cfg(feature = "sign")]
pub fn build(anchors: &[(Name, PublicKeys)]) -> Result<alloc::vec::Vec<u8>, AnchorsError> {
    let mut sorted: alloc::vec::Vec<_> = anchors.iter().collect();
    sorted.sort_by_key(|(name, _)| *name);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&(sorted.len() as u64).to_le_bytes());
    for (name, keys) in sorted {
        bytes.extend_from_slice(&name.to_bytes());
        bytes.extend_from_slice(&keys.to_bytes());
    }
    Anchors::parse(&bytes)?;
    Ok(bytes)
}
