//! Uses handles on every CPU, as fast as it can, while they are revoked: after the revoke returned no use may succeed.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use adversaries::calls::{self, MS, NEVER, Result, copy, revoke, signal};
use adversaries::threads::{self, Job};
use adversaries::verdict::{Verdicts, parts};
use nonos_abi::{Error, Handle, Rights};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

const ROUNDS: u64 = 100;

/// The handle of this round.
static HANDLE: AtomicU64 = AtomicU64::new(0);
/// The last round whose revoke has returned.
static REVOKED: AtomicU64 = AtomicU64::new(0);
/// Uses that succeeded, on each CPU in this round.
static USES: [AtomicU64; threads::MOST] = [const { AtomicU64::new(0) }; threads::MOST];
/// Uses that began after the revoke returned and were not denied as they should be.
static LATE: AtomicU64 = AtomicU64::new(0);
/// Uses that were denied for another reason than the revoke.
static OTHER: AtomicU64 = AtomicU64::new(0);
/// Rounds that each thread has seen the end of.
static SEEN: [AtomicU64; threads::MOST] = [const { AtomicU64::new(0) }; threads::MOST];

fn main() -> u64 {
    parts(&[("the race", race)])
}

fn race(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let cpus = threads::cpus();
    for cpu in 0..cpus {
        let thread = threads::start(cpu, Job::Run(user, cpu as u64))?;
        thread.pin(cpu)?;
    }
    let root = calls::notification()?;
    let mut uses = 0;
    for round in 1..=ROUNDS {
        USES.iter().for_each(|each| each.store(0, SeqCst));
        let through = copy(root, Rights::WRITE, NEVER)?;
        HANDLE.store(round << 32 | calls::word(through), SeqCst);
        until(|| USES[..cpus].iter().all(|each| each.load(SeqCst) > 0))?;
        revoke(root)?;
        REVOKED.store(round, SeqCst);
        until(|| SEEN[..cpus].iter().all(|each| each.load(SeqCst) == round))?;
        uses += USES.iter().map(|each| each.load(SeqCst)).sum::<u64>();
        calls::close(through)?;
    }
    verdicts.held("every CPU used the handles", uses >= ROUNDS * cpus as u64);
    verdicts.equal(
        "no use succeeds after the revoke returned",
        LATE.load(SeqCst),
        0,
    );
    verdicts.equal("every use is denied as revoked", OTHER.load(SeqCst), 0);
    adversaries::say(
        &mut verdicts.output,
        format_args!("{ROUNDS} revokes against {uses} uses on {cpus} CPUs"),
    );
    Ok(())
}

/// Waits for a condition; [`Error::Busy`] when it does not come.
fn until(holds: impl Fn() -> bool) -> Result<()> {
    let end = calls::clock() + 20_000 * MS;
    while !holds() {
        if calls::clock() > end {
            return Err(Error::Busy);
        }
        calls::yield_now();
    }
    Ok(())
}

/// Uses the handle of each round until that is denied.
fn user(cpu: u64) {
    let cpu = cpu as usize;
    for round in 1..=ROUNDS {
        let mut current = HANDLE.load(SeqCst);
        while current >> 32 != round {
            calls::yield_now();
            current = HANDLE.load(SeqCst);
        }
        let handle = Handle::from_raw(current as u32);
        for turn in 1_u64.. {
            // Read before the call: when it is set, the revoke returned before this use began.
            let late = REVOKED.load(SeqCst) == round;
            match signal(handle, 1) {
                Ok(()) if late => {
                    LATE.fetch_add(1, SeqCst);
                }
                Ok(()) => {
                    USES[cpu].fetch_add(1, SeqCst);
                }
                Err(Error::Revoked) if late => break,
                Err(Error::Revoked) => {}
                Err(_) => {
                    OTHER.fetch_add(1, SeqCst);
                    break;
                }
            }
            if late && turn > 1 << 20 {
                break;
            }
            if turn % 16 == 0 {
                calls::yield_now();
            }
        }
        SEEN[cpu].store(round, SeqCst);
    }
}
