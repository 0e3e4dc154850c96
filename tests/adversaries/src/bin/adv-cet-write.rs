//! Writes to its own shadow stack.
#![no_std]
#![no_main]

use core::arch::asm;

adversaries::must_end!("writing to the shadow stack", {
    let top: u64;
    // SAFETY: where there is no shadow stack this does nothing.
    unsafe { asm!("xor {0:e}, {0:e}", "rdsspq {0}", out(reg) top) };
    if top != 0 {
        // SAFETY: must end this process.
        unsafe { adversaries::write(top) };
    }
});
