//! The vault: keys that other programs use and do not see. See `nonos_proto::vault`.
//!
//! `main` serves on a thread of its own, because signatures of ML-DSA take more stack than a program has. [`service`] moves
//! messages in and out and makes the handles; what is decided is in the library. [`tpm`] is the machine's TPM, [`world`] is randomness, time
//! and memory, and wipes the stack.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod buffer;
mod handles;
mod service;
mod tpm;
mod world;

use nonos_proto::CallError;
use nonos_rt::abi::Error;
use nonos_rt::object::Notification;
use nonos_rt::{log, parent, syscall, thread};
use vault::vault::{Started, Vault};

use crate::handles::Handles;
use crate::service::Service;
use crate::tpm::Tpm;
use crate::world::System;

nonos_rt::entry!(main);

/// Stack of the thread that serves.
const STACK_BYTES: usize = 1 << 20;
/// Its priority: that of the manifest.
const PRIORITY: u64 = 16;

fn main() -> u64 {
    if let Ok(log) = parent::log() {
        log::set(log);
    }
    let never = Notification::create();
    match (thread::spawn(serve, 0, STACK_BYTES, PRIORITY), never) {
        (Ok(_thread), Ok(never)) => {
            let _ = never.wait();
        }
        (Err(error), _) | (_, Err(error)) => log!("cannot start: {error}"),
    }
    1
}

/// Ends the process when it cannot go on.
fn serve(_: u64) {
    match run() {
        Ok(error) => log!("cannot serve: {error}"),
        Err(error) => log!("cannot start: {error}"),
    }
    syscall::exit(1)
}

fn run() -> Result<Error, CallError> {
    let endpoint = parent::serve("vault")?;
    let handles = Handles::new(parent::issue("vault")?);
    let signals = Notification::create().map_err(CallError::Unreachable)?;
    signals.bind().map_err(CallError::Unreachable)?;
    let mut service = None;
    open(&mut service, handles, signals);
    world::scrub();
    match &mut service {
        Some(service) => Ok(nonos_rt::service::serve(&endpoint, service)),
        None => Ok(Error::NotFound),
    }
}

/// Makes the service in its place, with its root. In a function of its own, because making it leaves copies of the root behind in this
/// function's part of the stack, which is overwritten afterwards.
#[inline(never)]
fn open(service: &mut Option<Service<Tpm>>, handles: Handles, signals: Notification) {
    let mut system = System::new();
    let (vault, started) = Vault::start(Tpm::find(), &mut system);
    log!("{}", said(started));
    *service = Some(Service::new(vault, system, handles, signals));
}

/// What the log says.
fn said(started: Started) -> &'static str {
    match started {
        Started::New => "a new root, for as long as this process runs",
        Started::Opened => "the root that the TPM keeps is open",
        Started::Locked => "the root that the TPM keeps is locked",
        Started::Unreadable => "what the TPM keeps is no root of a vault: a new root",
        Started::TpmFailed => "the TPM does not answer: a new root",
    }
}
