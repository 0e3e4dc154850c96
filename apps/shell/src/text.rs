//! A text of bounded length as lines, for the editor of files.

/// Most bytes of a text.
pub const MOST: usize = 16 * 1024;

/// A text: lines, each with its end.
pub struct Text {
    bytes: [u8; MOST],
    length: usize,
}

/// The text would be longer than [`MOST`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooLong;

impl Default for Text {
    fn default() -> Self {
        Self::new()
    }
}

impl Text {
    /// No text.
    pub const fn new() -> Self {
        Self {
            bytes: [0; MOST],
            length: 0,
        }
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// The lines, without their ends.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let lines = self.as_bytes().split_inclusive(|&byte| byte == b'\n');
        lines.map(|line| line.strip_suffix(b"\n").unwrap_or(line))
    }

    /// Where line `number` starts, counted from 1; the end of the text for those past the last.
    fn start(&self, number: usize) -> usize {
        let lines = self.as_bytes().split_inclusive(|&byte| byte == b'\n');
        lines.take(number.saturating_sub(1)).map(<[u8]>::len).sum()
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// When there is no room; nothing is added.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        let end = self.length + bytes.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(TooLong)?;
        room.copy_from_slice(bytes);
        self.length = end;
        Ok(())
    }

    /// Inserts a line before line `number`.
    ///
    /// # Errors
    /// When there is no room; nothing is inserted.
    pub fn insert(&mut self, number: usize, line: &[u8]) -> Result<(), TooLong> {
        let at = self.start(number);
        // A last line without an end gets one when something follows.
        let open = at == self.length && at > 0 && self.bytes[at - 1] != b'\n';
        let added = line.len() + 1 + usize::from(open);
        if self.length + added > MOST {
            return Err(TooLong);
        }
        self.bytes.copy_within(at..self.length, at + added);
        let mut at = at;
        if open {
            self.bytes[at] = b'\n';
            at += 1;
        }
        self.bytes[at..at + line.len()].copy_from_slice(line);
        self.bytes[at + line.len()] = b'\n';
        self.length += added;
        Ok(())
    }

    /// Deletes the lines from `first` to `last`.
    pub fn delete(&mut self, first: usize, last: usize) {
        let (from, to) = (self.start(first), self.start(last.saturating_add(1)));
        if from < to {
            self.bytes.copy_within(to..self.length, from);
            self.length -= to - from;
        }
    }

    /// Wipes it.
    pub fn wipe(&mut self) {
        self.bytes.fill(0);
        core::hint::black_box(&mut self.bytes);
        self.length = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(from: &str) -> Text {
        let mut text = Text::new();
        text.append(from.as_bytes()).unwrap();
        text
    }

    #[test]
    fn lines_are_inserted_and_deleted() {
        let mut text = text("one\ntwo\nthree");
        assert_eq!(text.lines().count(), 3);
        text.insert(2, b"1.5").unwrap();
        text.insert(9, b"four").unwrap();
        text.insert(1, b"").unwrap();
        assert_eq!(text.as_bytes(), b"\none\n1.5\ntwo\nthree\nfour\n");
        text.delete(2, 4);
        assert_eq!(text.as_bytes(), b"\nthree\nfour\n");
        text.delete(3, usize::MAX);
        text.delete(7, 9);
        text.delete(2, 1);
        assert_eq!(text.as_bytes(), b"\nthree\n");
        text.wipe();
        assert!(text.as_bytes().is_empty() && text.bytes == [0; MOST]);
    }

    #[test]
    fn there_is_an_end_to_it() {
        let mut text = text(&"x".repeat(MOST - 3));
        assert_eq!(text.insert(1, b"abc"), Err(TooLong));
        assert_eq!(text.append(b"abcd"), Err(TooLong));
        assert_eq!(text.as_bytes().len(), MOST - 3);
        text.insert(1, b"ab").unwrap();
        assert_eq!(text.as_bytes().len(), MOST);
    }
}
