//! From the first Rust line to a machine that the kernel's logic can use.

use core::sync::atomic::Ordering;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::{BootInfo, KERNEL_SPACE_START, RollbackStore};

use nonos_kernel_core::machine::FrameNumber;

use crate::apic::LocalApic;
use crate::boot_info::{self, BootInfoError};
use crate::clock::Clock;
use crate::cpu::pinned;
use crate::cpus::{CpuBlock, Cpus};
use crate::generation::Generation;
use crate::io_apic::IoApics;
use crate::iommu::Iommus;
use crate::machine::Hal;
use crate::memory::Memory;
use crate::private::{PrivateArea, Window};
use crate::region::Region;
use crate::serial::Serial;
use crate::smp::Starter;
use crate::space::KERNEL_ENTRY;
use crate::{
    audit, cet, cpu, entry, extended, interrupts, isolation, mitigations, protection, stop,
};

// SAFETY: `entry!` defines it with these types.
unsafe extern "Rust" {
    /// The kernel's main function, defined with [`crate::entry!`].
    fn nonos_kernel_main(machine: Hal) -> !;
}

/// Called by `_start`, once, on the boot stack with interrupts off.
pub extern "C" fn start(info: *const BootInfo) -> ! {
    let tsc_at_start = cpu::read_tsc();
    let serial = Serial::start();
    // SAFETY: the boot loader passes the address of its record, which stays mapped read-only.
    let info = match unsafe { take_boot_info(info) } {
        Ok(info) => info,
        Err(error) => crate::stop!("{error}"),
    };
    let [first, ..] = info.stack_guards;
    CpuBlock::of(0).guarded().set_stack_guard(first);
    stop::set_boot_info(info);
    // SAFETY: the record is checked, and this is the one start.
    let machine = unsafe { build(info, tsc_at_start, serial) };
    // SAFETY: `entry!` defines the function with this type.
    unsafe { nonos_kernel_main(machine) }
}

/// Checks the record before a reference to it is made.
///
/// # Safety
/// If the address is aligned and in the kernel's half, a readable record is there and never changes.
unsafe fn take_boot_info(info: *const BootInfo) -> Result<&'static BootInfo, BootInfoError> {
    let address = info as u64;
    let inside = (KERNEL_SPACE_START..u64::MAX - 0x10_0000).contains(&address);
    if !inside || !info.is_aligned() {
        return Err(BootInfoError::Address(address));
    }
    // SAFETY: readable, as the caller says. The only field that not every bit pattern is valid for is looked at first.
    let info = unsafe {
        let store = (&raw const (*info).rollback_store).cast::<u64>().read();
        if store > RollbackStore::UefiVariable as u64 {
            return Err(BootInfoError::RollbackStore(store));
        }
        &*info
    };
    boot_info::check(info)?;
    Ok(info)
}

/// Sets the machine up.
///
/// # Safety
/// The record is checked and true. Called once.
unsafe fn build(info: &'static BootInfo, tsc_at_start: u64, serial: Serial) -> Hal {
    let root = cpu::read_cr3();
    let this = CpuBlock::of(0);
    // SAFETY: all once, in an order in which each finds what it needs; interrupts are off.
    unsafe {
        let remedies = isolation::decide(info, stop::payload().unwrap_or_default());
        mitigations::plan(info, remedies);
        protection::enable();
        mitigations::enable();
        stop::set_root(root);
        let mut region = Region::new(info);
        let mut area = PrivateArea::new(&mut region, root, this);
        let physical_of = |region: &Region, address| {
            audit::translate(region, root, address)
                .unwrap_or_else(|| crate::stop!("the kernel image is not mapped"))
        };
        interrupts::make_stacks(this, &mut region, &mut area);
        this.stack_base.store(info.stack_base, Ordering::Relaxed);
        this.stack_top
            .store(info.stack_base + info.stack_bytes, Ordering::Relaxed);
        let mut window = Window::first(this);
        let idt = physical_of(&region, entry::idt()) / PAGE_BYTES as u64;
        interrupts::fill_idt(&mut window, FrameNumber(idt as u32), root);
        interrupts::load(this);
        cet::make_stacks(&mut region, root, &mut window);
        mitigations::divert(&mut window, |address| physical_of(&region, address));
        extended::choose_instructions(&mut window, |address| physical_of(&region, address));
        let seed = physical_of(&region, (&raw const info.seed) as u64);

        let apic = LocalApic::enable(&mut area);
        this.apic_id.store(apic.id(), Ordering::Relaxed);
        this.nothing_set();
        let mut io_apics = IoApics::enable(&info.acpi, &mut area, apic.id());
        let iommus = Iommus::enable(&info.acpi, &mut area, &mut region, &apic, &mut io_apics);
        let clock = Clock::new(&info.acpi, &apic, tsc_at_start);
        let generation = Generation::find(&info.acpi, &mut area);
        let kernel_half = region
            .read_kernel(root, KERNEL_ENTRY)
            .unwrap_or_else(|| crate::stop!("no boot page tables"));
        let mut starter = Starter {
            info,
            root,
            kernel_half,
            region: &mut region,
            apic,
            clock: &clock,
        };
        starter.start_all();
        stop::prepare(region.carved_bytes(), seed);
        let for_user_mode = isolation::isolate(&mut region, root);
        for tables in core::iter::once(root).chain(for_user_mode) {
            if let Err(violation) = audit::walk(&region, tables, info) {
                crate::stop!("{violation}");
            }
        }
        pinned::check();
        let memory = Memory::new(info, protection::address_bits(), apic.physical);
        Hal {
            info,
            kernel_half,
            region,
            memory,
            cpus: Cpus { this, apic },
            io_apics,
            iommus,
            clock,
            generation,
            serial: Some(serial),
            tsc_at_start,
            // 0 in a context is no load.
        }
    }
}
