//! Writes a control register to switch SMEP and SMAP off: a general protection fault in ring 3.
#![no_std]
#![no_main]

adversaries::must_end!("mov cr4", {
    // SAFETY: ring 3 may not; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("mov cr4, {}", in(reg) 0x20_u64) }
});
