//! Regions: what is mapped in an address space, and where.
//!
//! The lower half is divided in three: programs, memory objects, stacks. In each, a process starts at a random page out of
//! 2^32. Memory objects go to the first gap that fits, after a random number of guard pages, so that page tables
//! stay few.
//!
//! Invariants: the regions of a process are sorted by address, do not overlap, and at least one unmapped page lies between
//! any two.

use nonos_abi::{Error, PAGE_BYTES};

use crate::arena::{Empty, Id, MemoryId, ProcessId, ThreadId};
use crate::handle::Found;
use crate::kernel::Kernel;
use crate::lineage::NEVER;
use crate::machine::{Access, AddressSpace, Caching, FrameNumber, Machine, UserPage};
use crate::memory::MemoryKind;
use crate::process::Process;
use crate::queue::{Chain, OfProcess};
use crate::random::Random;
use crate::thread::Thread;

const PAGE: u64 = PAGE_BYTES as u64;

/// Programs start from here on, up to 2^32 pages higher.
pub(crate) const IMAGE_AREA: u64 = 16 << 40;
/// Memory objects are mapped from here on, up to 2^32 pages higher.
const MEMORY_AREA: u64 = 40 << 40;
/// Bytes of address space for the memory objects of one process, from its random start on.
const MEMORY_SPAN: u64 = 1 << 40;
/// Stacks lie from here on, up to 2^32 pages higher.
pub(crate) const STACK_AREA: u64 = 64 << 40;
/// Most regions of a process: each has a bit for its number.
pub(crate) const REGIONS_MAX: usize = 64;
/// Most additional guard pages between memory objects: a mask for a random number.
const GAP_PAGES: u8 = 15;

/// A run of mapped pages of a process, with unmapped guard pages below and above.
#[derive(Clone, Copy)]
pub struct Region {
    pub(crate) address: u64,
    pub(crate) pages: u32,
    pub(crate) backing: Backing,
    /// Number among the regions of the process, which stays the same when others come and go: its node in the lineage.
    pub(crate) number: u8,
    /// When the handle expires that it was mapped through.
    pub(crate) expires_ns: u64,
}

/// What lies behind a region.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Backing {
    /// The program: frames of the module and of the process.
    Image,
    /// The stack: frames of the process.
    Stack,
    /// A memory object, held by a reference.
    Memory(MemoryId),
    /// The shadow stack of a thread: a memory object without a handle.
    ShadowStack(MemoryId),
    /// What was a memory object until the handle was revoked or expired that it was mapped through: nothing is mapped, and
    /// nothing else will be until the program says that it knows, with `MemoryUnmap`.
    Revoked,
}

impl Empty for Region {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            address: 0,
            pages: 0,
            backing: Backing::Image,
            number: 0,
            expires_ns: NEVER,
        }
    }
}

impl Region {
    /// What a program consists of, which no handle stands for.
    pub(crate) fn fixed(address: u64, pages: u32, backing: Backing) -> Self {
        Self {
            address,
            pages,
            backing,
            ..Self::unused()
        }
    }

    /// First byte after it.
    #[inline(always)]
    pub fn end(&self) -> u64 {
        // User space and what 2^32 pages are end far below 2^64.
        let bytes = u64::from(self.pages).wrapping_mul(PAGE);
        self.address.wrapping_add(bytes)
    }
}

/// A random page of an area.
pub(crate) fn random_address(area: u64, random: &mut Random) -> u64 {
    area + u64::from(random.word()) * PAGE
}

/// Where memory objects of a new process start.
pub(crate) fn random_memory_base(random: &mut Random) -> u64 {
    random_address(MEMORY_AREA, random)
}

impl Kernel {
    /// Where the regions of a process start among all regions.
    #[inline(always)]
    fn first_region(&self, process: ProcessId) -> usize {
        first_region(process.position(), self.regions_per_process)
    }

    /// The regions of a process.
    pub(crate) fn regions_of(&self, process: ProcessId) -> &[Region] {
        let start = self.first_region(process);
        &self.regions[start..start + usize::from(self.processes[process].regions)]
    }

    /// Whether another region can be added.
    pub(crate) fn has_free_region(&self, process: ProcessId) -> bool {
        usize::from(self.processes[process].regions) < self.regions_per_process
    }

