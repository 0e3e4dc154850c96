//! Uses AVX-512, which is off in XCR0 where the CPU has it: an invalid opcode.
#![no_std]
#![no_main]

adversaries::must_end!("vpxorq zmm16", {
    // SAFETY: changes a register that nothing here uses.
    unsafe { core::arch::asm!("vpxorq zmm16, zmm16, zmm16") }
});
