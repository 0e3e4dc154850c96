//! Reads the time-stamp counter by the other instruction.
#![no_std]
#![no_main]

adversaries::must_end!("rdtscp", {
    // SAFETY: changes registers only; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("rdtscp", out("eax") _, out("ecx") _, out("edx") _) }
});