    /// Adds a region at its place in the order, and gives it a number. There is a free one.
    pub(crate) fn insert_region(&mut self, process: ProcessId, region: Region) -> u8 {
        let before = |other: &Region| other.address < region.address;
        let at = self.regions_of(process).partition_point(before);
        self.insert_region_at(process, at, region)
    }

    pub(crate) fn insert_region_at(&mut self, process: ProcessId, at: usize, region: Region) -> u8 {
        let start = self.first_region(process);
        let owner = &mut self.processes[process];
        let regions = &mut self.regions[start..=start + usize::from(owner.regions)];
        insert(owner, regions, at, region)
    }

    fn region_mut(&mut self, process: ProcessId, at: usize) -> &mut Region {
        let start = self.first_region(process);
        &mut self.regions[start + at]
    }

    fn remove_region(&mut self, process: ProcessId, at: usize) {
        let start = self.first_region(process);
        let owner = &mut self.processes[process];
        let regions = &mut self.regions[start..start + usize::from(owner.regions)];
        remove(owner, regions, at);
    }

    /// The first gap for a memory object of so many pages, with guard pages around it: its address, and its place in the order.
    fn place(&mut self, process: ProcessId, pages: u32) -> Result<(u64, usize), Error> {
        let base = self.processes[process].memory_base;
        let guard = random_guard(&mut self.random);
        let gap = first_gap(self.regions_of(process), base, pages, guard);
        gap.ok_or(Error::OutOfMemory)
    }

    /// Maps all of a memory object by the authority of a handle; returns the address. The region holds a reference.
    pub(crate) fn map_memory(
        &mut self,
        process: ProcessId,
        memory: MemoryId,
        through: &Found,
        access: Access,
        machine: &mut impl Machine,
    ) -> Result<u64, Error> {
        self.lineage.check_depth(through.node)?;
        let (address, at) = self.map_object(process, memory, access, machine)?;
        let pages = self.memories[memory].pages;
        self.memories.retain(memory);
        let region = Region {
            expires_ns: through.deadline_ns,
            ..Region::fixed(address, pages, Backing::Memory(memory))
        };
        let number = self.insert_region_at(process, at, region);
        let node = self.lineage.region(process, number);
        self.lineage.link(node, through.node);
        if through.deadline_ns != NEVER {
            self.note_expiry(process);
        }
        Ok(address)
    }

    /// Maps all of a memory object at a free place; returns the address, and the place of its region in the order.
    pub(crate) fn map_object(
        &mut self,
        process: ProcessId,
        memory: MemoryId,
        access: Access,
        machine: &mut impl Machine,
    ) -> Result<(u64, usize), Error> {
        if !self.has_free_region(process) {
            return Err(Error::OutOfObjects);
        }
        let space = self.processes[process].space.ok_or(Error::PeerGone)?;
        let pages = self.memories[memory].pages;
        let (address, at) = self.place(process, pages)?;
        self.check_quota(process, table_pages_max(pages))?;

        let before = machine.table_frames().0;
        let mapped = self.map_frames(space, address, memory, access, machine);
        self.charge_tables(process, before, machine);
        if let Err(error) = mapped {
            unmap_pages(space, address, pages, machine);
            return Err(error);
        }
        Ok((address, at))
    }

    fn map_frames(
        &self,
        space: AddressSpace,
        address: u64,
        memory: MemoryId,
        access: Access,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let memory = &self.memories[memory];
        match &memory.kind {
            MemoryKind::Ram(frames) => {
                let frames = self.frames.iter(frames);
                map_pages(space, address, frames, access, Caching::WriteBack, machine)
            }
            &MemoryKind::Device(first, caching) => {
                let frames = (0..memory.pages).map(|page| FrameNumber(first.0 + page));
                map_pages(space, address, frames, access, caching, machine)
            }
        }
    }

