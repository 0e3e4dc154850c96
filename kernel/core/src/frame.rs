//! Physical frames: who owns each, and lists of them without a heap.
//!
//! The frame table has one [`FrameInfo`] per frame between the first and the last usable one. A frame is on exactly
//! one list: the free list or its owner's; or it is untouched, that is, never given out since boot.
//!
//! Invariants: every free frame holds zeros (zeroed when it was freed); an untouched frame may hold anything and is
//! zeroed when it is given out; an owned frame has one owner and is on that owner's list once.

use nonos_abi::boot::{BootInfo, MemoryRange, memory_kind};
use nonos_abi::{Error, PAGE_BYTES};

use crate::arena::{Empty, MemoryId, ModuleId, ProcessId};
use crate::machine::{FrameNumber, Machine};

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
    #[inline(always)]
    fn unused() -> Self {
        Self {
            next: NO_FRAME,
            owner: Owner::Untouched,
        }
    }
}

/// Frames of one owner, in order.
#[derive(Debug)]
pub(crate) struct FrameList {
    head: u32,
    tail: u32,
    count: u32,
}

impl FrameList {
    /// No frames.
    pub const EMPTY: Self = Self {
        head: NO_FRAME,
        tail: NO_FRAME,
        count: 0,
    };

    /// Number of frames.
    pub fn count(&self) -> u32 {
        self.count
    }
}

/// The frame table.
pub(crate) struct Frames {
    table: &'static mut [FrameInfo],
    /// Frame number of the first entry.
    first: u32,
    free: FrameList,
    /// Usable memory that was not given out yet, in `memory[range]` from frame `next` on.
    memory: &'static [MemoryRange],
    range: usize,
    next: u64,
    untouched: u64,
    total: u64,
}

impl Frames {
    /// A table of all memory that the boot loader's record calls usable and `table` has room for.
    pub fn new(table: &'static mut [FrameInfo], info: &'static BootInfo) -> Self {
        let count = (info.memory_count as usize).min(info.memory.len());
        let (first, _) = crate::sizes::usable_frames(info);
        let first = u32::try_from(first).unwrap_or(NO_FRAME);
        let mut frames = Self {
            table,
            first,
            free: FrameList::EMPTY,
            memory: &info.memory[..count],
            range: 0,
            next: 0,
            untouched: 0,
            total: 0,
        };
        frames.total = frames
            .memory
            .iter()
            .map(|range| frames.frames_of(range).1)
            .sum();
        frames.untouched = frames.total;
        frames
    }

    /// First frame of a range, and how many of its frames are usable and in the table.
    fn frames_of(&self, range: &MemoryRange) -> (u64, u64) {
        let first = range.physical.div_ceil(PAGE_BYTES as u64);
        let end = u64::from(self.first) + self.table.len() as u64;
        let usable = range.kind == memory_kind::USABLE;
        (
            first,
            if usable {
                end.saturating_sub(first).min(range.pages)
            } else {
                0
            },
        )
    }

    /// Frames for processes, in use or not.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Usable frames that the table has no room for.
    pub fn unmanaged(&self) -> u64 {
        let usable = self
            .memory
            .iter()
            .filter(|range| range.kind == memory_kind::USABLE);
        usable
            .map(|range| range.pages)
            .sum::<u64>()
            .saturating_sub(self.total)
    }

    /// Of these, not in use.
    pub fn available(&self) -> u64 {
        u64::from(self.free.count) + self.untouched
    }

    /// Who owns a frame; `None` for what is no RAM of user space.
    pub fn owner(&self, frame: FrameNumber) -> Option<Owner> {
        let owner = self
            .table
            .get(frame.0.checked_sub(self.first)? as usize)?
            .owner;
        (owner != Owner::Untouched && owner != Owner::Free).then_some(owner)
    }

