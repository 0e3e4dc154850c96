//! Turns components of the extended state off in XCR0: a general protection fault in ring 3.
#![no_std]
#![no_main]

adversaries::must_end!("xsetbv", {
    // SAFETY: ring 3 may not; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("xsetbv", in("ecx") 0, in("eax") 3, in("edx") 0) }
});
