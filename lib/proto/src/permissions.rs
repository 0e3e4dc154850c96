//! The power box, as the settings see it: what the user gave to programs, to be looked at and taken back.

use nonos_abi::{Handle, Name};

use crate::interface::interface;
use crate::value::parts;

/// In the badge of a caller of the power box: it calls this interface.
pub const BADGE_PERMISSIONS: u64 = 1 << 59;

/// In the rights of a permission: it is for a key, and the others are bits of [`crate::vault::uses`].
pub const OF_KEY: u64 = 1 << 32;

/// In the rights of a permission: it is to paste.
pub const OF_CLIPBOARD: u64 = 1 << 33;

parts! {
    /// Something that the user gave.
    pub struct Permission {
        /// What it is known by.
        pub number: u64,
        /// The program's module.
        pub module: Name,
        /// Bits of [`crate::files::rights`]: LIST of a directory and of nothing else. Those of a key have [`OF_KEY`], and that to paste
        /// is [`OF_CLIPBOARD`] alone.
        pub rights: u64,
        /// When it ends, nanoseconds on the kernel's clock; 0 with the program, [`u64::MAX`] with the session.
        pub until_ns: u64,
        /// Bytes of its name.
        pub name_bytes: u64,
    }
}

interface! {
    /// What the user gave.
    pub trait Permissions, version 1;

    /// Permission `index`, and its name, which needs [`crate::files::NAME_BYTES`]; [`crate::Refusal::NotStored`] past the last.
    1 => answered permission(index: u64; name: write) -> Permission;

    /// Takes a permission back: its handle, and all that was opened through it, is dead when this returns.
    2 => answered revoke(number: u64) -> ();

    /// Has bits of a notification signalled when something was given or taken back; the last call counts.
    3 => answered watch(notification: Handle, bits: u64) -> ();
}
