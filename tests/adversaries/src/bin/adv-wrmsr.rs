//! Writes a model-specific register, the entry of system calls: a general protection fault in ring 3.
#![no_std]
#![no_main]

adversaries::must_end!("wrmsr", {
    const IA32_LSTAR: u32 = 0xC000_0082;
    // SAFETY: ring 3 may not; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("wrmsr", in("ecx") IA32_LSTAR, in("eax") 0, in("edx") 0) }
});
