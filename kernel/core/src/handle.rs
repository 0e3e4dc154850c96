//! Handle tables: the only way from a process to an object.
//!
//! Each process has a fixed run of slots. Slot 0 is never filled. The last [`REPLY_SLOTS`] slots hold reply
//! handles only; all others hold anything but reply handles. A slot that is closed gets the next generation, so a
//! stale handle never matches; an ordinary slot that reached the last generation is retired. Reply slots, which
//! are filled at every call, start again from generation 0 instead: a stale reply handle could at worst match, a
//! million calls later, a newer reply handle of the same process.
//!
//! Checks at every use, in this order: the handle exists, its kind, not revoked, not expired, its rights. (Nothing
//! can be revoked or expire yet: a slot has no lineage node to look at.)

use nonos_abi::{Error, Handle, Rights};

use crate::arena::{Empty, Id, ProcessId};
use crate::kernel::Kernel;
use crate::object::Object;

/// Slots at the end of each table that hold reply handles: the most calls a process can have received and not answered.
pub const REPLY_SLOTS: usize = 32;

/// Slot numbers on the lists of free slots; 0 ends a list, as slot 0 is on none.
const NO_SLOT: u16 = 0;

/// One slot of a handle table.
#[derive(Clone, Copy)]
pub struct Slot {
    pub(crate) capability: Option<Capability>,
    pub(crate) generation: u32,
    next_free: u16,
}

impl Empty for Slot {
    const EMPTY: Self = Self {
        capability: None,
        generation: 0,
        next_free: NO_SLOT,
    };
}

/// What a handle stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Capability {
    pub object: Object,
    pub rights: Rights,
    /// Endpoints: what the receiver sees; 0 for none.
    pub badge: u64,
}

impl Capability {
    /// A capability without a badge.
    pub const fn new(object: Object, rights: Rights) -> Self {
        Self {
            object,
            rights,
            badge: 0,
        }
    }
}

/// Where the free slots of a table are; part of the process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TableState {
    free: u16,
    free_reply: u16,
    free_count: u16,
    used: u16,
}

impl TableState {
    /// Of a table that was not set up.
    pub const EMPTY: Self = Self {
        free: NO_SLOT,
        free_reply: NO_SLOT,
        free_count: 0,
        used: 0,
    };

    /// Slots that hold a handle.
    pub fn used(self) -> u16 {
        self.used
    }

    /// Slots that can take a handle other than a reply handle.
    pub fn free_count(self) -> u16 {
        self.free_count
    }

    /// Whether a reply handle can be made.
    pub fn has_free_reply(self) -> bool {
        self.free_reply != NO_SLOT
    }
}

/// The table of one process.
pub(crate) struct Table<'a> {
    slots: &'a mut [Slot],
    state: &'a mut TableState,
}

