//! The compositor, as the program sees it that locks the screen and unlocks it.

use nonos_abi::Handle;

use crate::interface::interface;

/// In the badge of a caller of the compositor: it calls this interface.
pub const BADGE_LOCK: u64 = 1 << 56;

/// States of the screen.
pub mod state {
    /// It shows the desktop.
    pub const OPEN: u64 = 0;
    /// It is locked, because the compositor just started.
    pub const STARTED: u64 = 1;
    /// It was locked.
    pub const LOCKED: u64 = 2;
}

/// What the bar says of the vault.
pub mod vault {
    /// That it is not known.
    pub const UNKNOWN: u64 = 0;
    /// That it is open.
    pub const OPEN: u64 = 1;
    /// That it is locked.
    pub const LOCKED: u64 = 2;
}

interface! {
    /// What is locked.
    pub trait Lock, version 1;

    /// One of [`state`].
    1 => answered state() -> u64;

    /// Has bits of a notification signalled when the screen was locked.
    2 => answered watch(notification: Handle, bits: u64) -> ();

    /// Locks the screen: nothing of any program shows or hears of input.
    3 => answered lock() -> ();

    /// Unlocks it.
    4 => answered unlock() -> ();

    /// Makes a window of the caller, just opened, the one that the locked screen shows.
    5 => answered place(window: u64) -> ();

    /// What the bar is to say: one of [`vault`].
    6 => answered tell(vault: u64) -> ();
}
