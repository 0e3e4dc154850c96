//! What keyboards and pointers do: drivers say it to the compositor, which alone knows whom it is for.

use crate::interface::interface;

/// States of a key.
pub mod key_state {
    /// Released.
    pub const UP: u64 = 0;
    /// Pressed.
    pub const DOWN: u64 = 1;
    /// Held down: the keyboard sends it again.
    pub const REPEAT: u64 = 2;
}

/// Buttons of a pointer: bits.
pub mod buttons {
    /// The left button.
    pub const LEFT: u64 = 1;
    /// The right button.
    pub const RIGHT: u64 = 1 << 1;
    /// The middle button.
    pub const MIDDLE: u64 = 1 << 2;
}

interface! {
    /// The compositor, as drivers see it.
    pub trait Input, version 1;

    /// A key by its place, whatever the layout: usage of the keyboard page (USB HID Usage Tables 1.5, chapter 10), and one of
    /// [`key_state`].
    1 => answered key(usage: u64, state: u64) -> ();

    /// A pointer moved by so much to the right and down, its wheel turned by so many steps towards the user (each an `i64`
    /// as a word), and these [`buttons`] are down now.
    2 => answered pointer(right: u64, down: u64, wheel: u64, buttons: u64) -> ();

    /// A keyboard was plugged in or lost: no key is down.
    3 => answered keyboard_reset() -> ();
}
