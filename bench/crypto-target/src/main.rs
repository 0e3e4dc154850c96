//! Measures each algorithm of `lib/crypto` and prints a line for each to the kernel's log: `bench: NAME LEAST MEDIAN MOST`, counts of the
//! time-stamp counter for a message of 16 KiB or for one operation. Runs as `init`, alone.
#![no_std]
#![no_main]

use core::arch::asm;
use core::arch::x86_64::_rdtsc;

use bench_crypto::{MESSAGE_BYTES, NAMES, with_call};
use nonos_abi::start;
use nonos_rt::object::{Log, Notification};
use nonos_rt::{log, thread};

nonos_rt::entry!(main);

/// Rounds of each, after one that is not counted.
const ROUNDS: usize = 7;
/// ML-DSA keeps its matrix on the stack.
const STACK_BYTES: usize = 1 << 20;
const PRIORITY: u64 = 16;
/// Turns of the loop that shows what the counter counts; `xtask` knows what comes out.
const TURNS: u32 = 1000;

/// A program's stack is too small, so a thread with a larger one does it all.
fn main() {
    log::set(Log::from_handle(start::LOG));
    if thread::spawn(run, 0, STACK_BYTES, PRIORITY).is_err() {
        log!("bench: no thread");
    }
    if let Ok(never) = Notification::create() {
        let _ = never.wait();
    }
}

fn run(_: u64) {
    log!("bench: overhead {}", known_loop());
    let mut message = [0x5A; MESSAGE_BYTES];
    for name in NAMES {
        let mut rounds = [0; ROUNDS];
        with_call(name, &mut message, &mut |_, call| {
            call();
            for round in &mut rounds {
                let before = counter();
                call();
                *round = counter() - before;
            }
        });
        rounds.sort_unstable();
        let (least, median, most) = (rounds[0], rounds[ROUNDS / 2], rounds[ROUNDS - 1]);
        log!("bench: {name} {least} {median} {most}");
    }
    log!("bench: end");
    if let Ok(never) = Notification::create() {
        let _ = never.wait();
    }
}

fn counter() -> u64 {
    // SAFETY: this program may read it.
    unsafe { _rdtsc() }
}

/// Counts from one reading to the next, with two moves and a loop of two instructions between them.
fn known_loop() -> u32 {
    let counts: u32;
    // SAFETY: changes these registers only.
    unsafe {
        asm!(
            "rdtsc",
            "mov {first:e}, eax",
            "mov {turns:e}, {TURNS}",
            "2:",
            "dec {turns:e}",
            "jnz 2b",
            "rdtsc",
            "sub eax, {first:e}",
            first = out(reg) _,
            turns = out(reg) _,
            TURNS = const TURNS,
            out("eax") counts,
            out("edx") _,
            options(nomem, nostack),
        );
    }
    counts
}
