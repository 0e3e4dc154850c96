//! The power box, as the program sees it in which the user opens documents with others.

use nonos_abi::Name;

use crate::interface::interface;

/// In the badge of a caller of the power box: it calls this interface.
pub const BADGE_OPEN_WITH: u64 = 1 << 58;

/// Longest path, bytes.
pub const PATH_BYTES: usize = 1024;

interface! {
    /// What opens documents.
    pub trait OpenWith, version 1;

    /// Starts a program because the user opened a document with it: number of its process. The path is the names from the user's
    /// documents on, with `/` between them. The program gets the document with these rights ([`crate::files::rights`]; a file's READ, with WRITE
    /// or without) as [`crate::powerbox::OPENED_WITH`].
    1 => answered open(module: Name, rights: u64; path: read) -> u64;
}
