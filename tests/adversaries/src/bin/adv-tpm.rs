//! Asks the TPM's driver for what is not its to have: first without being connected to it, then through the names that the user allows
//! one after the other.
#![no_std]
#![no_main]

use adversaries::say;
use adversaries::tries::Tries;
use nonos_abi::{Error, Rights};
use nonos_proto::tpm::{BADGE_SEAL, Client};
use nonos_proto::{CallError, Refusal};
use nonos_rt::object::Endpoint;
use nonos_rt::parent;

nonos_rt::entry!(main);

type Tpm = Client<Endpoint>;

fn main() -> u64 {
    let mut tries = Tries::new();
    for name in ["tpm", "tpm-quote", "tpm-seal"] {
        let connected = parent::connect(name).map(drop);
        tries.denied(
            format_args!("connecting to {name}"),
            connected,
            Refusal::NotGranted,
        );
    }
    let endpoint = tries.once_connected("tpm");
    let badged = endpoint.badge(BADGE_SEAL, Rights::WRITE).map(drop);
    let forged = badged.map_err(CallError::Unreachable);
    let no_right = CallError::Unreachable(Error::MissingRight);
    tries.fails("a badge of its own", forged, no_right);
    let tpm = Client(endpoint);
    // The machine has no TPM: that is said to who may ask, and nothing to others.
    let state = tpm.state().map(drop);
    tries.denied("the state", state, Refusal::NoSuchDevice);
    quoting(&mut tries, &tpm, Refusal::NotGranted);
    sealing(&mut tries, &tpm);

    let tpm = Client(tries.once_connected("tpm-quote"));
    quoting(&mut tries, &tpm, Refusal::NoSuchDevice);
    sealing(&mut tries, &tpm);
    say(&mut tries.terminal, format_args!("that was all"));
    u64::from(tries.failed)
}

fn quoting(tries: &mut Tries, tpm: &Tpm, refusal: Refusal) {
    let mut out = [0; 512];
    let quoted = tpm.quote(1, &[1; 20], &mut out).map(drop);
    tries.denied("a quote", quoted, refusal);
    let read = tpm.certificate(0, &mut out).map(drop);
    tries.denied("the certificate", read, refusal);
    let opened = tpm.activate(&[0; 64], &mut out).map(drop);
    tries.denied("opening a credential", opened, refusal);
}

fn sealing(tries: &mut Tries, tpm: &Tpm) {
    let mut out = [0; 512];
    let sealed = tpm.seal(1 << 7, 0, &[1; 32], &[], &mut out).map(drop);
    let unsealed = tpm.unseal(0, &[0; 64], &[], &mut out[..32]).map(drop);
    for (what, outcome) in [
        ("sealing", sealed),
        ("unsealing", unsealed),
        ("the counter", tpm.counter().map(drop)),
        ("incrementing the counter", tpm.increment().map(drop)),
        ("what the vault keeps", tpm.load(0, &mut out)),
        ("overwriting what the vault keeps", tpm.store(0, &[0; 512])),
        ("extending a PCR", tpm.extend(16, &[1; 32])),
        ("preparing it for the end of power", tpm.shutdown()),
    ] {
        tries.denied(what, outcome, Refusal::NotGranted);
    }
}
