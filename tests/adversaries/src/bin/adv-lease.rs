//! A server that does with lent memory what it was not lent for, and clients that lend what is not theirs.
#![no_std]
#![no_main]

use adversaries::KERNEL_ADDRESS;
use adversaries::calls::{self, Buffer, MS, Result};
use adversaries::threads::{self, Job};
use adversaries::verdict::{Verdicts, parts};
use nonos_abi::message::{LEASE_BYTES_MAX, LEASE_READ, LEASE_WRITE};
use nonos_abi::{Error, Handle, Message, MessageInfo, Rights, Syscall, USER_END};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

/// What is lent, with something before and behind it.
static LENT: Buffer<24> = Buffer::new();
/// Word of [`LENT`] where the lent range starts, and its length.
const FIRST: usize = 8;
const WORDS: usize = 8;
const BYTES: u64 = WORDS as u64 * 8;

/// What the server reads to and writes from.
static OWN: Buffer<16> = Buffer::new();

const READ: Syscall = Syscall::LeaseRead;
const WRITE: Syscall = Syscall::LeaseWrite;

/// Where a range may not reach.
const OUTSIDE: [Error; 2] = [Error::InvalidArgument, Error::BadAddress];

fn main() -> u64 {
    parts(&[
        ("honest use", honest),
        ("ranges", ranges),
        ("rights", rights),
        ("own pointers", pointers),
        ("ends", ends),
        ("what is not the lender's", not_theirs),
        ("counts", counts),
    ])
}

/// A call that lends ranges: address, and length with rights.
fn lending(ranges: &[(u64, u64)]) -> Message {
    let mut message = Message {
        info: MessageInfo::new(1, 0, 0).lending(ranges.len()),
        ..Message::default()
    };
    for (index, &(address, length)) in ranges.iter().enumerate().take(4) {
        message.words[7 - 2 * index] = address;
        message.words[6 - 2 * index] = length;
    }
    message
}

fn lent() -> u64 {
    LENT.address() + FIRST as u64 * 8
}

/// Has a thread make a call and takes it: what arrived.
fn lend(slot: usize, ranges: &[(u64, u64)]) -> Result<(threads::Thread, Message)> {
    let endpoint = calls::endpoint()?;
    let caller = threads::start(slot, Job::Call(endpoint, lending(ranges)))?;
    let arrived = calls::receive_at_most(endpoint, 500 * MS)?;
    Ok((caller, arrived.message))
}

/// Answers and waits for the caller's thread to end.
fn answer(caller: threads::Thread, reply: Handle) -> Result<()> {
    calls::reply(reply)?;
    let _ = caller.wait();
    Ok(())
}

fn honest(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    LENT.fill(0x11);
    let (caller, arrived) = lend(0, &[(lent(), BYTES | LEASE_READ | LEASE_WRITE)])?;
    let reply = arrived.info.reply();
    verdicts.equal("a lease arrives", arrived.info.leases(), 1);
    verdicts.equal(
        "its length arrives",
        arrived.words[6],
        BYTES | LEASE_READ | LEASE_WRITE,
    );
    verdicts.equal("its address does not", arrived.words[7], 0);
    OWN.fill(0);
    let own = OWN.address();
    verdicts.works(
        "reading a lease",
        calls::lease(READ, reply, [0, 0, own, BYTES]),
    );
    verdicts.equal("what was read", OWN.words()[..WORDS] == [0x11; WORDS], true);
    OWN.fill(0x22);
    verdicts.works(
        "writing a lease",
        calls::lease(WRITE, reply, [0, 8, own, BYTES - 16]),
    );
    let words = LENT.words();
    let written = words[FIRST + 1..FIRST + WORDS - 1]
        .iter()
        .all(|&word| word == 0x22);
    let around = words.iter().filter(|&&word| word == 0x11).count();
    verdicts.held(
        "what was written, and nothing beside it",
        written && around == 24 - (WORDS - 2),
    );
    answer(caller, reply)
}

