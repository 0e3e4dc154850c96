//! How many objects of each kind there are, and the memory they live in.

use core::mem::size_of;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::{BootInfo, memory_kind};
use nonos_abi::info::AuditRecord;

use crate::arena::Entry;
use crate::device::Window;
use crate::endpoint::Endpoint;
use crate::frame::FrameInfo;
use crate::handle::Slot;
use crate::interrupt::Interrupt;
use crate::lineage::{Node, Shape};
use crate::memory::Memory;
use crate::module::Module;
use crate::notification::Notification;
use crate::process::{Process, Watch};
use crate::region::Region;
use crate::thread::Thread;
use crate::timer::Timer;

/// Page tables of a usual process: the top, and three levels each for program, memory objects and stack, and some more.
const TABLES_PER_PROCESS: usize = 12;

/// Lengths of the slices in [`Arenas`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// Processes.
    pub processes: usize,
    /// Threads.
    pub threads: usize,
    /// Slots in each handle table.
    pub handles_per_process: usize,
    /// Mapped regions in each address space.
    pub regions_per_process: usize,
    /// Memory objects.
    pub memories: usize,
    /// Endpoints.
    pub endpoints: usize,
    /// Notifications.
    pub notifications: usize,
    /// Interrupt lines.
    pub interrupts: usize,
    /// Memories that devices can reach at a time.
    pub windows: usize,
    /// Modules in the system image.
    pub modules: usize,
    /// Requests to be told when a process ends.
    pub watches: usize,
    /// Timers.
    pub timers: usize,
    /// Frames from the first to the last usable one.
    pub frames: usize,
    /// Records of denied system calls that are kept.
    pub audit_records: usize,
    /// Bytes of the kernel's log.
    pub log_bytes: usize,
}

impl Sizes {
    /// Sizes for a kernel region with `region_bytes` free and a memory of `frames` frames from the first to the last usable
    /// one. The frame table takes at most half of the region: what it has no room for stays unused. Of the rest, each
    /// process gets its objects and its share of page tables.
    pub fn for_memory(region_bytes: usize, frames: usize) -> Self {
        let sizes = Self {
            processes: 0,
            threads: 0,
            handles_per_process: 256,
            regions_per_process: 32,
            memories: 0,
            endpoints: 0,
            notifications: 0,
            interrupts: 32,
            windows: 64,
            modules: 96,
            watches: 0,
            timers: 0,
            frames: frames.min(region_bytes / 2 / size_of::<FrameInfo>()),
            audit_records: 256,
            log_bytes: 16 * 1024,
        };
        let objects = sizes.with_processes(1).bytes() - sizes.bytes();
        let left = region_bytes.saturating_sub(sizes.bytes());
        let processes = left / (objects + TABLES_PER_PROCESS * PAGE_BYTES);
        sizes.with_processes(processes.clamp(4, 256))
    }

    /// The sizes for the machine that the boot loader describes, of whose kernel region so many frames are free: the stacks of
    /// the CPUs lie there, too.
    pub fn for_boot(info: &BootInfo, free_frames: u64) -> Self {
        let (_, frames) = usable_frames(info);
        Self::for_memory(free_frames as usize * PAGE_BYTES, frames as usize)
    }

    pub(crate) fn with_processes(self, processes: usize) -> Self {
        Self {
            processes,
            threads: processes * 4,
            memories: processes * 8,
            endpoints: processes * 4,
            notifications: processes * 4,
            watches: processes * 4,
            timers: processes * 4,
            ..self
        }
    }

    fn shape(&self) -> Shape {
        Shape {
            processes: self.processes,
            handles_per_process: self.handles_per_process,
            regions_per_process: self.regions_per_process,
            interrupts: self.interrupts,
            windows: self.windows,
            watches: self.watches,
            timers: self.timers,
            threads: self.threads,
        }
    }

    /// Nodes of the lineage: one for each thing that can be derived from a handle.
    pub fn nodes(&self) -> usize {
        self.shape().nodes()
    }

    /// Bytes that all slices take together, without alignment.
    pub fn bytes(&self) -> usize {
        self.processes * size_of::<Entry<Process>>()
            + self.threads * size_of::<Entry<Thread>>()
            + self.processes * self.handles_per_process * size_of::<Slot>()
            + self.processes * self.regions_per_process * size_of::<Region>()
            + self.memories * size_of::<Entry<Memory>>()
            + self.endpoints * size_of::<Entry<Endpoint>>()
            + self.notifications * size_of::<Entry<Notification>>()
            + self.interrupts * size_of::<Entry<Interrupt>>()
            + self.windows * size_of::<Option<Window>>()
            + self.modules * size_of::<Entry<Module>>()
            + self.watches * size_of::<Entry<Watch>>()
            + self.timers * size_of::<Entry<Timer>>()
            + self.frames * size_of::<FrameInfo>()
            + self.nodes() * size_of::<Node>()
            + self.audit_records * size_of::<AuditRecord>()
            + self.log_bytes
    }
}