impl Table<'_> {
    /// Empties the table; slots will be filled from the lowest.
    pub fn reset(&mut self) {
        let first_reply = self.first_reply();
        *self.state = TableState::EMPTY;
        self.slots.fill(Slot::EMPTY);
        for index in (1..self.slots.len()).rev() {
            let list = if index < first_reply {
                self.state.free_count += 1;
                &mut self.state.free
            } else {
                &mut self.state.free_reply
            };
            self.slots[index].next_free = core::mem::replace(list, index as u16);
        }
    }

    fn first_reply(&self) -> usize {
        self.slots.len().saturating_sub(REPLY_SLOTS)
    }

    /// Puts a capability into a free slot; reply capabilities into a reply slot.
    pub fn insert(&mut self, capability: Capability) -> Result<Handle, Error> {
        let is_reply = matches!(capability.object, Object::Reply(_));
        let list = if is_reply {
            &mut self.state.free_reply
        } else {
            &mut self.state.free
        };
        let index = *list;
        if index == NO_SLOT {
            return Err(Error::OutOfHandles);
        }
        let slot = &mut self.slots[usize::from(index)];
        *list = slot.next_free;
        slot.capability = Some(capability);
        self.state.used += 1;
        if !is_reply {
            self.state.free_count -= 1;
        }
        Ok(Handle::new(index, slot.generation))
    }

    /// Empties a slot and gives back what was in it. The reference goes to the caller.
    pub fn take(&mut self, index: u16) -> Option<Capability> {
        let first_reply = self.first_reply();
        let slot = self.slots.get_mut(usize::from(index))?;
        let capability = slot.capability.take()?;
        self.state.used -= 1;
        if usize::from(index) >= first_reply {
            slot.generation = (slot.generation + 1) & Handle::LAST_GENERATION;
            slot.next_free = core::mem::replace(&mut self.state.free_reply, index);
        } else if slot.generation < Handle::LAST_GENERATION {
            slot.generation += 1;
            slot.next_free = core::mem::replace(&mut self.state.free, index);
            self.state.free_count += 1;
        }
        Some(capability)
    }

    /// Replaces what is in a filled slot.
    pub fn replace(&mut self, index: u16, capability: Capability) {
        if let Some(slot) = self.slots.get_mut(usize::from(index)) {
            slot.capability = slot.capability.map(|_| capability);
        }
    }
}

impl Kernel {
    /// The handle table of a process, to change it.
    pub(crate) fn table(&mut self, process: ProcessId) -> Table<'_> {
        let start = process.position() * self.handles_per_process;
        Table {
            slots: &mut self.slots[start..start + self.handles_per_process],
            state: &mut self.processes[process].table,
        }
    }

    /// The slots of a process, to look at them.
    pub(crate) fn slots_of(&self, process: ProcessId) -> &[Slot] {
        let start = process.position() * self.handles_per_process;
        &self.slots[start..start + self.handles_per_process]
    }

    /// Checks a handle that came in a register, of any kind.
    pub(crate) fn look_up_any(
        &self,
        process: ProcessId,
        raw: u64,
    ) -> Result<(Handle, Capability), Error> {
        let handle = Handle::from_raw(u32::try_from(raw).map_err(|_| Error::NoHandle)?);
        let slot = self.slots_of(process).get(usize::from(handle.index()));
        let slot = slot.filter(|slot| slot.generation == handle.generation());
        let capability = slot
            .and_then(|slot| slot.capability)
            .ok_or(Error::NoHandle)?;
        Ok((handle, capability))
    }

    /// Checks a handle that came in a register: it exists, `select` finds its object to be of the right kind, and it
    /// has the rights.
    pub(crate) fn look_up<T>(
        &self,
        process: ProcessId,
        raw: u64,
        rights: Rights,
        select: impl FnOnce(Object) -> Option<T>,
    ) -> Result<T, Error> {
        let (_, capability) = self.look_up_any(process, raw)?;
        let object = select(capability.object).ok_or(Error::WrongKind)?;
        capability.require(rights)?;
        Ok(object)
    }
}

impl Capability {
    /// Checks rights.
    pub fn require(&self, rights: Rights) -> Result<(), Error> {
        if self.rights.contains(rights) {
            Ok(())
        } else {
            Err(Error::MissingRight)
        }
    }
}

#[cfg(any(test, feature = "testing"))]
impl Kernel {
    /// Free slots of a process, and free reply slots.
    pub(crate) fn free_slots(
        &self,
        process: ProcessId,
    ) -> Result<[std::vec::Vec<u16>; 2], std::string::String> {
        let slots = self.slots_of(process);
        let state = &self.processes[process].table;
        let walk = |first| {
            let mut list = std::vec::Vec::new();
            let mut next: u16 = first;
            while next != NO_SLOT {
                if list.len() > slots.len() {
                    return Err(std::format!("{process:?}: free slots go in a circle"));
                }
                list.push(next);
                next = slots[usize::from(next)].next_free;
            }
            Ok(list)
        };
        Ok([walk(state.free)?, walk(state.free_reply)?])
    }
}