fn ranges(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    LENT.fill(0x11);
    OWN.fill(0x33);
    let own = OWN.address();
    let (caller, arrived) = lend(1, &[(lent(), BYTES | LEASE_READ | LEASE_WRITE)])?;
    let reply = arrived.info.reply();
    for (call, verb) in [(READ, "reading"), (WRITE, "writing")] {
        for (what, offset, length) in [
            ("one byte too many", 0, BYTES + 1),
            ("from the end", BYTES, 1),
            ("across the end", BYTES - 8, 16),
            ("far behind it", 1 << 40, 8),
            ("with an offset that wraps around", u64::MAX - 7, 8),
            ("with an offset that wraps into it", u64::MAX - 7, 16),
            ("with a length that wraps around", 8, u64::MAX - 7),
            ("before it, by a negative offset", 8_u64.wrapping_neg(), 4),
        ] {
            let result = calls::lease(call, reply, [0, offset, own, length]);
            verdicts.denied_one_of(format_args!("{verb} {what}"), result, &OUTSIDE);
        }
        for index in [1, 2, 3, 4, 1 << 32, u64::MAX] {
            let result = calls::lease(call, reply, [index, 0, own, 8]);
            verdicts.denied_one_of(
                format_args!("{verb} lease {index:#x} of one"),
                result,
                &OUTSIDE,
            );
        }
    }
    verdicts.held("nothing was written", LENT.words() == [0x11; 24]);
    verdicts.held("nothing was read", OWN.words() == [0x33; 16]);
    answer(caller, reply)
}

fn rights(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    LENT.fill(0x11);
    OWN.fill(0x33);
    let own = OWN.address();
    let ranges = [(lent(), BYTES | LEASE_READ), (lent(), BYTES | LEASE_WRITE)];
    let (caller, arrived) = lend(2, &ranges)?;
    let reply = arrived.info.reply();
    let read = calls::lease(READ, reply, [0, 0, own, 8]);
    verdicts.works("reading what may be read", read);
    OWN.fill(0x33);
    for (what, call, index) in [
        ("writing to a lease for reading", WRITE, 0),
        ("reading a lease for writing", READ, 1),
    ] {
        let result = calls::lease(call, reply, [index, 0, own, 8]);
        verdicts.denied_one_of(what, result, &[Error::MissingRight, Error::InvalidArgument]);
    }
    let untouched = LENT.words() == [0x11; 24] && OWN.words() == [0x33; 16];
    verdicts.held("none of them copied", untouched);
    answer(caller, reply)?;
    let bounded = calls::copy(calls::endpoint()?, Rights::ALL, calls::clock() + 100 * MS)?;
    let lent = calls::call(bounded, &lending(&[(lent(), BYTES)]));
    verdicts.denied("lending for nothing", lent, Error::InvalidArgument);
    Ok(())
}

fn pointers(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let (caller, arrived) = lend(3, &[(lent(), BYTES | LEASE_READ | LEASE_WRITE)])?;
    let reply = arrived.info.reply();
    for (call, verb) in [
        (READ, "reading a lease to"),
        (WRITE, "writing a lease from"),
    ] {
        for (what, address) in [
            ("the kernel", KERNEL_ADDRESS),
            ("the kernel's image", 0xFFFF_FFFF_8020_0000),
            ("the end of the lower half", USER_END),
            ("what is not canonical", 1 << 47),
            ("address 0", 0),
            ("the last address", u64::MAX - 7),
        ] {
            let result = calls::lease(call, reply, [0, 0, address, 8]);
            verdicts.denied(format_args!("{verb} {what}"), result, Error::BadAddress);
        }
    }
    let code = main as *const () as u64;
    let result = calls::lease(READ, reply, [0, 0, code, 8]);
    verdicts.denied("reading a lease to own code", result, Error::BadAddress);
    let result = calls::lease(READ, reply, [0, 0, OWN.address(), LEASE_BYTES_MAX + 1]);
    verdicts.denied_one_of("more than one call copies", result, &OUTSIDE);
    answer(caller, reply)
}

