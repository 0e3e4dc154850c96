//! Init of a Linux whose only program this is: measures, prints `bench: NAME LEAST MEDIAN MOST`, turns the machine off.
//!
//! As in `bench/calls`, a figure is the difference of two readings of the time-stamp counter less what it is with nothing
//! between them, and all system calls are made without a library. One CPU; nothing else runs but kernel threads.

use std::arch::asm;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

const ROUNDS: usize = 501;
const FEW_ROUNDS: usize = 51;

// Numbers of system calls (linux/arch/x86/entry/syscalls/syscall_64.tbl).
const READ: u64 = 0;
const WRITE: u64 = 1;
const MMAP: u64 = 9;
const MUNMAP: u64 = 11;
const PIPE: u64 = 22;
const SCHED_YIELD: u64 = 24;
const DUP2: u64 = 33;
const FORK: u64 = 57;
const EXECVE: u64 = 59;
const EXIT: u64 = 60;
const WAIT4: u64 = 61;
const KILL: u64 = 62;
const GETPPID: u64 = 110;
const SCHED_SETSCHEDULER: u64 = 144;
const REBOOT: u64 = 169;
const EVENTFD2: u64 = 290;

/// PROT_READ | PROT_WRITE.
const READ_WRITE: u64 = 3;
/// MAP_PRIVATE | MAP_ANONYMOUS.
const PRIVATE: u64 = 0x22;
/// MAP_SHARED | MAP_ANONYMOUS.
const SHARED: u64 = 0x21;
/// MAP_POPULATE.
const POPULATE: u64 = 0x8000;
const PAGE: u64 = 4096;

fn main() {
    println!("bench: overhead {}", overhead());
    print("getppid", samples::<ROUNDS>(|| timed(GETPPID, [0; 6]).0));
    print("pipe", pipe());
    print("switch", switch());
    print("eventfd", eventfd());
    print("fault", fault());
    print("mmap", mmap());
    let (to_first_instruction, all) = exec();
    print("exec", to_first_instruction);
    print("exec-wait", all);
    println!("bench: end");
    // LINUX_REBOOT_MAGIC1, LINUX_REBOOT_MAGIC2, LINUX_REBOOT_CMD_POWER_OFF.
    call(REBOOT, [0xFEE1_DEAD, 672_274_793, 0x4321_FEDC, 0, 0, 0]);
}

/// Two readings of the counter, with something between them.
macro_rules! between {
    ($call:literal, $number:expr, $arguments:expr) => {{
        let [a, b, c, d, e, f]: [u64; 6] = $arguments;
        let (before, after, result): (u64, u64, u64);
        // SAFETY: only the registers named are changed; the callers of this program's functions pass pointers that hold.
        unsafe {
            asm!(
                "rdtsc",
                "shl rdx, 32",
                "or rax, rdx",
                "mov {before}, rax",
                "mov rax, {number}",
                "mov rdx, {c}",
                $call,
                "mov r11, rax",
                "rdtsc",
                "shl rdx, 32",
                "or rax, rdx",
                before = out(reg) before,
                number = in(reg) $number,
                c = in(reg) c,
                in("rdi") a,
                in("rsi") b,
                in("r10") d,
                in("r8") e,
                in("r9") f,
                out("rax") after,
                out("rdx") _,
                out("rcx") _,
                out("r11") result,
            );
        }
        (before, after, result)
    }};
}

/// What a reading costs.
fn overhead() -> u64 {
    let (before, after, _) = between!("", 0_u64, [0; 6]);
    after - before
}

/// Instructions that a system call takes, and its result.
fn timed(number: u64, arguments: [u64; 6]) -> (u64, u64) {
    let (before, after, result) = between!("syscall", number, arguments);
    ((after - before).saturating_sub(overhead()), result)
}

fn call(number: u64, arguments: [u64; 6]) -> u64 {
    timed(number, arguments).1
}

/// The counter.
fn now() -> u64 {
    // SAFETY: reads the counter.
    unsafe { std::arch::x86_64::_rdtsc() }
}

fn samples<const N: usize>(mut round: impl FnMut() -> u64) -> [u64; N] {
    round();
    let mut samples = [0; N];
    for sample in &mut samples {
        *sample = round();
    }
    samples.sort_unstable();
    samples
}

fn print<const N: usize>(name: &str, sorted: [u64; N]) {
    let (least, median, most) = (sorted[0], sorted[N / 2], sorted[N - 1]);
    println!("bench: {name} {least} {median} {most}");
}

/// A child that does something for ever.
fn child(mut work: impl FnMut()) -> u64 {
    match call(FORK, [0; 6]) {
        0 => loop {
            work();
        },
        process => process,
    }
}

fn end(process: u64) {
    call(KILL, [process, 9, 0, 0, 0, 0]);
    call(WAIT4, [process, 0, 0, 0, 0, 0]);
}

