//! Scan codes to what a terminal sends.

use pc_keyboard::layouts::Us104Key;
use pc_keyboard::{DecodedKey, HandleControl, KeyCode, KeyState, PS2Keyboard, ScancodeSet1};

/// Most bytes of one key.
pub const MOST: usize = 5;

/// A US keyboard that sends scan code set 1, as 8042 controllers translate to.
pub struct Keyboard(PS2Keyboard<Us104Key, ScancodeSet1>);

impl Keyboard {
    /// No key is down.
    pub const fn new() -> Self {
        let control = HandleControl::MapLettersToUnicode;
        Self(PS2Keyboard::new(ScancodeSet1::new(), Us104Key, control))
    }

    /// Takes a byte from the keyboard and tells what was typed with it. Bytes that are no scan code are skipped.
    pub fn feed(&mut self, byte: u8, typed: &mut impl FnMut(&[u8])) {
        let event = match self.0.add_byte(byte) {
            Ok(Some(event)) => event,
            Ok(None) => return,
            Err(_) => {
                self.0.clear();
                return;
            }
        };
        let pressed = event.state != KeyState::Up;
        let code = event.code;
        // Every event goes through the decoder: it keeps the state of Shift, Ctrl and the like.
        let decoded = self.0.process_keyevent(event);
        if !pressed {
            return;
        }
        if let Some(sequence) = sequence(code, decoded) {
            typed(sequence);
        } else if let Some(DecodedKey::Unicode(character)) = decoded {
            let mut bytes = [0; 4];
            typed(character.encode_utf8(&mut bytes).as_bytes());
        }
    }
}

impl Default for Keyboard {
    fn default() -> Self {
        Self::new()
    }
}

/// Keys that send something else than their character (as xterm has it). With Num Lock the keypad sends digits.
fn sequence(code: KeyCode, decoded: Option<DecodedKey>) -> Option<&'static [u8]> {
    let code = match (code, decoded) {
        (_, Some(DecodedKey::RawKey(code))) => code,
        (KeyCode::Delete | KeyCode::Return | KeyCode::NumpadEnter | KeyCode::Backspace, _) => code,
        _ => return None,
    };
    Some(match code {
        KeyCode::Return | KeyCode::NumpadEnter => b"\r",
        KeyCode::Backspace => b"\x7F",
        KeyCode::ArrowUp => b"\x1B[A",
        KeyCode::ArrowDown => b"\x1B[B",
        KeyCode::ArrowRight => b"\x1B[C",
        KeyCode::ArrowLeft => b"\x1B[D",
        KeyCode::Home => b"\x1B[H",
        KeyCode::End => b"\x1B[F",
        KeyCode::Insert => b"\x1B[2~",
        KeyCode::Delete => b"\x1B[3~",
        KeyCode::PageUp => b"\x1B[5~",
        KeyCode::PageDown => b"\x1B[6~",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(codes: &[u8]) -> Vec<u8> {
        let mut keyboard = Keyboard::new();
        let mut all = Vec::new();
        for &code in codes {
            keyboard.feed(code, &mut |bytes| {
                assert!(bytes.len() <= MOST);
                all.extend_from_slice(bytes);
            });
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
}
