//! Asks where the kernel's descriptor table lies: a general protection fault with UMIP, a leak without.
#![no_std]
#![no_main]

adversaries::must_end!("sgdt", {
    let mut table = [0_u8; 10];
    // SAFETY: writes the ten bytes of `table`.
    unsafe { core::arch::asm!("sgdt [{}]", in(reg) &mut table) }
});
