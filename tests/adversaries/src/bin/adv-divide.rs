//! A division by zero.
#![no_std]
#![no_main]

adversaries::must_end!("divide by zero", {
    // SAFETY: the division does not complete.
    unsafe { core::arch::asm!("div {0:e}", in(reg) 0, inout("eax") 1 => _, inout("edx") 0 => _) }
});
