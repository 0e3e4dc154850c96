//! Goes on with what was revoked: handles, mappings' makers, bindings, calls that wait.
#![no_std]
#![no_main]

use adversaries::calls::{self, MS, NEVER, Result, close, copy, revoke, signal};
use adversaries::threads::{self, Job};
use adversaries::verdict::{Verdicts, parts};
use nonos_abi::{Error, Handle, Message, MessageInfo, Rights};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

const ALL: Rights = Rights::ALL;

fn main() -> u64 {
    parts(&[
        ("handles", handles),
        ("families", families),
        ("blocked threads", blocked),
        ("received calls", received),
        ("timers", timers),
        ("bound notifications", bound),
        ("many descendants", many),
    ])
}

fn handles(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let root = calls::notification()?;
    let child = copy(root, ALL, NEVER)?;
    let grandchild = copy(child, ALL, NEVER)?;
    verdicts.works("a grandchild before", signal(grandchild, 1));
    verdicts.works("revoking", revoke(root));
    verdicts.works("the handle itself afterwards", signal(root, 1));
    for (what, handle) in [("child", child), ("grandchild", grandchild)] {
        verdicts.denied(
            format_args!("a revoked {what}"),
            signal(handle, 1),
            Error::Revoked,
        );
    }
    verdicts.denied(
        "copying a revoked handle",
        copy(child, ALL, NEVER),
        Error::Revoked,
    );
    verdicts.denied(
        "revoking through a revoked handle",
        revoke(child),
        Error::Revoked,
    );
    let as_memory = calls::map(child, calls::READ);
    verdicts.denied(
        "a revoked handle of the wrong kind",
        as_memory,
        Error::WrongKind,
    );
    let weak = copy(root, Rights::NONE, NEVER)?;
    revoke(root)?;
    verdicts.denied(
        "a revoked handle without the right",
        signal(weak, 1),
        Error::Revoked,
    );
    let mut message = Message {
        info: MessageInfo::new(1, 0, 1),
        ..Message::default()
    };
    message.handles[0] = child;
    let endpoint = calls::badge(calls::endpoint()?, 7, ALL, calls::clock() + 200 * MS)?;
    verdicts.denied(
        "sending a revoked handle",
        calls::call(endpoint, &message),
        Error::Revoked,
    );
    verdicts.works("closing a revoked handle", close(child));
    verdicts.denied(
        "a revoked handle that was closed",
        signal(child, 1),
        Error::NoHandle,
    );
    verdicts.works(
        "a new copy",
        copy(root, ALL, NEVER).and_then(|new| signal(new, 1)),
    );
    Ok(())
}

fn families(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let root = calls::notification()?;
    let [first, second] = [copy(root, ALL, NEVER)?, copy(root, ALL, NEVER)?];
    let [niece, nephew] = [copy(first, ALL, NEVER)?, copy(second, ALL, NEVER)?];
    revoke(first)?;
    verdicts.denied(
        "the child of what was revoked",
        signal(niece, 1),
        Error::Revoked,
    );
    for (what, handle) in [
        ("parent", root),
        ("handle itself", first),
        ("sibling", second),
        ("sibling's child", nephew),
    ] {
        verdicts.works(format_args!("the {what} after a revoke"), signal(handle, 1));
    }
    let stranger = calls::notification()?;
    verdicts.works("another object after a revoke", signal(stranger, 1));

    let weak = copy(root, Rights::WRITE.or(Rights::GRANT), NEVER)?;
    let child = copy(weak, Rights::WRITE, NEVER)?;
    verdicts.denied("revoking without REVOKE", revoke(weak), Error::MissingRight);
    verdicts.works("what that would have taken", signal(child, 1));

    // A child of a closed handle is its grandparent's.
    let middle = copy(root, ALL, NEVER)?;
    let below = copy(middle, ALL, NEVER)?;
    close(middle)?;
    verdicts.works("the child of a closed handle", signal(below, 1));
    revoke(root)?;
    verdicts.denied(
        "hiding behind a closed handle",
        signal(below, 1),
        Error::Revoked,
    );

    // A handle that was moved is still its parent's child.
    let endpoint = calls::endpoint()?;
    let mut message = Message {
        info: MessageInfo::new(1, 0, 1).moving(1),
        ..Message::default()
    };
    message.handles[0] = copy(root, ALL, NEVER)?;
    let sender = threads::start(0, Job::Call(endpoint, message))?;
    let arrived = calls::receive(endpoint)?.message;
    let landed = arrived.handles[0];
    let passed = copy(landed, ALL, NEVER)?;
    calls::reply(arrived.info.reply())?;
    let _ = sender.wait();
    verdicts.works("a moved handle", signal(landed, 1));
    revoke(root)?;
    verdicts.denied("hiding by moving", signal(landed, 1), Error::Revoked);
    verdicts.denied(
        "a copy of a moved handle",
        signal(passed, 1),
        Error::Revoked,
    );
    Ok(())
}

