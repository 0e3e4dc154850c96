//! The archive that a system image unpacks to: named byte strings, each at a page boundary.
//!
//! `[magic "NONOSARC" 8][count u64]`, then for each entry `[name 32][offset u64][length u64]`, names strictly
//! ascending; then the contents in the same order, each from a multiple of 4096 bytes on, gaps zero. The
//! archive ends with the last byte of the last entry.
//!
//! Entries that are no modules: [`KERNEL`], [`KERNEL_SYMBOLS`], [`ANCHORS`], [`KPTI`], and those whose names start with [`LISTS`].

use core::fmt;

use nonos_abi::{Name, PAGE_BYTES};

use crate::bytes::Fields;

const MAGIC: &[u8; 8] = b"NONOSARC";
const HEAD_BYTES: usize = MAGIC.len() + 8;
const ENTRY_BYTES: usize = Name::BYTES + 16;

/// Entry: the kernel's ELF.
pub const KERNEL: &str = "kernel";
/// Entry: the kernel's [`crate::symbols`].
pub const KERNEL_SYMBOLS: &str = "kernel.symbols";
/// Entry: the trust anchors.
pub const ANCHORS: &str = "anchors";
/// Entry: when it is there, programs have page tables of their own on every CPU. Its contents do not matter, and nothing
/// in an archive says that they have not.
pub const KPTI: &str = "kernel.kpti";
/// Entries with this and the name of a publisher: the signed list of its modules.
pub const LISTS: &str = "modules.";
/// Entries that are neither modules nor lists of them.
const RESERVED: [&str; 4] = [KERNEL, KERNEL_SYMBOLS, ANCHORS, KPTI];

/// A checked archive.
#[derive(Clone, Copy)]
pub struct Archive<'a> {
    bytes: &'a [u8],
    table: &'a [[u8; ENTRY_BYTES]],
}

/// One entry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Entry<'a> {
    /// Its name.
    pub name: Name,
    /// Where its contents start in the archive: a multiple of 4096.
    pub offset: usize,
    /// Its contents.
    pub contents: &'a [u8],
}

impl Entry<'_> {
    fn is_list(&self) -> bool {
        self.name.as_str().starts_with(LISTS)
    }
}

/// Why bytes are no archive.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ArchiveError {
    /// They start with other bytes.
    Magic,
    /// The table of entries reaches past the end.
    Table,
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
    /// This entry does not start at the first page boundary after the one before.
    Offset {
        /// Number of the entry.
        entry: usize,
    },
    /// This entry reaches past the end.
    Length {
        /// Number of the entry.
        entry: usize,
    },
    /// Bytes between entries are not zero.
    Gap {
        /// Number of the entry after them.
        entry: usize,
    },
    /// Bytes follow the last entry.
    Trailing {
        /// How many.
        bytes: usize,
    },
}

impl fmt::Display for ArchiveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("archive: ")?;
        match self {
            Self::Magic => f.write_str("wrong magic"),
            Self::Table => f.write_str("table of entries reaches past the end"),
            Self::Name { entry } => write!(f, "invalid name of entry {entry}"),
            Self::Order { entry } => write!(f, "entry {entry} is out of order or twice"),
            Self::Offset { entry } => write!(f, "entry {entry} is at the wrong offset"),
            Self::Length { entry } => write!(f, "entry {entry} reaches past the end"),
            Self::Gap { entry } => write!(f, "bytes before entry {entry} are not zero"),
            Self::Trailing { bytes } => write!(f, "{bytes} bytes follow the last entry"),
        }
    }
}

impl core::error::Error for ArchiveError {}

impl<'a> Archive<'a> {
    /// Checks the whole table.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ArchiveError> {
        let mut fields = Fields(bytes);
        if fields.array() != Some(MAGIC) {
            return Err(ArchiveError::Magic);
        }
        let count = fields
            .u64()
            .and_then(|count| usize::try_from(count).ok())
            .ok_or(ArchiveError::Table)?;
        let table_bytes = count.checked_mul(ENTRY_BYTES).ok_or(ArchiveError::Table)?;
        let (table, _) = fields
            .bytes(table_bytes)
            .ok_or(ArchiveError::Table)?
            .as_chunks();
        let archive = Self { bytes, table };

