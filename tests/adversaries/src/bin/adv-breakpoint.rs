//! A breakpoint, with no debugger there: ends the process and not the system.
#![no_std]
#![no_main]

adversaries::must_end!("int3", {
    // SAFETY: ring 3 may not; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("int3") }
});
