//! Enters the kernel with the trap flag set: the kernel must neither step nor fall. Then steps itself: a
//! debug exception, which ends the process.
#![no_std]
#![no_main]

use core::arch::asm;

use adversaries::{console, say, succeeded};
use nonos_abi::Syscall;

nonos_rt::entry!(main);

/// RFLAGS.TF.
const TRAP: u64 = 1 << 8;

fn main() -> u64 {
    let mut terminal = console();
    say(
        &mut terminal,
        format_args!("trying: a system call with the trap flag"),
    );
    // SAFETY: the system call does nothing; the stack is as it was. Whether the flag survives the call is the
    // kernel's choice: it is cleared again.
    unsafe {
        asm!(
            "pushfq",
            "or qword ptr [rsp], {trap}",
            "popfq",
            "syscall",
            "pushfq",
            "and qword ptr [rsp], ~{trap}",
            "popfq",
            trap = const TRAP,
            inout("rax") Syscall::Null as u64 => _,
            out("rcx") _,
            out("r11") _,
            out("rdi") _,
            out("rsi") _,
        );
    }
    say(
        &mut terminal,
        format_args!("survived: the kernel was not stepped; trying: a step outside"),
    );
    // SAFETY: the process must end at the exception; the stack is as it was.
    unsafe {
        asm!(
            "pushfq",
            "or qword ptr [rsp], {trap}",
            "popfq",
            "nop",
            "pushfq",
            "and qword ptr [rsp], ~{trap}",
            "popfq",
            trap = const TRAP,
        );
    }
    succeeded(&mut terminal, format_args!("stepped without an exception"))
}
