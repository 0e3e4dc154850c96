//! New passwords: every one of those that the recipe allows is as likely as every other.

use alloc::string::String;

/// Shortest and longest password.
pub const LENGTHS: [usize; 4] = [12, 16, 20, 32];
const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const DIGITS: &[u8] = b"0123456789";
const SYMBOLS: &[u8] = b"!#$%&()*+,-./:;<=>?@[]^_{}~";

/// What passwords are made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Recipe {
    /// Which of [`LENGTHS`].
    pub length: usize,
    /// Letters of English, small and large.
    pub letters: bool,
    /// Digits.
    pub digits: bool,
    /// Symbols of ASCII without quotes, backslash and bar.
    pub symbols: bool,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            length: 2,
            letters: true,
            digits: true,
            symbols: false,
        }
    }
}

impl Recipe {
    fn characters(&self) -> impl Iterator<Item = &'static u8> {
        let part = |on: bool, part: &'static [u8]| if on { part } else { &[] }.iter();
        part(self.letters, LETTERS)
            .chain(part(self.digits, DIGITS))
            .chain(part(self.symbols, SYMBOLS))
    }

    fn length(&self) -> usize {
        LENGTHS.get(self.length).copied().unwrap_or(LENGTHS[0])
    }

    /// How many bits somebody would have to guess who knows the recipe, rounded down.
    pub fn bits(&self) -> u32 {
        let count = self.characters().count() as u32;
        (self.length() as u64 * log2_of_1024(count) / 1024) as u32
    }

    /// A password; none when nothing is allowed. `random` fills with random bytes.
    pub fn make(&self, mut random: impl FnMut(&mut [u8])) -> Option<String> {
        let count = u8::try_from(self.characters().count()).ok()?;
        // Bytes from here on would make the first characters more likely.
        let end = u8::MAX - u8::MAX.checked_rem(count)?;
        let mut password = String::with_capacity(self.length());
        while password.len() < self.length() {
            let mut byte = [0];
            random(&mut byte);
            if byte[0] < end {
                let character = self.characters().nth(usize::from(byte[0] % count))?;
                password.push(char::from(*character));
            }
        }
        Some(password)
    }
}

/// The logarithm of a number to base 2 in 1024ths, rounded down; 0 of 0.
fn log2_of_1024(number: u32) -> u64 {
    let Some(whole) = number.checked_ilog2() else {
        return 0;
    };
    // 1 to 2 in units of 2⁻³⁰: squaring it doubles the logarithm, whose next bit is whether 2 was reached.
    let mut rest = u64::from(number) << (30 - whole);
    let mut log = u64::from(whole);
    for _ in 0..10 {
        rest = (rest * rest) >> 30;
        let bit = rest >> 31;
        rest >>= bit;
        log = 2 * log + bit;
    }
    log
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    #[test]
    fn every_character_is_as_likely_as_every_other() {
        let recipes = [
            (true, true, true),
            (true, true, false),
            (false, true, false),
        ];
        for (letters, digits, symbols) in recipes {
            let recipe = Recipe {
                length: 3,
                letters,
                digits,
                symbols,
            };
            let count = recipe.characters().count();
            // Every byte once in each round: of those that are used, each character has the same number.
            let mut next = 0_u8;
            let mut found = HashMap::new();
            let rounds = 32 * count;
            for _ in 0..rounds {
                let made = recipe.make(|bytes| {
                    bytes[0] = next;
                    next = next.wrapping_add(1);
                });
                for character in made.unwrap().chars() {
                    *found.entry(character).or_insert(0_usize) += 1;
                }
            }
            assert_eq!(found.len(), count);
            let (least, most) = (found.values().min(), found.values().max());
            // The last round is not whole.
            let allowed = 255 / count;
            assert!(most.unwrap() - least.unwrap() <= allowed, "{found:?}");
        }
    }

    #[test]
    fn bits_are_those_of_all_passwords_that_there_are() {
        for number in 1..2000_u32 {
            let log = log2_of_1024(number);
            let exact = f64::from(number).log2() * 1024.0;
            assert!((exact - 1.001..=exact).contains(&(log as f64)), "{number}");
        }
        let recipe = Recipe::default();
        assert_eq!(recipe.bits(), 119);
        let digits = Recipe {
            letters: false,
            ..recipe
        };
        assert_eq!(digits.bits(), 66);
        let nothing = Recipe {
            digits: false,
            ..digits
        };
        assert_eq!(nothing.bits(), 0);
        assert_eq!(nothing.make(|_| unreachable!()), None);
        assert!(SYMBOLS.iter().all(u8::is_ascii_punctuation));
    }
}
