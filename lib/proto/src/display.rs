//! The compositor, as programs with windows see it.
//!
//! A window has a surface, memory that the compositor makes and the program maps and draws in, and a frame around it that the
//! compositor alone draws. Sizes and places are in pixels of the surface. What happens to the program's windows waits as
//! [events](event); the program's notification is signalled when there are some.
//!
//! A program's windows are numbered by the compositor; the number of another's window is refused.

use nonos_abi::Handle;

use crate::interface::interface;
use crate::value::parts;

/// In the badge of a caller: it is the desktop, and calls [`crate::desktop`].
pub const BADGE_DESKTOP: u64 = 1 << 62;

/// In the badge of a caller: it drives a keyboard or pointer, and calls [`crate::input`].
pub const BADGE_INPUT: u64 = 1 << 61;

/// In the badge of a caller: it changes settings, and calls [`crate::settings`].
pub const BADGE_SETTINGS: u64 = 1 << 59;

/// Longest title, bytes of UTF-8.
pub const TITLE_BYTES: usize = 128;

/// Longest text of [`Display::notify`], bytes of UTF-8.
pub const NOTE_BYTES: usize = 160;

/// Longest text on the clipboard, bytes of UTF-8.
pub const CLIPBOARD_BYTES: usize = 64 * 1024;

/// What lies around windows, points.
pub mod points {
    /// Height of the trusted bar.
    pub const BAR: i32 = 28;
    /// Height of a title.
    pub const TITLE: i32 = 34;
    /// Width of the line around a window.
    pub const BORDER: i32 = 1;
    /// What the dock and the room around it take at the lower edge.
    pub const DOCK: i32 = 88;
}

/// A rectangle in a word: left, top, width and height, 16 bits each, lowest first.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rect {
    /// Left edge.
    pub left: u16,
    /// Top edge.
    pub top: u16,
    /// Width.
    pub width: u16,
    /// Height.
    pub height: u16,
}

impl Rect {
    /// As a word.
    pub const fn word(self) -> u64 {
        let [a, b] = self.left.to_le_bytes();
        let [c, d] = self.top.to_le_bytes();
        let [e, f] = self.width.to_le_bytes();
        let [g, h] = self.height.to_le_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h])
    }

    /// From a word.
    pub const fn from_word(word: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = word.to_le_bytes();
        Self {
            left: u16::from_le_bytes([a, b]),
            top: u16::from_le_bytes([c, d]),
            width: u16::from_le_bytes([e, f]),
            height: u16::from_le_bytes([g, h]),
        }
    }
}

parts! {
    /// The surface of a window. A pixel is 32 bits, 0x00RRGGBB; the first is the first of the memory.
    pub struct Surface {
        /// Number of the window.
        pub window: u64,
        /// Its memory, zeroed. READ and WRITE.
        pub memory: Handle,
        /// Pixels in a line.
        pub width: u64,
        /// Lines.
        pub height: u64,
        /// Pixels from line to line.
        pub stride: u64,
        /// Pixels for a point: 1, or 2 on a fine screen.
        pub scale: u64,
    }
}

/// What an event is: its first word is one of these in the low 8 bits, and the number of the window above them.
pub mod event {
    /// Words of an event. What a kind does not use is 0.
    pub const WORDS: usize = 4;
    /// The user wants the window to be so large (width, height): answer with [`super::Display::resize`].
    pub const RESIZE: u64 = 1;
    /// The user wants to close the window; it stays until the program closes it, or the user ends the program.
    pub const CLOSE: u64 = 2;
    /// It has the keyboard now (1) or no more (0).
    pub const FOCUS: u64 = 3;
    /// A key: usage (USB HID), one of [`crate::input::key_state`] with [`super::modifiers`] in bits 8 to 15, and the character
    /// that it types, or 0.
    pub const KEY: u64 = 4;
    /// The pointer is here: x and y (16 bits each, two's complement), [`crate::input::buttons`] that are down with [`super::modifiers`] in bits 8 to 15 when the window has
    /// the keyboard, wheel steps towards the user.
    pub const POINTER: u64 = 5;
    /// The pointer left the window.
    pub const LEAVE: u64 = 6;
    /// The user pastes: [`super::Display::paste`] is allowed once.
    pub const PASTE: u64 = 7;
    /// Theme, scale or the like changed, for all windows, without a number: see [`super::Display::look`].
    pub const LOOK: u64 = 8;
}

