//! Wants more rights than its handles carry, and to pass on what it may not.
#![no_std]
#![no_main]

use adversaries::calls::{self, NEVER, READ, READ_WRITE, Result, copy, info, map, signal};
use adversaries::threads::{self, Job};
use adversaries::verdict::{Verdicts, parts};
use nonos_abi::{Error, Message, MessageInfo, Rights, start};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

fn main() -> u64 {
    parts(&[
        ("copies", copies),
        ("rights of each kind", kinds),
        ("mappings", mappings),
        ("messages", messages),
    ])
}

const GRANT: Rights = Rights::GRANT;

fn copies(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let root = calls::notification()?;
    for bits in 0..=Rights::ALL.bits() {
        let narrow = Rights::from_bits(bits).or(GRANT);
        let first = copy(root, narrow, NEVER)?;
        let second = copy(first, Rights::ALL, NEVER)?;
        let rights = [info(first)?.1, info(second)?.1];
        if rights != [narrow, narrow] {
            verdicts.breach(format_args!(
                "{narrow} became {} and {}",
                rights[0], rights[1]
            ));
        }
        calls::close(first)?;
        calls::close(second)?;
    }
    let all_bits = copy(root, Rights::READ.or(GRANT), NEVER)?;
    let raw = calls::make(
        nonos_abi::Syscall::HandleCopy,
        [calls::word(all_bits), u64::MAX, 0],
    );
    let raw = nonos_abi::Handle::from_raw(raw?.0 as u32);
    verdicts.equal(
        "rights do not grow by copying",
        info(raw)?.1,
        Rights::READ.or(GRANT),
    );
    let kept = copy(
        root,
        Rights::ALL.and(Rights::from_bits(!GRANT.bits())),
        NEVER,
    )?;
    verdicts.denied(
        "a copy without GRANT",
        copy(kept, Rights::READ, NEVER),
        Error::MissingRight,
    );
    let parent = copy(start::PARENT, Rights::WRITE, NEVER);
    verdicts.denied("a copy of PARENT", parent, Error::MissingRight);
    let itself = copy(start::SELF, Rights::READ, NEVER);
    verdicts.denied("a copy of SELF", itself, Error::MissingRight);
    Ok(())
}

fn kinds(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let reading = Rights::READ.or(GRANT);
    let writing = Rights::WRITE.or(GRANT);
    let notification = calls::notification()?;
    let (reads, writes) = (
        copy(notification, reading, NEVER)?,
        copy(notification, writing, NEVER)?,
    );
    verdicts.denied(
        "signalling with READ",
        signal(reads, 1),
        Error::MissingRight,
    );
    verdicts.denied(
        "waiting with WRITE",
        calls::wait(writes),
        Error::MissingRight,
    );
    verdicts.denied(
        "binding with WRITE",
        calls::bind(writes),
        Error::MissingRight,
    );
    let endpoint = calls::endpoint()?;
    let (receives, sends) = (
        copy(endpoint, reading, NEVER)?,
        copy(endpoint, writing, NEVER)?,
    );
    let request = Message::default();
    verdicts.denied(
        "calling with READ",
        calls::call(receives, &request),
        Error::MissingRight,
    );
    verdicts.denied(
        "receiving with WRITE",
        calls::receive(sends),
        Error::MissingRight,
    );
    let without = copy(endpoint, Rights::READ.or(Rights::WRITE), NEVER)?;
    let badge = calls::badge(without, 1, Rights::WRITE, NEVER);
    verdicts.denied("a badge without GRANT", badge, Error::MissingRight);
    let badged = calls::badge(endpoint, 1, writing, NEVER)?;
    let second = calls::badge(badged, 2, Rights::WRITE, NEVER);
    verdicts.denied(
        "another badge on a badged handle",
        second,
        Error::InvalidArgument,
    );
    let timer = calls::timer()?;
    let soon = calls::clock() + calls::MS;
    let bound = calls::timer_set(timer, reads, soon, 0);
    verdicts.denied(
        "a timer on what it cannot signal",
        bound,
        Error::MissingRight,
    );
    let weak = copy(timer, reading, NEVER)?;
    let bound = calls::timer_set(weak, notification, soon, 0);
    verdicts.denied("setting a timer with READ", bound, Error::MissingRight);
    let revoking = calls::revoke(copy(notification, writing, NEVER)?);
    verdicts.denied("revoking without REVOKE", revoking, Error::MissingRight);
    verdicts.works("what was not revoked", signal(writes, 1));
    let thread = threads::start(1, Job::Run(threads::rest, 0))?;
    let weak = copy(thread.handle, reading, NEVER)?;
    verdicts.denied(
        "ending a thread without EXECUTE",
        calls::end(weak),
        Error::MissingRight,
    );
    let moved = calls::schedule(weak, 1, threads::ANYWHERE);
    verdicts.denied("moving a thread without WRITE", moved, Error::MissingRight);
    let nowhere = calls::schedule(thread.handle, 1, 0);
    verdicts.denied(
        "a thread that may run nowhere",
        nowhere,
        Error::InvalidArgument,
    );
    verdicts.works("ending it with EXECUTE", thread.end());
    verdicts.denied(
        "a timer as an endpoint",
        calls::call(timer, &request),
        Error::WrongKind,
    );
    verdicts.denied(
        "an endpoint as memory",
        map(endpoint, READ),
        Error::WrongKind,
    );
    verdicts.denied(
        "a notification as a thread",
        calls::end(notification),
        Error::WrongKind,
    );
    verdicts.denied(
        "itself as a thread",
        calls::end(start::SELF),
        Error::WrongKind,
    );
    Ok(())
}

