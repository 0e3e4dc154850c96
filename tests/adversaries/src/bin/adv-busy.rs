//! Takes handles away from under threads of its own that wait through them.
#![no_std]
#![no_main]

use adversaries::calls::{self, MS, NEVER, Result, close, copy, signal};
use adversaries::threads::{self, Job};
use adversaries::verdict::{Verdicts, parts};
use nonos_abi::{Error, Handle, Message, MessageInfo, Rights};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

fn main() -> u64 {
    parts(&[("waiting handles", waiting), ("reopening", reopening)])
}

fn waiting(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let (notification, endpoint, elsewhere) = (
        calls::notification()?,
        calls::endpoint()?,
        calls::endpoint()?,
    );
    for (slot, what, root, job) in [
        (0, "waits", notification, Job::Wait as fn(Handle) -> Job),
        (1, "receives", endpoint, Job::Receive),
        (2, "calls", endpoint, |handle| {
            Job::Call(handle, Message::default())
        }),
    ] {
        let through = copy(root, Rights::ALL, NEVER)?;
        let thread = threads::start(slot, job(through))?;
        thread.settle();
        verdicts.denied(
            format_args!("closing what a thread {what} through"),
            close(through),
            Error::Busy,
        );
        let mut message = Message {
            info: MessageInfo::new(1, 0, 1).moving(1),
            ..Message::default()
        };
        message.handles[0] = through;
        let bounded = copy(elsewhere, Rights::ALL, calls::clock() + 100 * MS)?;
        let moved = calls::call(bounded, &message);
        verdicts.denied(
            format_args!("moving what a thread {what} through"),
            moved,
            Error::Busy,
        );
        verdicts.held(
            format_args!("the thread still {what}"),
            thread.outcome().is_none(),
        );
        thread.end()?;
        verdicts.works("closing it when the thread is gone", close(through));
    }
    Ok(())
}

fn reopening(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let root = calls::notification()?;
    let through = copy(root, Rights::ALL, NEVER)?;
    let thread = threads::start(3, Job::Wait(through))?;
    thread.settle();
    let _ = close(through);
    // Were it closed, this could take its slot.
    let other = calls::notification()?;
    signal(other, 1)?;
    thread.settle();
    verdicts.held(
        "a thread waits for what it named, not for its slot",
        thread.outcome().is_none(),
    );
    signal(root, 1)?;
    verdicts.works(
        "what it waited for",
        thread.wait().unwrap_or(Err(Error::Busy)),
    );
    Ok(())
}
