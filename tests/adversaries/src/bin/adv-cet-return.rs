//! Overwrites a return address with that of other code.
#![no_std]
#![no_main]

use core::arch::asm;

adversaries::must_end!("returning to an address that was overwritten", {
    // SAFETY: should the return succeed, it goes on behind this code with the stack as it was.
    unsafe {
        asm!("lea {0}, [rip + 4f]", "call 3f", "ud2", "3:", "mov [rsp], {0}", "ret", "4:", out(reg) _)
    }
});
