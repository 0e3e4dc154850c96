//! Handle tables: the only way from a process to an object.
//!
//! Each process has a fixed run of slots. Slot 0 is never filled. The last [`REPLY_SLOTS`] slots hold reply
//! handles only; all others hold anything but reply handles. A slot that is closed gets the next generation, so a
//! stale handle never matches; an ordinary slot that reached the last generation is retired. Reply slots, which
//! are filled at every call, form a list that slot 0 heads, so that a call need not look at the process; they start again from generation 0 instead: a stale reply handle could at worst match, a
//! million calls later, a newer reply handle of the same process.
//!
//! Checks at every use, in this order: the handle exists, its kind, not revoked, not expired, its rights. What was revoked stays in
//! its slot as [`Object::Revoked`] until its holder closes it.

use nonos_abi::{Error, Handle, ObjectKind, Rights};

use crate::arena::{Empty, Id, ProcessId, ThreadId};
use crate::kernel::Kernel;
use crate::lineage::{NEVER, NodeId};
use crate::machine::Machine;
use crate::object::{Object, Select};

/// Slots at the end of each table that hold reply handles: the most calls that a process can have received and not answered, with its threads
/// that wait for one.
pub const REPLY_SLOTS: usize = 32;

/// Slot numbers on the lists of free slots; 0 ends a list, as slot 0 is on none.
pub(crate) const NO_SLOT: u16 = 0;

/// One slot of a handle table.
#[derive(Clone, Copy)]
pub struct Slot {
    pub(crate) capability: Option<Capability>,
    /// The handle that names it now; [`Handle::NONE`] for slot 0.
    pub(crate) handle: Handle,
    /// From when on it does not work any more.
    pub(crate) deadline_ns: u64,
    next_free: u16,
    /// Whether a thread may wait through the handle. While this is false, none does, and none need be looked for.
    pub(crate) waited: bool,
    /// The rights of a filled slot without a deadline; none with one, and of an empty slot, so that one look tells all.
    pub(crate) lasting_rights: Rights,
}

impl Slot {
    /// Fills the slot, or replaces what is in it.
    #[inline(always)]
    pub(crate) fn fill(&mut self, capability: Capability, deadline_ns: u64) {
        self.capability = Some(capability);
        self.deadline_ns = deadline_ns;
        self.lasting_rights = if deadline_ns == NEVER {
            capability.rights
        } else {
            Rights::NONE
        };
    }

    /// Takes the slot, which is not for reply handles, off the list of free ones that it is the first of; the caller fills it.
    #[inline(always)]
    pub(crate) fn take_free(&self, first_free: &mut u16) -> Handle {
        *first_free = self.next_free;
        self.handle
    }

    /// The free slot after this one, as long as nothing was freed since it was free; 0 for none.
    #[inline(always)]
    pub(crate) fn next_free(&self) -> u16 {
        self.next_free
    }

    /// Has a slot that was taken off the list hold what another does, as long; returns the handle.
    #[inline(always)]
    pub(crate) fn take_over(&mut self, other: &Self) -> Handle {
        self.capability = other.capability;
        self.deadline_ns = other.deadline_ns;
        self.lasting_rights = other.lasting_rights;
        self.handle
    }

    /// Empties a slot that is not for reply handles, and puts it first on the list of free ones. After the last generation it stays empty.
    #[inline(always)]
    pub(crate) fn empty(&mut self, first_free: &mut u16) {
        self.capability = None;
        self.lasting_rights = Rights::NONE;
        self.waited = false;
        if self.handle.generation() < Handle::LAST_GENERATION {
            self.next_free = core::mem::replace(first_free, self.handle.index());
            self.handle = self.handle.next();
        }
    }

    /// Fills a reply slot, which is kept for that and never has a deadline.
    #[inline(always)]
    pub(crate) fn fill_reply(&mut self, to: Option<ThreadId>) -> Handle {
        self.capability = Some(Capability::new(Object::Reply(to), Rights::NONE));
        self.handle
    }

