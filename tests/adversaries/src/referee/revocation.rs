//! Revocation and expiry across processes, while they use what is taken from them, on all CPUs.

use adversaries::calls::{self, Buffer, MS, NEVER, READ_WRITE, Result, clock, copy, poke};
use adversaries::roles::{NEW, OLD, Role, Word};
use adversaries::verdict::Verdicts;
use nonos_abi::info::exit_kind;
use nonos_abi::{Error, Handle, PAGE_BYTES, Rights, Syscall};

use crate::Log;
use crate::partner::{self, Partner};

/// Vector of page faults (SDM vol. 3, table 6-1).
const PAGE_FAULT: u64 = 14;

const ROUNDS: usize = 20;

fn outcome(partner: &Partner) -> Option<Result<()>> {
    let _ = partner.until(2000, |partner| partner.shared.kept(Word::First).is_some());
    partner.shared.kept(Word::First)
}

/// Processes that wait through what is revoked, or expires.
pub fn blocked(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    let (notification, endpoint) = (calls::notification()?, calls::endpoint()?);
    for (what, root, role) in [
        ("waits", notification, Role::Wait),
        ("calls", endpoint, Role::Call),
    ] {
        let child = Partner::new(module)?;
        child.grant(root, Rights::ALL, NEVER)?;
        child.start(role, 0)?;
        calls::sleep(5 * MS);
        calls::revoke(root)?;
        verdicts.woken(
            format_args!("a process that {what} when it is revoked"),
            outcome(&child),
            Error::Revoked,
        );
        child.finish()?;

        let child = Partner::new(module)?;
        let deadline = clock() + 100 * MS;
        child.grant(root, Rights::ALL, deadline)?;
        child.start(role, 0)?;
        verdicts.woken(
            format_args!("a process that {what} beyond its time"),
            outcome(&child),
            Error::Expired,
        );
        verdicts.held("and not before", clock() >= deadline);
        child.finish()?;
    }
    let child = Partner::new(module)?;
    child.grant(endpoint, Rights::ALL, NEVER)?;
    child.start(Role::Call, 0)?;
    let arrived = calls::receive_at_most(endpoint, 500 * MS)?;
    calls::revoke(endpoint)?;
    verdicts.woken(
        "a process whose call was received when it is revoked",
        outcome(&child),
        Error::Revoked,
    );
    let answer = calls::reply(arrived.message.info.reply());
    verdicts.denied("answering it", answer, Error::PeerGone);
    child.finish()
}

/// Calls of processes that are killed meanwhile.
pub fn killed_callers(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    static OWN: Buffer<8> = Buffer::new();
    let endpoint = calls::endpoint()?;
    let child = Partner::new(module)?;
    child.grant(endpoint, Rights::WRITE, NEVER)?;
    child.start(Role::Call, 0)?;
    let reply = calls::receive_at_most(endpoint, 500 * MS)?
        .message
        .info
        .reply();
    partner::kill(child.process)?;
    let lease = calls::lease(Syscall::LeaseRead, reply, [0, 0, OWN.address(), 8]);
    verdicts.denied(
        "a lease of a process that was killed",
        lease,
        Error::PeerGone,
    );
    verdicts.denied(
        "an answer to a process that was killed",
        calls::reply(reply),
        Error::PeerGone,
    );
    verdicts.denied("that answer again", calls::reply(reply), Error::NoHandle);
    child.finish()?;
    // Killed while its call waits to be received.
    let child = Partner::new(module)?;
    child.grant(endpoint, Rights::WRITE, NEVER)?;
    child.start(Role::Call, 0)?;
    calls::sleep(5 * MS);
    child.finish()?;
    let arrived = calls::receive_at_most(endpoint, 20 * MS);
    verdicts.denied(
        "a call of a process that was killed",
        arrived.map(drop),
        Error::Expired,
    );
    Ok(())
}