/// First usable frame, and the number of frames from there to the last usable one.
pub(crate) fn usable_frames(info: &BootInfo) -> (u64, u64) {
    let count = (info.memory_count as usize).min(info.memory.len());
    let usable = info.memory[..count]
        .iter()
        .filter(|range| range.kind == memory_kind::USABLE);
    let (first, end) = usable.fold((u64::MAX, 0), |(first, end), range| {
        let frame = range.physical / PAGE_BYTES as u64;
        (frame.min(first), frame.saturating_add(range.pages).max(end))
    });
    (first, end.saturating_sub(first))
}

/// The memory of the kernel's objects. Every slice is filled with [`crate::Empty::unused`].
pub struct Arenas {
    /// [`Sizes::processes`] entries.
    pub processes: &'static mut [Entry<Process>],
    /// [`Sizes::threads`] entries.
    pub threads: &'static mut [Entry<Thread>],
    /// [`Sizes::processes`] × [`Sizes::handles_per_process`] slots.
    pub slots: &'static mut [Slot],
    /// [`Sizes::processes`] × [`Sizes::regions_per_process`] regions.
    pub regions: &'static mut [Region],
    /// [`Sizes::memories`] entries.
    pub memories: &'static mut [Entry<Memory>],
    /// [`Sizes::endpoints`] entries.
    pub endpoints: &'static mut [Entry<Endpoint>],
    /// [`Sizes::notifications`] entries.
    pub notifications: &'static mut [Entry<Notification>],
    /// [`Sizes::interrupts`] entries.
    pub interrupts: &'static mut [Entry<Interrupt>],
    /// [`Sizes::windows`] windows.
    pub windows: &'static mut [Option<Window>],
    /// [`Sizes::modules`] entries.
    pub modules: &'static mut [Entry<Module>],
    /// [`Sizes::watches`] entries.
    pub watches: &'static mut [Entry<Watch>],
    /// [`Sizes::nodes`] nodes.
    pub nodes: &'static mut [Node],
    /// [`Sizes::audit_records`] records.
    pub audit: &'static mut [AuditRecord],
    /// [`Sizes::timers`] entries.
    pub timers: &'static mut [Entry<Timer>],
    /// [`Sizes::frames`] frames.
    pub frames: &'static mut [FrameInfo],
    /// [`Sizes::log_bytes`] bytes.
    pub log: &'static mut [u8],
}

#[cfg(any(test, feature = "testing"))]
impl crate::kernel::Kernel {
    /// Takes the memory of all objects, to use it again. The kernel is good for nothing after that.
    pub(crate) fn take_arenas(&mut self) -> Arenas {
        Arenas {
            processes: self.processes.take(),
            threads: self.threads.take(),
            slots: core::mem::take(&mut self.slots),
            regions: core::mem::take(&mut self.regions),
            memories: self.memories.take(),
            endpoints: self.endpoints.take(),
            notifications: self.notifications.take(),
            interrupts: self.interrupts.take(),
            windows: core::mem::take(&mut self.windows),
            modules: self.modules.take(),
            watches: self.watches.take(),
            timers: self.timers.take(),
            nodes: self.lineage.take(),
            audit: self.audit.take(),
            frames: self.frames.take(),
            log: self.log.take(),
        }
    }
}

impl Arenas {
    pub(crate) fn shape(&self) -> Shape {
        let processes = self.processes.len().max(1);
        Shape {
            processes: self.processes.len(),
            handles_per_process: self.slots.len() / processes,
            regions_per_process: self.regions.len() / processes,
            interrupts: self.interrupts.len(),
            windows: self.windows.len(),
            watches: self.watches.len(),
            timers: self.timers.len(),
            threads: self.threads.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    #[test]
    fn objects_leave_room_for_page_tables_in_regions_of_all_sizes() {
        for (region, memory) in [(4, 64), (6, 256), (12, 1024), (64, 8192), (64, 1 << 20)] {
            let sizes = Sizes::for_memory(region * MIB, memory * MIB / PAGE_BYTES);
            let left = region * MIB - sizes.bytes();
            let tables = sizes.processes * TABLES_PER_PROCESS * PAGE_BYTES;
            assert!(
                left >= tables,
                "{region} MiB: {left} bytes left for {tables} bytes of tables"
            );
            assert!(
                sizes.processes >= 50,
                "{region} MiB: {} processes",
                sizes.processes
            );
        }
    }

    #[test]
    fn up_to_sixteen_gibibytes_every_frame_has_an_entry() {
        for gibibytes in [1, 4, 16] {
            let frames = gibibytes * 1024 * MIB / PAGE_BYTES;
            // What the boot loader reserves: 4 MiB and a 128th, at most 64 MiB.
            let region = (4 * MIB + gibibytes * 1024 * MIB / 128).min(64 * MIB);
            assert_eq!(
                Sizes::for_memory(region, frames).frames,
                frames,
                "{gibibytes} GiB"
            );
        }
    }

    #[test]
    fn the_smallest_region_still_gives_some_processes() {
        assert_eq!(Sizes::for_memory(0, 1000).processes, 4);
    }
}
