//! The record of denials: who, what, and why.

use std::vec::Vec;

use nonos_abi::info::AuditRecord;
use nonos_abi::words::Words;
use nonos_abi::{Error, ObjectKind, Syscall, start};

use super::family::{ALL, Family, READ};

/// All that is recorded, read in small parts.
fn audit(family: &mut Family) -> Vec<AuditRecord> {
    let init = family.init;
    let pointer = family.world.buffer(init);
    let audit = start::AUDIT.raw().into();
    let mut records = Vec::new();
    let mut position = 0;
    loop {
        let arguments = [audit, position, pointer, 3];
        let [count, next] = family
            .world
            .call(init, Syscall::AuditRead, &arguments)
            .unwrap();
        for index in 0..count {
            let address = pointer + index * AuditRecord::COUNT as u64 * 8;
            let words = family.world.peek_words(init, address, AuditRecord::COUNT);
            records.push(AuditRecord::read_words(&words).unwrap());
        }
        if count < 3 {
            return records;
        }
        position = next;
    }
}

#[test]
fn every_denial_is_recorded_with_who_what_and_why() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    // The first of a kind has number 0.
    family.notification(init);
    let bell = family.notification(init);
    let copy = family.value(init, Syscall::HandleCopy, &[bell, READ | 8, 90]);
    let mine = family.world.share(init, copy, first);
    family.error(first, Syscall::NotificationWait, &[0xABC_DEF]);
    family.error(first, Syscall::MemoryMap, &[mine, READ]);
    family.error(first, Syscall::NotificationSignal, &[mine, 1]);
    family.world.advance(100);
    family.error(first, Syscall::NotificationWait, &[mine]);
    family.revoke(init, bell);
    family.error(first, Syscall::NotificationWait, &[mine]);
    // Errors that are no denials are not recorded.
    family.error(first, Syscall::MemoryUnmap, &[123]);
    let records = audit(&mut family);
    let number = family.world.kernel.processes[first].number;
    let object = family.record(init, bell).object;
    let seen: Vec<_> = records
        .iter()
        .map(|record| (record.process, record.reason, record.syscall, record.handle))
        .collect();
    let row = |error: Error, call: Syscall, handle| (number, error.raw(), call as u64, handle);
    assert_eq!(
        seen,
        [
            row(Error::NoHandle, Syscall::NotificationWait, 0xABC_DEF),
            row(Error::WrongKind, Syscall::MemoryMap, mine),
            row(Error::MissingRight, Syscall::NotificationSignal, mine),
            row(Error::Expired, Syscall::NotificationWait, mine),
            row(Error::Revoked, Syscall::NotificationWait, mine),
        ]
    );
    assert!(
        records
            .windows(2)
            .all(|pair| pair[0].sequence < pair[1].sequence)
    );
    assert_eq!(records[0].kind, 0);
    assert_eq!(records[1].kind, ObjectKind::Notification as u64);
    assert_ne!(object, 0);
    assert_eq!((records[0].object, records[1].object), (0, object));
    assert_eq!(records[3].time_ns, 100);
    assert_eq!(records[0].name.as_str(), "worker");
}

#[test]
fn a_wait_that_ends_by_revocation_is_recorded_with_the_handle_it_went_through() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let bell = family.notification(init);
    let mine = family.world.share(init, bell, first);
    let wait = Syscall::NotificationWait;
    family.world.begin(first, wait, &[mine]);
    family.revoke(init, bell);
    let records = audit(&mut family);
    let number = family.world.kernel.processes[first].number;
    let last = records.last().expect("a record");
    let seen = (last.process, last.reason, last.syscall, last.handle);
    let expected = (number, Error::Revoked.raw(), wait as u64, mine);
    assert_eq!(seen, expected);
}

#[test]
fn the_record_of_denials_keeps_the_newest() {
    let mut family = Family::default();
    let first = family.first;
    family.world.checked = false;
    for handle in 0..300 {
        family.error(first, Syscall::HandleInfo, &[0x5000 + handle]);
    }
    let records = audit(&mut family);
    assert_eq!(records.len(), 256);
    assert_eq!(records[0].handle, 0x5000 + 44);
    assert_eq!(records[255].sequence, 299);
}

#[test]
fn only_a_holder_reads_the_record_of_denials() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let buffer = family.world.buffer(first);
    let log = family.world.share(init, start::LOG.raw().into(), first);
    assert_eq!(
        family.error(first, Syscall::AuditRead, &[log, 0, buffer, 1]),
        Some(Error::WrongKind)
    );
}

#[test]
fn a_wait_past_its_time_is_denied_by_whoever_comes_before_the_timer() {
    for (late_ns, denied) in [(0, true), (1, false)] {
        let mut family = Family::default();
        let [_, first, second] = family.processes();
        let endpoint = family.value(second, Syscall::EndpointCreate, &[]);
        let door = family.value(second, Syscall::HandleCopy, &[endpoint, ALL, 50_000]);
        let door = family.world.share(second, door, first);
        family.world.begin(first, Syscall::Call, &[door]);
        family.world.machine.now_ns = 50_000 - late_ns;
        family.world.begin(second, Syscall::Receive, &[endpoint]);
        assert_eq!(family.world.is_blocked(second), denied);
        assert_eq!(family.world.is_blocked(first), !denied);
        let records = audit(&mut family);
        let seen = records.iter().map(|record| (record.handle, record.reason));
        let expected = denied.then_some((door, Error::Expired.raw()));
        assert_eq!(seen.collect::<Vec<_>>(), Vec::from_iter(expected));
    }
}
