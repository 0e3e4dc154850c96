//! Plays with what `syscall` and `sysret` trust: a stack pointer that is the kernel's or none at all, flags that
//! would weaken the kernel, what is left in the registers; and ends with a jump to where no address can be.
#![no_std]
#![no_main]

use core::arch::asm;

use adversaries::{KERNEL_ADDRESS, console, say, succeeded};
use nonos_abi::{Syscall, USER_END};

nonos_rt::entry!(main);

/// Lowest address above the lower canonical half.
const NONCANONICAL: u64 = 1 << 47;
/// RFLAGS.AC, which would let a kernel with SMAP read user pages, DF, which would turn its copies round, NT and IOPL.
const FLAGS: u64 = 1 << 18 | 1 << 10 | 1 << 14;

fn main() -> u64 {
    let mut terminal = console();
    for stack in [
        KERNEL_ADDRESS,
        KERNEL_ADDRESS + 0x1000,
        NONCANONICAL,
        0,
        1,
        u64::MAX,
    ] {
        say(
            &mut terminal,
            format_args!("trying: a system call on the stack at {stack:#x}"),
        );
        let (rcx, r11) = call_on(stack);
        if rcx >= USER_END || r11 >= 1 << 32 {
            let left = format_args!("the kernel left {rcx:#x} and {r11:#x} in registers");
            return succeeded(&mut terminal, left);
        }
    }
    say(
        &mut terminal,
        format_args!("trying: system calls with flags {FLAGS:#x}"),
    );
    let flags = call_with_flags();
    say(
        &mut terminal,
        format_args!("survived with flags {flags:#x}; trying: a jump to {NONCANONICAL:#x}"),
    );
    // SAFETY: the CPU must refuse: the address has no canonical form.
    unsafe { adversaries::call(NONCANONICAL) }
    succeeded(&mut terminal, format_args!("jumped to {NONCANONICAL:#x}"))
}

/// Makes a system call with this stack pointer; what is in `rcx` and `r11` afterwards.
fn call_on(stack: u64) -> (u64, u64) {
    let (rcx, r11);
    // SAFETY: the stack pointer comes back from `r12` before anything uses it; the call does nothing.
    unsafe {
        asm!(
            "mov r12, rsp",
            "mov rsp, {stack}",
            "syscall",
            "mov rsp, r12",
            stack = in(reg) stack,
            inout("rax") Syscall::Null as u64 => _,
            out("rcx") rcx,
            out("r11") r11,
            out("r12") _,
            out("rdi") _,
            out("rsi") _,
        );
    }
    (rcx, r11)
}

/// Makes system calls with [`FLAGS`] set, one of them with a pointer that the kernel reads; returns the flags afterwards.
fn call_with_flags() -> u64 {
    let flags;
    // SAFETY: the first call does nothing, the second is denied after its name was looked at; the flags are
    // put back to what compiled code expects.
    unsafe {
        asm!(
            "pushfq",
            "or qword ptr [rsp], {set}",
            "popfq",
            "syscall",
            "mov eax, {admit}",
            "syscall",
            "pushfq",
            "pop {flags}",
            "pushfq",
            "and qword ptr [rsp], ~{set}",
            "popfq",
            set = const FLAGS,
            admit = const Syscall::ModuleAdmit as u64,
            flags = out(reg) flags,
            inout("rax") Syscall::Null as u64 => _,
            inout("rdi") u64::from(nonos_abi::start::PARENT.raw()) => _,
            inout("rsi") b"shell".as_ptr() as u64 => _,
            in("rdx") 5_u64,
            out("rcx") _,
            out("r11") _,
        );
    }
    flags
}
