//! Scan codes of sets 1 and 2 to keys by their place (IBM PS/2 Hardware Interface Technical Reference, keyboards; Microsoft's keyboard
//! scan code specification for the keys that came later).

use nonos_proto::input::key_state;

use nonos_proto::usage;

/// Which codes a keyboard sends, as the controller passes them on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Set {
    /// Set 1, or set 2 that the controller translates.
    One,
    /// Set 2.
    Two,
}

/// What bytes of a keyboard meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Event {
    /// A key, by its usage, and its [`key_state`].
    Key(u8, u64),
    /// A keyboard was plugged in and waits to be turned on.
    Plugged,
    /// The keyboard could not say all: no key counts as down.
    Lost,
}

/// Usages of codes 0x00 to 0x58 of set 1; 0 for none.
const PLAIN: [u8; 0x59] = [
    0, 0x29, 0x1E, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2D, 0x2E, 0x2A, 0x2B,
    0x14, 0x1A, 0x08, 0x15, 0x17, 0x1C, 0x18, 0x0C, 0x12, 0x13, 0x2F, 0x30, 0x28, 0xE0, 0x04, 0x16,
    0x07, 0x09, 0x0A, 0x0B, 0x0D, 0x0E, 0x0F, 0x33, 0x34, 0x35, 0xE1, 0x31, 0x1D, 0x1B, 0x06, 0x19,
    0x05, 0x11, 0x10, 0x36, 0x37, 0x38, 0xE5, 0x55, 0xE2, 0x2C, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E,
    0x3F, 0x40, 0x41, 0x42, 0x43, 0x53, 0x47, 0x5F, 0x60, 0x61, 0x56, 0x5C, 0x5D, 0x5E, 0x57, 0x59,
    0x5A, 0x5B, 0x62, 0x63, 0x46, 0, 0x64, 0x44, 0x45,
];

/// Codes after 0xE0, and their usages.
const EXTENDED: [(u8, u8); 18] = [
    (0x1C, usage::KEYPAD_ENTER),
    (0x1D, usage::RIGHT_CONTROL),
    (0x35, usage::KEYPAD_SLASH),
    (0x37, usage::PRINT_SCREEN),
    (0x38, usage::RIGHT_ALT),
    (0x47, usage::HOME),
    (0x48, usage::UP),
    (0x49, usage::PAGE_UP),
    (0x4B, usage::LEFT),
    (0x4D, usage::RIGHT),
    (0x4F, usage::END),
    (0x50, usage::DOWN),
    (0x51, usage::PAGE_DOWN),
    (0x52, usage::INSERT),
    (0x53, usage::DELETE),
    (0x5B, usage::LEFT_SUPER),
    (0x5C, usage::RIGHT_SUPER),
    (0x5D, 0x65),
];

/// Codes 0x00 to 0x83 of set 2 as codes of set 1, as the controller translates them; 0 for none.
const SET_TWO: [u8; 0x84] = [
    0, 0x43, 0x41, 0x3F, 0x3D, 0x3B, 0x3C, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3E, 0x0F, 0x29, 0x59,
    0x65, 0x38, 0x2A, 0x70, 0x1D, 0x10, 0x02, 0x5A, 0x66, 0x71, 0x2C, 0x1F, 0x1E, 0x11, 0x03, 0x5B,
    0x67, 0x2E, 0x2D, 0x20, 0x12, 0x05, 0x04, 0x5C, 0x68, 0x39, 0x2F, 0x21, 0x14, 0x13, 0x06, 0x5D,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5E, 0x6A, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5F,
    0x6B, 0x33, 0x25, 0x17, 0x18, 0x0B, 0x0A, 0x60, 0x6C, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0C, 0x61,
    0x6D, 0x73, 0x28, 0x74, 0x1A, 0x0D, 0x62, 0x6E, 0x3A, 0x36, 0x1C, 0x1B, 0x75, 0x2B, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7A, 0x0E, 0x7B, 0x7C, 0x4F, 0x7D, 0x4B, 0x47, 0x7E, 0x7F, 0x6F,
    0x52, 0x53, 0x50, 0x4C, 0x4D, 0x48, 0x01, 0x45, 0x57, 0x4E, 0x51, 0x4A, 0x37, 0x49, 0x46, 0x54,
    0, 0, 0, 0x41,
];

/// Bytes that are no codes.
const EXTENDED_FOLLOWS: u8 = 0xE0;
const PAUSE_FOLLOWS: u8 = 0xE1;
const RELEASE_FOLLOWS: u8 = 0xF0;
const SELF_TEST_PASSED: u8 = 0xAA;
const OVERRUN: [u8; 2] = [0x00, 0xFF];
/// In a code of set 1: released.
const RELEASED: u8 = 0x80;

