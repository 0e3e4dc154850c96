//! The one place of the kernel from which an indirect branch, or a return, can leave: `thunks.s`.

use nonos_abi::info::cpu_measures;

use crate::cet;
use crate::cpu::Msr;

// SAFETY: one thunk goes where the compiler wants to go, `r11`, the other returns, with all other registers as they are.
core::arch::global_asm!(
    include_str!("thunks.s"),
    supervisor_cet = const Msr::SupervisorCet as u32,
    shadow_stack = const cet::SHADOW_STACK,
    writable = const cet::SHADOW_STACK | cet::WRITABLE,
);

/// What stands there: a retpoline begins with a call, and over that may stand the jump to the other. Where returns lie, the linker
/// decided (`cargo xtask harden-check`).
pub fn measure() -> u64 {
    const CALL: u8 = 0xE8;
    let first: u8;
    // SAFETY: a byte of the kernel's text. It is read in place: the thunk is no function whose address anything may take.
    unsafe {
        core::arch::asm!(
            "mov {}, byte ptr [rip + __x86_indirect_thunk_r11]",
            out(reg_byte) first,
            options(pure, readonly, nostack, preserves_flags),
        );
    }
    match first {
        CALL => cpu_measures::RETPOLINES | cpu_measures::RETURNS_ALIGNED,
        _ => cpu_measures::FAR_JUMPS | cpu_measures::RETURNS_ALIGNED,
    }
}
