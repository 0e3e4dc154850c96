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
//!
//! A call can lend memory of the caller, up to [`MESSAGE_LEASES`] ranges, until it is answered. Lease `i` is described by two of the
//! words that the message does not use: word `7 - 2i` its address, word `6 - 2i` its length in bytes with [`LEASE_READ`] and
//! [`LEASE_WRITE`]. The length arrives, the address does not.

use crate::Handle;

/// Most words in a message.
pub const MESSAGE_WORDS: usize = 8;

/// Most leases in a call.
pub const MESSAGE_LEASES: usize = 4;

/// In the length of a lease: the receiver may read.
pub const LEASE_READ: u64 = 1 << 62;

/// In the length of a lease: the receiver may write.
pub const LEASE_WRITE: u64 = 1 << 63;

/// What of the length of a lease is not its length.
pub const LEASE_ACCESS: u64 = LEASE_READ | LEASE_WRITE;

/// Most bytes that one system call copies from or to a lease.
pub const LEASE_BYTES_MAX: u64 = 64 * 1024;

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
/// (the others are copied), 12–14 leases, 16–31 label (the operation in a call, the status in a reply), 32–63 (received
/// calls only) the reply handle, 32–35 (sent messages only) which handles arrive without GRANT.
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

    /// The same with so many leases.
    #[must_use]
    pub const fn lending(self, leases: usize) -> Self {
        Self(self.0 | (leases as u64 & 0x7) << 12)
    }

    /// The same with the handles in `mask` arriving without GRANT: their receiver cannot pass them on.
    #[must_use]
    pub const fn for_receiver_only(self, mask: u8) -> Self {
        Self(self.0 | (mask as u64 & 0xF) << 32)
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

    /// Whether it has so many words, and no handles.
    pub const fn is_words_only(self, words: usize) -> bool {
        self.0 & 0x7F == words as u64
    }

    /// Whether a notification arrived and not a message.
    pub const fn is_notification(self) -> bool {
        self.0 & 1 << 7 != 0
    }

    /// Whether handle `index` is moved.
    pub const fn moves(self, index: usize) -> bool {
        index < MESSAGE_HANDLES && self.0 >> (8 + index) & 1 != 0
    }

    /// Number of leases.
    pub const fn leases(self) -> usize {
        (self.0 >> 12 & 0x7) as usize
    }

    /// Whether handle `index` of a message to send arrives without GRANT.
    pub const fn is_for_receiver_only(self, index: usize) -> bool {
        index < MESSAGE_HANDLES && self.0 >> (32 + index) & 1 != 0
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
