//! The one place of the kernel from which an indirect branch can leave: `thunks.s`.

// SAFETY: the thunk goes where the compiler wants to go, `r11`, with all other registers as they are.
core::arch::global_asm!(include_str!("thunks.s"));

/// Whether what stands there is a retpoline: it begins with a call.
pub fn are_retpolines() -> bool {
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
    first == CALL
}
