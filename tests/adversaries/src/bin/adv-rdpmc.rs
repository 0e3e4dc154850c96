//! Reads a performance counter, which no program may (CR4.PCE is clear): a general protection fault.
#![no_std]
#![no_main]

adversaries::must_end!("rdpmc", {
    // SAFETY: changes registers only; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("rdpmc", in("ecx") 0, out("eax") _, out("edx") _) }
});
