//! The compositor, as the program sees it that asks the user in the system's name.

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
}
