//! A keyboard with a layout: from keys to characters, with what modifiers and locks are on.

use nonos_proto::display::modifiers;
use nonos_proto::input::key_state;

use crate::layout::{self, LAYOUTS, Layout, Level};
use nonos_proto::usage;

/// A key, and what it types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Stroke {
    /// Usage of the key; keys of the keypad have those of the keys that they stand for without Num Lock.
    pub usage: u8,
    /// One of [`key_state`].
    pub state: u64,
    /// [`modifiers`] that are on.
    pub modifiers: u64,
    /// The character, when it types one.
    pub character: Option<char>,
}

/// The keyboard.
#[derive(Debug)]
pub struct Keyboard {
    layout: &'static Layout,
    /// Which of the eight modifiers is down, lowest bit the left Control.
    down: u8,
    caps_lock: bool,
    num_lock: bool,
    dead: Option<char>,
}

impl Keyboard {
    /// No key is down, and Num Lock is on.
    pub const fn new() -> Self {
        Self {
            layout: &LAYOUTS[0],
            down: 0,
            caps_lock: false,
            num_lock: true,
            dead: None,
        }
    }

    /// Takes another layout, by its place in [`LAYOUTS`].
    pub fn set_layout(&mut self, index: usize) {
        self.layout = LAYOUTS.get(index).unwrap_or(self.layout);
        self.dead = None;
    }

    /// The layout.
    pub fn layout(&self) -> &'static Layout {
        self.layout
    }

    /// No key is down.
    pub fn release_all(&mut self) {
        self.down = 0;
        self.dead = None;
    }

    /// [`modifiers`] that are on.
    pub fn modifiers(&self) -> u64 {
        [
            (usage::LEFT_SHIFT, usage::RIGHT_SHIFT, modifiers::SHIFT),
            (
                usage::LEFT_CONTROL,
                usage::RIGHT_CONTROL,
                modifiers::CONTROL,
            ),
            (usage::LEFT_ALT, usage::LEFT_ALT, modifiers::ALT),
            (usage::LEFT_SUPER, usage::RIGHT_SUPER, modifiers::SUPER),
        ]
        .into_iter()
        .filter(|&(left, right, _)| self.is_down(left) || self.is_down(right))
        .fold(0, |on, (.., modifier)| on | modifier)
    }

    fn is_down(&self, modifier: u8) -> bool {
        self.down >> (modifier - usage::LEFT_CONTROL) & 1 != 0
    }

    /// Takes a key, by its usage, and its [`key_state`].
    pub fn feed(&mut self, usage: u8, state: u64) -> Stroke {
        if (usage::LEFT_CONTROL..=usage::RIGHT_SUPER).contains(&usage) {
            let bit = 1 << (usage - usage::LEFT_CONTROL);
            self.down = self.down & !bit | if state == key_state::UP { 0 } else { bit };
        }
        match usage {
            usage::CAPS_LOCK if state == key_state::DOWN => self.caps_lock = !self.caps_lock,
            usage::NUM_LOCK if state == key_state::DOWN => self.num_lock = !self.num_lock,
            _ => {}
        }
        let (usage, typed) = self.meaning(usage);
        let character = match state {
            key_state::UP => None,
            _ => typed.and_then(|character| self.join(character)),
        };
        Stroke {
            usage,
            state,
            modifiers: self.modifiers(),
            character,
        }
    }

    /// The key that one stands for, and what it types before dead keys are looked at.
    fn meaning(&self, usage: u8) -> (u8, Option<char>) {
        const KEYPAD: [char; 16] = [
            '/', '*', '-', '+', '\n', '1', '2', '3', '4', '5', '6', '7', '8', '9', '0', '.',
        ];
        const WITHOUT_LOCK: [u8; 11] = [
            usage::END,
            usage::DOWN,
            usage::PAGE_DOWN,
            usage::LEFT,
            0,
            usage::RIGHT,
            usage::HOME,
            usage::UP,
            usage::PAGE_UP,
            usage::INSERT,
            usage::DELETE,
        ];
        match usage {
            usage::KEYPAD_ONE..=usage::KEYPAD_POINT if !self.num_lock => {
                (WITHOUT_LOCK[usize::from(usage - usage::KEYPAD_ONE)], None)
            }
            usage::KEYPAD_SLASH..=usage::KEYPAD_POINT => (
                usage,
                Some(KEYPAD[usize::from(usage - usage::KEYPAD_SLASH)]),
            ),
            usage::ENTER => (usage, Some('\n')),
            usage::TAB => (usage, Some('\t')),
            usage::SPACE => (usage, Some(' ')),
            _ => (usage, self.layout.character(usage, self.level(usage))),
        }
    }

    fn level(&self, usage: u8) -> Level {
        let shift = self.modifiers() & modifiers::SHIFT != 0;
        let caps = self.caps_lock && self.layout.has_cases(usage);
        match (self.is_down(usage::RIGHT_ALT), shift != caps) {
            (true, _) => Level::AltGr,
            (false, true) => Level::Shift,
            (false, false) => Level::Plain,
        }
    }

    /// The character with the accent of the dead key before, or none for a dead key.
    fn join(&mut self, character: char) -> Option<char> {
        match self.dead.take() {
            Some(dead) => Some(layout::compose(dead, character)).filter(|&c| !layout::is_dead(c)),
            None if layout::is_dead(character) => {
                self.dead = Some(character);
                None
            }
            None => Some(character),
        }
    }
}

