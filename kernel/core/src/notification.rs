//! Notifications: 64 signal bits.

use crate::arena::Empty;

/// Signal bits, and who waits for them.
pub struct Notification {
    pub(crate) bits: u64,
}

impl Empty for Notification {
    const EMPTY: Self = Self { bits: 0 };
}
