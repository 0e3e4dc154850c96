//! Keys to what a terminal sends.

use nonos_input::keyboard::{self, Stroke};
use nonos_input::scancode::{Decoder, Event};
use nonos_proto::display::modifiers;
use nonos_proto::input::key_state;
use nonos_terminal::keys::{Modifiers, sent};

pub use nonos_input::scancode::Set;

/// A US keyboard.
pub struct Keyboard {
    decoder: Decoder,
    keyboard: keyboard::Keyboard,
}

impl Keyboard {
    /// No key is down.
    pub const fn new(set: Set) -> Self {
        Self {
            decoder: Decoder::new(set),
            keyboard: keyboard::Keyboard::new(),
        }
    }

    /// Takes a byte from the keyboard and tells what was typed with it. Returns whether a keyboard was plugged in, which waits to be
    /// turned on.
    pub fn feed(&mut self, byte: u8, typed: &mut impl FnMut(&[u8])) -> bool {
        match self.decoder.feed(byte) {
            Some(Event::Key(usage, state)) => {
                let stroke = self.keyboard.feed(usage, state);
                if stroke.state != key_state::UP {
                    type_stroke(stroke, typed);
                }
                return false;
            }
            Some(Event::Plugged) => {
                self.keyboard.release_all();
                return true;
            }
            Some(Event::Lost) => self.keyboard.release_all(),
            None => {}
        }
        false
    }

    /// A byte was damaged: no key counts as down.
    pub fn reset(&mut self) {
        self.decoder.reset();
        self.keyboard.release_all();
    }
}

/// Tells what a key that is pressed sends.
fn type_stroke(stroke: Stroke, typed: &mut impl FnMut(&[u8])) {
    let held = |modifier: u64| stroke.modifiers & modifier != 0;
    let modifiers = Modifiers {
        shift: held(modifiers::SHIFT),
        control: held(modifiers::CONTROL),
        alt: held(modifiers::ALT),
    };
    let sent = sent(stroke.usage, stroke.character, modifiers);
    if !sent.as_slice().is_empty() {
        typed(sent.as_slice());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(codes: &[u8]) -> Vec<u8> {
        let mut keyboard = Keyboard::new(Set::One);
        let mut all = Vec::new();
        for &code in codes {
            keyboard.feed(code, &mut |bytes| all.extend_from_slice(bytes));
        }
        all
    }

    #[test]
    fn letters_shift_and_control() {
        assert_eq!(typed(&[0x1E, 0x9E]), b"a");
        assert_eq!(typed(&[0x2A, 0x1E, 0x9E, 0xAA, 0x1E]), b"Aa");
        assert_eq!(typed(&[0x1D, 0x2E, 0xAE, 0x9D]), b"\x03", "Ctrl-C");
        assert_eq!(typed(&[0x0C, 0x35, 0x2A, 0x0C]), b"-/_");
    }

    #[test]
    fn keys_without_a_character_send_sequences() {
        assert_eq!(typed(&[0x1C]), b"\r");
        assert_eq!(typed(&[0x0E]), b"\x7F");
        assert_eq!(typed(&[0xE0, 0x48, 0xE0, 0xC8]), b"\x1B[A");
        assert_eq!(
            typed(&[0xE0, 0x4B, 0xE0, 0x47, 0xE0, 0x4F]),
            b"\x1B[D\x1B[H\x1B[F"
        );
        assert_eq!(typed(&[0xE0, 0x53]), b"\x1B[3~");
    }

    #[test]
    fn other_bytes_type_nothing_and_do_not_stick() {
        assert_eq!(typed(&[0xFA, 0x00, 0xFF, 0xAA, 0xE0, 0x00, 0x1E]), b"a");
        for first in 0..=255 {
            typed(&[first, 0xE1, first, 0xE0, first]);
        }
    }

    #[test]
    fn a_keyboard_that_is_plugged_in_is_told_and_has_no_key_down() {
        let mut keyboard = Keyboard::new(Set::One);
        keyboard.feed(0x1D, &mut |_| {});
        assert!(keyboard.feed(0xAA, &mut |_| {}));
        keyboard.feed(0x2E, &mut |bytes| assert_eq!(bytes, b"c", "no Ctrl-C"));
    }
}
