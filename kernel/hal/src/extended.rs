//! Extended state: the registers of x87, SSE and AVX, which are the programs' alone. The kernel uses none.
//!
//! They are stored with a thread's other registers on every way in but that of the null call, and loaded when another thread comes. Where
//! the CPU has AVX, XSAVE does it (SDM vol. 1, chapter 13), and XCR0 lets programs use these three components and no other; the rest,
//! such as AVX-512, ends a program that uses it. On other CPUs FXSAVE does it, and programs have x87 and SSE. What is compiled in is
//! FXSAVE: the instructions differ in a few bits, which are set at boot.
//!
//! AVX stays off on CPUs on which `gather` gives away what other programs had in registers (Downfall) and the microcode does not help.

use core::arch::x86_64::__cpuid_count;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::remedy;
use nonos_kernel_core::machine::{FpuState, FrameNumber};

use crate::cpu::pinned::Register;
use crate::cpu::{self, Msr};
use crate::private::Window;
use crate::{entry, mitigations, protection};

/// XCR0: x87, SSE, AVX (SDM vol. 1, 13.3).
pub const COMPONENTS: u64 = 0b111;
const AVX: u32 = 2;

/// CPUID leaf, whose sub-leaves describe the components (SDM vol. 1, 13.2).
const LEAF: u32 = 0xD;
/// Sub-leaf 1, EAX.
const HAS_XSAVEOPT: u32 = 1;
const HAS_XSAVES: u32 = 1 << 3;

/// ModRM is the last but for displacement and SIB: REX, two bytes of opcode.
const MODRM: u64 = 3;
/// The bits in which XSAVE and XRSTOR differ there from FXSAVE and FXRSTOR, and in which XSAVEOPT differs from XSAVE.
const XSAVE: u8 = 4 << 3;
const XSAVEOPT: u8 = 2 << 3;

fn features() -> u32 {
    __cpuid_count(LEAF, 1).eax
}

/// Whether programs get AVX: the CPU has it, the area is where the threads' records have room for it, and nothing speaks against it.
pub fn is_wanted() -> bool {
    let end = || {
        let part = __cpuid_count(LEAF, AVX);
        part.eax.saturating_add(part.ebx)
    };
    !mitigations::wants(remedy::AVX_OFF)
        && protection::has_avx()
        && u64::from(cpu::cpuid(LEAF).eax) & COMPONENTS == COMPONENTS
        && end() as usize <= FpuState::BYTES
}

/// Turns the components on, on this CPU.
///
/// # Panics
/// When XCR0 does not hold them.
///
/// # Safety
/// [`is_wanted`], and CR4.OSXSAVE is set.
pub unsafe fn enable() {
    // SAFETY: the CPU has the components. The kernel's own code is compiled without them.
    let held = unsafe { Register::Xcr0.pin(COMPONENTS) };
    assert!(held, "a register does not hold what was written");
    if features() & HAS_XSAVES != 0 {
        // SAFETY: no state of the kernel's is saved in this way.
        unsafe { cpu::write_msr(Msr::ExtendedSupervisorState, 0) };
    }
}

/// Has the ways in, and the loading of another thread's registers, use XSAVE where programs have AVX.
///
/// # Safety
/// `physical_of` gives the physical address of a mapped address of the kernel. No thread has run, and no other CPU runs.
pub unsafe fn choose_instructions(window: &mut Window, physical_of: impl Fn(u64) -> u64) {
    if Register::Xcr0.pinned() == 0 {
        return;
    }
    let save = match features() & HAS_XSAVEOPT {
        0 => XSAVE,
        _ => XSAVE | XSAVEOPT,
    };
    let [by_syscall, by_interrupt, load] = entry::extended_state();
    for (instruction, bits) in [(by_syscall, save), (by_interrupt, save), (load, XSAVE)] {
        let physical = physical_of(instruction + MODRM);
        // SAFETY: a byte of the kernel's code, which is never read from Rust and not run now. Hiding the window makes the CPU fetch anew
        // (SDM vol. 3, 8.3).
        unsafe {
            window.with(FrameNumber((physical / PAGE_BYTES as u64) as u32), |page| {
                page[physical as usize % PAGE_BYTES] |= bits;
            });
        }
    }
}
