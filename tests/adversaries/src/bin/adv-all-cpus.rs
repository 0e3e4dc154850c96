//! Spins on every CPU, some of its threads in the kernel all the time. Never ends by itself.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

use adversaries::calls::{self, MS};
use adversaries::threads::{self, Job};
use adversaries::{console, say};

nonos_rt::entry!(main);

static COUNTS: [AtomicU64; threads::MOST] = [const { AtomicU64::new(0) }; threads::MOST];

fn main() -> u64 {
    let mut terminal = console();
    let cpus = threads::cpus();
    for cpu in 0..cpus {
        for (slot, body) in [(cpu, spin as fn(u64)), (cpu + cpus, enter)] {
            if slot < threads::MOST
                && let Err(error) = threads::start(slot, Job::Run(body, slot as u64))
                    .and_then(|thread| thread.pin(cpu))
            {
                say(
                    &mut terminal,
                    format_args!("BROKEN: while preparing: {error}"),
                );
                return adversaries::SUCCEEDED;
            }
        }
    }
    while COUNTS[..(2 * cpus).min(threads::MOST)]
        .iter()
        .any(|count| count.load(Relaxed) == 0)
    {
        calls::sleep(MS);
    }
    say(&mut terminal, format_args!("spinning on {cpus} CPUs"));
    spin(0);
    0
}

fn spin(slot: u64) {
    loop {
        COUNTS[slot as usize].fetch_add(1, Relaxed);
    }
}

fn enter(slot: u64) {
    loop {
        COUNTS[slot as usize].fetch_add(1, Relaxed);
        calls::clock();
    }
}
