//! Regions: what is mapped in an address space.

use crate::arena::{Empty, MemoryId};

/// A run of mapped pages of a process, with unmapped guard pages below and above.
#[derive(Clone, Copy)]
pub struct Region {
    pub(crate) address: u64,
    pub(crate) pages: u32,
    pub(crate) backing: Backing,
}

/// What lies behind a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Backing {
    /// The program: frames of the module and of the process.
    Image,
    /// The stack: frames of the process.
    Stack,
    /// A memory object.
    Memory(MemoryId),
}

impl Empty for Region {
    const EMPTY: Self = Self {
        address: 0,
        pages: 0,
        backing: Backing::Image,
    };
}
