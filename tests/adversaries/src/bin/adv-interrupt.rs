//! Calls an interrupt vector of the kernel as software: a general protection fault.
#![no_std]
#![no_main]

adversaries::must_end!("int 0x20", {
    // SAFETY: ring 3 may not; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("int 0x20") }
});