    /// Empties a reply slot.
    #[inline(always)]
    pub(crate) fn empty_reply(&mut self) {
        self.capability = None;
        self.handle = self.handle.next();
    }
}

impl Empty for Slot {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            capability: None,
            handle: Handle::NONE,
            deadline_ns: NEVER,
            next_free: NO_SLOT,
            waited: false,
            lasting_rights: Rights::NONE,
        }
    }
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

    /// The same with at most these rights.
    #[must_use]
    pub const fn narrowed(self, rights: Rights) -> Self {
        Self {
            rights: self.rights.and(rights),
            ..self
        }
    }
}

/// The table of one process.
pub(crate) struct Table<'a> {
    slots: &'a mut [Slot],
    first_free: &'a mut u16,
}

impl Table<'_> {
    /// Empties the table; slots will be filled from the lowest.
    pub fn reset(&mut self) {
        let first_reply = self.first_reply();
        *self.first_free = NO_SLOT;
        self.slots.fill(Slot::unused());
        let mut replies = NO_SLOT;
        for index in (1..self.slots.len()).rev() {
            let list = if index < first_reply {
                &mut *self.first_free
            } else {
                &mut replies
            };
            let slot = &mut self.slots[index];
            slot.next_free = core::mem::replace(list, index as u16);
            slot.handle = Handle::new(index as u16, 0);
        }
        self.slots[0].next_free = replies;
    }

    fn first_reply(&self) -> usize {
        self.slots.len().saturating_sub(REPLY_SLOTS)
    }

    /// Takes a reply slot off the list of free ones.
    fn take_reply(&mut self) -> Result<u16, Error> {
        let index = self.slots[0].next_free;
        if index == NO_SLOT {
            return Err(Error::OutOfHandles);
        }
        self.slots[0].next_free = self.slots[usize::from(index)].next_free;
        Ok(index)
    }

    /// Puts an empty reply slot on the list.
    fn give_back_reply(&mut self, index: u16) {
        let next = core::mem::replace(&mut self.slots[0].next_free, index);
        self.slots[usize::from(index)].next_free = next;
    }

    /// Puts a capability that is no reply into a free slot.
    pub fn insert(&mut self, capability: Capability, deadline_ns: u64) -> Result<Handle, Error> {
        if *self.first_free == NO_SLOT {
            return Err(Error::OutOfHandles);
        }
        let slot = &mut self.slots[usize::from(*self.first_free)];
        slot.fill(capability, deadline_ns);
        Ok(slot.take_free(self.first_free))
    }

    /// Empties a slot and gives back what was in it. The reference goes to the caller.
    pub fn take(&mut self, index: u16) -> Option<Capability> {
        let first_reply = self.first_reply();
        let slot = self.slots.get_mut(usize::from(index))?;
        let capability = slot.capability?;
        if usize::from(index) >= first_reply {
            slot.empty_reply();
            self.give_back_reply(index);
        } else {
            slot.empty(self.first_free);
        }
        Some(capability)
    }

    /// Replaces what is in a filled slot.
    pub fn replace(&mut self, index: u16, capability: Capability) {
        if let Some(slot) = self.slots.get_mut(usize::from(index))
            && slot.capability.is_some()
        {
            slot.fill(capability, slot.deadline_ns);
        }
    }
}

#[cfg(test)]
impl Table<'_> {
    /// Makes a reply handle to nobody.
    pub fn insert_reply(&mut self) -> Result<Handle, Error> {
        let index = self.take_reply()?;
        Ok(self.slots[usize::from(index)].fill_reply(None))
    }
}

/// A handle that exists, with what its slot says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Found {
    pub handle: Handle,
    /// Its place in the lineage.
    pub node: NodeId,
    pub capability: Capability,
    pub deadline_ns: u64,
}

/// What a slot says about the handle that names it.
#[inline(always)]
fn found(position: usize, slot: &Slot, capability: &Capability) -> Found {
    Found {
        handle: slot.handle,
        // The nodes of slots are in the order of the slots, before all others.
        node: NodeId::at(position as u32),
        capability: *capability,
        deadline_ns: slot.deadline_ns,
    }
}

