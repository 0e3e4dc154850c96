//! Layouts of keyboards: what each key types, alone, with Shift and with AltGr.
//!
//! A layout is a text for each level, with a character for each key: A to Z, 1 to 0 (usages 0x04 to 0x27), the keys with punctuation
//! (0x2D to 0x38), and the one beside the left Shift. A blank types nothing. A combining character stands for a dead key.

use nonos_proto::usage;

/// A layout.
#[derive(Debug)]
pub struct Layout {
    /// Its name, for the user.
    pub name: &'static str,
    plain: &'static str,
    shift: &'static str,
    alt_gr: &'static str,
}

/// Blanks for keys that have nothing with AltGr.
const NONE: &str = "                                                 ";

/// The layouts.
pub const LAYOUTS: [Layout; 5] = [
    Layout {
        name: "English (US)",
        plain: "abcdefghijklmnopqrstuvwxyz1234567890-=[]\\\\;'`,./\\",
        shift: "ABCDEFGHIJKLMNOPQRSTUVWXYZ!@#$%^&*()_+{}||:\"~<>?|",
        alt_gr: NONE,
    },
    Layout {
        name: "English (UK)",
        plain: "abcdefghijklmnopqrstuvwxyz1234567890-=[]##;'`,./\\",
        shift: "ABCDEFGHIJKLMNOPQRSTUVWXYZ!\"£$%^&*()_+{}~~:@¬<>?|",
        alt_gr: "á   é   í     ó     ú        €              ¦    ",
    },
    Layout {
        name: "Deutsch",
        plain: "abcdefghijklmnopqrstuvwxzy1234567890ß\u{301}ü+##öä\u{302},.-<",
        shift: "ABCDEFGHIJKLMNOPQRSTUVWXZY!\"§$%&/()=?\u{300}Ü*''ÖÄ°;:_>",
        alt_gr: "    €       µ   @          ²³   {[]}\\  ~        |",
    },
    Layout {
        name: "Français",
        plain: "qbcdefghijkl,noparstuvzxyw&é\"'(-è_çà)=\u{302}$**mù²;:!<",
        shift: "QBCDEFGHIJKL?NOPARSTUVZXYW1234567890°+\u{308}£µµM% ./§>",
        alt_gr: "    €                      \u{303}#{[|\u{300}\\^@]} ¤         ",
    },
    Layout {
        name: "Español",
        plain: "abcdefghijklmnopqrstuvwxyz1234567890'¡\u{300}+ççñ\u{301}º,.-<",
        shift: "ABCDEFGHIJKLMNOPQRSTUVWXYZ!\"·$%&/()=?¿\u{302}*ÇÇÑ\u{308}ª;:_>",
        alt_gr: "    €                     |@#\u{303}€¬      []}} {\\    ",
    },
];

/// What a key has with Shift or AltGr, or without.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Level {
    /// Neither.
    Plain,
    /// Shift.
    Shift,
    /// AltGr.
    AltGr,
}

/// Place of a key in the texts of a layout.
fn place(usage: u8) -> Option<usize> {
    const LETTERS_AND_DIGITS: u8 = usage::ZERO - usage::A + 1;
    let place = match usage {
        usage::A..=usage::ZERO => usage - usage::A,
        usage::MINUS..=usage::SLASH => usage - usage::MINUS + LETTERS_AND_DIGITS,
        usage::NON_US => usage::SLASH - usage::MINUS + 1 + LETTERS_AND_DIGITS,
        _ => return None,
    };
    Some(place.into())
}

impl Layout {
    /// What a key types, or the combining character of a dead key.
    pub fn character(&self, usage: u8, level: Level) -> Option<char> {
        let text = match level {
            Level::Plain => self.plain,
            Level::Shift => self.shift,
            Level::AltGr => self.alt_gr,
        };
        text.chars().nth(place(usage)?).filter(|&c| c != ' ')
    }

    /// Whether Caps Lock is as Shift for a key: it has the two cases of a letter.
    pub fn has_cases(&self, usage: u8) -> bool {
        let small = self.character(usage, Level::Plain).map_or(0, u32::from);
        let large = self.character(usage, Level::Shift).map_or(0, u32::from);
        // ASCII and Latin-1 have them at the same distance.
        small >= u32::from('a') && small.wrapping_sub(large) == u32::from('a') - u32::from('A')
    }
}

