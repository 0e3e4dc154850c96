//! Branches to code that is no target of indirect branches.
#![no_std]
#![no_main]

use core::arch::asm;

adversaries::must_end!("an indirect branch to code without a landing pad", {
    // SAFETY: should the branch succeed, it goes on behind this code.
    unsafe { asm!("lea {0}, [rip + 2f]", "jmp {0}", "ud2", "2:", out(reg) _) }
});
