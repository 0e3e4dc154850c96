//! The known flaws of CPUs: what this one says of them, and what the kernel does about them.
//!
//! Which CPU has which flaw, and what helps, the boot loader looked up with `nonos-mitigations`: its plan, [`BootInfo::remedies`], is made true
//! here on each CPU before that runs anything for user space. What is reported is read back, so a register that does not hold what was
//! written counts for nothing. All CPUs must be like the one the plan was made for: another is left out (`smp.rs`), so that what is said is
//! true of all. What CPUID says everybody can read, so the report leaves it out.

use core::sync::atomic::{AtomicU64, Ordering};

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::{BootInfo, remedy};
use nonos_abi::info::{CpuSecurity, cpu_measures};
use nonos_kernel_core::machine::FrameNumber;

use crate::cpu::pinned::Register;
use crate::cpu::{self, Msr, efer};
use crate::entry;
use crate::isolation;
use crate::private::Window;
use crate::protection;
use crate::table::Entry;
use crate::thunks;

/// First letters of the vendors' names (CPUID leaf 0, EBX).
pub const INTEL: u32 = u32::from_le_bytes(*b"Genu");
const AMD: u32 = u32::from_le_bytes(*b"Auth");
const HYGON: u32 = u32::from_le_bytes(*b"Hygo");

/// IA32_TSX_CTRL: RTM_DISABLE and TSX_CPUID_CLEAR (SDM vol. 4, table 2-2).
const TSX_OFF: u64 = 0b11;
/// IA32_MCU_OPT_CTRL: RNGDS_MITG_DIS and GDS_MITG_DIS, which turn off what the microcode does.
const MICROCODE_OFF: u64 = 1 | 1 << 4;

/// Bits of [`remedy`], and the value for IA32_SPEC_CTRL.
static REMEDIES: AtomicU64 = AtomicU64::new(0);
static SPEC_CONTROL: AtomicU64 = AtomicU64::new(0);
/// What the boot CPU is.
static FIRST: [AtomicU64; 3] = [const { AtomicU64::new(0) }; 3];

/// Whether the plan wants this.
pub fn wants(remedy: u64) -> bool {
    REMEDIES.load(Ordering::Relaxed) & remedy != 0
}

/// Notes the plan, of which the remedies are these, and which CPU it is for: this one.
pub fn plan(info: &BootInfo, remedies: u64) {
    REMEDIES.store(remedies, Ordering::Relaxed);
    SPEC_CONTROL.store(info.spec_control, Ordering::Relaxed);
    for (first, word) in FIRST.iter().zip(identity()) {
        first.store(word, Ordering::Relaxed);
    }
}

/// Whether this CPU is like the one that the plan is for: family, model and stepping, its microcode, and what that says of flaws.
pub fn is_like_first() -> bool {
    let mut pairs = FIRST.iter().zip(identity());
    pairs.all(|(first, word)| first.load(Ordering::Relaxed) == word)
}

#[inline(never)]
fn identity() -> [u64; 3] {
    let signature = u64::from(cpu::cpuid(1).eax);
    let offers = u64::from(cpu::cpuid(7).edx);
    [
        offers << 32 | signature,
        protection::arch_capabilities(),
        microcode(),
    ]
}

/// Turns on in this CPU's registers what the plan says.
///
/// # Safety
/// Called once on each CPU, after the other protections are on. The plan is for a CPU like this one.
pub unsafe fn enable() {
    // SAFETY: the plan says that the registers exist. No value changes what memory or instructions do, but that transactions abort. What
    // does not hold is seen by whoever asks what is so.
    unsafe {
        if wants(remedy::SPEC_CONTROL) {
            Register::SpecControl.pin(SPEC_CONTROL.load(Ordering::Relaxed));
        }
        if wants(remedy::AUTO_IBRS) {
            Register::Efer.pin(efer::AIBRSE);
        }
        if wants(remedy::TSX_OFF) {
            cpu::write_msr(Msr::TsxControl, TSX_OFF);
        }
        if wants(remedy::MCU_CONTROL) {
            let value = cpu::read_msr(Msr::McuControl);
            if value & MICROCODE_OFF != 0 {
                cpu::write_msr(Msr::McuControl, value & !MICROCODE_OFF);
            }
        }
    }
}

