//! Input that nobody has taken yet.

/// Most bytes that wait; what is typed beyond is lost.
pub const MOST: usize = 1024;

/// Bytes, first in first out.
pub struct Queue {
    bytes: [u8; MOST],
    first: usize,
    length: usize,
}

impl Queue {
    /// No bytes.
    pub const fn new() -> Self {
        Self {
            bytes: [0; MOST],
            first: 0,
            length: 0,
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// How many bytes it has room for.
    pub fn room(&self) -> usize {
        MOST - self.length
    }

    /// Adds all bytes, or none when there is no room: half an escape sequence would be worse.
    pub fn push(&mut self, bytes: &[u8]) {
        if bytes.len() > self.room() {
            return;
        }
        for &byte in bytes {
            self.bytes[(self.first + self.length) % MOST] = byte;
            self.length += 1;
        }
    }

    /// Copies the first bytes without taking them; tells how many.
    pub fn peek(&self, out: &mut [u8]) -> usize {
        let count = self.length.min(out.len());
        for (index, byte) in out[..count].iter_mut().enumerate() {
            *byte = self.bytes[(self.first + index) % MOST];
        }
        count
    }

    /// Takes bytes that were seen. They are wiped: they may be a password.
    pub fn take(&mut self, count: usize) {
        for _ in 0..count.min(self.length) {
            self.bytes[self.first] = 0;
            self.first = (self.first + 1) % MOST;
            self.length -= 1;
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut queue = Queue::new();
        for round in 0..100_u8 {
            queue.push(&[round; 30]);
            let mut out = [0; 40];
            assert_eq!(queue.peek(&mut out), 30);
            assert_eq!(queue.peek(&mut out[..7]), 7, "peeking takes nothing");
            assert!(out[..30].iter().all(|&byte| byte == round));
            queue.take(30);
            assert!(queue.is_empty());
        }
        assert!(
            queue.bytes.iter().all(|&byte| byte == 0),
            "what was taken is wiped"
        );
    }

    #[test]
    fn a_sequence_that_does_not_fit_is_dropped_whole() {
        let mut queue = Queue::new();
        queue.push(&[b'x'; MOST - 2]);
        queue.push(b"\x1B[A");
        queue.push(b"ab");
        queue.take(MOST - 2);
        let mut out = [0; 8];
        assert_eq!(queue.peek(&mut out), 2);
        assert_eq!(&out[..2], b"ab");
    }
}
