//! The end: memory wiped, then power off, restart, or halt.
//!
//! Everything that a program or the kernel wrote is overwritten: all memory given to programs, the kernel
//! region but for the page tables in use, the kernel stack, and the boot loader's random numbers. This runs on a stack of
//! its own, so that the kernel stack can go, too. Before, all memory is taken from devices. What stays is the kernel's code and constants, the unpacked
//! payload and the event log, which the signed image and the firmware made.
//!
//! One CPU ends the machine: the first that wants to ([`claim`]). It halts the others before it wipes, by an
//! interrupt that they cannot mask; a CPU that is on its way to end the machine, too, halts itself.

use core::fmt::Write;
use core::hint::spin_loop;
use core::mem::offset_of;
use core::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::{Acpi, BootInfo, memory_kind};
use nonos_kernel_core::machine::FrameNumber;

use crate::apic::LocalApic;
use crate::cpu;
use crate::cpus::{CpuBlock, Cpus};
use crate::entry;
use crate::iommu::Iommus;
use crate::private::Window;
use crate::screen::Screen;
use crate::serial::Serial;

const PAGE: u64 = PAGE_BYTES as u64;

/// How to end.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub enum Ending {
    /// Stay halted: after a report.
    Halt = 0,
    /// Turn the machine off.
    Off = 1,
    /// Restart it.
    Restart = 2,
}

// What the end needs, set at boot, read when everything else may be broken. Numbers, so that they can be
// atomics: the boot info's address, CR3 of the boot tables, bytes at the start of the region to keep, physical
// address of the seed.
static BOOT_INFO: AtomicU64 = AtomicU64::new(0);
static ROOT: AtomicU64 = AtomicU64::new(0);
static KEEP_BYTES: AtomicU64 = AtomicU64::new(0);
static SEED_PHYSICAL: AtomicU64 = AtomicU64::new(0);

/// The IOMMUs, from when there are programs on.
static IOMMUS: AtomicPtr<Iommus> = AtomicPtr::new(core::ptr::null_mut());

/// How often wiping began. A fault on the way begins it once more, without what comes before.
static BEGUN: AtomicU32 = AtomicU32::new(0);

/// Number of the CPU that ends the machine, plus one; 0 while none does.
static ENDED_BY: AtomicU32 = AtomicU32::new(0);
/// CPUs that were halted for that.
static HALTED: AtomicU32 = AtomicU32::new(0);

/// Most looks at the other CPUs before the end goes on without them; with a pause each, some tenths of a second.
const HALT_LOOKS: u32 = 10_000_000;

/// Bytes of the seed and what follows it, the values of the stack protector.
const SECRET_BYTES: usize = offset_of!(BootInfo, entropy_sources) - offset_of!(BootInfo, seed);

/// Makes the boot info known for reports.
pub fn set_boot_info(info: &'static BootInfo) {
    BOOT_INFO.store(core::ptr::from_ref(info) as u64, Ordering::Relaxed);
}

/// Makes the boot page tables known: physical address of the top.
pub fn set_root(root: u64) {
    ROOT.store(root, Ordering::Relaxed);
}

/// The boot page tables.
pub fn root() -> u64 {
    ROOT.load(Ordering::Relaxed)
}

/// Makes known what wiping needs. Before, [`finish`] wipes nothing: no program has run.
///
/// # Safety
/// All values are true, and the stacks of all CPUs lie in what is kept.
pub unsafe fn prepare(keep_bytes: u64, seed_physical: u64) {
    SEED_PHYSICAL.store(seed_physical, Ordering::Relaxed);
    KEEP_BYTES.store(keep_bytes, Ordering::Relaxed);
}

/// Makes the IOMMUs known. They stay where they are.
pub fn set_iommus(iommus: *const Iommus) {
    IOMMUS.store(iommus.cast_mut(), Ordering::Relaxed);
}

/// Who ends the machine.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// This CPU, from now on.
    First,
    /// This CPU, since before: it failed on the way.
    Again,
}

/// Makes this the CPU that ends the machine, and halts all others. When another one is at it, this one halts instead.
pub fn claim() -> Claim {
    let this = CpuBlock::of_this_cpu();
    let number = u32::from(this.id().0) + 1;
    match ENDED_BY.compare_exchange(0, number, Ordering::AcqRel, Ordering::Acquire) {
        Ok(_) => {
            halt_others(this);
            Claim::First
        }
        Err(first) if first == number => Claim::Again,
        Err(_) => halt(),
    }
}