    /// Appends a zeroed frame to `list`.
    ///
    /// # Errors
    /// When no frame is left.
    pub fn allocate(
        &mut self,
        owner: Owner,
        list: &mut FrameList,
        machine: &mut impl Machine,
    ) -> Result<FrameNumber, Error> {
        let position = match self.free.head {
            NO_FRAME => {
                let position = self.take_untouched().ok_or(Error::OutOfMemory)?;
                machine.with_frame(self.number(position), |bytes| bytes.fill(0));
                position
            }
            position => {
                self.free.head = self.table[position as usize].next;
                self.free.count -= 1;
                position
            }
        };
        self.table[position as usize] = FrameInfo {
            next: NO_FRAME,
            owner,
        };
        match list.tail {
            NO_FRAME => list.head = position,
            tail => self.table[tail as usize].next = position,
        }
        list.tail = position;
        list.count += 1;
        Ok(self.number(position))
    }

    /// Appends `count` zeroed frames to an empty list, or none.
    ///
    /// # Errors
    /// When so many are not left.
    pub fn allocate_all(
        &mut self,
        count: u64,
        owner: Owner,
        machine: &mut impl Machine,
    ) -> Result<FrameList, Error> {
        if count > self.available() {
            return Err(Error::OutOfMemory);
        }
        let mut list = FrameList::EMPTY;
        for _ in 0..count {
            self.allocate(owner, &mut list, machine)?;
        }
        Ok(list)
    }

    /// Zeroes and frees all frames of a list. They are mapped nowhere any more.
    pub fn free(&mut self, list: FrameList, machine: &mut impl Machine) {
        let mut position = list.head;
        while position != NO_FRAME {
            machine.with_frame(self.number(position), |bytes| bytes.fill(0));
            let next = self.table[position as usize].next;
            self.table[position as usize] = FrameInfo {
                next: self.free.head,
                owner: Owner::Free,
            };
            self.free.head = position;
            self.free.count += 1;
            position = next;
        }
    }

    /// The first frame of a list.
    #[inline(always)]
    pub fn first(&self, list: &FrameList) -> Option<FrameNumber> {
        (list.head != NO_FRAME).then(|| self.number(list.head))
    }

    /// The frames of a list, in order.
    pub fn iter(&self, list: &FrameList) -> impl Iterator<Item = FrameNumber> {
        let present = |position| (position != NO_FRAME).then_some(position);
        let next = move |&position: &u32| present(self.table[position as usize].next);
        core::iter::successors(present(list.head), next).map(|position| self.number(position))
    }

    fn number(&self, position: u32) -> FrameNumber {
        FrameNumber(self.first + position)
    }

    fn take_untouched(&mut self) -> Option<u32> {
        loop {
            let (first, count) = self.frames_of(self.memory.get(self.range)?);
            let frame = self.next.max(first);
            if frame < first + count {
                self.next = frame + 1;
                self.untouched -= 1;
                return u32::try_from(frame).ok()?.checked_sub(self.first);
            }
            self.range += 1;
        }
    }
}

#[cfg(any(test, feature = "testing"))]
impl Frames {
    /// Frames that are free and were in use before.
    pub fn free_list(&self) -> &FrameList {
        &self.free
    }

    /// What the table says of a frame.
    pub fn raw_owner(&self, frame: FrameNumber) -> Option<Owner> {
        let position = frame.0.checked_sub(self.first)? as usize;
        self.table.get(position).map(|info| info.owner)
    }
}

#[cfg(any(test, feature = "testing"))]
impl FrameList {
    /// Whether the last frame on the list is the one it names.
    pub fn is_closed(&self, frames: &Frames) -> bool {
        let last = frames
            .iter(self)
            .last()
            .map_or(NO_FRAME, |frame| frame.0 - frames.first);
        last == self.tail || core::ptr::eq(self, &frames.free)
    }
}

#[cfg(any(test, feature = "testing"))]
impl Frames {
    /// Takes the memory, to use it again.
    pub fn take(&mut self) -> &'static mut [FrameInfo] {
        core::mem::take(&mut self.table)
    }
}
