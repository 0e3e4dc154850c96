//! Uses handles after their time, and tries to live longer than what it was given.
#![no_std]
#![no_main]

use adversaries::calls::{self, MS, NEVER, Result, clock, copy, revoke, signal};
use adversaries::threads::{self, Job};
use adversaries::verdict::{Verdicts, parts};
use nonos_abi::{Error, Message, MessageInfo, Rights};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

const ALL: Rights = Rights::ALL;

/// Longest time that a waking may be late: machines without hardware help, several on two cores, are slow.
const LATE: u64 = 1000 * MS;

fn main() -> u64 {
    parts(&[
        ("use", used),
        ("longer lives", longer),
        ("blocked threads", blocked),
        ("received calls", received),
        ("timers", timers),
    ])
}

/// Sleeps until shortly after a time.
fn pass(deadline: u64) {
    while clock() <= deadline {
        calls::sleep(MS);
    }
}

fn used(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let root = calls::notification()?;
    let deadline = clock() + 200 * MS;
    let brief = copy(root, ALL, deadline)?;
    let weak = copy(root, Rights::NONE, deadline)?;
    verdicts.works("a handle before its time is over", signal(brief, 1));
    pass(deadline);
    verdicts.denied("an expired handle", signal(brief, 1), Error::Expired);
    verdicts.denied(
        "copying an expired handle",
        copy(brief, ALL, NEVER),
        Error::Expired,
    );
    verdicts.denied(
        "revoking through an expired handle",
        revoke(brief),
        Error::Expired,
    );
    let as_memory = calls::map(brief, calls::READ);
    verdicts.denied(
        "an expired handle of the wrong kind",
        as_memory,
        Error::WrongKind,
    );
    verdicts.denied(
        "an expired handle without the right",
        signal(weak, 1),
        Error::Expired,
    );
    let mut message = Message {
        info: MessageInfo::new(1, 0, 1),
        ..Message::default()
    };
    message.handles[0] = brief;
    let endpoint = copy(calls::endpoint()?, ALL, clock() + 200 * MS)?;
    verdicts.denied(
        "sending an expired handle",
        calls::call(endpoint, &message),
        Error::Expired,
    );
    verdicts.works("what has no deadline", signal(root, 1));
    revoke(root)?;
    verdicts.denied(
        "an expired handle that was revoked",
        signal(brief, 1),
        Error::Revoked,
    );
    verdicts.works("closing an expired handle", calls::close(brief));
    Ok(())
}

fn longer(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let root = calls::notification()?;
    let deadline = clock() + 200 * MS;
    let brief = copy(root, ALL, deadline)?;
    let asked = [
        ("for ever", NEVER),
        ("until later", deadline + 60_000 * MS),
        ("until the end of time", u64::MAX),
    ];
    let mut longer = [brief; 3];
    for (handle, (_, deadline)) in longer.iter_mut().zip(asked) {
        *handle = copy(brief, ALL, deadline)?;
    }
    let endpoint = copy(calls::endpoint()?, ALL, deadline)?;
    let badged = calls::badge(endpoint, 1, ALL, NEVER)?;
    let sooner = copy(brief, ALL, clock() + 50 * MS)?;
    for handle in longer {
        verdicts.works("a copy of what will expire", signal(handle, 1));
    }
    pass(clock() + 50 * MS);
    verdicts.denied(
        "a copy with a time of its own",
        signal(sooner, 1),
        Error::Expired,
    );
    pass(deadline);
    for (handle, (what, _)) in longer.into_iter().zip(asked) {
        let what = format_args!("a copy {what} of what has expired");
        verdicts.denied(what, signal(handle, 1), Error::Expired);
    }
    let called = calls::call(badged, &Message::default());
    verdicts.denied("a badged copy of what has expired", called, Error::Expired);
    Ok(())
}

fn blocked(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let (notification, endpoint) = (calls::notification()?, calls::endpoint()?);
    for what in ["waiting", "receiving", "calling"] {
        let deadline = clock() + 50 * MS;
        let result = match what {
            "waiting" => calls::wait(copy(notification, ALL, deadline)?).map(drop),
            "receiving" => calls::receive(copy(endpoint, ALL, deadline)?).map(drop),
            _ => calls::call(copy(endpoint, ALL, deadline)?, &Message::default()).map(drop),
        };
        let woken = clock();
        verdicts.denied(
            format_args!("{what} beyond the deadline"),
            result,
            Error::Expired,
        );
        verdicts.held(
            format_args!("{what} ended at its deadline"),
            (deadline..deadline + LATE).contains(&woken),
        );
    }
    // A copy that is told no time waits no longer than what it was copied from.
    let deadline = clock() + 50 * MS;
    let parent = copy(notification, ALL, deadline)?;
    let result = calls::wait(copy(parent, ALL, NEVER)?);
    verdicts.denied(
        "waiting through a copy of what expires",
        result,
        Error::Expired,
    );
    verdicts.works("the notification afterwards", signal(notification, 1));
    Ok(())
}

fn received(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let endpoint = calls::endpoint()?;
    let deadline = clock() + 100 * MS;
    let brief = copy(endpoint, ALL, deadline)?;
    let caller = threads::start(0, Job::Call(brief, Message::default()))?;
    let arrived = calls::receive_at_most(endpoint, 90 * MS)?;
    verdicts.woken(
        "a call without an answer beyond its deadline",
        caller.wait(),
        Error::Expired,
    );
    verdicts.held("not before its deadline", clock() >= deadline);
    let answer = calls::reply(arrived.message.info.reply());
    verdicts.denied("answering it", answer, Error::PeerGone);
    Ok(())
}

fn timers(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let (timer, root) = (calls::timer()?, calls::notification()?);
    let deadline = clock() + 50 * MS;
    let brief = copy(root, ALL, deadline)?;
    calls::timer_set(timer, brief, deadline + 50 * MS, 0)?;
    let signalled = calls::wait_at_most(root, 200 * MS);
    verdicts.denied(
        "a timer on an expired notification",
        signalled,
        Error::Expired,
    );
    Ok(())
}
