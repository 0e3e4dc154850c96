//! Packed relative relocations (DT_RELR): which words of an executable hold addresses.
//!
//! An even entry is the offset of a word. An odd one is a bitmap: its bit 1 stands for the word that follows the last one
//! spoken of, bit 63 for the sixty-second after that. Decoding never fails and never loops for long: a table of n entries
//! yields at most 63 n offsets, none of which means anything until it has been checked (System V gABI 4.3 draft,
//! "Relative Relocation Table").

/// Bytes of an entry.
pub const ENTRY_BYTES: u64 = 8;
/// Bytes of a word that is relocated.
pub const WORD_BYTES: u64 = 8;
/// Words that one bitmap speaks of.
const BITMAP_WORDS: u64 = 63;

/// Decodes a table.
pub struct Packed<'a> {
    entries: core::slice::Iter<'a, [u8; ENTRY_BYTES as usize]>,
    /// What is left of the bitmap; bit 0 stands for `word`.
    bits: u64,
    word: u64,
    /// First word that no entry has spoken of.
    next: u64,
}

impl<'a> Packed<'a> {
    /// The offsets in `table`; a rest that is shorter than an entry is dropped.
    pub fn new(table: &'a [u8]) -> Self {
        Self {
            entries: table.as_chunks().0.iter(),
            bits: 0,
            word: 0,
            next: 0,
        }
    }
}

impl Iterator for Packed<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        loop {
            while self.bits != 0 {
                let (word, set) = (self.word, self.bits & 1 != 0);
                self.word = word.wrapping_add(WORD_BYTES);
                self.bits >>= 1;
                if set {
                    return Some(word);
                }
            }
            let entry = u64::from_le_bytes(*self.entries.next()?);
            if entry & 1 == 0 {
                self.next = entry.wrapping_add(WORD_BYTES);
                return Some(entry);
            }
            self.bits = entry >> 1;
            self.word = self.next;
            self.next = self.next.wrapping_add(BITMAP_WORDS * WORD_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    fn decode(entries: &[u64]) -> Vec<u64> {
        let table: Vec<u8> = entries
            .iter()
            .flat_map(|entry| entry.to_le_bytes())
            .collect();
        Packed::new(&table).collect()
    }

    #[test]
    fn offsets_and_bitmaps_are_decoded() {
        assert_eq!(decode(&[]), []);
        assert_eq!(decode(&[0x2000, 0x3000]), [0x2000, 0x3000]);
        // Bit 1 is the word behind the offset, bit 63 the last that a bitmap speaks of; the next bitmap goes on there.
        assert_eq!(
            decode(&[0x2000, 0b1011, 1 << 63 | 1, 0b11]),
            [
                0x2000,
                0x2008,
                0x2018,
                0x2008 + 8 * (63 + 62),
                0x2008 + 8 * 126
            ]
        );
        assert_eq!(decode(&[0x2000, 1, 1, 0x5000]), [0x2000, 0x5000], "padding");
        assert_eq!(decode(&[u64::MAX]).len(), 63, "a bitmap without an offset");
        assert_eq!(decode(&[u64::MAX - 1, u64::MAX]).len(), 64, "it wraps");
    }

    #[test]
    fn a_rest_is_dropped() {
        assert_eq!(Packed::new(&[0; 15]).count(), 1);
        assert_eq!(Packed::new(&[0; 7]).count(), 0);
    }
}
