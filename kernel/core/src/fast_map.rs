//! Mapping and unmapping a page on the fast path (`fast_path`).
//!
//! The same meaning as the plain path (`region`), which gets what is not usual: a memory object of several pages or of a device, the last
//! reference to one, a handle with a deadline, a thread that looks after a mapping with one, too little of something, something else
//! to decide. Nothing is changed before it is certain that all can be done, but that a random number is drawn.
//!
//! `tests::fast_map` plays the same games with and without it and compares what is mapped.

use nonos_abi::PAGE_BYTES;

use crate::fast_path::{is_usable, slot_at};
use crate::handle::Capability;
use crate::kernel::Kernel;
use crate::lineage::{NEVER, NodeId};
use crate::machine::{Caching, Current, Machine, UserPage};
use crate::memory::MemoryKind;
use crate::object::Object;
use crate::region::{self, Backing, Region};
use crate::syscall::memory::access;

impl Kernel {
    /// `MemoryMap`.
    #[cold]
    #[inline(never)]
    pub(crate) fn fast_map(&mut self, machine: &mut impl Machine) -> Current<'_> {
        let (mut threads, mut memories) = (self.threads.view(), self.memories.view());
        let mut processes = self.processes.view();
        let caller = threads.find(self.scheduler.undisturbed_at(machine.cpu()))?;
        let thread = &mut threads[caller];
        let raw = thread.context.rdi;
        let (rights, Some(access)) = access(thread.context.rsi) else {
            return None;
        };
        let through = slot_at(self.slots, self.handle_mask, thread, raw as u32)?;
        let slot = &self.slots[through];
        let Some(Capability {
            object: Object::Memory(id),
            ..
        }) = slot.capability
        else {
            return None;
        };
        if !is_usable(slot, raw, rights) || thread.mapping_expires_ns != NEVER {
            return None;
        }
        let memory = memories.find(Some(id))?;
        let frame = match &memories[memory].kind {
            MemoryKind::Ram(frames) if memories[memory].pages == 1 => self.frames.first(frames)?,
            _ => return None,
        };
        let process = processes.find(thread.process)?;
        let owner = &mut processes[process];
        let count = usize::from(owner.regions);
        let start = region::first_region(process.position(), self.regions_per_process);
        // One that is free behind those that are not.
        let regions = self.regions.get_mut(start..)?.get_mut(..=count)?;
        let (_, used) = regions.split_last()?;
        let tables_before = machine.table_frames().0;
        let tables_max = region::table_pages_max(1);
        let parent = NodeId::at(through as u32);
        let depth = self.lineage.child_depth(parent)?;
        // Pages are of RAM, so nothing wraps.
        let has_room = count < self.regions_per_process
            && tables_max <= tables_before
            && owner.pages.wrapping_add(tables_max) <= owner.quota_pages;
        if !has_room {
            return None;
        }
        let guard = region::random_guard(&mut self.random);
        let (address, at) = region::first_gap(used, owner.memory_base, 1, guard)?;
        let page = UserPage::new(address)?;
        machine
            .map(thread.space, page, frame, access, Caching::WriteBack)
            .ok()?;

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[crate::fast_path::Kind::Map as usize] += 1;
        }
        // As many as there are handles and regions, at most.
        let references = memories.references(memory);
        *references = references.wrapping_add(1);
        let new = Region::fixed(address, 1, Backing::Memory(id));
        let number = region::insert(owner, regions, at, new);
        let node = self.lineage.region_at(process.position(), number);
        self.lineage.link_at(node, parent, depth);
        owner.charge_tables(tables_before, machine.table_frames().0);
        let thread = threads.into_mut(caller);
        thread.context.rax = 0;
        thread.context.rdi = address;
        thread.context.rsi = PAGE_BYTES as u64;
        Some((&mut thread.context, thread.space))
    }

    /// `MemoryUnmap`.
    #[cold]
    #[inline(never)]
    pub(crate) fn fast_unmap(&mut self, machine: &mut impl Machine) -> Current<'_> {
        let (mut threads, mut memories) = (self.threads.view(), self.memories.view());
        let mut processes = self.processes.view();
        let caller = threads.find(self.scheduler.undisturbed_at(machine.cpu()))?;
        let thread = &mut threads[caller];
        let address = thread.context.rdi;
        let process = processes.find(thread.process)?;
        let owner = &mut processes[process];
        let start = region::first_region(process.position(), self.regions_per_process);
        let regions = self.regions.get_mut(start..)?;
        let regions = regions.get_mut(..owner.regions.into())?;
        let at = regions
            .iter()
            .position(|region| region.address == address)?;
        let Region {
            pages: 1,
            backing: Backing::Memory(id),
            number,
            ..
        } = regions[at]
        else {
            return None;
        };
        let memory = memories.find(Some(id))?;
        let references = memories.references(memory).wrapping_sub(1);
        // No mapping of the process has a deadline, so this one has none.
        if references == 0 || thread.mapping_expires_ns != NEVER {
            return None;
        }
        let page = UserPage::new(address)?;

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[crate::fast_path::Kind::Unmap as usize] += 1;
        }
        let tables_before = machine.table_frames().0;
        machine.unmap(thread.space, page);
        machine.shootdown(thread.space);
        owner.charge_tables(tables_before, machine.table_frames().0);
        let node = self.lineage.region_at(process.position(), number);
        self.lineage.unlink_inline(node);
        *memories.references(memory) = references;
        region::remove(owner, regions, at);
        let thread = threads.into_mut(caller);
        thread.context.rax = 0;
        Some((&mut thread.context, thread.space))
    }
}