/// For each dead key: its combining character, the character that it is alone, and letters without and with it, in turn.
const DEAD: [(char, char, &str); 5] = [
    ('\u{300}', '`', "aàeèiìoòuùAÀEÈIÌOÒUÙ"),
    ('\u{301}', '´', "aáeéiíoóuúyýAÁEÉIÍOÓUÚYÝ"),
    ('\u{302}', '^', "aâeêiîoôuûAÂEÊIÎOÔUÛ"),
    ('\u{303}', '~', "aãnñoõAÃNÑOÕ"),
    ('\u{308}', '¨', "aäeëiïoöuüyÿAÄEËIÏOÖUÜ"),
];

/// Whether this is the combining character of a dead key.
pub fn is_dead(character: char) -> bool {
    DEAD.iter().any(|(dead, ..)| *dead == character)
}

/// What a character becomes after a dead key. After a blank or the dead key again that is its accent alone; a letter that does not take
/// the accent stays as it is.
pub fn compose(dead: char, character: char) -> char {
    let Some((_, alone, pairs)) = DEAD.iter().find(|(known, ..)| *known == dead) else {
        return character;
    };
    if character == ' ' || character == dead {
        return *alone;
    }
    let mut letters = pairs.chars();
    while let (Some(without), Some(with)) = (letters.next(), letters.next()) {
        if without == character {
            return with;
        }
    }
    character
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_of_every_layout_has_a_character_for_each_key() {
        let keys = place(usage::NON_US).unwrap() + 1;
        for layout in &LAYOUTS {
            for level in [layout.plain, layout.shift, layout.alt_gr] {
                assert_eq!(level.chars().count(), keys, "{}: {level}", layout.name);
            }
        }
    }

    #[test]
    fn every_layout_types_all_of_ascii() {
        for layout in &LAYOUTS {
            let typed = |wanted: char| {
                [Level::Plain, Level::Shift, Level::AltGr]
                    .into_iter()
                    .any(|level| {
                        (0..=usage::NON_US).any(|usage| {
                            let character = layout.character(usage, level);
                            character == Some(wanted)
                                || character.is_some_and(|dead| {
                                    is_dead(dead) && compose(dead, ' ') == wanted
                                })
                        })
                    })
            };
            let missing: String = ('!'..='~').filter(|&c| !typed(c)).collect();
            assert_eq!(missing, "", "{}", layout.name);
        }
    }

    #[test]
    fn letters_have_cases_and_digits_have_not() {
        let [us, _, german, french, spanish] = &LAYOUTS;
        assert!(us.has_cases(usage::A) && !us.has_cases(usage::MINUS) && !us.has_cases(0x2F));
        assert!(german.has_cases(0x2F), "ü");
        assert!(!french.has_cases(0x1F), "é has 2 with Shift");
        assert!(spanish.has_cases(0x33), "ñ");
    }

    #[test]
    fn the_keys_that_people_look_for_are_where_they_are_printed() {
        let [us, uk, german, french, spanish] = &LAYOUTS;
        for (layout, usage, level, expected) in [
            (us, 0x1F, Level::Shift, '@'),
            (uk, 0x20, Level::Shift, '£'),
            (uk, 0x21, Level::AltGr, '€'),
            (german, 0x1C, Level::Plain, 'z'),
            (german, 0x14, Level::AltGr, '@'),
            (german, 0x24, Level::AltGr, '{'),
            (german, 0x2D, Level::AltGr, '\\'),
            (german, 0x30, Level::AltGr, '~'),
            (german, usage::NON_US, Level::AltGr, '|'),
            (french, usage::A, Level::Plain, 'q'),
            (french, 0x10, Level::Plain, ','),
            (french, 0x27, Level::AltGr, '@'),
            (french, 0x2D, Level::AltGr, ']'),
            (french, 0x30, Level::AltGr, '¤'),
            (spanish, 0x1F, Level::AltGr, '@'),
            (spanish, 0x33, Level::Plain, 'ñ'),
            (spanish, 0x2F, Level::AltGr, '['),
            (spanish, 0x35, Level::AltGr, '\\'),
        ] {
            assert_eq!(
                layout.character(usage, level),
                Some(expected),
                "{} {usage:#x}",
                layout.name
            );
        }
    }

    #[test]
    fn accents_join_letters() {
        assert_eq!(compose('\u{301}', 'e'), 'é');
        assert_eq!(compose('\u{308}', ' '), '¨');
        assert_eq!(compose('\u{302}', '\u{302}'), '^');
        assert_eq!(compose('\u{302}', 'x'), 'x');
    }
}