/// Halts all other CPUs, wherever they are. Bounded: one that does not answer is left to itself.
fn halt_others(this: &'static CpuBlock) {
    let Some(apic) = LocalApic::shared() else {
        return;
    };
    let others = Cpus { this, apic }.others();
    let mut count = 0;
    for other in others {
        apic.interrupt_unmaskable(other.apic_id.load(Ordering::Relaxed));
        count += 1;
    }
    for _ in 0..HALT_LOOKS {
        if HALTED.load(Ordering::Acquire) >= count {
            break;
        }
        spin_loop();
    }
}

/// Halts this CPU because another one ends the machine. It may look at its page tables once more when something wakes
/// it for a moment, and those of processes are wiped.
fn halt() -> ! {
    // SAFETY: the boot page tables map the kernel's half.
    unsafe { cpu::write_cr3(root()) };
    HALTED.fetch_add(1, Ordering::Release);
    cpu::stop()
}

/// The boot info, once checked.
pub fn boot_info() -> Option<&'static BootInfo> {
    // SAFETY: either null or the address of a checked boot info, which stays mapped.
    unsafe { (BOOT_INFO.load(Ordering::Relaxed) as *const BootInfo).as_ref() }
}

/// The unpacked payload.
pub fn payload() -> Option<&'static [u8]> {
    let info = boot_info()?;
    // SAFETY: mapped read-only for good, as the checked boot info says.
    Some(unsafe {
        core::slice::from_raw_parts(info.payload_base as *const u8, info.payload_bytes as usize)
    })
}

/// The TCG event log; empty without one.
pub fn event_log() -> &'static [u8] {
    match boot_info() {
        // SAFETY: mapped read-only for good, as the checked boot info says.
        Some(info) if info.event_log_bytes > 0 => unsafe {
            core::slice::from_raw_parts(
                info.event_log_base as *const u8,
                info.event_log_bytes as usize,
            )
        },
        _ => &[],
    }
}

/// Wipes memory and ends. The caller has the [`claim`]. After a second fault on the way it only halts.
pub fn finish(ending: Ending) -> ! {
    if BEGUN.fetch_add(1, Ordering::Relaxed) > 1 {
        cpu::stop();
    }
    let top = CpuBlock::of_this_cpu().stop_stack.load(Ordering::Relaxed);
    if top == 0 || KEEP_BYTES.load(Ordering::Relaxed) == 0 {
        end(ending);
    }
    // SAFETY: the stack was made for this. Interrupts are off.
    unsafe { entry::on_stack!(top, wipe_and_end, ending as u64) }
}

extern "C" fn wipe_and_end(ending: u64) -> ! {
    if let Some(info) = boot_info() {
        // SAFETY: this runs on its own stack, and nothing else runs on.
        unsafe { wipe(info) };
        if ending == Ending::Halt as u64 {
            say(info, "nonos: memory is wiped, the machine is halted\n");
        }
    }
    end(match ending {
        1 => Ending::Off,
        2 => Ending::Restart,
        _ => Ending::Halt,
    })
}

