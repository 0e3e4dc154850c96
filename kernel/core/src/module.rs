//! Modules of the system image: verified once, then a source of executable memory.

use crate::arena::Empty;

/// One module of the archive.
pub struct Module {
    pub(crate) stored: &'static [u8],
}

impl Empty for Module {
    const EMPTY: Self = Self { stored: &[] };
}
