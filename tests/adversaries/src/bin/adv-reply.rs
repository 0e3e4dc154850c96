//! Answers calls that it may not answer: twice, after the caller is gone, with handles that are no reply.
#![no_std]
#![no_main]

use adversaries::calls::{self, MS, NEVER, Result};
use adversaries::threads::{self, Job, Thread};
use adversaries::verdict::{Verdicts, parts};
use nonos_abi::{Error, Handle, Message, MessageInfo, Rights};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

fn main() -> u64 {
    parts(&[
        ("twice", twice),
        ("gone", gone),
        ("no reply", no_reply),
        ("unanswered", unanswered),
    ])
}

/// A call of a thread, taken: the thread and the reply handle.
fn taken(slot: usize, endpoint: Handle) -> Result<(Thread, Handle)> {
    let caller = threads::start(slot, Job::Call(endpoint, Message::default()))?;
    let arrived = calls::receive_at_most(endpoint, 500 * MS)?;
    Ok((caller, arrived.message.info.reply()))
}

fn twice(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let endpoint = calls::endpoint()?;
    let (caller, reply) = taken(0, endpoint)?;
    verdicts.works("an answer", calls::reply(reply));
    verdicts.denied(
        "the same answer again",
        calls::reply(reply),
        Error::NoHandle,
    );
    verdicts.works("the call", caller.wait().unwrap_or(Err(Error::Busy)));
    let (next, second) = taken(1, endpoint)?;
    verdicts.denied(
        "the old reply handle for a new call",
        calls::reply(reply),
        Error::NoHandle,
    );
    verdicts.held("the new call still waits", next.outcome().is_none());
    calls::reply(second)?;
    verdicts.works("the new call", next.wait().unwrap_or(Err(Error::Busy)));
    Ok(())
}

fn gone(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let endpoint = calls::endpoint()?;
    let (caller, reply) = taken(2, endpoint)?;
    caller.end()?;
    verdicts.denied(
        "an answer to a caller that is gone",
        calls::reply(reply),
        Error::PeerGone,
    );
    verdicts.denied("that answer again", calls::reply(reply), Error::NoHandle);
    // In one step with receiving, a caller that is gone is no error: the next call is received.
    let (caller, reply) = taken(3, endpoint)?;
    caller.end()?;
    let next = threads::start(4, Job::Call(endpoint, Message::default()))?;
    next.settle();
    let arrived = nonos_rt::syscall::reply_receive(endpoint, reply, &Message::default());
    let arrived = verdicts.works("answering nobody and receiving", arrived);
    if let Some(arrived) = arrived {
        calls::reply(arrived.message.info.reply())?;
    }
    verdicts.works("the next call", next.wait().unwrap_or(Err(Error::Busy)));
    Ok(())
}

fn no_reply(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let endpoint = calls::endpoint()?;
    let (caller, reply) = taken(5, endpoint)?;
    verdicts.denied(
        "answering with an endpoint",
        calls::reply(endpoint),
        Error::WrongKind,
    );
    let forged = Handle::new(reply.index(), reply.generation() + 1);
    verdicts.denied(
        "answering with a forged handle",
        calls::reply(forged),
        Error::NoHandle,
    );
    verdicts.denied(
        "copying a reply handle",
        calls::copy(reply, Rights::ALL, NEVER),
        Error::MissingRight,
    );
    verdicts.denied(
        "revoking a reply handle",
        calls::revoke(reply),
        Error::MissingRight,
    );
    let mut message = Message {
        info: MessageInfo::new(1, 0, 1).moving(1),
        ..Message::default()
    };
    message.handles[0] = reply;
    let bounded = calls::copy(endpoint, Rights::ALL, calls::clock() + 100 * MS)?;
    verdicts.denied(
        "sending a reply handle",
        calls::call(bounded, &message),
        Error::MissingRight,
    );
    verdicts.works("the answer after all", calls::reply(reply));
    verdicts.works("the call", caller.wait().unwrap_or(Err(Error::Busy)));
    Ok(())
}

fn unanswered(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let endpoint = calls::endpoint()?;
    let (caller, reply) = taken(6, endpoint)?;
    calls::close(reply)?;
    verdicts.woken(
        "a call whose reply handle was closed",
        caller.wait(),
        Error::PeerGone,
    );
    let sending = calls::copy(endpoint, Rights::WRITE, NEVER)?;
    let caller = threads::start(7, Job::Call(sending, Message::default()))?;
    caller.settle();
    calls::close(endpoint)?;
    verdicts.woken(
        "a call that nobody can receive",
        caller.wait(),
        Error::PeerGone,
    );
    Ok(())
}
