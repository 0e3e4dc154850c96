//! Reads the time-stamp counter, which programs with the coarse clock may not: a general protection fault.
#![no_std]
#![no_main]

adversaries::must_end!("rdtsc", {
    // SAFETY: changes registers only; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("rdtsc", out("eax") _, out("edx") _) }
});
