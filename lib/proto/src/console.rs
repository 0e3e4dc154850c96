//! The console: one terminal, shown on the frame buffer and on the serial line at the same time, with
//! input from the keyboard and the serial line.
//!
//! Text is UTF-8 with `\n` for a new line and a subset of ECMA-48 (SGR colours, cursor movement, erasing);
//! whatever else a program sends is dropped and reaches neither screen nor serial line. Input is what a
//! terminal sends: UTF-8, control characters, arrows and the like as escape sequences.

use nonos_abi::Handle;

use crate::interface::interface;
use crate::value::{Bytes, parts};

/// In the badge of a caller: it may read what the user types. `init` sets it from the system's policy.
pub const BADGE_INPUT: u64 = 1 << 63;

/// Most bytes that [`Console::write_long`] takes at once.
pub const LONGEST_TEXT: u64 = 4096;

parts! {
    /// Size of the terminal in characters.
    pub struct Size {
        /// Characters in a line.
        pub columns: u64,
        /// Lines.
        pub rows: u64,
    }
}

interface! {
    /// The console.
    pub trait Console, version 2;

    /// Shows text.
    1 => answered write(text: Bytes) -> ();

    /// The same, with more to follow at once: the screen may show it later, with the next text at the latest.
    7 => answered write_part(text: Bytes) -> ();

    /// The same for text of up to [`LONGEST_TEXT`] bytes, which the caller lends.
    8 => answered write_long(; text: read) -> ();

    /// Starts a new line unless the cursor stands at the beginning of one.
    2 => answered fresh_line() -> ();

    /// Waits for input and takes it: at least one byte. Needs the input badge.
    3 => deferred read() -> Bytes;

    /// Takes the input that is there, which may be none. Needs the input badge.
    4 => answered poll() -> Bytes;

    /// Has bits of a notification signalled whenever input arrives that no `read` waits for, and now if
    /// there is some; the last caller's notification counts. Needs the input badge.
    5 => answered watch(notification: Handle, bits: u64) -> ();

    /// Size of the screen.
    6 => answered size() -> Size;
}
