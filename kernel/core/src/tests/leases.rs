//! Leases: what a server reaches of its caller's memory.

use nonos_abi::message::{LEASE_BYTES_MAX, LEASE_READ, LEASE_WRITE};
use nonos_abi::{Error, MessageInfo, PAGE_BYTES, Syscall};

use super::family::{Family, READ_WRITE};
use crate::machine::Event;
use crate::testing::World;

/// `first` lends two pages of its memory, from the middle of one on, to `init`.
struct Lent {
    family: Family,
    address: u64,
    reply: u64,
}

const LENT_BYTES: u64 = 5000;

fn lend(access: u64) -> Lent {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let (endpoint, door) = family.endpoint();
    let memory = family.value(first, Syscall::MemoryCreate, &[3]);
    let address = family.value(first, Syscall::MemoryMap, &[memory, READ_WRITE]) + 3000;
    family.world.begin(init, Syscall::Receive, &[endpoint]);
    family.world.switch_to(first);
    let context = family.world.context(first);
    context.r14 = LENT_BYTES | access;
    context.r15 = address;
    // Words that would be another lease, if the message said so.
    (context.r12, context.r13) = (LENT_BYTES | access, address);
    let info = MessageInfo::new(0, 0, 0).lending(1).0;
    family.world.begin(first, Syscall::Call, &[door, info]);
    let context = *family.world.context(init);
    let info = MessageInfo(context.rsi);
    assert_eq!((context.rax, info.leases()), (0, 1));
    assert_eq!((context.r14, context.r15), (LENT_BYTES | access, 0));
    let reply = info.reply().raw().into();
    Lent {
        family,
        address,
        reply,
    }
}

#[test]
fn a_server_reads_and_writes_what_it_was_lent_and_nothing_else() {
    let Lent {
        mut family,
        address,
        reply,
    } = lend(LEASE_READ | LEASE_WRITE);
    let [init, first, _] = family.processes();
    let buffer = family.world.buffer(init);
    family
        .world
        .poke(first, address + 1090, b"lent across two pages");
    let arguments = [reply, 0, 1090, buffer, 21];
    assert_eq!(family.error(init, Syscall::LeaseRead, &arguments), None);
    assert_eq!(
        family.world.peek(init, buffer, 21),
        b"lent across two pages"
    );
    // From the middle of a page over the end of the server's.
    let across = (buffer | 0xFFF) - 3;
    family.world.poke(first, address, b"to two pages");
    let arguments = [reply, 0, 0, across, 12];
    assert_eq!(family.error(init, Syscall::LeaseRead, &arguments), None);
    assert_eq!(family.world.peek(init, across, 12), b"to two pages");
    family.world.poke(init, buffer, b"back");
    let arguments = [reply, 0, LENT_BYTES - 4, buffer, 4];
    assert_eq!(family.error(init, Syscall::LeaseWrite, &arguments), None);
    let end = address + LENT_BYTES - 4;
    assert_eq!(family.world.peek(first, end, 5), b"back\0");
    for (index, offset, pointer, length) in [
        (0, LENT_BYTES - 3, buffer, 4),
        (0, u64::MAX, buffer, 4),
        (0, 4, buffer, u64::MAX),
        (0, 0, buffer, 64 * 1024 + 1),
        (1, 0, buffer, 4),
        (u64::MAX, 0, buffer, 4),
    ] {
        let arguments = [reply, index, offset, pointer, length];
        for call in [Syscall::LeaseRead, Syscall::LeaseWrite] {
            let error = family.error(init, call, &arguments);
            assert_eq!(error, Some(Error::InvalidArgument), "{arguments:?}");
        }
    }
    for pointer in [0, 1 << 63, u64::MAX - 2, PAGE_BYTES as u64] {
        let error = family.error(init, Syscall::LeaseRead, &[reply, 0, 0, pointer, 4]);
        assert_eq!(error, Some(Error::BadAddress), "{pointer:#x}");
    }
    family.value(init, Syscall::Reply, &[reply, 0]);
    let error = family.error(init, Syscall::LeaseRead, &[reply, 0, 0, buffer, 4]);
    assert_eq!(error, Some(Error::NoHandle));
}

#[test]
fn a_server_copies_so_many_bytes_at_once_and_no_more() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let (endpoint, door) = family.endpoint();
    let [own, address] = [init, first].map(|process| {
        let memory = family.value(process, Syscall::MemoryCreate, &[17]);
        family.value(process, Syscall::MemoryMap, &[memory, READ_WRITE])
    });
    family.world.begin(init, Syscall::Receive, &[endpoint]);
    family.world.switch_to(first);
    let context = family.world.context(first);
    [context.r14, context.r15] = [(LEASE_BYTES_MAX + 8) | LEASE_READ, address];
    let info = MessageInfo::new(0, 0, 0).lending(1).0;
    family.world.begin(first, Syscall::Call, &[door, info]);
    let received = MessageInfo(family.world.context(init).rsi);
    let reply = received.reply().raw().into();
    for (length, error) in [
        (LEASE_BYTES_MAX, None),
        (LEASE_BYTES_MAX + 1, Some(Error::InvalidArgument)),
    ] {
        let found = family.error(init, Syscall::LeaseRead, &[reply, 0, 0, own, length]);
        assert_eq!(found, error, "{length}");
    }
}

