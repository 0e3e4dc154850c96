//! Shadow stacks of threads, on CPUs that have them: where `call` keeps return addresses a second time, and `ret` compares.
//!
//! The kernel makes one with each thread and frees it with the thread. It is a memory object of the process, charged as any other,
//! to which no handle exists: nobody maps it anywhere else, and `MemoryUnmap` finds no object at its address. Its pages can be
//! read; only `call` writes there.

use nonos_abi::Error;

use crate::arena::{ProcessId, ThreadId};
use crate::kernel::Kernel;
use crate::machine::{Access, Machine};
use crate::region::{Backing, Region};

/// Pages of one: 2,048 calls that have not returned.
pub(crate) const PAGES: u64 = 4;

impl Kernel {
    /// Makes the shadow stack of a new thread, where the CPU has them.
    #[inline(never)]
    pub(crate) fn make_shadow_stack(
        &mut self,
        process: ProcessId,
        thread: ThreadId,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        if !machine.has_shadow_stacks() {
            return Ok(());
        }
        // The thread is one, too. Both are far below the largest number.
        if self.processes[process].objects.wrapping_add(1) >= self.objects_per_process {
            return Err(Error::QuotaExceeded);
        }
        let memory = self.create_ram(process, PAGES, machine)?;
        let mapped = self.map_object(process, memory, Access::ShadowStack, machine);
        let Ok((address, at)) = mapped else {
            self.release_memory(memory, machine);
            return mapped.map(|_| ());
        };
        let region = Region::fixed(address, PAGES as u32, Backing::ShadowStack(memory));
        self.insert_region_at(process, at, region);
        let thread = &mut self.threads[thread];
        thread.shadow_stack = Some(memory);
        thread.context.control_flow = region.end();
        Ok(())
    }

    /// Frees the shadow stack of a thread that has ended, unless all that its process has is about to be freed.
    pub(crate) fn free_shadow_stack(
        &mut self,
        process: ProcessId,
        thread: ThreadId,
        machine: &mut impl Machine,
    ) {
        if let Some(memory) = self.threads[thread].shadow_stack
            && self.processes[process].exit.is_none()
        {
            self.remove_mapping(process, Backing::ShadowStack(memory), machine);
        }
    }
}
