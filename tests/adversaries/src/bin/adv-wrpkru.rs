//! Changes the rights of protection keys, which are off (CR4.PKE is clear): an invalid opcode.
#![no_std]
#![no_main]

adversaries::must_end!("wrpkru", {
    // SAFETY: changes registers only; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("wrpkru", in("eax") 0, in("ecx") 0, in("edx") 0) }
});
