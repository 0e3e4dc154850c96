//! An invalid opcode.
#![no_std]
#![no_main]

adversaries::must_end!("ud2", {
    // SAFETY: `ud2` has no other effect than the exception.
    unsafe { core::arch::asm!("ud2") }
});