    /// Unmaps the memory object at an address, or frees the address of one that was revoked.
    pub(crate) fn unmap_memory(
        &mut self,
        process: ProcessId,
        address: u64,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let regions = self.regions_of(process);
        let is_named = |region: &Region| {
            region.address == address && !matches!(region.backing, Backing::ShadowStack(_))
        };
        let at = regions.iter().position(is_named);
        let at = at.ok_or(Error::BadAddress)?;
        let region = regions[at];
        if region.backing != Backing::Revoked {
            self.undo_mapping(process, &region, machine)?;
        }
        self.remove_region(process, at);
        if region.expires_ns != NEVER {
            self.note_expiry(process);
        }
        Ok(())
    }

    /// Unmaps the memory object at a position in the order. Its address stays taken.
    fn unmap_region(
        &mut self,
        process: ProcessId,
        at: usize,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let region = self.regions_of(process)[at];
        self.undo_mapping(process, &region, machine)?;
        let left = self.region_mut(process, at);
        left.backing = Backing::Revoked;
        left.expires_ns = NEVER;
        if region.expires_ns != NEVER {
            self.note_expiry(process);
        }
        Ok(())
    }

    /// Unmaps the region with this backing, a memory object, and forgets it.
    pub(crate) fn remove_mapping(
        &mut self,
        process: ProcessId,
        backing: Backing,
        machine: &mut impl Machine,
    ) {
        let mut regions = self.regions_of(process).iter();
        if let Some(at) = regions.position(|region| region.backing == backing) {
            let region = self.regions_of(process)[at];
            // It fails for a program and its stack only.
            let _ = self.undo_mapping(process, &region, machine);
            self.remove_region(process, at);
        }
    }

    /// Unmaps what lies behind a region, a memory object; that is no longer the region's then.
    #[inline(never)]
    fn undo_mapping(
        &mut self,
        process: ProcessId,
        region: &Region,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let space = self.processes[process].space.ok_or(Error::PeerGone)?;
        let (Backing::Memory(memory) | Backing::ShadowStack(memory)) = region.backing else {
            return Err(Error::BadAddress);
        };
        let before = machine.table_frames().0;
        unmap_pages(space, region.address, region.pages, machine);
        self.charge_tables(process, before, machine);
        let node = self.lineage.region(process, region.number);
        self.lineage.unlink(node);
        self.release_memory(memory, machine);
        Ok(())
    }

    /// Unmaps the region with this number, whose handle was revoked.
    pub(crate) fn unmap_numbered_region(
        &mut self,
        process: ProcessId,
        number: u8,
        machine: &mut impl Machine,
    ) {
        let mut regions = self.regions_of(process).iter();
        if let Some(at) = regions.position(|region| region.number == number) {
            // Only the program itself cannot be unmapped, and it was derived from no handle.
            let _ = self.unmap_region(process, at, machine);
        }
    }

    /// Unmaps, before a thread runs, what its process mapped through handles that have expired; says whether there was something.
    #[cold]
    pub(crate) fn unmap_expired(&mut self, thread: ThreadId, machine: &mut impl Machine) -> bool {
        let Thread {
            process: Some(process),
            mapping_expires_ns,
            ..
        } = self.threads[thread]
        else {
            return false;
        };
        let now_ns = machine.now_ns();
        if now_ns < mapping_expires_ns {
            return false;
        }
        let expired = |region: &Region| region.expires_ns <= now_ns;
        while let Some(at) = self.regions_of(process).iter().position(expired) {
            if self.unmap_region(process, at, machine).is_err() {
                break;
            }
        }
        true
    }

    /// Has the process's mappings looked after when the first of them expires.
    fn note_expiry(&mut self, process: ProcessId) {
        let first = self.first_mapping_expiry(process);
        let mut next = self.processes[process].threads.head;
        while let Some(thread) = next {
            if self.threads[thread].mapping_expires_ns != first {
                self.threads[thread].mapping_expires_ns = first;
                self.threads[thread].note_held();
                self.scheduler.rearm(&self.threads, thread);
            }
            next = OfProcess::next(&self.threads[thread]);
        }
    }

    /// When the first mapping of a process has to go.
    pub(crate) fn first_mapping_expiry(&self, process: ProcessId) -> u64 {
        let deadlines = self.regions_of(process).iter();
        let first = deadlines.map(|region| region.expires_ns).min();
        first.unwrap_or(NEVER)
    }