impl Default for Keyboard {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use key_state::{DOWN, UP};

    fn typed(keyboard: &mut Keyboard, keys: &[(u8, u64)]) -> String {
        keys.iter()
            .filter_map(|&(usage, state)| keyboard.feed(usage, state).character)
            .collect()
    }

    #[test]
    fn shift_caps_lock_and_both() {
        let mut keyboard = Keyboard::new();
        let one = usage::A + 26;
        let keys = [(usage::A, DOWN), (one, DOWN)];
        assert_eq!(typed(&mut keyboard, &keys), "a1");
        typed(&mut keyboard, &[(usage::LEFT_SHIFT, DOWN)]);
        assert_eq!(typed(&mut keyboard, &keys), "A!");
        typed(
            &mut keyboard,
            &[(usage::CAPS_LOCK, DOWN), (usage::CAPS_LOCK, UP)],
        );
        assert_eq!(typed(&mut keyboard, &keys), "a!");
        typed(&mut keyboard, &[(usage::LEFT_SHIFT, UP)]);
        assert_eq!(typed(&mut keyboard, &keys), "A1");
    }

    #[test]
    fn dead_keys_and_alt_gr() {
        let mut keyboard = Keyboard::new();
        keyboard.set_layout(2);
        let (acute, e, space) = (0x2E, 0x08, usage::SPACE);
        assert_eq!(
            typed(&mut keyboard, &[(acute, DOWN), (e, DOWN), (e, DOWN)]),
            "ée"
        );
        assert_eq!(typed(&mut keyboard, &[(acute, DOWN), (space, DOWN)]), "´");
        assert_eq!(typed(&mut keyboard, &[(acute, DOWN), (acute, DOWN)]), "´");
        let alt_gr = [
            (usage::RIGHT_ALT, DOWN),
            (e, DOWN),
            (usage::RIGHT_ALT, UP),
            (e, DOWN),
        ];
        assert_eq!(typed(&mut keyboard, &alt_gr), "€e");
        keyboard.set_layout(4);
        let (grave, quote) = (0x2F, 0x34);
        // Another dead key after one: neither is typed, and nothing sticks.
        assert_eq!(
            typed(&mut keyboard, &[(grave, DOWN), (quote, DOWN), (e, DOWN)]),
            "e"
        );
    }

    #[test]
    fn the_keypad_is_digits_or_arrows() {
        let mut keyboard = Keyboard::new();
        assert_eq!(keyboard.feed(usage::KEYPAD_ONE, DOWN).character, Some('1'));
        keyboard.feed(usage::NUM_LOCK, DOWN);
        let stroke = keyboard.feed(usage::KEYPAD_ONE, DOWN);
        assert_eq!((stroke.usage, stroke.character), (usage::END, None));
    }

    #[test]
    fn modifiers_are_told_and_forgotten() {
        let mut keyboard = Keyboard::new();
        keyboard.feed(usage::RIGHT_CONTROL, DOWN);
        keyboard.feed(usage::LEFT_ALT, DOWN);
        let stroke = keyboard.feed(usage::C, DOWN);
        assert_eq!(stroke.modifiers, modifiers::CONTROL | modifiers::ALT);
        assert_eq!(
            stroke.character,
            Some('c'),
            "the program decides what Control is for"
        );
        keyboard.release_all();
        assert_eq!(keyboard.feed(usage::C, DOWN).modifiers, 0);
    }

    #[test]
    fn any_keys_do_no_harm() {
        let mut keyboard = Keyboard::new();
        for layout in 0..LAYOUTS.len() + 1 {
            keyboard.set_layout(layout);
            for usage in 0..=255 {
                for state in 0..4 {
                    keyboard.feed(usage, state);
                }
            }
        }
    }
}
