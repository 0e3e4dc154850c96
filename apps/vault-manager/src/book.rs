//! The passwords: entries, and how they are stored. What is stored is encrypted by the vault and still read as if it were hostile.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// Longest of what is stored, bytes: what the vault encrypts at a time.
pub const LONGEST: usize = nonos_proto::vault::LONGEST_MESSAGE;

/// One password, and what belongs to it.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Entry {
    /// What it is for.
    pub name: String,
    /// Whose it is.
    pub user: String,
    /// The password.
    pub secret: String,
    /// What else.
    pub note: String,
}

/// Nothing of an entry is for others.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Entry")
    }
}

impl Entry {
    fn parts(&self) -> [&str; 4] {
        [&self.name, &self.user, &self.secret, &self.note]
    }
}

/// All entries, by name.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Book(Vec<Entry>);

impl Book {
    /// The entries.
    pub fn entries(&self) -> &[Entry] {
        &self.0
    }

    /// With an entry in place of another or as a new one: where it is.
    pub fn put(&mut self, at: Option<usize>, entry: Entry) -> usize {
        if let Some(at) = at {
            self.remove(at);
        }
        let place = self.0.partition_point(|other| other.name <= entry.name);
        self.0.insert(place, entry);
        place
    }

    /// Without an entry.
    pub fn remove(&mut self, at: usize) {
        if at < self.0.len() {
            self.0.remove(at);
        }
    }

    /// As it is stored: each part of each entry with its length before it (16 bits, little-endian). `None` when that is too long.
    pub fn to_bytes(&self) -> Option<Vec<u8>> {
        // At once as large as it can be, so that no copies are left behind.
        let mut bytes = Vec::with_capacity(LONGEST);
        for part in self.0.iter().flat_map(Entry::parts) {
            let length = u16::try_from(part.len()).ok()?;
            if bytes.len() + 2 + part.len() > LONGEST {
                return None;
            }
            bytes.extend(length.to_le_bytes());
            bytes.extend(part.as_bytes());
        }
        Some(bytes)
    }

    /// From what is stored; `None` when it is damaged.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<Self> {
        let mut book = Self::default();
        while !bytes.is_empty() {
            let mut part = || {
                let (length, rest) = bytes.split_first_chunk()?;
                let (text, rest) = rest.split_at_checked(u16::from_le_bytes(*length).into())?;
                bytes = rest;
                core::str::from_utf8(text).ok().map(String::from)
            };
            let entry = Entry {
                name: part()?,
                user: part()?,
                secret: part()?,
                note: part()?,
            };
            book.put(None, entry);
        }
        Some(book)
    }
}
