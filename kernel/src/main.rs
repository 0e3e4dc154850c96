//! The kernel: hands the machine (`nonos-hal`) to the logic (`nonos-kernel-core`) and has it run on all CPUs.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use nonos_abi::info::AuditRecord;
use nonos_hal::{Hal, Logic};
use nonos_kernel_core::machine::{CpuId, Current, Event, Machine, Switch, UserContext};
use nonos_kernel_core::{Arenas, BootRecord, Empty, Kernel, Sizes, StartError};

nonos_hal::entry!(main);

fn main(mut machine: Hal) -> ! {
    match start(&mut machine) {
        Ok(kernel) => machine.run(OnEveryCpu(kernel)),
        Err(error) => nonos_hal::stop!("{error}"),
    }
}

/// The logic, as the machine calls it.
struct OnEveryCpu(Kernel);

impl Logic for OnEveryCpu {
    #[inline(always)]
    fn fast_syscall<'a>(
        &mut self,
        registers: [u64; 3],
        cpu: CpuId,
        machine: impl FnOnce() -> &'a mut Hal,
    ) -> Option<Switch<'_>> {
        self.0.fast_syscall(registers, cpu, machine)
    }

    fn finish_moving(&mut self) -> Option<&mut UserContext> {
        self.0.finish_moving()
    }

    #[inline(always)]
    fn syscall(&mut self, machine: &mut Hal) -> Current<'_> {
        self.0.syscall(machine)
    }

    #[inline(always)]
    fn handle(&mut self, event: Event, machine: &mut Hal) -> Current<'_> {
        self.0.handle(event, machine)
    }
}

fn start(machine: &mut Hal) -> Result<Kernel, StartError> {
    let boot = BootRecord {
        info: machine.boot_info(),
        payload: machine.payload(),
        event_log: machine.event_log(),
        tsc_at_kernel_entry: machine.tsc_at_start(),
    };
    let (free_frames, _) = machine.table_frames();
    let arenas = arenas(&Sizes::for_boot(boot.info, free_frames), machine);
    let mut kernel = Kernel::new(boot, arenas, machine)?;
    kernel.start_init(machine)?;
    Ok(kernel)
}

fn arenas(sizes: &Sizes, machine: &mut Hal) -> Arenas {
    Arenas {
        processes: empty(machine, sizes.processes),
        threads: empty(machine, sizes.threads),
        slots: empty(machine, sizes.processes * sizes.handles_per_process),
        regions: empty(machine, sizes.processes * sizes.regions_per_process),
        memories: empty(machine, sizes.memories),
        endpoints: empty(machine, sizes.endpoints),
        notifications: empty(machine, sizes.notifications),
        interrupts: empty(machine, sizes.interrupts),
        windows: empty(machine, sizes.windows),
        modules: empty(machine, sizes.modules),
        watches: empty(machine, sizes.watches),
        nodes: empty(machine, sizes.nodes()),
        audit: carve(machine, sizes.audit_records, |_| AuditRecord::default()),
        timers: empty(machine, sizes.timers),
        frames: empty(machine, sizes.frames),
        log: carve(machine, sizes.log_bytes, |_| 0),
    }
}

fn empty<T: Empty>(machine: &mut Hal, count: usize) -> &'static mut [T] {
    carve(machine, count, |_| T::unused())
}

fn carve<T>(machine: &mut Hal, count: usize, init: impl FnMut(usize) -> T) -> &'static mut [T] {
    machine
        .carve(count, init)
        .unwrap_or_else(|| nonos_hal::stop!("the kernel region is too small"))
}