#[test]
fn each_lease_of_a_message_has_its_own_words() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let (endpoint, door) = family.endpoint();
    let lent = family.world.buffer(first);
    let at = |index: u64| lent + 100 * index;
    for index in 0..4 {
        family.world.poke(first, at(index), &[b'a' + index as u8]);
    }
    family.world.begin(init, Syscall::Receive, &[endpoint]);
    family.world.switch_to(first);
    let context = family.world.context(first);
    [context.r14, context.r15] = [1 | LEASE_READ, at(0)];
    [context.r12, context.r13] = [1 | LEASE_READ, at(1)];
    // The others are in the registers of arguments.
    let info = MessageInfo::new(0, 0, 0).lending(4).0;
    let [third, fourth] = [2, 3].map(|index| [1 | LEASE_READ, at(index)]);
    let arguments = [door, info, fourth[0], fourth[1], third[0], third[1]];
    family.world.begin(first, Syscall::Call, &arguments);
    let context = *family.world.context(init);
    let info = MessageInfo(context.rsi);
    assert_eq!((context.rax, info.leases()), (0, 4));
    let (reply, buffer) = (info.reply().raw().into(), family.world.buffer(init));
    for index in 0..4 {
        let arguments = [reply, index, 0, buffer, 1];
        assert_eq!(family.error(init, Syscall::LeaseRead, &arguments), None);
        assert_eq!(family.world.peek(init, buffer, 1), [b'a' + index as u8]);
    }
}

#[test]
fn a_lease_allows_what_it_says() {
    for (access, allowed, denied) in [
        (LEASE_READ, Syscall::LeaseRead, Syscall::LeaseWrite),
        (LEASE_WRITE, Syscall::LeaseWrite, Syscall::LeaseRead),
    ] {
        let Lent {
            mut family, reply, ..
        } = lend(access);
        let init = family.init;
        let buffer = family.world.buffer(init);
        let arguments = [reply, 0, 0, buffer, 4];
        assert_eq!(family.error(init, allowed, &arguments), None);
        assert_eq!(
            family.error(init, denied, &arguments),
            Some(Error::InvalidArgument)
        );
    }
}

#[test]
fn a_lease_ends_with_its_caller() {
    let Lent {
        mut family, reply, ..
    } = lend(LEASE_READ);
    let [init, first, _] = family.processes();
    let kill = crate::process::Exit::Killed;
    let World {
        kernel, machine, ..
    } = &mut family.world;
    kernel.end_process(first, kill, machine);
    family.world.event(Event::Spurious);
    let buffer = family.world.buffer(init);
    assert_eq!(
        family.error(init, Syscall::LeaseRead, &[reply, 0, 0, buffer, 4]),
        Some(Error::PeerGone)
    );
}

#[test]
fn leases_that_make_no_sense_are_refused_to_the_caller() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let (endpoint, door) = family.endpoint();
    let buffer = family.world.buffer(first);
    let one = MessageInfo::new(0, 6, 0).lending(1);
    for (info, length, address, error) in [
        (
            MessageInfo::new(0, 7, 0).lending(1),
            8 | LEASE_READ,
            buffer,
            Error::InvalidArgument,
        ),
        (
            MessageInfo::new(0, 5, 0).lending(2),
            8 | LEASE_READ,
            buffer,
            Error::InvalidArgument,
        ),
        (
            MessageInfo::new(0, 0, 0).lending(5),
            8 | LEASE_READ,
            buffer,
            Error::InvalidArgument,
        ),
        (one, 8, buffer, Error::InvalidArgument),
        (one, 8 | LEASE_READ, u64::MAX - 3, Error::BadAddress),
        (one, 8 | LEASE_READ, 1 << 63, Error::BadAddress),
        (one, (1 << 61) | LEASE_READ, buffer, Error::BadAddress),
    ] {
        family.world.switch_to(first);
        let context = family.world.context(first);
        (context.r14, context.r15) = (length, address);
        (context.r12, context.r13) = (length, address);
        let refused = family.error(first, Syscall::Call, &[door, info.0]);
        assert_eq!(refused, Some(error), "{info:?} {length:#x} {address:#x}");
    }
    // An address that is not mapped is the caller's error only when the server uses it.
    family.world.switch_to(first);
    let context = family.world.context(first);
    (context.r14, context.r15) = (8 | LEASE_READ, 0x1000);
    family.world.begin(first, Syscall::Call, &[door, one.0]);
    let received = family.world.call(init, Syscall::Receive, &[endpoint]);
    let reply = MessageInfo(received.unwrap()[1]).reply().raw().into();
    let buffer = family.world.buffer(init);
    assert_eq!(
        family.error(init, Syscall::LeaseRead, &[reply, 0, 0, buffer, 4]),
        Some(Error::BadAddress)
    );
}
