//! The file system in memory: files and directories that programs hold handles to.
//!
//! A program that may have `files` connects and asks for its [`Files::home`], a directory of its own. The few that may have
//! `documents` connect to that name, and their home is the directory of the user's documents. Everything else it reaches
//! through a directory that it holds: there are no paths, no `..` and no root. A handle stands for one file or directory with
//! [`rights`]; what is opened through a directory has no more rights than that. The service knows the handle by the badge it
//! gave it.
//!
//! What a program opened ends with that program, or when it is closed: then the handle is dead wherever it went.
//!
//! Names are 1 to 255 bytes of UTF-8 without `/` and control characters, and neither `.` nor `..`.

use nonos_abi::Handle;

use crate::interface::interface;
use crate::value::{Passable, parts};

/// In the badge of a caller: it connected to `documents`, and its home is the user's documents.
pub const BADGE_DOCUMENTS: u64 = 1 << 60;

/// What a handle is good for.
pub mod rights {
    /// Read a file.
    pub const READ: u64 = 1;
    /// Write a file, make it shorter or longer.
    pub const WRITE: u64 = 1 << 1;
    /// See what is in a directory.
    pub const LIST: u64 = 1 << 2;
    /// Make files and directories in a directory, and move some into it.
    pub const CREATE: u64 = 1 << 3;
    /// Remove files and directories from a directory, and move some out of it.
    pub const DELETE: u64 = 1 << 4;
    /// Make handles for other programs.
    pub const GRANT: u64 = 1 << 5;
    /// All of them.
    pub const ALL: u64 = (1 << 6) - 1;
}

/// How to open: bits beside [`rights`].
pub mod how {
    /// Make it when it is not there. Needs CREATE.
    pub const CREATE: u64 = 1 << 8;
    /// It must not be there yet.
    pub const NEW: u64 = 1 << 9;
    /// A directory; a file otherwise.
    pub const DIRECTORY: u64 = 1 << 10;
    /// Empty the file. Needs WRITE.
    pub const EMPTY: u64 = 1 << 11;
    /// Whichever it is.
    pub const ANY: u64 = 1 << 12;
}

/// Values of `kind`.
pub mod kind {
    /// A file.
    pub const FILE: u64 = 1;
    /// A directory.
    pub const DIRECTORY: u64 = 2;
}

/// Longest name, bytes.
pub const NAME_BYTES: usize = 255;

/// In what [`Files::list`] writes: bytes before each name: kind (1), length of the name (1), size (8, little-endian).
pub const LISTED_BYTES: usize = 10;

parts! {
    /// A file or directory that was opened.
    pub struct Opened {
        /// The handle. WRITE.
        pub handle: Handle,
        /// One of [`kind`].
        pub kind: u64,
        /// Bytes of a file, entries of a directory.
        pub size: u64,
    }
}

parts! {
    /// State of a file or directory.
    pub struct State {
        /// One of [`kind`].
        pub kind: u64,
        /// Bytes of a file, entries of a directory.
        pub size: u64,
        /// Bytes of storage that its contents take.
        pub stored: u64,
        /// [`rights`] of the handle.
        pub rights: u64,
    }
}

parts! {
    /// A part of what is in a directory.
    pub struct Listed {
        /// Bytes that were written; 0 at the end.
        pub bytes: u64,
        /// Where to go on.
        pub next: u64,
    }
}

parts! {
    /// What a program has stored, and may. Pages are of 4 KiB.
    pub struct Usage {
        /// Pages it has stored, of which a part is used for what a file system notes.
        pub pages: u64,
        /// Pages it may.
        pub pages_most: u64,
        /// Files and directories it has.
        pub files: u64,
        /// Files and directories it may.
        pub files_most: u64,
        /// Pages of memory that the file system has for everyone.
        pub memory_pages: u64,
        /// Of these, pages that are free.
        pub free_pages: u64,
    }
}

interface! {
    /// The file system.
    pub trait Files, version 2;

    /// The caller's own directory, with all rights.
    1 => answered home() -> Opened;

    /// What the caller has stored.
    2 => answered usage() -> Usage;

    /// Opens a file or directory of this directory by name, `with` bits of [`rights`] and [`how`].
    3 => answered open(with: u64; name: read) -> Opened;

    /// Removes a file or an empty directory. Its key is gone when this returns, and handles to it are dead. Needs DELETE.
    4 => answered remove(; name: read) -> ();

    /// Offers a file or directory for [`Files::accept`]: a number that nobody can guess, good for once and as long as few others
    /// are offered. Needs DELETE.
    5 => answered offer(; name: read) -> u64;

    /// Moves what was offered into this directory, under this name. A file takes the place of a file. Needs CREATE, and DELETE
    /// when something is replaced.
    6 => answered accept(offered: u64; name: read) -> ();

    /// Lists the directory from `from` on (0: from the first): see [`LISTED_BYTES`]. Needs LIST.
    7 => answered list(from: u64; out: write) -> Listed;

    /// State of the file or directory.
    8 => answered state() -> State;

    /// Another handle to the same, with at most these rights, which may be passed on, and what is derived from it taken back: WRITE,
    /// GRANT and REVOKE. At most 11 files and directories are open through it. Needs GRANT.
    9 => answered share(with: u64) -> Passable;

    /// Closes the handle, wherever it is.
    10 => answered close() -> ();

    /// Has bits of a notification signalled at each change of the file, or of what is in the directory; the last
    /// call's counts. Needs READ, of a directory LIST.
    11 => answered watch(notification: Handle, bits: u64) -> ();

    /// Reads a file from a place on: how many bytes, fewer than were lent only at its end. Needs READ.
    12 => answered read(at: u64; out: write) -> u64;

    /// Writes to a file at a place: how many bytes. What lies between the file's end and that place reads as zeros and takes no
    /// storage. Needs WRITE.
    13 => answered write(at: u64; bytes: read) -> u64;

    /// Writes at the end of a file: where that was. Needs WRITE.
    14 => answered append(; bytes: read) -> u64;

    /// Makes a file so long. Needs WRITE.
    15 => answered resize(size: u64) -> ();

    /// Closes the handle, and when it is of [`Files::share`] all that was opened through it.
    16 => answered revoke() -> ();

    /// From now on what is written through this handle goes into another file, empty at first and without a name, which takes the place of this one with
    /// [`Files::commit`]. Until then this one is as it was, for all who read it. What was begun before is dropped, as it is when the handle is
    /// closed. Both count as stored. Needs WRITE.
    17 => answered begin() -> ();

    /// Has what was written since [`Files::begin`] be the file, for all who have it open, in one step. When it fails, the file is as it was and
    /// what was written is dropped. [`crate::Refusal::NotStored`] when nothing was begun. Needs WRITE.
    18 => answered commit() -> ();
}