/// Modifiers of a key: bits.
pub mod modifiers {
    /// Shift.
    pub const SHIFT: u64 = 1;
    /// Control.
    pub const CONTROL: u64 = 1 << 1;
    /// Alt, not AltGr.
    pub const ALT: u64 = 1 << 2;
    /// The key with a logo.
    pub const SUPER: u64 = 1 << 3;
}

/// What the pointer looks like over a window.
pub mod cursor {
    /// An arrow.
    pub const ARROW: u64 = 0;
    /// Over text.
    pub const TEXT: u64 = 1;
    /// Over what can be pressed.
    pub const HAND: u64 = 2;
    /// Over an edge between left and right.
    pub const RESIZE_HORIZONTAL: u64 = 3;
    /// Over an edge between above and below.
    pub const RESIZE_VERTICAL: u64 = 4;
}

/// Themes.
pub mod theme {
    /// Dark on light.
    pub const LIGHT: u64 = 0;
    /// Light on dark.
    pub const DARK: u64 = 1;
    /// White and yellow on black.
    pub const HIGH_CONTRAST: u64 = 2;
}

parts! {
    /// How the user wants things to look.
    pub struct Look {
        /// One of [`theme`].
        pub theme: u64,
        /// Pixels for a point.
        pub scale: u64,
        /// Pixels in a line of the screen.
        pub screen_width: u64,
        /// Lines of the screen.
        pub screen_height: u64,
    }
}

interface! {
    /// The compositor.
    pub trait Display, version 2;

    /// How things look.
    1 => answered look() -> Look;

    /// Has bits of a notification signalled when there are events; the last caller's counts.
    2 => answered watch(notification: Handle, bits: u64) -> ();

    /// Opens a window with a surface of this size; it shows with the first [`Display::present`]. The title is UTF-8.
    3 => answered open(width: u64, height: u64; title: read) -> Surface;

    /// A new surface of another size for a window; the old one is shown until the first `present`, and gone from then on.
    4 => answered resize(window: u64, width: u64, height: u64) -> Surface;

    /// The window is never made smaller by the user, and not larger: most of 0 stands for no limit; the same for both stands for a fixed size.
    5 => answered limits(window: u64, least_width: u64, least_height: u64, most_width: u64, most_height: u64) -> ();

    /// Another title.
    6 => answered title(window: u64; title: read) -> ();

    /// Shows what was drawn in these [`Rect`]s, of which one may be empty: what lies far apart costs less in two.
    7 => answered present(window: u64, first: u64, second: u64) -> ();

    /// What the pointer looks like over the window: one of [`cursor`].
    8 => answered cursor(window: u64, shape: u64) -> ();

    /// Closes a window.
    9 => answered close(window: u64) -> ();

    /// Takes events: how many bytes, whole events of [`event::WORDS`] little-endian words.
    10 => answered events(; out: write) -> u64;

    /// Puts text on the clipboard, when the user pressed a key or button in a window of the program just before.
    11 => answered copy(; text: read) -> ();

    /// Takes the text on the clipboard: how many bytes. Once for each [`event::PASTE`].
    12 => answered paste(; out: write) -> u64;

    /// Like [`Display::copy`], for text that is on the clipboard for so many seconds at most: a secret.
    13 => answered copy_for(seconds: u64; text: read) -> ();

    /// Tells the user something for a few seconds, beside the program's name: UTF-8, at most [`NOTE_BYTES`]. Once in a second, in place of what it told before, and
    /// not while others fill the place ([`crate::Refusal::Full`]) or the screen is locked.
    14 => answered notify(; text: read) -> ();
}
