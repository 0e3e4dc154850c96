//! Searching in text.

use alloc::vec::Vec;
use core::ops::Range;

/// What is searched for.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Needle {
    characters: Vec<char>,
    exact: bool,
}

/// The small letter of a Latin, Greek or Cyrillic letter; other characters stay as they are.
pub fn fold(letter: char) -> char {
    let code = u32::from(letter);
    let small = match code {
        0x41..=0x5A | 0xC0..=0xD6 | 0xD8..=0xDE | 0x391..=0x3A9 | 0x410..=0x42F => code + 0x20,
        0x400..=0x40F => code + 0x50,
        // Pairs of a capital, which is even, and a small letter; or odd.
        0x100..=0x137 | 0x14A..=0x177 => code | 1,
        0x139..=0x148 | 0x179..=0x17E => code + (code & 1),
        0x178 => 0xFF,
        // Final sigma.
        0x3C2 => 0x3C3,
        _ => code,
    };
    char::from_u32(small).unwrap_or(letter)
}

impl Needle {
    /// This text; `exact`: capitals are not small letters.
    pub fn new(text: &str, exact: bool) -> Self {
        let same = |letter| if exact { letter } else { fold(letter) };
        Self {
            characters: text.chars().map(same).collect(),
            exact,
        }
    }

    /// Whether nothing is searched for.
    pub fn is_empty(&self) -> bool {
        self.characters.is_empty()
    }

    fn is(&self, letter: char, wanted: char) -> bool {
        let letter = if self.exact { letter } else { fold(letter) };
        letter == wanted
    }
}

/// Matches that do not overlap, the first of the characters at this place.
pub fn matches<'a>(
    mut text: impl Iterator<Item = char> + Clone + 'a,
    needle: &'a Needle,
    mut at: usize,
) -> impl Iterator<Item = Range<usize>> + 'a {
    core::iter::from_fn(move || {
        let (&first, rest) = needle.characters.split_first()?;
        loop {
            let letter = text.next()?;
            let start = at;
            at += letter.len_utf8();
            if !needle.is(letter, first) {
                continue;
            }
            let (mut ahead, mut end) = (text.clone(), at);
            let all = rest.iter().all(|&wanted| {
                ahead.next().is_some_and(|letter| {
                    end += letter.len_utf8();
                    needle.is(letter, wanted)
                })
            });
            if all {
                (text, at) = (ahead, end);
                return Some(start..end);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn found(text: &str, needle: &str, exact: bool) -> Vec<Range<usize>> {
        matches(text.chars(), &Needle::new(needle, exact), 0).collect()
    }

    #[test]
    fn matches_do_not_overlap_and_are_found_after_beginnings_of_one() {
        assert_eq!(found("aaab aab", "aab", true), [1..4, 5..8]);
        assert_eq!(found("ababab", "abab", true), vec![0..4]);
        assert!(found("abc", "", true).is_empty());
        assert!(found("ab", "abc", true).is_empty());
    }

    #[test]
    fn capitals_are_small_letters_unless_they_are_to_be_the_same() {
        let text = "ÄRGER Ärger Şarkı ŽIŽKA ΣΟΦΌΣ МОСКВА Ёж";
        for word in ["ärger", "şarkı", "žižka", "москва", "ёж"] {
            assert!(!found(text, word, false).is_empty(), "{word}");
        }
        assert_eq!(found(text, "ärger", false).len(), 2);
        assert_eq!(found(text, "Ärger", true), vec![7..13]);
        assert_eq!(fold('ſ'), 'ſ');
    }
}
