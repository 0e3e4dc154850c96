//! Input that the shell has no room for yet: what was pasted, and what was typed after it.

use alloc::collections::VecDeque;

/// Most bytes that wait; what comes beyond is lost.
const MOST: usize = 256 * 1024;

/// Bytes, first in first out.
#[derive(Default, Debug)]
pub struct Waiting(VecDeque<u8>);

impl Waiting {
    /// Text was pasted. Line ends are Enter; other control characters are left out, so that no text is a command of the terminal's.
    pub fn paste(&mut self, text: &str) {
        let mut last = ' ';
        for character in text.chars() {
            match character {
                '\n' if last == '\r' => {}
                '\r' | '\n' => self.push(b"\r"),
                '\t' => self.push(b"\t"),
                control if control.is_control() => {}
                other => self.push(other.encode_utf8(&mut [0; 4]).as_bytes()),
            }
            last = character;
        }
    }

    /// Bytes of a key were typed: all of them wait, or none.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.0.len() + bytes.len() <= MOST {
            self.0.extend(bytes);
        }
    }

    /// Takes as many bytes as there is room for: how many. They are wiped here: they may be a password.
    pub fn take(&mut self, out: &mut [u8]) -> usize {
        let count = out.len().min(self.0.len());
        for (out, byte) in out.iter_mut().zip(&mut self.0) {
            *out = core::mem::take(byte);
        }
        self.0.drain(..count);
        count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_come_in_pieces_and_in_their_order() {
        let mut waiting = Waiting::default();
        let line = "ä".repeat(3000) + "\r\nx\n\ny";
        waiting.paste(&line);
        waiting.push(b"\x1B[A");
        let mut taken = Vec::new();
        loop {
            let mut piece = [0; 1000];
            match waiting.take(&mut piece) {
                0 => break,
                count => taken.extend_from_slice(&piece[..count]),
            }
        }
        let expected = "ä".repeat(3000) + "\rx\r\ry\x1B[A";
        assert_eq!(String::from_utf8(taken).as_deref(), Ok(expected.as_str()));
    }

    #[test]
    fn what_is_pasted_is_no_command_and_never_too_much() {
        let mut waiting = Waiting::default();
        waiting.paste("a\u{1B}[2J\u{3}\u{9B}b\t");
        let mut taken = [0; MOST + 1];
        assert_eq!(waiting.take(&mut taken), 6);
        assert_eq!(&taken[..6], b"a[2Jb\t");
        waiting.paste(&"x".repeat(MOST + 10));
        waiting.push(b"y");
        assert_eq!(waiting.take(&mut taken), MOST);
    }
}
