//! Uses handles that it no longer has: closed, filled again, moved away; and values that no handle has.
#![no_std]
#![no_main]

use adversaries::calls::{self, Result, close, copy, info, make, notification, signal, word};
use adversaries::threads::{self, Job};
use adversaries::verdict::{Verdicts, parts};
use nonos_abi::{Error, Handle, Message, MessageInfo, Rights, Syscall};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

fn main() -> u64 {
    parts(&[("closed handles", closed), ("moved handles", moved)])
}

fn closed(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let kept = notification()?;
    let old = copy(kept, Rights::ALL, calls::NEVER)?;
    close(old)?;
    verdicts.denied("a closed handle", signal(old, 1), Error::NoHandle);
    verdicts.denied("closing it again", close(old), Error::NoHandle);
    verdicts.denied("revoking it", calls::revoke(old), Error::NoHandle);
    let new = copy(kept, Rights::ALL, calls::NEVER)?;
    verdicts.equal("the slot was filled again", new.index(), old.index());
    verdicts.denied("the old value of its slot", signal(old, 1), Error::NoHandle);
    verdicts.works("the new value of the slot", signal(new, 1));
    let wide = make(Syscall::NotificationSignal, [word(new) | 1 << 32, 1]);
    verdicts.denied("a handle with a bit too many", wide, Error::NoHandle);
    verdicts.denied(
        "the handle that none is",
        signal(Handle::NONE, 1),
        Error::NoHandle,
    );

    // Closing and opening again never brings a value back.
    let mut last = [Handle::NONE; 128];
    let mut back = 0;
    for round in 0..4096 {
        let handle = copy(kept, Rights::ALL, calls::NEVER)?;
        back += last.iter().filter(|&&old| old == handle).count();
        last[round % last.len()] = handle;
        close(handle)?;
    }
    let open = last.iter().filter(|&&old| info(old).is_ok()).count();
    verdicts.equal("4096 rounds of closing bring no value back", back + open, 0);
    Ok(())
}

fn moved(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let (endpoint, gift) = (calls::endpoint()?, notification()?);
    let mut message = Message {
        info: MessageInfo::new(1, 0, 1).moving(1),
        ..Message::default()
    };
    message.handles[0] = gift;
    let sender = threads::start(0, Job::Call(endpoint, message))?;
    let arrived = calls::receive(endpoint)?.message;
    verdicts.denied(
        "a handle that was moved away",
        signal(gift, 1),
        Error::NoHandle,
    );
    verdicts.works("the handle where it went", signal(arrived.handles[0], 1));
    calls::reply(arrived.info.reply())?;
    verdicts.works(
        "the call that moved it",
        sender.wait().unwrap_or(Err(Error::Busy)),
    );
    Ok(())
}
