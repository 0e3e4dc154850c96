//! The power box, as programs see it that ask the user for files, for the use of keys, and for what is on the clipboard: picking one *is* the
//! permission.
//!
//! A program asks and goes on; the user answers in a window that the compositor draws as the system's, with the program's verified
//! name. The program's notification is signalled when there is an answer, which it takes with [`PowerBox::answer`]. It sees no other
//! names than that of what it was given, and no directory above it. What it was given is a handle as in [`crate::files`], or one to a key as in
//! [`crate::vault`], and works until the program ends, the time that the user gave is over, or the user takes it back.

use nonos_abi::Handle;

use crate::interface::interface;
use crate::value::parts;

/// The number of the request that nobody made: what the program was opened with.
pub const OPENED_WITH: u64 = 0;

/// Requests of a program that are not answered yet, at most.
pub const REQUESTS: usize = 4;

/// Beside those of [`crate::files::kind`] in an [`Answer`]: a key of the vault.
pub const KEY: u64 = 3;

parts! {
    /// What the user gave.
    pub struct Answer {
        /// The file, directory or key. WRITE.
        pub handle: Handle,
        /// One of [`crate::files::kind`], or [`KEY`].
        pub kind: u64,
        /// Bits of [`crate::files::rights`]; of [`crate::vault::uses`] for a key.
        pub rights: u64,
        /// When the handle ends, nanoseconds on the kernel's clock; 0 for never.
        pub until_ns: u64,
        /// Bytes of its name.
        pub name_bytes: u64,
    }
}

interface! {
    /// The power box.
    pub trait PowerBox, version 1;

    /// Has bits of a notification signalled when the user answered a request; the last call counts.
    1 => answered watch(notification: Handle, bits: u64) -> ();

    /// Asks for a file to read, or to read and write: [`crate::files::rights::READ`], with WRITE or without. The number of the
    /// request. [`crate::Refusal::Full`] with [`REQUESTS`] that wait.
    2 => answered open(rights: u64) -> u64;

    /// Asks for a file to save in, READ and WRITE: a new one, or one that is there and is to be replaced, empty either way. The
    /// name is a suggestion, which the user may change.
    3 => answered save(; suggested: read) -> u64;

    /// Asks for a directory: LIST and READ, and when they are asked for WRITE, CREATE and DELETE. All of it is given, with what is in
    /// it.
    4 => answered folder(rights: u64) -> u64;

    /// Takes the answer to a request, once; for [`OPENED_WITH`] what the program was opened with. [`crate::Refusal::NotAnswered`]
    /// while there is none, [`crate::Refusal::Declined`] when the user said no. The name needs
    /// [`crate::files::NAME_BYTES`]; with less room the answer stays. [`crate::Refusal::NotStored`] when there is no such request.
    5 => answered answer(request: u64; name: write) -> Answer;

    /// The request is no more; its window closes.
    6 => answered withdraw(request: u64) -> ();

    /// Asks for a key of the vault to use so: bits of [`crate::vault::uses::LENDABLE`]. The user picks it among those of all modules; the
    /// name is a suggestion, and may be empty.
    7 => answered key(uses: u64; suggested: read) -> u64;

    /// Asks to paste, for a user who does it without the keys for that. When the user allows it, the window of the program that has the
    /// keyboard hears [`crate::display::event::PASTE`]; there is no other answer. Without a question when the user allowed it before for a
    /// time, and pressed a key or button in a window of the program just now: [`crate::Refusal::NotAskedByUser`] otherwise.
    8 => answered paste() -> ();
}