fn mappings(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let memory = calls::memory(1)?;
    verdicts.held(
        "memory comes without EXECUTE",
        !info(memory)?.1.contains(Rights::EXECUTE),
    );
    const EXECUTE: u64 = Rights::EXECUTE.bits();
    for (what, access) in [
        ("mapping writable and executable", READ_WRITE | EXECUTE),
        ("mapping readable and executable", READ | EXECUTE),
        ("mapping executable", EXECUTE),
    ] {
        let reasons = [Error::InvalidArgument, Error::MissingRight];
        verdicts.denied_one_of(what, map(memory, access), &reasons);
    }
    verdicts.denied(
        "mapping for nothing",
        map(memory, 0),
        Error::InvalidArgument,
    );
    verdicts.denied(
        "mapping with every bit",
        map(memory, u64::MAX),
        Error::InvalidArgument,
    );
    let reads = copy(memory, Rights::READ, NEVER)?;
    verdicts.works("mapping for reading", map(reads, READ));
    verdicts.denied(
        "mapping for writing with READ",
        map(reads, READ_WRITE),
        Error::MissingRight,
    );
    let writes = copy(memory, Rights::WRITE, NEVER)?;
    verdicts.denied(
        "mapping with WRITE alone",
        map(writes, READ_WRITE),
        Error::MissingRight,
    );
    verdicts.denied(
        "unmapping own code",
        calls::unmap(main as *const () as u64 & !0xFFF),
        Error::BadAddress,
    );
    Ok(())
}

/// Sends a message from a thread to this one.
fn send(slot: usize, message: Message) -> Result<(threads::Thread, Result<Message>)> {
    let endpoint = calls::endpoint()?;
    let sender = threads::start(slot, Job::Call(endpoint, message))?;
    let arrived = calls::receive_at_most(endpoint, 200 * calls::MS);
    Ok((sender, arrived.map(|arrived| arrived.message)))
}

fn messages(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let root = calls::notification()?;
    let with = |handle, info| Message {
        info,
        handles: [handle; 4],
        ..Message::default()
    };
    let one = MessageInfo::new(1, 0, 1);
    let kept = copy(root, Rights::READ.or(Rights::WRITE), NEVER)?;
    for (what, info) in [("copying", one), ("moving", one.moving(1))] {
        let (sender, _) = send(2, with(kept, info))?;
        let what = format_args!("{what} a handle without GRANT into a message");
        verdicts.woken(what, sender.wait(), Error::MissingRight);
    }
    verdicts.works("the handle that did not travel", signal(kept, 1));

    let (sender, arrived) = send(3, with(root, one.for_receiver_only(1)))?;
    let arrived = arrived?;
    let landed = arrived.handles[0];
    let all_but_grant = Rights::from_bits(Rights::ALL.bits() & !GRANT.bits());
    verdicts.equal(
        "a handle for its receiver only comes without GRANT",
        info(landed)?.1,
        all_but_grant,
    );
    verdicts.works("using what arrived", signal(landed, 1));
    let passed = copy(landed, Rights::WRITE, NEVER);
    verdicts.denied(
        "copying what arrived without GRANT",
        passed,
        Error::MissingRight,
    );
    let (second, _) = send(4, with(landed, one))?;
    verdicts.woken(
        "passing on what arrived without GRANT",
        second.wait(),
        Error::MissingRight,
    );
    calls::reply(arrived.info.reply())?;
    let _ = sender.wait();

    let twice = MessageInfo::new(1, 0, 2).moving(0b11);
    let (sender, _) = send(5, with(copy(root, Rights::ALL, NEVER)?, twice))?;
    verdicts.woken(
        "moving a handle twice at once",
        sender.wait(),
        Error::InvalidArgument,
    );
    let (sender, _) = send(6, with(root, MessageInfo(0x7 << 4)))?;
    verdicts.woken(
        "more handles than a message has",
        sender.wait(),
        Error::InvalidArgument,
    );
    Ok(())
}
