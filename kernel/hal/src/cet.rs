//! Control-flow enforcement (CET; SDM vol. 1, chapter 17) for user space: an indirect branch lands on `endbr64` or faults, and a `ret`
//! that goes elsewhere than its `call` came from faults.
//!
//! Used where the CPU has shadow stacks; indirect branch tracking comes with them on all Intel CPUs that have either. The CPU
//! keeps a thread's shadow-stack pointer in IA32_PL3_SSP while the kernel runs, and in IA32_U_CET whether the next instruction
//! must be `endbr64`: an interrupt may come right after an indirect branch. Both are stored with the thread's other registers
//! whenever it enters the kernel, in one word: the pointer, and in its lowest bit, which is always 0, the other.

use core::sync::atomic::{AtomicU64, Ordering};

use nonos_kernel_core::machine::UserContext;

use crate::cpu::{self, Msr};
use crate::{isolation, protection};

/// Bits of IA32_U_CET (SDM vol. 1, 17.2).
const SHADOW_STACK: u64 = 1;
const ENDBRANCH: u64 = 1 << 2;
/// The next instruction must be `endbr64`.
const TRACKER_BIT: u32 = 11;

/// In [`UserContext::control_flow`]: as the tracker. The pointer is a multiple of four.
const AWAITS_ENDBRANCH: u64 = 1;
const POINTER: u64 = !3;

/// IA32_U_CET but for the tracker; 0 where nothing is on.
static USER: AtomicU64 = AtomicU64::new(0);

/// Sets this CPU up. CR4.CET is set afterwards. False where it stays off.
///
/// # Safety
/// Called at boot, with CR4.CET clear.
pub unsafe fn enable() -> bool {
    // Isolated page tables lack what the way in would need; no CPU that has shadow stacks needs those tables.
    if !protection::has_shadow_stacks() || isolation::is_on() {
        return false;
    }
    let branches = u64::from(protection::has_branch_tracking()) * ENDBRANCH;
    // SAFETY: the CPU has these registers. Programs are built with landing pads, and no thread runs before `load`.
    unsafe {
        cpu::write_msr(Msr::UserCet, SHADOW_STACK | branches);
        cpu::write_msr(Msr::SupervisorCet, 0);
    }
    USER.store(SHADOW_STACK | branches, Ordering::Relaxed);
    true
}

/// Whether threads have shadow stacks.
#[inline(always)]
pub fn is_on() -> bool {
    USER.load(Ordering::Relaxed) != 0
}

/// Stores what this CPU has of a thread that an exception or an interrupt took from user space. After `syscall`, `entry.s` did.
#[inline(always)]
pub fn save(context: &mut UserContext) {
    if is_on() {
        // The bits above are 0: `load_registers` wrote them.
        let tracker = cpu::read_msr(Msr::UserCet) >> TRACKER_BIT;
        context.control_flow = cpu::read_msr(Msr::UserShadowStack) | tracker;
    }
}

/// Loads what a thread that ran elsewhere or earlier has of it.
#[inline(always)]
pub fn load(context: &UserContext) {
    if is_on() {
        load_registers(context.control_flow);
    }
}

#[inline(never)]
fn load_registers(control_flow: u64) {
    let tracker = (control_flow & AWAITS_ENDBRANCH) << TRACKER_BIT;
    // SAFETY: a pointer that the CPU stored or the logic chose in user space; the CPU uses it in ring 3 only, with the rights of ring 3.
    unsafe {
        cpu::write_msr(Msr::UserShadowStack, control_flow & POINTER);
        cpu::write_msr(Msr::UserCet, USER.load(Ordering::Relaxed) | tracker);
    }
}
