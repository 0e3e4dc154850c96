//! The compositor, as the program sees it that asks the user in the system's name.

use nonos_abi::Handle;

use crate::interface::interface;

/// In the badge of a caller of the compositor: it calls this interface.
pub const BADGE_PROMPT: u64 = 1 << 57;

interface! {
    /// What shows prompts.
    pub trait Prompt, version 1;

    /// Makes a window of the caller, just opened, a prompt about the program that `init` knows by this badge: the frame names that, all else
    /// is dimmed, and keys and pointer are for the prompt, a moment after the user pressed nothing. There is one at a time:
    /// [`crate::Refusal::InUse`].
    1 => answered place(window: u64, program: u64) -> ();

    /// Has bits of a notification signalled when the user took a picture of the screen; the last call counts.
    2 => answered watch(notification: Handle, bits: u64) -> ();

    /// Reads the picture (QOI 1.0) from a place on: how many bytes. At its end there are none, and the picture is forgotten.
    /// [`crate::Refusal::NotStored`] when there is no picture.
    3 => answered picture(from: u64; out: write) -> u64;

    /// The user lets the program that `init` knows by this badge paste, once: its window that has the keyboard hears
    /// [`crate::display::event::PASTE`]. With `acted` other than 0 only after a key or button in a window of the program just before.
    /// [`crate::Refusal::NotAskedByUser`] when it has not the keyboard, or that did not happen.
    4 => answered paste(program: u64, acted: u64) -> ();
}