/// Use in a loop on every CPU during the revoke.
pub fn used(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    let root = calls::notification()?;
    let (mut breaches, mut uses, mut revoked) = (0, 0, 0);
    for _ in 0..ROUNDS {
        let child = Partner::new(module)?;
        child.grant(root, Rights::WRITE, NEVER)?;
        child.start(Role::Signal, 0)?;
        let cpus = child.shared.get(Word::Cpus) as usize;
        child.all_count(cpus)?;
        calls::revoke(root)?;
        child.shared.set(Word::Flag, 1);
        child.ended()?;
        breaches += child.shared.get(Word::Breaches);
        uses += (0..cpus).map(|cpu| child.shared.counter(cpu)).sum::<u64>();
        revoked += usize::from(child.shared.kept(Word::First) == Some(Err(Error::Revoked)));
        child.finish()?;
    }
    verdicts.held("handles were used on every CPU", uses > 0);
    verdicts.equal("no use succeeds after the revoke", breaches, 0);
    verdicts.equal("every use is denied as revoked", revoked, ROUNDS);
    Ok(())
}

fn fill(address: u64, pages: u64, value: u64) {
    for at in (0..pages * PAGE_BYTES as u64).step_by(8) {
        poke(address + at, value);
    }
}

/// Reads in a tight loop on every CPU during the revoke; then the memory is someone else's.
pub fn mapped(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    const PAGES: u64 = 4;
    let (mut breaches, mut leaks, mut faults) = (0, 0, 0);
    for _ in 0..ROUNDS {
        let memory = calls::memory(PAGES)?;
        let address = calls::map(memory, READ_WRITE)?;
        fill(address, PAGES, OLD);
        let lent = copy(memory, Rights::ALL, NEVER)?;
        let child = Partner::new(module)?;
        child.grant(lent, Rights::READ, NEVER)?;
        child.start(Role::Read, 0)?;
        child.all_count(child.shared.get(Word::Cpus) as usize)?;
        // The mapping above was not made through this handle, and stays.
        calls::revoke(lent)?;
        child.shared.set(Word::Flag, 1);
        // The frames go back and come again, with what is not the reader's.
        calls::unmap(address)?;
        calls::close(memory)?;
        let secret = calls::memory(4 * PAGES)?;
        let address = calls::map(secret, READ_WRITE)?;
        fill(address, 4 * PAGES, NEW);
        let end = child.ended()?;
        faults += usize::from((end.exit_kind, end.exit_code) == (exit_kind::FAULT, PAGE_FAULT));
        let found = child.shared.get(Word::Breaches);
        (breaches, leaks) = (breaches + (found & 0xFFFF_FFFF), leaks + (found >> 32));
        child.finish()?;
        calls::unmap(address)?;
        calls::close(secret)?;
        calls::close(lent)?;
    }
    verdicts.equal("no read succeeds after the revoke", breaches, 0);
    verdicts.equal("nothing of the next owner is read", leaks, 0);
    verdicts.equal("every reader ends by a page fault", faults, ROUNDS);
    Ok(())
}

/// Reads through a mapping until after the time of its handle.
pub fn outlived(verdicts: &mut Verdicts<Log>, module: Handle) -> Result<()> {
    const TIMES: usize = 5;
    let (mut breaches, mut faults, mut early, mut reads) = (0, 0, 0, 0);
    let memory = calls::memory(1)?;
    for _ in 0..TIMES {
        let child = Partner::new(module)?;
        // Long enough for it to begin on a slow machine.
        let deadline = clock() + 500 * MS;
        child.grant(memory, Rights::READ, deadline)?;
        child.start(Role::Outlive, deadline)?;
        let end = child.ended()?;
        reads += child.shared.counter(0);
        early += u64::from(clock() < deadline);
        faults += usize::from((end.exit_kind, end.exit_code) == (exit_kind::FAULT, PAGE_FAULT));
        breaches += child.shared.get(Word::Breaches);
        child.finish()?;
    }
    verdicts.held("the memory was read", reads > 0);
    verdicts.equal("no read succeeds after the handle expired", breaches, 0);
    verdicts.equal("every reader ends by a page fault", faults, TIMES);
    verdicts.equal("and none before its time", early, 0);
    Ok(())
}
