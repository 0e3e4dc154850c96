//! Memory objects: pages that can be mapped, never executable.
//!
//! RAM is charged to the quota of the process that made the object until the last handle and the last mapping are
//! gone; then its frames are zeroed and freed. Device memory is not charged and never freed.

use nonos_abi::Error;

use crate::arena::{Empty, MemoryId, ProcessId};
use crate::frame::{FrameList, Owner};
use crate::kernel::Kernel;
use crate::machine::{Caching, FrameNumber, Machine};

/// Pages of RAM or of a device.
pub struct Memory {
    pub(crate) pages: u32,
    pub(crate) kind: MemoryKind,
}

/// What the pages are.
pub(crate) enum MemoryKind {
    /// RAM that belongs to this object.
    Ram(FrameList),
    /// A device's registers or frame buffer, from this frame on.
    Device(FrameNumber, Caching),
}

impl Empty for Memory {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            pages: 0,
            kind: MemoryKind::Ram(FrameList::EMPTY),
        }
    }
}

/// Most pages of a device in one object: 4 GiB.
pub(crate) const DEVICE_PAGES_MAX: u64 = 1 << 20;

impl Kernel {
    /// Makes RAM, zeroed, with one reference.
    pub(crate) fn create_ram(
        &mut self,
        payer: ProcessId,
        pages: u64,
        machine: &mut impl Machine,
    ) -> Result<MemoryId, Error> {
        let pages = u32::try_from(pages).map_err(|_| Error::QuotaExceeded)?;
        if pages == 0 {
            return Err(Error::InvalidArgument);
        }
        self.check_quota(payer, pages.into())?;
        if u64::from(pages) > self.frames.available() {
            return Err(Error::OutOfMemory);
        }
        let memory = Memory {
            pages,
            kind: MemoryKind::Ram(FrameList::EMPTY),
        };
        let id = self.create_memory(payer, memory)?;
        let frames = self
            .frames
            .allocate_all(pages.into(), Owner::Memory(id), machine)?;
        self.memories[id].kind = MemoryKind::Ram(frames);
        self.processes[payer].pages += u64::from(pages);
        Ok(id)
    }

    /// Makes a memory object with one reference.
    pub(crate) fn create_memory(
        &mut self,
        payer: ProcessId,
        memory: Memory,
    ) -> Result<MemoryId, Error> {
        self.check_object_quota(payer)?;
        let id = self
            .memories
            .insert(memory, Some(payer))
            .ok_or(Error::OutOfObjects)?;
        self.charge_object(payer);
        Ok(id)
    }

    /// Drops a reference; with the last one, frees the frames.
    pub(crate) fn release_memory(&mut self, id: MemoryId, machine: &mut impl Machine) {
        if self.memories.release(id) == 0 {
            self.end_memory(id, machine);
        }
    }

    #[inline(never)]
    fn end_memory(&mut self, id: MemoryId, machine: &mut impl Machine) {
        let payer = self.memories.payer(id);
        let memory = core::mem::replace(&mut self.memories[id], Memory::unused());
        self.memories.remove(id);
        if let MemoryKind::Ram(frames) = memory.kind {
            self.frames.free(frames, machine);
            if let Some(payer) = payer {
                self.processes[payer].pages -= u64::from(memory.pages);
            }
        }
        self.uncharge_object(payer);
    }
}
