//! The program that `fork` and `exec` are measured with: reads the time-stamp counter with its first instruction,
//! writes the eight bytes to file 3 and ends.
#![no_std]
#![no_main]

use core::arch::global_asm;

// SAFETY: the process starts here with a stack; no Rust code runs in it.
global_asm!(
    ".global _start",
    "_start:",
    "rdtsc",
    "shl rdx, 32",
    "or rax, rdx",
    "push rax",
    "mov edi, 3",
    "mov rsi, rsp",
    "mov edx, 8",
    "mov eax, 1", // write
    "syscall",
    "xor edi, edi",
    "mov eax, 60", // exit
    "syscall",
    "ud2",
);

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
