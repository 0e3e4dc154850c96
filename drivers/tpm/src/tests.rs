//! Both interfaces, with a TPM that works and with TPMs that do not.

use crate::fake::{BASE, FakeTpm, Wrong};
use crate::interface::{Interface, Kind};
use crate::{Fault, crb, fifo};
use nonos_tpm::Transport;

const COMMAND: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x7B, 0, 32];
const KEY_COMMAND: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x31, 0, 32];

fn transact(tpm: &mut FakeTpm, kind: Kind, command: &[u8]) -> Result<Vec<u8>, Fault> {
    let mut response = [0; 1024];
    match kind {
        Kind::Crb => crb::transact(tpm, BASE, command, &mut response)?,
        Kind::Fifo => fifo::transact(tpm, command, &mut response)?,
    }
    let bytes = u32::from_be_bytes(response[2..6].try_into().unwrap()) as usize;
    assert!(response[bytes..].iter().all(|&byte| byte == 0));
    Ok(response[..bytes].to_vec())
}

#[test]
fn a_command_gets_there_and_its_response_comes_back() {
    for kind in [Kind::Crb, Kind::Fifo] {
        let mut tpm = FakeTpm::new(kind, Wrong::Nothing);
        for _ in 0..3 {
            tpm.command.clear();
            let response = transact(&mut tpm, kind, &COMMAND).unwrap();
            assert_eq!(response, tpm.response);
            assert_eq!(tpm.command, COMMAND);
        }
        assert_eq!(tpm.seconds(), 0);
    }
}

#[test]
fn every_wait_for_a_tpm_that_does_not_do_its_part_ends() {
    use Fault::{Buffers, Failed, Length, Locality, NotReady, Refused, Silent};
    let crb = [
        (Wrong::Absent, Locality, 2),
        (Wrong::Dead, Locality, 2),
        (Wrong::Locality, Locality, 2),
        (Wrong::NotReady, NotReady, 2),
        (Wrong::Silent, Silent, 10),
        (Wrong::Stuck, Silent, 12),
        (Wrong::Failed, Failed, 0),
        (Wrong::Bytes(0), Buffers, 0),
        (Wrong::Bytes(BASE as usize + 0x40), Buffers, 0),
        (Wrong::Bytes(BASE as usize + 0x1000), Buffers, 0),
        (Wrong::Bytes(BASE as usize + 0x100), Buffers, 0),
        (Wrong::Bytes(0xFFFF_FFFF), Buffers, 0),
    ];
    let fifo = [
        (Wrong::Absent, Locality, 2),
        (Wrong::Dead, Locality, 2),
        (Wrong::Locality, Locality, 2),
        (Wrong::NotReady, NotReady, 2),
        (Wrong::Silent, Silent, 10),
        (Wrong::Stuck, Silent, 10),
        (Wrong::Failed, NotReady, 2),
        (Wrong::Bytes(0), Refused, 2),
        (Wrong::Bytes(5), Refused, 2),
        (Wrong::Bytes(13), Length, 2),
    ];
    let cases = crb.iter().map(|case| (Kind::Crb, case));
    for (kind, (wrong, fault, seconds)) in cases.chain(fifo.iter().map(|c| (Kind::Fifo, c))) {
        let mut tpm = FakeTpm::new(kind, *wrong);
        let found = transact(&mut tpm, kind, &COMMAND);
        assert_eq!(found, Err(*fault), "{kind:?} {wrong:?}");
        assert_eq!(tpm.seconds(), *seconds, "{kind:?} {wrong:?}");
    }
}

#[test]
fn a_command_that_is_not_answered_is_given_up_and_the_next_one_works() {
    for kind in [Kind::Crb, Kind::Fifo] {
        let mut tpm = FakeTpm::new(kind, Wrong::Silent);
        assert_eq!(transact(&mut tpm, kind, &COMMAND), Err(Fault::Silent));
        assert_eq!(tpm.given_up, 1);
        tpm.command.clear();
        tpm.wrong = Wrong::Nothing;
        assert!(transact(&mut tpm, kind, &COMMAND).is_ok(), "{kind:?}");
    }
}

#[test]
fn a_key_may_take_longer() {
    for kind in [Kind::Crb, Kind::Fifo] {
        let mut tpm = FakeTpm::new(kind, Wrong::Silent);
        assert_eq!(transact(&mut tpm, kind, &KEY_COMMAND), Err(Fault::Silent));
        assert_eq!(tpm.seconds(), 120);
    }
}

#[test]
fn a_response_that_lies_about_its_length_is_refused() {
    for kind in [Kind::Crb, Kind::Fifo] {
        for size in [0, 9, 1025, 4000, u32::MAX] {
            let mut tpm = FakeTpm::new(kind, Wrong::Nothing);
            tpm.response[2..6].copy_from_slice(&size.to_be_bytes());
            let found = transact(&mut tpm, kind, &COMMAND);
            assert_eq!(found, Err(Fault::Length), "{kind:?} {size}");
        }
    }
    // The FIFO says where the response ends: one byte more or less is seen.
    for size in [13u32, 15] {
        let mut tpm = FakeTpm::new(Kind::Fifo, Wrong::Nothing);
        tpm.response[2..6].copy_from_slice(&size.to_be_bytes());
        let found = transact(&mut tpm, Kind::Fifo, &COMMAND);
        assert_eq!(found, Err(Fault::Length), "{size}");
    }
}

#[test]
fn the_interface_is_what_both_the_register_and_the_firmware_say() {
    for kind in [Kind::Crb, Kind::Fifo] {
        for expected in [Kind::Crb, Kind::Fifo] {
            let tpm = FakeTpm::new(kind, Wrong::Nothing);
            let found = Interface::find(tpm, BASE, expected);
            assert_eq!(found.is_some(), kind == expected);
        }
        assert!(Interface::find(FakeTpm::new(kind, Wrong::Absent), BASE, kind).is_none());
        let tpm = FakeTpm::new(kind, Wrong::Silent);
        let mut interface = Interface::find(tpm, BASE, kind).unwrap();
        let status = interface.submit(&COMMAND, &mut [0; 1024]);
        assert_eq!(status, Err(Fault::Silent as u64));
    }
}
