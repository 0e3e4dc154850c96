//! What the keys of a terminal send: bytes as xterm has them (ctlseqs, "PC-Style Function Keys").

use nonos_proto::usage;

/// Most bytes of one key.
pub const MOST: usize = 8;

/// Which other keys are down.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Modifiers {
    /// Shift.
    pub shift: bool,
    /// Control.
    pub control: bool,
    /// Alt.
    pub alt: bool,
}

/// What one key sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sent {
    bytes: [u8; MOST],
    length: u8,
}

impl Sent {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// Appends what fits.
    fn push(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if let Some(slot) = self.bytes.get_mut(usize::from(self.length)) {
                *slot = byte;
                self.length += 1;
            }
        }
    }
}

/// What a key sends that is pressed: its usage, the character that it types, and which other keys are down.
pub fn sent(usage: u8, character: Option<char>, modifiers: Modifiers) -> Sent {
    let mut sent = Sent::default();
    if let Some(key) = special(usage) {
        special_key(key, modifiers, &mut sent);
        return sent;
    }
    let Some(character) = character else {
        return sent;
    };
    if modifiers.alt {
        sent.push(b"\x1B");
    }
    match control(character).filter(|_| modifiers.control) {
        Some(byte) => sent.push(&[byte]),
        None if modifiers.control => sent = Sent::default(),
        None => sent.push(character.encode_utf8(&mut [0; 4]).as_bytes()),
    }
    sent
}

/// A key that sends a sequence.
enum Special {
    /// These bytes.
    Plain(&'static [u8]),
    /// `CSI` and this letter.
    Letter(u8),
    /// `CSI`, this digit and `~`.
    Tilde(u8),
}

fn special(usage: u8) -> Option<Special> {
    Some(match usage {
        usage::ENTER | usage::KEYPAD_ENTER => Special::Plain(b"\r"),
        usage::ESCAPE => Special::Plain(b"\x1B"),
        usage::BACKSPACE => Special::Plain(b"\x7F"),
        usage::TAB => Special::Plain(b"\t"),
        usage::UP => Special::Letter(b'A'),
        usage::DOWN => Special::Letter(b'B'),
        usage::RIGHT => Special::Letter(b'C'),
        usage::LEFT => Special::Letter(b'D'),
        usage::END => Special::Letter(b'F'),
        usage::HOME => Special::Letter(b'H'),
        usage::INSERT => Special::Tilde(b'2'),
        usage::DELETE => Special::Tilde(b'3'),
        usage::PAGE_UP => Special::Tilde(b'5'),
        usage::PAGE_DOWN => Special::Tilde(b'6'),
        _ => return None,
    })
}

fn special_key(key: Special, modifiers: Modifiers, sent: &mut Sent) {
    let Modifiers {
        shift,
        control,
        alt,
    } = modifiers;
    let with = b'1' + u8::from(shift) + 2 * u8::from(alt) + 4 * u8::from(control);
    match key {
        Special::Plain(b"\t") if shift => sent.push(b"\x1B[Z"),
        Special::Plain(bytes) => {
            if alt {
                sent.push(b"\x1B");
            }
            sent.push(bytes);
        }
        Special::Letter(letter) if with == b'1' => sent.push(&[0x1B, b'[', letter]),
        Special::Letter(letter) => sent.push(&[0x1B, b'[', b'1', b';', with, letter]),
        Special::Tilde(digit) if with == b'1' => sent.push(&[0x1B, b'[', digit, b'~']),
        Special::Tilde(digit) => sent.push(&[0x1B, b'[', digit, b';', with, b'~']),
    }
}

/// The control character of a character (ECMA-48, 5.2).
fn control(character: char) -> Option<u8> {
    match character {
        'a'..='z' | '@'..='_' => Some(character as u8 & 0x1F),
        ' ' => Some(0),
        '/' => Some(0x1F),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTROL: Modifiers = Modifiers {
        shift: false,
        control: true,
        alt: false,
    };

    #[track_caller]
    fn sends(usage: u8, character: Option<char>, modifiers: Modifiers, bytes: &[u8]) {
        assert_eq!(sent(usage, character, modifiers).as_slice(), bytes);
    }

    #[test]
    fn characters_go_as_utf_8_and_control_takes_the_upper_bits() {
        sends(4, Some('a'), Modifiers::default(), b"a");
        sends(4, Some('é'), Modifiers::default(), "é".as_bytes());
        sends(6, Some('c'), CONTROL, b"\x03");
        sends(0x2F, Some('['), CONTROL, b"\x1B");
        sends(0x1E, Some('1'), CONTROL, b"");
        let alt = Modifiers {
            alt: true,
            ..Modifiers::default()
        };
        sends(5, Some('b'), alt, b"\x1Bb");
        sends(0xE1, None, Modifiers::default(), b"");
    }

    #[test]
    fn keys_without_a_character_send_sequences() {
        let plain = Modifiers::default();
        let shift = Modifiers {
            shift: true,
            ..plain
        };
        sends(usage::ENTER, Some('\n'), plain, b"\r");
        sends(usage::BACKSPACE, Some('\x08'), plain, b"\x7F");
        sends(usage::UP, None, plain, b"\x1B[A");
        sends(usage::LEFT, None, CONTROL, b"\x1B[1;5D");
        sends(usage::DELETE, Some('\x7F'), plain, b"\x1B[3~");
        sends(usage::PAGE_DOWN, None, shift, b"\x1B[6;2~");
        sends(usage::TAB, Some('\t'), shift, b"\x1B[Z");
    }
}