/// Puts the jumps to the ways in and out that the plan wants into the trampoline, through a window as the IDT is filled.
///
/// # Safety
/// `physical_of` gives the physical address of a mapped address of the kernel. No other CPU runs.
pub unsafe fn divert(window: &mut Window, physical_of: impl Fn(u64) -> u64) {
    const JUMP: u8 = 0xE9;
    const BYTES: usize = 5;
    for [from, to] in entry::detours(REMEDIES.load(Ordering::Relaxed)) {
        let physical = physical_of(from);
        let distance = to.wrapping_sub(from + BYTES as u64) as u32;
        // SAFETY: a frame of the trampoline, which is never read from Rust. What is overwritten and what comes in its place is
        // `entry.s`'s to get right. This CPU does not run it now, and hiding the window makes it fetch anew (SDM vol. 3, 8.3).
        unsafe {
            window.with(FrameNumber((physical / PAGE_BYTES as u64) as u32), |page| {
                let place = &mut page[physical as usize % PAGE_BYTES..][..BYTES];
                place[0] = JUMP;
                place[1..].copy_from_slice(&distance.to_le_bytes());
            });
        }
    }
}

/// Before another address space is loaded: has the CPU forget what the one before taught it about branches. Says whether that is wanted
/// each time.
pub fn leave_space(is_other: bool) -> bool {
    let wanted = wants(remedy::BARRIER_ON_SWITCH);
    if wanted && is_other {
        // SAFETY: the plan says that the CPU has the register.
        unsafe { entry::forget_predictions() };
    }
    wanted
}

/// Revision of the microcode; 0 where nobody says how to ask.
fn microcode() -> u64 {
    match cpu::cpuid(0).ebx {
        // SDM vol. 3, 10.11.7.1: CPUID puts it there.
        INTEL => {
            // SAFETY: zero starts no update.
            unsafe { cpu::write_msr(Msr::MicrocodeRevision, 0) };
            cpu::cpuid(1);
            cpu::read_msr(Msr::MicrocodeRevision) >> 32
        }
        AMD | HYGON => cpu::read_msr(Msr::MicrocodeRevision) & 0xFFFF_FFFF,
        _ => 0,
    }
}

/// What only the kernel can read, and what it does. Leaves of CPUID are left empty.
#[inline(always)]
pub fn status() -> CpuSecurity {
    let when = |holds, measure| if holds { measure } else { 0 };
    let read = |remedy, msr| if wants(remedy) { cpu::read_msr(msr) } else { 0 };
    let [_, arch_capabilities, microcode] = identity();
    CpuSecurity {
        microcode,
        arch_capabilities,
        spec_control: match wants(remedy::SPEC_CONTROL) {
            true => Register::SpecControl.read(),
            false => 0,
        },
        tsx_control: read(remedy::TSX_OFF, Msr::TsxControl),
        mcu_control: read(remedy::MCU_CONTROL, Msr::McuControl),
        cr4: Register::Cr4.read(),
        efer: Register::Efer.read(),
        // Every index from user space goes through `speculation.rs`, and every entry that depends on a branch has its `lfence`.
        measures: cpu_measures::INDICES_MASKED
            | when(Entry::EMPTY.0 == 0, cpu_measures::ABSENT_ENTRIES_ZERO)
            | when(isolation::is_on(), cpu_measures::PAGE_TABLES_ISOLATED)
            | when(wants(remedy::CLEAR_BUFFERS), cpu_measures::BUFFERS_CLEARED)
            | when(
                wants(remedy::BARRIER_ON_SWITCH),
                cpu_measures::BARRIER_ON_SWITCH,
            )
            | when(
                wants(remedy::BARRIER_ON_ENTRY),
                cpu_measures::BARRIER_ON_ENTRY,
            )
            | when(wants(remedy::CLEAR_HISTORY), cpu_measures::HISTORY_CLEARED)
            | thunks::measure(),
        ..CpuSecurity::default()
    }
}