fn ends(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    LENT.fill(0x11);
    let own = OWN.address();
    let all = BYTES | LEASE_READ | LEASE_WRITE;
    let (caller, arrived) = lend(4, &[(lent(), all)])?;
    let reply = arrived.info.reply();
    answer(caller, reply)?;
    for (call, verb) in [(READ, "reading"), (WRITE, "writing")] {
        let result = calls::lease(call, reply, [0, 0, own, 8]);
        verdicts.denied(
            format_args!("{verb} a lease after the answer"),
            result,
            Error::NoHandle,
        );
    }
    let (caller, arrived) = lend(5, &[(lent(), all)])?;
    caller.end()?;
    for (call, verb) in [(READ, "reading"), (WRITE, "writing")] {
        let result = calls::lease(call, arrived.info.reply(), [0, 0, own, 8]);
        verdicts.denied(
            format_args!("{verb} a lease of a caller that is gone"),
            result,
            Error::PeerGone,
        );
    }
    let endpoint = calls::endpoint()?;
    let result = calls::lease(READ, endpoint, [0, 0, own, 8]);
    verdicts.denied("a lease through an endpoint", result, Error::WrongKind);
    // A call without leases whose spare words look like one.
    let (caller, arrived) = {
        let mut message = lending(&[(lent(), all)]);
        message.info = MessageInfo::new(1, 0, 0);
        let caller = threads::start(6, Job::Call(endpoint, message))?;
        (caller, calls::receive_at_most(endpoint, 500 * MS)?.message)
    };
    let result = calls::lease(READ, arrived.info.reply(), [0, 0, own, 8]);
    verdicts.denied_one_of("a lease that was not given", result, &OUTSIDE);
    answer(caller, arrived.info.reply())
}

fn not_theirs(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let own = OWN.address();
    let code = main as *const () as u64;
    for (what, address, length, call) in [
        ("the kernel's memory, read", KERNEL_ADDRESS, 4096, READ),
        ("the kernel's memory, written", KERNEL_ADDRESS, 4096, WRITE),
        (
            "the kernel's image, read",
            0xFFFF_FFFF_8020_0000,
            4096,
            READ,
        ),
        ("what is not mapped, read", 0x1_0000, 4096, READ),
        ("what wraps around, read", u64::MAX - 8, 4096, READ),
        ("the edge of user space, read", USER_END - 4, 16, READ),
        ("own code, written", code, 16, WRITE),
    ] {
        let endpoint = calls::endpoint()?;
        let message = lending(&[(address, length | LEASE_READ | LEASE_WRITE)]);
        let caller = threads::start(7, Job::Call(endpoint, message))?;
        // Refused when it is lent, or when it is used.
        match calls::receive_at_most(endpoint, 200 * MS) {
            Ok(arrived) => {
                let reply = arrived.message.info.reply();
                let result = calls::lease(call, reply, [0, 0, own, 8]);
                verdicts.denied_one_of(format_args!("lending {what}"), result, &OUTSIDE);
                answer(caller, reply)?;
            }
            Err(_) => {
                let result = caller.wait().unwrap_or(Err(Error::Busy));
                verdicts.denied_one_of(format_args!("lending {what}"), result, &OUTSIDE);
            }
        }
    }
    Ok(())
}

fn counts(verdicts: &mut Verdicts<Terminal>) -> Result<()> {
    let endpoint = calls::endpoint()?;
    let bounded = || calls::copy(endpoint, Rights::ALL, calls::clock() + 100 * MS);
    for (what, info) in [
        ("five leases", MessageInfo::new(1, 0, 0).lending(5)),
        ("seven leases", MessageInfo::new(1, 0, 0).lending(7)),
        (
            "leases on words that are used",
            MessageInfo::new(1, 7, 0).lending(1),
        ),
        (
            "four leases and a word",
            MessageInfo::new(1, 1, 0).lending(4),
        ),
    ] {
        let message = Message {
            info,
            ..Message::default()
        };
        verdicts.denied(
            what,
            calls::call(bounded()?, &message),
            Error::InvalidArgument,
        );
    }
    Ok(())
}
