//! Names of modules, processes and services.

use core::fmt;

use crate::words::Words;

/// At most 32 bytes of ASCII letters, digits, `-`, `_` and `.`, padded with zeros. Safe to print anywhere.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Name([u8; Name::BYTES]);

impl Name {
    /// Size of the stored form.
    pub const BYTES: usize = 32;

    /// No name: what [`Default`] gives, where a constant is needed.
    pub const NONE: Self = Self([0; Self::BYTES]);

    /// The name with this text, or `None` when it is empty, too long or has other characters.
    pub fn new(text: &str) -> Option<Self> {
        if text.contains('\0') {
            return None;
        }
        let mut bytes = [0; Self::BYTES];
        bytes
            .get_mut(..text.len())?
            .copy_from_slice(text.as_bytes());
        Self::from_bytes(bytes)
    }

    /// The name stored in `bytes`, or `None` when they hold none: characters outside the set, or bytes after the end.
    #[inline(never)]
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Option<Self> {
        let length = bytes.iter().position(|&b| b == 0).unwrap_or(Self::BYTES);
        let allowed = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        let valid = length > 0
            && bytes[..length].iter().all(allowed)
            && bytes[length..].iter().all(|&b| b == 0);
        valid.then_some(Self(bytes))
    }

    /// The stored form.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0
    }

    /// The text without padding.
    pub fn as_str(&self) -> &str {
        let length = self.0.iter().position(|&b| b == 0).unwrap_or(Self::BYTES);
        core::str::from_utf8(&self.0[..length]).unwrap_or("")
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// An empty name (the default) is allowed in a record: it says that there is none.
impl Words for Name {
    const COUNT: usize = Self::BYTES / 8;

    fn write_words(&self, out: &mut [u64]) {
        for (chunk, word) in self.0.as_chunks().0.iter().zip(&mut out[..Self::COUNT]) {
            *word = u64::from_le_bytes(*chunk);
        }
    }

    fn read_words(words: &[u64]) -> Option<Self> {
        let mut bytes = [0; Self::BYTES];
        for (chunk, word) in bytes
            .as_chunks_mut()
            .0
            .iter_mut()
            .zip(words.get(..Self::COUNT)?)
        {
            *chunk = word.to_le_bytes();
        }
        if bytes == [0; Self::BYTES] {
            Some(Self::default())
        } else {
            Self::from_bytes(bytes)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_through_words() {
        let name = Name::new("console-2.test_x").unwrap();
        let mut words = [0; 4];
        name.write_words(&mut words);
        assert_eq!(Name::read_words(&words), Some(name));
        assert_eq!(name.as_str(), "console-2.test_x");
    }

    #[test]
    fn names_with_other_characters_or_lengths_do_not_exist() {
        for text in [
            "",
            "a b",
            "a\n",
            "a\0",
            "ä",
            "../x",
            "123456789012345678901234567890123",
        ] {
            assert_eq!(Name::new(text), None, "{text:?}");
        }
        let mut bytes = [0; 32];
        bytes[0] = b'a';
        bytes[2] = b'b';
        assert_eq!(Name::from_bytes(bytes), None, "bytes after the end");
    }
}
