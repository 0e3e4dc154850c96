//! Looks for what others left behind: registers at the start, message words that were not sent, fresh memory.
#![no_std]
#![no_main]

use core::arch::global_asm;

use adversaries::{console, say, succeeded};
use nonos_abi::{Handle, Message, MessageInfo, start};
use nonos_rt::mapping::Private;
use nonos_rt::syscall;

/// General registers but `rdi`, `rsi` and `rsp`, then the sixteen SSE registers, as words.
const WORDS: usize = 13 + 32;

// The program's own entry: registers are stored before anything else happens.
// SAFETY: the process starts here, on a stack with room for what is stored.
global_asm!(
    ".pushsection .text._start, \"ax\", @progbits",
    ".global _start",
    "_start:",
    "endbr64",
    "sub rsp, 8 * {words} + 8",
    "mov [rsp], rax",
    "mov [rsp + 8], rbx",
    "mov [rsp + 16], rcx",
    "mov [rsp + 24], rdx",
    "mov [rsp + 32], rbp",
    "mov [rsp + 40], r8",
    "mov [rsp + 48], r9",
    "mov [rsp + 56], r10",
    "mov [rsp + 64], r11",
    "mov [rsp + 72], r12",
    "mov [rsp + 80], r13",
    "mov [rsp + 88], r14",
    "mov [rsp + 96], r15",
    ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "movups [rsp + 104 + 16 * \\n], xmm\\n",
    ".endr",
    "mov rdi, rsp",
    "and rsp, -16",
    "call {look}",
    "ud2",
    ".popsection",
    words = const WORDS,
    look = sym look,
);

const NAMES: [&str; 13] = [
    "rax", "rbx", "rcx", "rdx", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
];

/// The register that holds a random number of the process's own.
const OWN_NUMBER: usize = 3;

extern "C" fn look(registers: &[u64; WORDS]) -> ! {
    syscall::exit(run(registers))
}

fn run(registers: &[u64; WORDS]) -> u64 {
    let mut terminal = console();
    let left = |(index, value): (usize, &u64)| *value != 0 && index != OWN_NUMBER;
    if let Some(index) = registers.iter().enumerate().position(left) {
        let name = NAMES.get(index).unwrap_or(&"an SSE register");
        return succeeded(
            &mut terminal,
            format_args!("{name} held {:#x} at the start", registers[index]),
        );
    }
    say(
        &mut terminal,
        format_args!("denied: all registers but the process's own number were zero at the start"),
    );

    // An operation that `init` does not have: its reply has no words. The request has words beyond its count.
    let mut request = Message {
        words: [u64::MAX; 8],
        ..Message::default()
    };
    request.info = MessageInfo::new(u16::MAX, 0, 0);
    let Ok(reply) = syscall::call(start::PARENT, &request) else {
        return succeeded(&mut terminal, format_args!("init does not answer any more"));
    };
    if reply.words != [0; 8] || reply.handles != [Handle::NONE; 4] {
        return succeeded(
            &mut terminal,
            format_args!("a reply without words carried {:?}", reply.words),
        );
    }
    say(
        &mut terminal,
        format_args!("denied: a reply without words carried none"),
    );

    let Ok(mut memory) = Private::new(64 * 1024) else {
        return succeeded(&mut terminal, format_args!("no memory to look at"));
    };
    if memory.as_mut_slice().iter().any(|&word| word != 0) {
        return succeeded(&mut terminal, format_args!("fresh memory held something"));
    }
    say(&mut terminal, format_args!("denied: fresh memory was zero"));
    0
}
