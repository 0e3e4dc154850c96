//! Reads memory through a mapping, on every CPU, after what it was made through was revoked.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use adversaries::calls::{self, MS, NEVER, READ, copy, peek};
use adversaries::threads::{self, Job};
use adversaries::{console, say, succeeded};
use nonos_abi::Rights;

nonos_rt::entry!(main);

static REVOKED: AtomicU64 = AtomicU64::new(0);
static READS: [AtomicU64; threads::MOST] = [const { AtomicU64::new(0) }; threads::MOST];
static LATE: AtomicU64 = AtomicU64::new(0);
static ADDRESS: AtomicU64 = AtomicU64::new(0);

fn main() -> u64 {
    let mut terminal = console();
    match attack() {
        Ok(cpus) => say(
            &mut terminal,
            format_args!("BROKEN: still here after reading on {cpus} CPUs"),
        ),
        Err(error) => say(
            &mut terminal,
            format_args!("BROKEN: while preparing: {error}"),
        ),
    }
    let late = LATE.load(SeqCst);
    succeeded(
        &mut terminal,
        format_args!("{late} reads of revoked memory"),
    )
}

fn attack() -> calls::Result<usize> {
    let memory = calls::memory(1)?;
    let lent = copy(memory, Rights::ALL, NEVER)?;
    ADDRESS.store(calls::map(lent, READ)?, SeqCst);
    let cpus = threads::cpus();
    for cpu in 0..cpus {
        threads::start(cpu, Job::Run(reader, cpu as u64))?.pin(cpu)?;
    }
    let end = calls::clock() + 5000 * MS;
    while READS[..cpus].iter().any(|reads| reads.load(SeqCst) == 0) && calls::clock() < end {
        calls::yield_now();
    }
    say(
        &mut console(),
        format_args!("trying: reads of revoked memory on {cpus} CPUs"),
    );
    calls::revoke(memory)?;
    REVOKED.store(1, SeqCst);
    // Some thread faults before this is over, and with it all of them end.
    calls::sleep(1000 * MS);
    Ok(cpus)
}

fn reader(cpu: u64) {
    loop {
        let late = REVOKED.load(SeqCst);
        peek(ADDRESS.load(SeqCst));
        READS[cpu as usize].fetch_add(1, SeqCst);
        LATE.fetch_add(late, SeqCst);
    }
}
