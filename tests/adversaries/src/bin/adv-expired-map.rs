//! Reads memory through a mapping after the handle that it was made through has expired.
#![no_std]
#![no_main]

use adversaries::calls::{self, MS, READ_WRITE, clock, copy, peek};
use adversaries::threads::{self, Job};
use adversaries::{console, say, succeeded};
use nonos_abi::Rights;

nonos_rt::entry!(main);

fn main() -> u64 {
    let mut terminal = console();
    let (address, deadline) = match prepare() {
        Ok(prepared) => prepared,
        Err(error) => {
            say(
                &mut terminal,
                format_args!("BROKEN: while preparing: {error}"),
            );
            return adversaries::SUCCEEDED;
        }
    };
    calls::poke(address, 7);
    if peek(address) != 7 {
        say(
            &mut terminal,
            format_args!("BROKEN: the memory does not keep a word"),
        );
        return adversaries::SUCCEEDED;
    }
    say(
        &mut terminal,
        format_args!("trying: reads of memory until after its time"),
    );
    let mut late = 0;
    while late < 1000 {
        // Read before: the time was over when this use began. A timer may come a little late, but not that much.
        late += u64::from(clock() > deadline + 20 * MS);
        peek(address);
    }
    succeeded(
        &mut terminal,
        format_args!("{late} reads of expired memory"),
    )
}

/// Maps memory for a while; on other CPUs, threads keep the address space loaded.
fn prepare() -> calls::Result<(u64, u64)> {
    for cpu in 1..threads::cpus() {
        threads::start(cpu, Job::Run(spin, 0))?.pin(cpu)?;
    }
    let deadline = clock() + 200 * MS;
    let brief = copy(calls::memory(1)?, Rights::ALL, deadline)?;
    Ok((calls::map(brief, READ_WRITE)?, deadline))
}

fn spin(_: u64) {
    loop {
        core::hint::spin_loop();
    }
}