impl Kernel {
    /// The handle table of a process, to change it.
    pub(crate) fn table(&mut self, process: ProcessId) -> Table<'_> {
        let start = process.position() * self.handles_per_process;
        Table {
            slots: &mut self.slots[start..start + self.handles_per_process],
            first_free: &mut self.processes[process].first_free_slot,
        }
    }

    /// The slots of a process, to look at them.
    pub(crate) fn slots_of(&self, process: ProcessId) -> &[Slot] {
        let start = process.position() * self.handles_per_process;
        &self.slots[start..start + self.handles_per_process]
    }

    /// Slots of a process that hold a handle.
    pub(crate) fn handle_count(&self, process: ProcessId) -> usize {
        let slots = self.slots_of(process).iter();
        slots.filter(|slot| slot.capability.is_some()).count()
    }

    /// Whether a process can be given so many handles more, other than reply handles.
    pub(crate) fn has_free_slots(&self, process: ProcessId, count: usize) -> bool {
        let slots = self.slots_of(process);
        let mut next = self.processes[process].first_free_slot;
        (0..count).all(|_| {
            let is_free = next != NO_SLOT;
            next = slots[usize::from(next)].next_free;
            is_free
        })
    }

    /// Keeps a free reply slot for a thread of a process that is about to receive a call, or to wait for one.
    pub(crate) fn keep_reply(&mut self, thread: ThreadId, process: ProcessId) -> Result<(), Error> {
        let index = self.table(process).take_reply()?;
        self.threads[thread].reply = self.first_slot(process) + u32::from(index);
        Ok(())
    }

    /// Frees the reply slot of a thread that waited for a call and got none.
    pub(crate) fn give_back_reply(&mut self, thread: ThreadId) {
        let thread = &self.threads[thread];
        if let Some(process) = thread.process {
            let index = thread.reply & self.handle_mask;
            self.table(process).give_back_reply(index as u16);
        }
    }

    /// Where the handle table of a process starts among all slots.
    pub(crate) fn first_slot(&self, process: ProcessId) -> u32 {
        (process.position() * self.handles_per_process) as u32
    }

    /// The slot of a handle that came in a register, if it exists, and where it is among all slots. An index past the table comes
    /// out as another in the table, whose handle is another, also where the CPU speculates (`speculation`).
    #[inline(always)]
    fn slot_of(&self, process: ProcessId, raw: u64) -> Option<(usize, &Slot)> {
        let index = (raw as u32 & self.handle_mask) as usize;
        // There are as many slots as that for each process, so nothing wraps.
        let start = process.position().wrapping_mul(self.handles_per_process);
        let position = start.wrapping_add(index);
        let slot = self.slots.get(position)?;
        (u64::from(slot.handle.raw()) == raw).then_some((position, slot))
    }

    /// Checks that a handle that came in a register exists, and nothing else.
    #[inline]
    pub(crate) fn find(&self, process: ProcessId, raw: u64) -> Result<Found, Error> {
        if let Some((position, slot)) = self.slot_of(process, raw)
            && let Some(capability) = &slot.capability
        {
            return Ok(found(position, slot, capability));
        }
        Err(self.deny(raw, None, Error::NoHandle))
    }

    /// Checks a handle of any kind: it exists, was not revoked, has not expired, and has the rights.
    pub(crate) fn look_up_any(
        &self,
        process: ProcessId,
        raw: u64,
        rights: Rights,
        machine: &impl Machine,
    ) -> Result<Found, Error> {
        let found = self.find(process, raw)?;
        let Capability {
            object,
            rights: held,
            ..
        } = found.capability;
        let revoked = matches!(object, Object::Revoked(_));
        if revoked || found.deadline_ns != NEVER || !held.contains(rights) {
            self.check_use(process, raw, object.kind(), rights, machine)?;
        }
        Ok(found)
    }

    /// Checks a handle that came in a register: it exists, its object is of the right kind, it was not revoked, has not expired,
    /// and has the rights.
    #[inline(always)]
    pub(crate) fn look_up_found<T: Select>(
        &self,
        process: ProcessId,
        raw: u64,
        rights: Rights,
        machine: &impl Machine,
    ) -> Result<(T, Found), Error> {
        let (object, position, slot, capability) =
            self.checked_slot(process, raw, rights, machine)?;
        Ok((object, found(position, slot, capability)))
    }

    /// The same, for those who need the object only: in less code, as most look a handle up this way.
    #[inline(always)]
    pub(crate) fn look_up<T: Select>(
        &self,
        process: ProcessId,
        raw: u64,
        rights: Rights,
        machine: &impl Machine,
    ) -> Result<T, Error> {
        let object = self.object_behind(process, raw, T::KIND, rights, machine)?;
        T::select(&object).ok_or_else(|| self.refuse(process, raw, T::KIND))
    }

    /// What a handle stands for, which has the rights and works now if it is of the right kind; if not, that may be wrong first.
    #[inline(never)]
    fn object_behind(
        &self,
        process: ProcessId,
        raw: u64,
        kind: ObjectKind,
        rights: Rights,
        machine: &impl Machine,
    ) -> Result<Object, Error> {
        let found = self.find(process, raw)?;
        let object = found.capability.object;
        let valid = found.deadline_ns == NEVER && found.capability.rights.contains(rights);
        if !valid && object.kind() == kind {
            self.check_use(process, raw, kind, rights, machine)?;
        }
        Ok(object)
    }

    /// The usual case in a few instructions: whatever is wrong with the handle, or could be, [`Self::check_use`] and
    /// [`Self::refuse`] find.
    #[inline(always)]
    fn checked_slot<T: Select>(
        &self,
        process: ProcessId,
        raw: u64,
        rights: Rights,
        machine: &impl Machine,
    ) -> Result<(T, usize, &Slot, &Capability), Error> {
        if let Some((position, slot)) = self.slot_of(process, raw)
            && let Some(capability) = &slot.capability
            && let Some(object) = T::select(&capability.object)
        {
            if !slot.lasting_rights.contains(rights) {
                self.check_use(process, raw, T::KIND, rights, machine)?;
            }
            return Ok((object, position, slot, capability));
        }
        Err(self.refuse(process, raw, T::KIND))
    }

    /// Why a handle does not name an object of a kind.
    #[cold]
    #[inline(never)]
    fn refuse(&self, process: ProcessId, raw: u64, kind: ObjectKind) -> Error {
        match self.find(process, raw) {
            Err(error) => error,
            Ok(found) => {
                let object = found.capability.object;
                let revoked = object == Object::Revoked(kind);
                let error = if revoked {
                    Error::Revoked
                } else {
                    Error::WrongKind
                };
                self.deny(raw, Some(object), error)
            }
        }
    }

    /// Checks a handle that names an object of this kind, or did before it was revoked.
    #[inline(never)]
    fn check_use(
        &self,
        process: ProcessId,
        raw: u64,
        kind: ObjectKind,
        rights: Rights,
        machine: &impl Machine,
    ) -> Result<(), Error> {
        let found = self.find(process, raw)?;
        let Capability {
            object,
            rights: held,
            ..
        } = found.capability;
        let error = if object == Object::Revoked(kind) {
            Error::Revoked
        } else if found.deadline_ns != NEVER && machine.now_ns() >= found.deadline_ns {
            Error::Expired
        } else if !held.contains(rights) {
            Error::MissingRight
        } else {
            return Ok(());
        };
        Err(self.deny(raw, Some(object), error))
    }

    /// Puts a capability that was derived from nothing into a table; its object has the reference already.
    pub(crate) fn insert_root(
        &mut self,
        process: ProcessId,
        capability: Capability,
    ) -> Result<Handle, Error> {
        self.table(process).insert(capability, NEVER)
    }

    /// Puts a capability that was derived from a handle into a table; its object has the reference already.
    pub(crate) fn insert_child(
        &mut self,
        process: ProcessId,
        parent: &Found,
        capability: Capability,
        deadline_ns: u64,
    ) -> Result<Handle, Error> {
        self.lineage.check_depth(parent.node)?;
        let deadline_ns = deadline_ns.min(parent.deadline_ns);
        let handle = self.table(process).insert(capability, deadline_ns)?;
        let node = self.lineage.slot(process, handle.index());
        self.lineage.link(node, parent.node);
        Ok(handle)
    }

    /// Copies a handle to a table, with at most these rights and until this time.
    pub(crate) fn insert_copy(
        &mut self,
        process: ProcessId,
        parent: &Found,
        capability: Capability,
        deadline_ns: u64,
    ) -> Result<Handle, Error> {
        let handle = self.insert_child(process, parent, capability, deadline_ns)?;
        self.retain(&capability);
        if deadline_ns.min(parent.deadline_ns) != NEVER {
            self.note_expiring(&capability);
        }
        Ok(handle)
    }

    /// Empties a slot; what was derived from it is its parent's from now on. The reference goes to the caller.
    pub(crate) fn take_handle(&mut self, process: ProcessId, index: u16) -> Option<Capability> {
        let capability = self.table(process).take(index)?;
        let node = self.lineage.slot(process, index);
        self.lineage.unlink(node);
        Some(capability)
    }

    /// Moves a handle, which exists, to another table, with at most these rights. There is room. It keeps its place in the
    /// lineage; if it loses rights, what was derived from it is its parent's from now on.
    pub(crate) fn move_handle(
        &mut self,
        from: ProcessId,
        index: u16,
        to: ProcessId,
        rights: Rights,
    ) -> Result<Handle, Error> {
        let old = self.lineage.slot(from, index);
        let slot = &self.slots[old.position()];
        let (capability, deadline_ns) = (slot.capability.ok_or(Error::NoHandle)?, slot.deadline_ns);
        let moved = capability.narrowed(rights);
        let handle = self.table(to).insert(moved, deadline_ns)?;
        self.table(from).take(index);
        let new = self.lineage.slot(to, handle.index());
        self.lineage.replace(old, new);
        if moved.rights != capability.rights {
            self.lineage.give_up_children(new);
        }
        Ok(handle)
    }

    /// Checks that a handle that came in a register may be passed on; returns its slot.
    #[inline(always)]
    pub(crate) fn slot_to_pass_on(
        &self,
        process: ProcessId,
        raw: u64,
        machine: &impl Machine,
    ) -> Result<&Slot, Error> {
        // The usual case in a few instructions; what was revoked has no rights.
        if let Some((_, slot)) = self.slot_of(process, raw)
            && slot.lasting_rights.contains(Rights::GRANT)
        {
            return Ok(slot);
        }
        self.unusual_slot_to_pass_on(process, raw, machine)
    }

    #[inline(never)]
    fn unusual_slot_to_pass_on(
        &self,
        process: ProcessId,
        raw: u64,
        machine: &impl Machine,
    ) -> Result<&Slot, Error> {
        let found = self.look_up_any(process, raw, Rights::GRANT, machine)?;
        Ok(&self.slots[found.node.position()])
    }

    /// Checks that no thread waits through a handle.
    #[inline(never)]
    pub(crate) fn check_not_in_use(&self, process: ProcessId, index: u16) -> Result<(), Error> {
        let node = self.lineage.slot(process, index);
        let waited = self.slots[node.position()].waited;
        if waited && self.waiting_through(process, node).is_some() {
            Err(Error::Busy)
        } else {
            Ok(())
        }
    }

    /// A thread of a process that waits through a handle.
    pub(crate) fn waiting_through(&self, process: ProcessId, node: NodeId) -> Option<ThreadId> {
        let mut threads = self.threads_of(process);
        threads.find(|&thread| self.threads[thread].waits_through(node))
    }
}