/// Two ends of a pipe: to read, to write.
fn new_pipe() -> (u64, u64) {
    let mut ends = [0_u32; 2];
    call(PIPE, [ends.as_mut_ptr() as u64, 0, 0, 0, 0, 0]);
    (ends[0].into(), ends[1].into())
}

/// 64 bytes to another process and 64 back.
fn pipe() -> [u64; ROUNDS] {
    let ((their_in, our_out), (our_in, their_out)) = (new_pipe(), new_pipe());
    let mut bytes = [0_u8; 64];
    let address = bytes.as_mut_ptr() as u64;
    let echo = child(|| {
        call(READ, [their_in, address, 64, 0, 0, 0]);
        call(WRITE, [their_out, address, 64, 0, 0, 0]);
    });
    let samples = samples(|| {
        let start = now();
        call(WRITE, [our_out, address, 64, 0, 0, 0]);
        call(READ, [our_in, address, 64, 0, 0, 0]);
        now() - start
    });
    end(echo);
    samples
}

/// First in, first out (SCHED_FIFO), with this priority; 0 for the usual policy.
fn schedule(process: u64, priority: u32) {
    let policy = u64::from(priority > 0);
    call(
        SCHED_SETSCHEDULER,
        [process, policy, (&raw const priority) as u64, 0, 0, 0],
    );
}

/// Half of a round in which two processes yield to each other, less a system call that does nothing.
fn switch() -> [u64; ROUNDS] {
    schedule(0, 10);
    let other = child(|| {
        call(SCHED_YIELD, [0; 6]);
    });
    let null = samples::<ROUNDS>(|| timed(GETPPID, [0; 6]).0)[0];
    let samples = samples(|| (timed(SCHED_YIELD, [0; 6]).0 / 2).saturating_sub(null));
    end(other);
    schedule(0, 0);
    samples
}

/// From the write to an eventfd until a process of higher priority, which reads it, runs.
fn eventfd() -> [u64; ROUNDS] {
    let event = call(EVENTFD2, [0; 6]);
    let shared = call(MMAP, [0, PAGE, READ_WRITE, SHARED, u64::MAX, 0]) as *const AtomicU64;
    // SAFETY: a page that stays mapped.
    let ran = unsafe { &*shared };
    let mut value = 1_u64;
    let address = (&raw mut value) as u64;
    schedule(0, 10);
    let waiter = child(|| {
        call(READ, [event, address, 8, 0, 0, 0]);
        ran.store(now(), SeqCst);
    });
    schedule(waiter, 20);
    let samples = samples(|| {
        let start = now();
        call(WRITE, [event, address, 8, 0, 0, 0]);
        ran.load(SeqCst).saturating_sub(start)
    });
    end(waiter);
    schedule(0, 0);
    samples
}

/// The first write to a page of fresh memory.
fn fault() -> [u64; ROUNDS] {
    let pages = ROUNDS as u64 + 1;
    let start = call(MMAP, [0, pages * PAGE, READ_WRITE, PRIVATE, u64::MAX, 0]);
    let mut next = start;
    let samples = samples(|| {
        let page = next as *mut u8;
        next += PAGE;
        let before = now();
        // SAFETY: memory of this process that nothing refers to.
        unsafe { page.write_volatile(1) };
        now() - before
    });
    call(MUNMAP, [start, pages * PAGE, 0, 0, 0, 0]);
    samples
}

/// Maps a page that is there at once, and unmaps it.
fn mmap() -> [u64; ROUNDS] {
    let arguments = [0, PAGE, READ_WRITE, PRIVATE | POPULATE, u64::MAX, 0];
    samples(|| {
        let (mapping, address) = timed(MMAP, arguments);
        mapping + timed(MUNMAP, [address, PAGE, 0, 0, 0, 0]).0
    })
}

/// From `fork` to the first instruction of the program that the child executes, and until it was waited for.
fn exec() -> ([u64; FEW_ROUNDS], [u64; FEW_ROUNDS]) {
    let (from_child, to_parent) = new_pipe();
    call(DUP2, [to_parent, 3, 0, 0, 0, 0]);
    let path = c"/small";
    let mut waited = Vec::new();
    let samples = samples(|| {
        let start = now();
        let process = call(FORK, [0; 6]);
        if process == 0 {
            let none = [0_u64];
            let none = none.as_ptr() as u64;
            call(EXECVE, [path.as_ptr() as u64, none, none, 0, 0, 0]);
            call(EXIT, [1, 0, 0, 0, 0, 0]);
        }
        let mut first_instruction = 0_u64;
        let address = (&raw mut first_instruction) as u64;
        call(WAIT4, [process, 0, 0, 0, 0, 0]);
        waited.push(now() - start);
        call(READ, [from_child, address, 8, 0, 0, 0]);
        first_instruction - start
    });
    waited.remove(0);
    waited.sort_unstable();
    (samples, waited.try_into().unwrap_or([0; FEW_ROUNDS]))
}
