//! Messages of synchronous IPC, as they travel in registers.
//!
//! | register | in | out |
//! |---|---|---|
//! | `rax` | system call number | 0 or an [`crate::Error`] |
//! | `rdi` | endpoint or reply handle | badge of the caller, or the signal bits of the bound notification |
//! | `rsi` | [`MessageInfo`] | [`MessageInfo`] |
//! | `rdx r10 r8 r9 r12 r13 r14 r15` | words 0 to 7 | words 0 to 7 |
//! | `rbx` | handle 0, handle 1 in the upper half | handles received |
//! | `rbp` | handle 2, handle 3 in the upper half | handles received |
//!
//! For `ReplyReceive` the reply handle travels in the upper half of `rdi`.
//! Words beyond the count are zero when they arrive: a message never carries the sender's stale registers.

use crate::Handle;

/// Most words in a message.
pub const MESSAGE_WORDS: usize = 8;

/// Most handles in a message.
pub const MESSAGE_HANDLES: usize = 4;

/// A message as a program holds it: what it sends, or what arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(C)]
pub struct Message {
    /// Label, counts, and what arrived.
    pub info: MessageInfo,
    /// The words; those beyond the count are zero.
    pub words: [u64; MESSAGE_WORDS],
    /// The handles; those beyond the count are [`Handle::NONE`].
    pub handles: [Handle; MESSAGE_HANDLES],
}

/// Counts and label of a message, packed into one register.
///
/// Bits 0–3 words, 4–6 handles, 7 "a notification arrived, not a message", 8–11 which handles are moved
/// (the others are copied), 16–31 label (the operation in a call, the status in a reply), 32–63 (received
/// calls only) the reply handle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct MessageInfo(pub u64);

impl MessageInfo {
    /// A message to send. Counts above the limits stay as they are and are refused by the kernel.
    pub const fn new(label: u16, words: usize, handles: usize) -> Self {
        Self(words as u64 & 0xF | (handles as u64 & 0x7) << 4 | (label as u64) << 16)
    }

    /// What arrives when the bound notification was signalled.
    pub const NOTIFICATION: Self = Self(1 << 7);

    /// The same with the handles in `mask` moved instead of copied.
    #[must_use]
    pub const fn moving(self, mask: u8) -> Self {
        Self(self.0 | (mask as u64 & 0xF) << 8)
    }

    /// The same with a reply handle.
    #[must_use]
    pub const fn with_reply(self, reply: Handle) -> Self {
        Self(self.0 & 0xFFFF_FFFF | (reply.raw() as u64) << 32)
    }

    /// Number of words.
    pub const fn words(self) -> usize {
        (self.0 & 0xF) as usize
    }

    /// Number of handles.
    pub const fn handles(self) -> usize {
        (self.0 >> 4 & 0x7) as usize
    }

    /// Whether a notification arrived and not a message.
    pub const fn is_notification(self) -> bool {
        self.0 & 1 << 7 != 0
    }

    /// Whether handle `index` is moved.
    pub const fn moves(self, index: usize) -> bool {
        index < MESSAGE_HANDLES && self.0 >> (8 + index) & 1 != 0
    }

    /// Operation of a call, or status of a reply.
    pub const fn label(self) -> u16 {
        (self.0 >> 16) as u16
    }

    /// The reply handle of a received call.
    pub const fn reply(self) -> Handle {
        Handle::from_raw((self.0 >> 32) as u32)
    }
}
