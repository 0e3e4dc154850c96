//! What a terminal sends, as keys.

/// A key that means something to a line editor.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Key {
    /// A printable ASCII character.
    Character(u8),
    /// Return.
    Enter,
    /// Tab.
    Tab,
    /// Delete the character before the cursor.
    Backspace,
    /// Delete the character under the cursor.
    Delete,
    /// One character to the left.
    Left,
    /// One character to the right.
    Right,
    /// To the beginning.
    Home,
    /// To the end.
    End,
    /// The line before in the history.
    Up,
    /// The line after in the history.
    Down,
    /// Delete from the beginning to the cursor (Ctrl-U).
    KillBefore,
    /// Delete from the cursor to the end (Ctrl-K).
    KillAfter,
    /// Delete the word before the cursor (Ctrl-W).
    KillWord,
    /// Clear the screen (Ctrl-L).
    Clear,
    /// Give up the line (Ctrl-C).
    Interrupt,
}

/// Ctrl-C as it arrives.
pub const INTERRUPT: u8 = 0x03;

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Plain,
    Escape,
    /// A sequence with its first parameter.
    Sequence(u16),
    /// Later parameters, which no key of ours needs.
    Later(u16),
    /// ESC O, from terminals in application mode.
    Application,
}

/// Reads keys from bytes. Sequences that stand for no key are dropped.
pub struct Decoder {
    state: State,
    /// The last byte was a carriage return: a line feed after it is the same key.
    returned: bool,
}

impl Decoder {
    /// Between keys.
    pub const fn new() -> Self {
        Self {
            state: State::Plain,
            returned: false,
        }
    }

    /// Takes a byte; tells the key that it completes.
    pub fn feed(&mut self, byte: u8) -> Option<Key> {
        let returned = core::mem::replace(&mut self.returned, byte == b'\r');
        match self.state {
            State::Plain if byte == b'\n' && returned => None,
            State::Plain => self.plain(byte),
            State::Escape => {
                self.state = match byte {
                    b'[' => State::Sequence(0),
                    b'O' => State::Application,
                    0x1B => State::Escape,
                    _ => State::Plain,
                };
                None
            }
            State::Application => {
                self.state = State::Plain;
                last(byte, 0)
            }
            State::Sequence(first) | State::Later(first) => match (byte, self.state) {
                (b'0'..=b'9', State::Sequence(_)) => {
                    let first = first
                        .saturating_mul(10)
                        .saturating_add((byte - b'0').into());
                    self.state = State::Sequence(first);
                    None
                }
                (0x20..=0x3F, _) => {
                    self.state = State::Later(first);
                    None
                }
                (0x1B, _) => {
                    self.state = State::Escape;
                    None
                }
                _ => {
                    self.state = State::Plain;
                    last(byte, first)
                }
            },
        }
    }

    fn plain(&mut self, byte: u8) -> Option<Key> {
        Some(match byte {
            0x01 => Key::Home,
            0x02 => Key::Left,
            INTERRUPT => Key::Interrupt,
            0x04 => Key::Delete,
            0x05 => Key::End,
            0x06 => Key::Right,
            0x08 | 0x7F => Key::Backspace,
            b'\t' => Key::Tab,
            b'\r' | b'\n' => Key::Enter,
            0x0B => Key::KillAfter,
            0x0C => Key::Clear,
            0x0E => Key::Down,
            0x10 => Key::Up,
            0x15 => Key::KillBefore,
            0x17 => Key::KillWord,
            0x1B => {
                self.state = State::Escape;
                return None;
            }
            b' '..=b'~' => Key::Character(byte),
            _ => return None,
        })
    }
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

/// The key of a sequence with this last byte and first parameter.
fn last(byte: u8, first: u16) -> Option<Key> {
    Some(match (byte, first) {
        (b'A', _) => Key::Up,
        (b'B', _) => Key::Down,
        (b'C', _) => Key::Right,
        (b'D', _) => Key::Left,
        (b'H', _) | (b'~', 1 | 7) => Key::Home,
        (b'F', _) | (b'~', 4 | 8) => Key::End,
        (b'~', 3) => Key::Delete,
        (b'M', 0) => Key::Enter,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut decoder = Decoder::new();
        bytes
            .iter()
            .filter_map(|&byte| decoder.feed(byte))
            .collect()
    }

    #[test]
    fn sequences_of_several_terminals_are_the_same_keys() {
        assert_eq!(keys(b"\x1B[A\x1BOA\x10"), [Key::Up; 3]);
        assert_eq!(keys(b"\x1B[H\x1B[1~\x1B[7~\x1BOH\x01"), [Key::Home; 5]);
        assert_eq!(keys(b"\x1B[3~\x04"), [Key::Delete; 2]);
        assert_eq!(keys(b"\x1B[1;5C"), [Key::Right]);
    }

    #[test]
    fn any_end_of_line_is_one_enter() {
        assert_eq!(keys(b"\r\n\n\r"), [Key::Enter; 3]);
    }

    #[test]
    fn what_is_no_key_types_nothing() {
        assert_eq!(keys(b"\x1B[5~\x1B[99999999;1;1R\x00\x1F\xC3\x98\x1Bx"), []);
        assert_eq!(keys(b"\x1B\x1B[Ab"), [Key::Up, Key::Character(b'b')]);
    }
}
