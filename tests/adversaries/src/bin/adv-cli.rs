//! Switches interrupts off: a general protection fault in ring 3.
#![no_std]
#![no_main]

adversaries::must_end!("cli", {
    // SAFETY: ring 3 may not; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("cli", "sti") }
});
