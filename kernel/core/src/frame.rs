//! Physical frames: who owns each, and lists of them without a heap.
//!
//! The frame table has one [`FrameInfo`] per frame between the first and the last usable one. A frame is on exactly
//! one list: the free list or its owner's; or it is untouched, that is, never given out since boot.
//!
//! Invariants: every free frame holds zeros (zeroed when it was freed); an untouched frame may hold anything and is
//! zeroed when it is given out; an owned frame has one owner.

use crate::arena::{Empty, MemoryId, ModuleId, ProcessId};
use crate::machine::FrameNumber;

/// Who holds a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Owner {
    /// Not usable, or not given out since boot.
    Untouched,
    /// On the free list, all zeros.
    Free,
    /// A memory object.
    Memory(MemoryId),
    /// Private pages of a process: data and stack.
    Process(ProcessId),
    /// Text and constants of a module, shared by its processes.
    Module(ModuleId),
}

/// What is known of one frame.
#[derive(Clone, Copy)]
pub struct FrameInfo {
    /// Position in the table of the next frame on the same list.
    next: u32,
    owner: Owner,
}

const NO_FRAME: u32 = u32::MAX;

impl Empty for FrameInfo {
    const EMPTY: Self = Self {
        next: NO_FRAME,
        owner: Owner::Untouched,
    };
}

/// Frames of one owner, in order.
#[derive(Debug)]
pub(crate) struct FrameList {
    head: u32,
    tail: u32,
    count: u32,
}

impl FrameList {
    pub const EMPTY: Self = Self {
        head: NO_FRAME,
        tail: NO_FRAME,
        count: 0,
    };
}

/// The frame table.
pub(crate) struct Frames {
    table: &'static mut [FrameInfo],
    first: FrameNumber,
}
