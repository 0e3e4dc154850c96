//! The compositor, as the desktop sees it: the one program that shows the wallpaper and the dock, and arranges windows.
//!
//! It draws neither over the trusted bar nor over frames of windows, and sees no pixel and no key of another program.

use nonos_abi::{Handle, Name};

use crate::interface::interface;
use crate::value::parts;

/// Where a surface of the desktop lies.
pub mod layer {
    /// Behind all windows.
    pub const WALLPAPER: u64 = 0;
    /// At the lower edge of the screen, before windows, which are not put there when they are maximized. It has the keyboard when the user asks for that.
    pub const DOCK: u64 = 1;
    /// Before windows, in the middle of the screen; it has the keyboard while it is open.
    pub const LAUNCHER: u64 = 2;
    /// Before windows, in the upper right corner.
    pub const NOTIFICATIONS: u64 = 3;
}

/// States of a window: bits.
pub mod window_state {
    /// It has the keyboard, or gets it back from the dock.
    pub const FOCUSED: u64 = 1;
    /// It is hidden.
    pub const MINIMIZED: u64 = 1 << 1;
    /// It fills the screen.
    pub const MAXIMIZED: u64 = 1 << 2;
}

/// What to do with a window.
pub mod action {
    /// Show it, before all others, with the keyboard.
    pub const ACTIVATE: u64 = 1;
    /// Hide it.
    pub const MINIMIZE: u64 = 2;
    /// Ask its program to close it.
    pub const CLOSE: u64 = 3;
}

parts! {
    /// A window.
    pub struct WindowState {
        /// Its number.
        pub window: u64,
        /// Name of its program's module.
        pub module: Name,
        /// Number of its program's process.
        pub process: u64,
        /// [`window_state`].
        pub state: u64,
    }
}

interface! {
    /// The compositor. Surfaces and events are those of [`crate::display`], through the handle for it.
    pub trait Desktop, version 3;

    /// Makes a window of the caller, just opened, a part of the desktop, without a frame: one of [`layer`].
    1 => answered place(window: u64, layer: u64) -> ();

    /// Window `index` of all programs but the caller, the longest open first; [`crate::Refusal::NoSuchWindow`] past the last.
    2 => answered window(index: u64) -> WindowState;

    /// One of [`action`] for a window.
    3 => answered act(window: u64, action: u64) -> ();

    /// Has bits of a notification signalled when windows come, go, change places or get the keyboard, and when the user asks for the launcher.
    4 => answered watch(notification: Handle, changed: u64, launcher: u64) -> ();
}