        let mut end = HEAD_BYTES + table_bytes;
        let mut previous = None;
        for (number, raw) in table.iter().enumerate() {
            let (name, offset, _) = fields_of(raw).ok_or(ArchiveError::Name { entry: number })?;
            if previous.is_some_and(|previous| previous >= name) {
                return Err(ArchiveError::Order { entry: number });
            }
            if Some(offset) != end.checked_next_multiple_of(PAGE_BYTES) {
                return Err(ArchiveError::Offset { entry: number });
            }
            let entry = archive
                .entry(raw)
                .ok_or(ArchiveError::Length { entry: number })?;
            if bytes
                .get(end..offset)
                .is_none_or(|gap| gap.iter().any(|&byte| byte != 0))
            {
                return Err(ArchiveError::Gap { entry: number });
            }
            end = offset + entry.contents.len();
            previous = Some(name);
        }
        match bytes.len() - end {
            0 => Ok(archive),
            bytes => Err(ArchiveError::Trailing { bytes }),
        }
    }

    /// The contents of an entry.
    pub fn get(&self, name: &str) -> Option<&'a [u8]> {
        self.iter()
            .find(|entry| entry.name.as_str() == name)
            .map(|entry| entry.contents)
    }

    /// All entries, by name.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let archive = *self;
        self.table.iter().filter_map(move |raw| archive.entry(raw))
    }

    /// The entries that are modules, by name.
    pub fn modules(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        self.iter()
            .filter(|entry| !entry.is_list() && !RESERVED.contains(&entry.name.as_str()))
    }

    /// The lists of modules, by name.
    pub fn lists(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        self.iter().filter(Entry::is_list)
    }

    fn entry(&self, raw: &[u8; ENTRY_BYTES]) -> Option<Entry<'a>> {
        let (name, offset, length) = fields_of(raw)?;
        let contents = self.bytes.get(offset..offset.checked_add(length)?)?;
        Some(Entry {
            name,
            offset,
            contents,
        })
    }
}

/// Name, offset and length. A number that does not fit is as good as one past the end.
fn fields_of(raw: &[u8; ENTRY_BYTES]) -> Option<(Name, usize, usize)> {
    let mut fields = Fields(raw);
    let name = Name::from_bytes(*fields.array()?)?;
    let mut number = || Some(usize::try_from(fields.u64()?).unwrap_or(usize::MAX));
    Some((name, number()?, number()?))
}

/// Puts an archive together, from entries in any order.
///
/// # Errors
/// [`ArchiveError::Order`] when a name occurs twice.
#[cfg(feature = "sign")]
pub fn build(entries: &[(Name, &[u8])]) -> Result<alloc::vec::Vec<u8>, ArchiveError> {
    let mut sorted: alloc::vec::Vec<_> = entries.to_vec();
    sorted.sort_by_key(|(name, _)| *name);
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&(sorted.len() as u64).to_le_bytes());
    let mut end = HEAD_BYTES + sorted.len() * ENTRY_BYTES;
    for (name, contents) in &sorted {
        let offset = end.next_multiple_of(PAGE_BYTES);
        bytes.extend_from_slice(&name.to_bytes());
        bytes.extend_from_slice(&(offset as u64).to_le_bytes());
        bytes.extend_from_slice(&(contents.len() as u64).to_le_bytes());
        end = offset + contents.len();
    }
    for (_, contents) in &sorted {
        bytes.resize(bytes.len().next_multiple_of(PAGE_BYTES), 0);
        bytes.extend_from_slice(contents);
    }
    Archive::parse(&bytes)?;
    Ok(bytes)
}
