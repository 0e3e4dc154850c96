//! The compositor, as the program sees it in which the user changes settings.

use crate::interface::interface;
use crate::value::parts;

pub use crate::zone::ZONES;

/// Longest name of a layout, bytes of UTF-8.
pub const LAYOUT_BYTES: usize = 32;

/// Speeds of the pointer, fourths of what the mouse says.
pub const POINTER_SPEEDS: [i64; 4] = [2, 4, 6, 8];

parts! {
    /// Layouts of the keyboard.
    pub struct Layouts {
        /// How many there are.
        pub count: u64,
        /// Which is used.
        pub chosen: u64,
    }
}

interface! {
    /// The compositor.
    pub trait Settings, version 1;

    /// Sets how things look: one of [`crate::display::theme`], and pixels for a point.
    1 => answered set_look(theme: u64, scale: u64) -> ();

    /// Which layouts the keyboard can have.
    2 => answered layouts() -> Layouts;

    /// Name of a layout for a person: how many bytes, at most [`LAYOUT_BYTES`].
    3 => answered layout_name(layout: u64; out: write) -> u64;

    /// Has the keyboard type by a layout from the next key on.
    4 => answered set_layout(layout: u64) -> ();

    /// How fast the pointer moves: one of [`POINTER_SPEEDS`], by its place.
    5 => answered pointer() -> u64;

    /// Has it move so fast.
    6 => answered set_pointer(speed: u64) -> ();

    /// In which of [`ZONES`] the clock of the bar shows the time.
    7 => answered zone() -> u64;

    /// Has it show the time of that zone.
    8 => answered set_zone(zone: u64) -> ();
}
