//! What was typed and not read yet, also while a program runs.

use shell::keys::INTERRUPT;

/// Most bytes; what is typed beyond is lost.
const MOST: usize = 256;

/// Bytes, first in first out.
pub struct Typed {
    bytes: [u8; MOST],
    next: usize,
    end: usize,
}

impl Typed {
    /// Nothing.
    pub const fn new() -> Self {
        Self {
            bytes: [0; MOST],
            next: 0,
            end: 0,
        }
    }

    /// Adds bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.copy_within(self.next..self.end, 0);
        self.bytes[self.end - self.next..self.end].fill(0);
        self.end -= self.next;
        self.next = 0;
        let room = bytes.len().min(MOST - self.end);
        self.bytes[self.end..self.end + room].copy_from_slice(&bytes[..room]);
        self.end += room;
    }

    /// Takes a byte.
    pub fn pop(&mut self) -> Option<u8> {
        let byte = self.bytes[..self.end].get_mut(self.next)?;
        self.next += 1;
        // It may be a part of a passphrase.
        Some(core::mem::take(byte))
    }

    /// Drops everything up to the last Ctrl-C; tells whether there was one.
    pub fn interrupted(&mut self) -> bool {
        let waiting = &self.bytes[self.next..self.end];
        let Some(at) = waiting.iter().rposition(|&byte| byte == INTERRUPT) else {
            return false;
        };
        self.next += at + 1;
        true
    }
}