/// Bytes after 0xE1 of the one key that sends it, which says nothing when it is released.
const fn pause_bytes(set: Set) -> u8 {
    match set {
        Set::One => 5,
        Set::Two => 7,
    }
}

/// Reads what a keyboard sends.
#[derive(Clone, Debug)]
pub struct Decoder {
    set: Set,
    extended: bool,
    released: bool,
    /// Bytes of the Pause key that are still to come.
    skipped: u8,
    /// A bit for each usage that is down.
    down: [u32; 8],
}

impl Decoder {
    /// No key is down.
    pub const fn new(set: Set) -> Self {
        Self {
            set,
            extended: false,
            released: false,
            skipped: 0,
            down: [0; 8],
        }
    }

    /// Takes a byte.
    pub fn feed(&mut self, byte: u8) -> Option<Event> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return (self.skipped == 0).then_some(Event::Key(usage::PAUSE, key_state::DOWN));
        }
        match byte {
            EXTENDED_FOLLOWS => self.extended = true,
            PAUSE_FOLLOWS => self.skipped = pause_bytes(self.set),
            RELEASE_FOLLOWS if self.set == Set::Two => self.released = true,
            SELF_TEST_PASSED if !self.is_code() => return self.all_up(Event::Plugged),
            _ if OVERRUN.contains(&byte) => return self.all_up(Event::Lost),
            _ => return self.code(byte),
        }
        None
    }

    /// Forgets what was begun and what was down.
    pub fn reset(&mut self) {
        *self = Self::new(self.set);
    }

    /// Forgets a code that was begun, and of which nothing came for a while.
    pub fn abandon(&mut self) {
        (self.extended, self.released, self.skipped) = (false, false, 0);
    }

    /// In set 1 the byte that also says that a keyboard was plugged in is the left Shift's release, or is sent with keys such as Print
    /// Screen, after 0xE0.
    fn is_code(&self) -> bool {
        self.set == Set::One && (self.extended || self.is_down(usage::LEFT_SHIFT))
    }

    fn all_up(&mut self, event: Event) -> Option<Event> {
        self.reset();
        Some(event)
    }

    fn code(&mut self, byte: u8) -> Option<Event> {
        let extended = core::mem::take(&mut self.extended);
        let released = core::mem::take(&mut self.released);
        let (code, released) = match self.set {
            Set::One => (byte & !RELEASED, byte & RELEASED != 0),
            Set::Two => (*SET_TWO.get(usize::from(byte))?, released),
        };
        let usage = if extended {
            EXTENDED.iter().find(|(known, _)| *known == code)?.1
        } else {
            *PLAIN.get(usize::from(code)).filter(|&&usage| usage != 0)?
        };
        let was_down = self.is_down(usage);
        self.set_down(usage, !released);
        match (released, was_down) {
            (false, false) => Some(Event::Key(usage, key_state::DOWN)),
            (false, true) => Some(Event::Key(usage, key_state::REPEAT)),
            (true, true) => Some(Event::Key(usage, key_state::UP)),
            (true, false) => None,
        }
    }

    fn is_down(&self, usage: u8) -> bool {
        self.down[usize::from(usage / 32)] >> (usage % 32) & 1 != 0
    }

    fn set_down(&mut self, usage: u8, down: bool) {
        let word = &mut self.down[usize::from(usage / 32)];
        *word = *word & !(1 << (usage % 32)) | u32::from(down) << (usage % 32);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use key_state::{DOWN, REPEAT, UP};

    fn decoded(set: Set, bytes: &[u8]) -> Vec<Event> {
        let mut decoder = Decoder::new(set);
        bytes
            .iter()
            .filter_map(|&byte| decoder.feed(byte))
            .collect()
    }

    fn keys(events: &[(u8, u64)]) -> Vec<Event> {
        events
            .iter()
            .map(|&(usage, state)| Event::Key(usage, state))
            .collect()
    }

    #[test]
    fn keys_are_pressed_held_and_released_in_both_sets() {
        let expected = keys(&[(usage::A, DOWN), (usage::A, REPEAT), (usage::A, UP)]);
        assert_eq!(decoded(Set::One, &[0x1E, 0x1E, 0x9E]), expected);
        assert_eq!(decoded(Set::Two, &[0x1C, 0x1C, 0xF0, 0x1C]), expected);
        let expected = keys(&[(usage::UP, DOWN), (usage::UP, UP)]);
        assert_eq!(decoded(Set::One, &[0xE0, 0x48, 0xE0, 0xC8]), expected);
        assert_eq!(decoded(Set::Two, &[0xE0, 0x75, 0xE0, 0xF0, 0x75]), expected);
    }

    #[test]
    fn both_sets_have_the_same_keys() {
        for code in 1..=0x58_u8 {
            let one = decoded(Set::One, &[code]);
            let in_two = (1..=0x83).find(|&byte| SET_TWO[usize::from(byte)] == code);
            let two = in_two.map(|byte| decoded(Set::Two, &[byte]));
            assert_eq!(two.unwrap_or_default(), one, "{code:#x}");
        }
        for (code, usage) in EXTENDED {
            let two = (1..=0x83)
                .find(|&byte| SET_TWO[usize::from(byte)] == code)
                .unwrap();
            let expected = keys(&[(usage, DOWN)]);
            assert_eq!(decoded(Set::One, &[0xE0, code]), expected);
            assert_eq!(decoded(Set::Two, &[0xE0, two]), expected);
        }
    }

    #[test]
    fn no_two_places_are_one_key() {
        let mut seen: Vec<u8> = PLAIN.into_iter().filter(|&usage| usage != 0).collect();
        seen.extend(
            EXTENDED
                .map(|(_, usage)| usage)
                .iter()
                .filter(|&&u| u != usage::PRINT_SCREEN),
        );
        seen.sort_unstable();
        let count = seen.len();
        seen.dedup();
        assert_eq!(seen.len(), count);
    }

    #[test]
    fn pause_is_one_key() {
        let pause = keys(&[(usage::PAUSE, DOWN), (usage::A, DOWN)]);
        assert_eq!(
            decoded(Set::One, &[0xE1, 0x1D, 0x45, 0xE1, 0x9D, 0xC5, 0x1E]),
            pause
        );
        let two = [0xE1, 0x14, 0x77, 0xE1, 0xF0, 0x14, 0xF0, 0x77, 0x1C];
        assert_eq!(decoded(Set::Two, &two), pause);
    }

    #[test]
    fn a_keyboard_that_is_plugged_in_is_told_from_a_released_shift() {
        assert_eq!(decoded(Set::One, &[0xAA]), [Event::Plugged]);
        let shift = keys(&[(usage::LEFT_SHIFT, DOWN), (usage::LEFT_SHIFT, UP)]);
        assert_eq!(decoded(Set::One, &[0x2A, 0xAA]), shift);
        assert_eq!(decoded(Set::One, &[0x2A, 0xAA, 0xAA])[2], Event::Plugged);
        assert_eq!(decoded(Set::Two, &[0x12, 0xAA])[1], Event::Plugged);
    }

    #[test]
    fn keys_that_send_a_shift_of_their_own_plug_nothing_in() {
        let bytes = [0x2A, 0xE0, 0x2A, 0xE0, 0x37, 0xE0, 0xB7, 0xE0, 0xAA, 0x1E];
        let expected = keys(&[
            (usage::LEFT_SHIFT, DOWN),
            (usage::PRINT_SCREEN, DOWN),
            (usage::PRINT_SCREEN, UP),
            (usage::A, DOWN),
        ]);
        assert_eq!(decoded(Set::One, &bytes), expected);
    }

    #[test]
    fn a_code_that_was_begun_is_abandoned_and_what_is_down_stays_so() {
        for set in [Set::One, Set::Two] {
            for begun in [0xE0, 0xE1, 0xF0] {
                let (a, enter) = if set == Set::One {
                    (0x1E, 0x1C)
                } else {
                    (0x1C, 0x5A)
                };
                let mut decoder = Decoder::new(set);
                decoder.feed(a);
                decoder.feed(begun);
                decoder.abandon();
                assert_eq!(decoder.feed(enter), Some(Event::Key(usage::ENTER, DOWN)));
                assert_eq!(decoder.feed(a), Some(Event::Key(usage::A, REPEAT)));
            }
        }
    }

    #[test]
    fn after_an_overrun_no_key_is_down() {
        let events = decoded(Set::One, &[0x1E, 0xFF, 0x1E]);
        assert_eq!(events[1], Event::Lost);
        assert_eq!(events[2], Event::Key(usage::A, DOWN));
    }

    #[test]
    fn any_bytes_leave_a_decoder_that_works() {
        for set in [Set::One, Set::Two] {
            for first in 0..=255 {
                for second in 0..=255 {
                    let mut decoder = Decoder::new(set);
                    decoder.feed(first);
                    decoder.feed(second);
                    // More than is ever skipped: then a key is a key.
                    for _ in 0..8 {
                        let _ = decoder.feed(0x01);
                    }
                    let enter = if set == Set::One { 0x1C } else { 0x5A };
                    let event = decoder.feed(enter);
                    assert!(matches!(event, Some(Event::Key(usage::ENTER, _))));
                }
            }
        }
    }
}