fn blocked(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let (notification, endpoint) = (calls::notification()?, calls::endpoint()?);
    let request = Message::default();
    for (slot, what, root, job) in [
        (0, "waiting", notification, Job::Wait as fn(Handle) -> Job),
        (1, "receiving", endpoint, Job::Receive),
        (2, "calling", endpoint, |handle| {
            Job::Call(handle, Message::default())
        }),
    ] {
        let through = copy(root, ALL, NEVER)?;
        let thread = threads::start(slot, job(through))?;
        thread.settle();
        verdicts.held(
            format_args!("a thread is {what}"),
            thread.outcome().is_none(),
        );
        revoke(root)?;
        verdicts.woken(
            format_args!("{what} through a revoked handle"),
            thread.wait(),
            Error::Revoked,
        );
        verdicts.denied(
            format_args!("{what} again"),
            calls::call(through, &request),
            if slot == 0 {
                Error::WrongKind
            } else {
                Error::Revoked
            },
        );
    }
    Ok(())
}

fn received(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let endpoint = calls::endpoint()?;
    let through = copy(endpoint, ALL, NEVER)?;
    let caller = threads::start(3, Job::Call(through, Message::default()))?;
    let arrived = calls::receive_at_most(endpoint, 500 * MS)?;
    revoke(endpoint)?;
    verdicts.woken(
        "a call that was received when it was revoked",
        caller.wait(),
        Error::Revoked,
    );
    let answer = calls::reply(arrived.message.info.reply());
    verdicts.denied("answering it", answer, Error::PeerGone);
    let answer = calls::reply(arrived.message.info.reply());
    verdicts.denied("answering it twice", answer, Error::NoHandle);
    Ok(())
}

fn timers(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let (timer, root) = (calls::timer()?, calls::notification()?);
    let through = copy(root, ALL, NEVER)?;
    let soon = || calls::clock() + 20 * MS;
    calls::timer_set(timer, through, soon(), 0)?;
    verdicts.works("a timer", calls::wait_at_most(root, 500 * MS));
    calls::timer_set(timer, through, soon(), 10 * MS)?;
    revoke(root)?;
    let signalled = calls::wait_at_most(root, 100 * MS);
    verdicts.denied(
        "a timer on a revoked notification",
        signalled,
        Error::Expired,
    );

    let lent = copy(timer, ALL, NEVER)?;
    calls::timer_set(lent, root, soon(), 10 * MS)?;
    revoke(timer)?;
    let again = calls::timer_set(lent, root, soon(), 0);
    verdicts.denied("setting a revoked timer", again, Error::Revoked);
    let signalled = calls::wait_at_most(root, 100 * MS);
    verdicts.denied(
        "a timer set through a revoked handle",
        signalled,
        Error::Expired,
    );
    Ok(())
}

fn bound(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let (root, endpoint) = (calls::notification()?, calls::endpoint()?);
    let through = copy(root, ALL, NEVER)?;
    let thread = threads::start(4, Job::BindAndReceive(through, endpoint))?;
    thread.settle();
    revoke(root)?;
    signal(root, 1)?;
    thread.settle();
    verdicts.held("a revoked binding wakes nobody", thread.outcome().is_none());
    thread.end()
}

fn many(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    // As many as the table holds, some of them children of each other.
    let root = calls::notification()?;
    let mut copies = [Handle::NONE; 4096];
    let mut count = 0;
    while count < copies.len() {
        let parent = if count % 8 == 0 {
            root
        } else {
            copies[count - 1]
        };
        let Ok(handle) = copy(parent, ALL, NEVER) else {
            break;
        };
        copies[count] = handle;
        count += 1;
    }
    revoke(root)?;
    let revoked = copies[..count]
        .iter()
        .filter(|&&handle| signal(handle, 1).err() == Some(Error::Revoked));
    let revoked = revoked.count();
    verdicts.equal("all of many descendants are revoked", revoked, count);
    copies[..count]
        .iter()
        .try_for_each(|&handle| close(handle))?;
    verdicts.held("there were many", count > 100);
    Ok(())
}
