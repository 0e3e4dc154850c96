//! The other address space. All in assembly, so that what the figures contain of it is a known number of instructions.
#![no_std]
#![no_main]

use core::arch::global_asm;

use bench_calls::role;
use nonos_abi::{Handle, Syscall};
use nonos_rt as _;

const SECOND: u32 = Handle::new(2, 0).raw();
const THIRD: u32 = Handle::new(3, 0).raw();

// SAFETY: the process starts here; no Rust code runs in it, and no memory but its stack is written.
global_asm!(
    ".pushsection .text._start, \"ax\", @progbits",
    ".global _start",
    ".type _start, @function",
    "_start:",
    // The first instruction of the process.
    "rdtsc",
    "shl rdx, 32",
    "or rdx, rax",
    "test edi, {pinned}",
    "jnz 5f",
    ".Lrole:",
    "cmp edi, {role_serve}",
    "je 1f",
    "cmp edi, {role_yield}",
    "je 3f",
    "cmp edi, {role_wait}",
    "je 4f",

    // REPORT
    "mov edi, {second}",
    "mov esi, 1", // one word
    "mov eax, {call}",
    "syscall",
    "mov eax, {exit}",
    "syscall",
    "ud2",

    // SERVE: seven instructions and `syscall` in each round. The message stays where it arrived.
    "1: push rsi",
    "xor esi, esi",
    "2: shr rsi, 32", // the reply handle, none at first
    "shl rsi, 32",
    "lea rdi, [rsi + {second}]",
    "mov rsi, [rsp]",
    "mov eax, {reply_receive}",
    "syscall",
    "test eax, eax",
    "jz 2b",
    "ud2",

    // YIELD
    "3: mov eax, {yield_now}",
    "syscall",
    "jmp 3b",

    // WAIT
    "4: mov edi, {second}",
    "mov eax, {wait}",
    "syscall",
    "rdtsc",
    "shl rdx, 32",
    "or rdx, rax",
    "mov edi, {third}",
    "mov esi, 1",
    "mov eax, {call}",
    "syscall",
    "jmp 4b",

    // PINNED: a thread with the rest of the role, which needs no stack, and the end of this one.
    "5: and edi, ~{pinned}",
    "mov edx, edi",
    "lea rdi, [rip + .Lrole]",
    "mov rsi, rsp",
    "mov r10d, {highest}",
    "mov eax, {thread_create}",
    "syscall",
    "test eax, eax",
    "jnz 7f",
    "mov esi, {highest}",
    "mov edx, {first_cpu}",
    "mov eax, {thread_schedule}",
    "syscall",
    "xor edi, edi",
    "mov eax, {thread_end}",
    "syscall",
    "7: ud2",
    ".size _start, . - _start",
    ".popsection",
    role_serve = const role::SERVE,
    role_yield = const role::YIELD,
    role_wait = const role::WAIT,
    pinned = const role::PINNED,
    first_cpu = const role::FIRST_CPU,
    // No more than its process's in fact.
    highest = const 31,
    thread_create = const Syscall::ThreadCreate as u64,
    thread_schedule = const Syscall::ThreadSchedule as u64,
    thread_end = const Syscall::ThreadEnd as u64,
    second = const SECOND,
    third = const THIRD,
    call = const Syscall::Call as u64,
    exit = const Syscall::Exit as u64,
    reply_receive = const Syscall::ReplyReceive as u64,
    yield_now = const Syscall::Yield as u64,
    wait = const Syscall::NotificationWait as u64,
);
