//! The processes that live. A child's slot is the bit that signals its end.

use nonos_proto::Refusal;

use crate::child::Child;

/// Most processes beside `init`; at most 63, the bits of a notification but the one of the timer.
pub const MOST: usize = 32;

/// Table of children.
pub struct Children {
    slots: [Option<Child>; MOST],
    last_badge: u64,
}

impl Children {
    /// No children.
    pub const fn new() -> Self {
        Self {
            slots: [const { None }; MOST],
            last_badge: 0,
        }
    }

    /// A free slot.
    pub fn free_slot(&self) -> Option<usize> {
        self.slots.iter().position(Option::is_none)
    }

    /// A badge that no process ever had.
    pub fn next_badge(&mut self) -> u64 {
        self.last_badge += 1;
        self.last_badge
    }

    /// Fills a slot.
    pub fn insert(&mut self, slot: usize, child: Child) -> &mut Child {
        self.slots[slot].insert(child)
    }

    /// All children.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Child> {
        self.slots.iter_mut().flatten()
    }

    /// The child that calls with this badge.
    pub fn caller(&mut self, badge: u64) -> Result<&mut Child, Refusal> {
        self.iter_mut()
            .find(|child| child.badge == badge)
            .ok_or(Refusal::NotGranted)
    }

    /// The child with this process number.
    pub fn process(&mut self, id: u64) -> Result<&mut Child, Refusal> {
        self.iter_mut()
            .find(|child| child.id == id)
            .ok_or(Refusal::NoSuchProcess)
    }

    /// Empties the slots whose bits are set, one at each call.
    pub fn take(&mut self, bits: &mut u64) -> Option<Child> {
        while *bits != 0 {
            let slot = bits.trailing_zeros() as usize;
            *bits &= *bits - 1;
            if let Some(child) = self.slots.get_mut(slot).and_then(Option::take) {
                return Some(child);
            }
        }
        None
    }
}