    /// Charges the page tables that were made since `before` frames were free for them, or gives back those that were freed.
    #[inline(always)]
    pub(crate) fn charge_tables(
        &mut self,
        process: ProcessId,
        before: u64,
        machine: &impl Machine,
    ) {
        self.processes[process].charge_tables(before, machine.table_frames().0);
    }
}

/// Where the regions of the process at a position start among all regions. There are as many for each, so nothing wraps.
#[inline(always)]
pub(crate) fn first_region(position: usize, regions_per_process: usize) -> usize {
    position.wrapping_mul(regions_per_process)
}

/// Bytes of guard pages around a memory object.
#[inline(always)]
pub(crate) fn random_guard(random: &mut Random) -> u64 {
    PAGE * (1 + u64::from(random.byte() & GAP_PAGES))
}

/// The first gap among the regions of a process for a memory object of so many pages, from `base` on, with so many bytes of guard pages
/// around it: its address, and its place in the order. User space and what 2^32 pages are end far below 2^64, so nothing wraps.
#[inline(always)]
pub(crate) fn first_gap(
    regions: &[Region],
    base: u64,
    pages: u32,
    guard: u64,
) -> Option<(u64, usize)> {
    let bytes = u64::from(pages).wrapping_mul(PAGE);
    let (mut address, mut at) = (base.wrapping_add(guard), 0);
    for region in regions {
        if region.address >= base {
            if address.wrapping_add(bytes).wrapping_add(PAGE) <= region.address {
                break;
            }
            address = region.end().wrapping_add(guard);
        }
        at += 1;
    }
    let is_inside = address.wrapping_add(bytes) <= base.wrapping_add(MEMORY_SPAN);
    is_inside.then_some((address, at))
}

/// Adds a region at a position in the order, and gives it a number. `regions` are those of the process, and one that is free.
#[inline(always)]
pub(crate) fn insert(owner: &mut Process, regions: &mut [Region], at: usize, region: Region) -> u8 {
    let number = owner.region_numbers.trailing_ones() as u8;
    owner.region_numbers |= 1 << (number % 64);
    owner.regions = owner.regions.wrapping_add(1);
    let later = &mut regions[at..];
    for to in (1..later.len()).rev() {
        later[to] = later[to - 1];
    }
    later[0] = Region { number, ..region };
    number
}

/// Removes a region, one of the process's, and frees its number.
#[inline(always)]
pub(crate) fn remove(owner: &mut Process, regions: &mut [Region], at: usize) {
    owner.region_numbers &= !(1 << (regions[at].number % 64));
    owner.regions = owner.regions.wrapping_sub(1);
    let rest = &mut regions[at..];
    for at in 1..rest.len() {
        rest[at - 1] = rest[at];
    }
}

/// Most page tables that mapping so many pages in a row can take (SDM vol. 3, 4.5: 512 entries each).
#[inline(always)]
pub(crate) fn table_pages_max(pages: u32) -> u64 {
    let levels_above = 4;
    u64::from(pages).div_ceil(512) + levels_above
}

/// Maps frames one after the other. Stops at the first error.
pub(crate) fn map_pages(
    space: AddressSpace,
    address: u64,
    frames: impl Iterator<Item = FrameNumber>,
    access: Access,
    caching: Caching,
    machine: &mut impl Machine,
) -> Result<(), Error> {
    let mut address = address;
    for frame in frames {
        map_page(space, address, frame, access, caching, machine)?;
        address += PAGE;
    }
    Ok(())
}

#[inline(never)]
fn map_page(
    space: AddressSpace,
    address: u64,
    frame: FrameNumber,
    access: Access,
    caching: Caching,
    machine: &mut impl Machine,
) -> Result<(), Error> {
    let page = UserPage::new(address).ok_or(Error::BadAddress)?;
    machine
        .map(space, page, frame, access, caching)
        .map_err(|_| Error::OutOfMemory)
}

/// Unmaps what is mapped of these pages, on all CPUs.
fn unmap_pages(space: AddressSpace, address: u64, pages: u32, machine: &mut impl Machine) {
    for number in 0..u64::from(pages) {
        if let Some(page) = UserPage::new(address + number * PAGE) {
            machine.unmap(space, page);
        }
    }
    machine.shootdown(space);
}
