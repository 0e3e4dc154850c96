//! Wants random bytes where it may not write, more than there are at a time, and the same ones twice: in two copies of the machine.
//!
//! For the last, it says its bytes round by round until it is ended: those of a generator of its own, and those of the kernel. What
//! copies of the machine say in one round is for who made them to compare.
#![no_std]
#![no_main]

use adversaries::calls::{self, Buffer, READ, READ_WRITE, Result};
use adversaries::verdict::{Verdicts, parts};
use adversaries::{KERNEL_ADDRESS, console, say};
use nonos_abi::{Error, PAGE_BYTES, RANDOM_BYTES_MAX, Syscall, USER_END};
use nonos_rt::random::{Generator, Kernel};
use nonos_rt::terminal::Terminal;
use rand_core::Rng;

nonos_rt::entry!(main);

/// Between two rounds.
const PAUSE_NS: u64 = 20 * calls::MS;

fn main() -> u64 {
    match parts(&[("buffers", buffers), ("bytes", bytes)]) {
        0 => say_rounds(),
        code => code,
    }
}

static BUFFER: Buffer<{ RANDOM_BYTES_MAX / 8 + 1 }> = Buffer::new();

fn random(pointer: u64, length: u64) -> Result<u64> {
    calls::make(Syscall::Random, [pointer, length]).map(|(epoch, _)| epoch)
}

fn buffers(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let memory = calls::memory(1)?;
    let (read_only, writable) = (calls::map(memory, READ)?, calls::map(memory, READ_WRITE)?);
    let end = writable + PAGE_BYTES as u64;
    for (what, pointer) in [
        ("to nowhere", 0),
        ("to the kernel", KERNEL_ADDRESS),
        ("past user space", USER_END - 8),
        ("past all addresses", u64::MAX - 8),
        ("to memory to read", read_only),
        ("to own code", main as *const () as u64),
        ("past a mapping", end - 8),
    ] {
        let what = format_args!("random bytes {what}");
        verdicts.denied(what, random(pointer, 16), Error::BadAddress);
    }
    verdicts.equal("what was refused wrote nothing", calls::peek(end - 8), 0);
    let most = RANDOM_BYTES_MAX as u64;
    for length in [most + 1, 1 << 32, u64::MAX] {
        let what = format_args!("{length} random bytes");
        let result = random(BUFFER.address(), length);
        verdicts.denied(what, result, Error::InvalidArgument);
    }
    Ok(())
}

fn bytes(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    const MARK: u64 = 0x5A5A_5A5A_5A5A_5A5A;
    BUFFER.fill(MARK);
    let epoch = random(BUFFER.address(), RANDOM_BYTES_MAX as u64)?;
    let [given @ .., after] = BUFFER.words();
    let differ = |word: &u64| given.iter().filter(|other| *other == word).count() == 1;
    verdicts.held("all words differ", given.iter().all(differ));
    verdicts.held("all were written", !given.contains(&MARK));
    verdicts.equal("nothing was written past them", after, MARK);
    verdicts.equal("the epoch stays", random(0, 0)?, epoch);
    Ok(())
}

fn say_rounds() -> u64 {
    let (mut own, mut kernel) = (Generator::new(), Kernel);
    let mut terminal = console();
    for round in 1_u64.. {
        let ([a, b], [c, d]) = (
            [(); 2].map(|()| own.next_u64()),
            [(); 2].map(|()| kernel.next_u64()),
        );
        say(
            &mut terminal,
            format_args!("round {round} {a:016x}{b:016x} {c:016x}{d:016x}"),
        );
        calls::sleep(PAUSE_NS);
    }
    0
}