/// Overwrites all memory that may hold secrets.
///
/// # Safety
/// [`prepare`] was called; the caller is on its stack and nothing else of the kernel runs again.
unsafe fn wipe(info: &BootInfo) {
    // SAFETY: the boot tables map the whole kernel's half. Process page tables are about to go.
    unsafe { cpu::write_cr3(root()) };
    if BEGUN.load(Ordering::Relaxed) == 1 {
        // SAFETY: null, or the address of a value that stays; nobody else uses it again. What is read of it was written at boot.
        if let Some(iommus) = unsafe { IOMMUS.load(Ordering::Relaxed).as_ref() } {
            // SAFETY: nothing else runs. No device writes to what is wiped.
            unsafe { iommus.close() };
        }
    }
    // SAFETY: nobody else runs.
    let mut window = unsafe { Window::first(CpuBlock::of_this_cpu()) };
    let usable = info
        .memory
        .iter()
        .take(info.memory_count as usize)
        .filter(|range| range.kind == memory_kind::USABLE);
    for range in usable {
        let first = range.physical / PAGE;
        for frame in first..first + range.pages {
            // SAFETY: RAM of programs; no reference into it is used again.
            unsafe { window.with(FrameNumber(frame as u32), |page| page.fill(0)) };
        }
    }
    let seed = SEED_PHYSICAL.load(Ordering::Relaxed);
    // SAFETY: the frame of the boot info, read-only elsewhere; the seed is not read again.
    unsafe {
        window.with(FrameNumber((seed / PAGE) as u32), |page| {
            page[(seed % PAGE) as usize..][..SECRET_BYTES].fill(0)
        });
    }
    let keep = KEEP_BYTES.load(Ordering::Relaxed);
    // SAFETY: all areas are mapped writable; what lies there is not used again.
    unsafe {
        ((info.region_base + keep) as *mut u8).write_bytes(0, (info.region_bytes - keep) as usize);
        for cpu in 0..Cpus::count() {
            let block = CpuBlock::of(cpu);
            let base = block.stack_base.load(Ordering::Relaxed);
            let bytes = block.stack_top.load(Ordering::Relaxed) - base;
            (base as *mut u8).write_bytes(0, bytes as usize);
        }
    }
    // A restart may drop what is still in the caches.
    cpu::write_back_caches();
}

fn end(ending: Ending) -> ! {
    if let Some(info) = boot_info() {
        match ending {
            Ending::Halt => {}
            Ending::Off => turn_off(&info.acpi),
            Ending::Restart => restart(&info.acpi),
        }
        if ending != Ending::Halt {
            say(
                info,
                "nonos: memory is wiped; turn the machine off by hand\n",
            );
        }
    }
    cpu::stop()
}

/// The last words, on serial line and screen.
fn say(info: &BootInfo, text: &str) {
    let _ = Serial.write_str(text);
    let this = CpuBlock::of_this_cpu();
    // SAFETY: nobody else runs any more.
    let window = Window::exists(this).then(|| unsafe { Window::first(this) });
    if let Some(mut screen) = window.and_then(|window| Screen::last_row(info.framebuffer, window)) {
        screen.write(text);
    }
}

/// Enters ACPI state S5 (ACPI 6.5, 4.8.3.2.1). Returns when the machine does not turn off.
fn turn_off(acpi: &Acpi) {
    const SLEEP_TYPE: u16 = 7 << 10;
    const SLEEP_ENABLE: u16 = 1 << 13;
    for (port, kind) in [
        (acpi.pm1a_control_port, acpi.s5_sleep_type_a),
        (acpi.pm1b_control_port, acpi.s5_sleep_type_b),
    ] {
        if port == 0 || port > 0xFFFF || kind > 7 {
            continue;
        }
        // SAFETY: turning the machine off is what is asked for.
        unsafe {
            let control = cpu::input_word(port as u16) & !(SLEEP_TYPE | SLEEP_ENABLE);
            cpu::output_word(port as u16, control | (kind as u16) << 10 | SLEEP_ENABLE);
        }
    }
    pause();
}

/// Resets the machine: by the register that ACPI names, by the chipset's, by the keyboard controller's line,
/// by a triple fault.
fn restart(acpi: &Acpi) {
    const RESET_CONTROL: u16 = 0xCF9;
    const KEYBOARD_COMMAND: u16 = 0x64;
    // SAFETY: resetting the machine is what is asked for.
    unsafe {
        if acpi.reset_port != 0 && acpi.reset_port <= 0xFFFF {
            cpu::output_byte(acpi.reset_port as u16, acpi.reset_value as u8);
            pause();
        }
        cpu::output_byte(RESET_CONTROL, 0x02);
        cpu::output_byte(RESET_CONTROL, 0x06);
        pause();
        cpu::output_byte(KEYBOARD_COMMAND, 0xFE);
        pause();
        cpu::triple_fault()
    }
}

/// Gives the hardware some time: port reads take about a microsecond each.
fn pause() {
    const READS: u32 = 100_000;
    const UNUSED: u16 = 0x80;
    for _ in 0..READS {
        // SAFETY: the POST code port has no effect.
        unsafe { cpu::input_byte(UNUSED) };
    }
}
