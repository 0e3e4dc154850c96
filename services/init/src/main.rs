//! `init`: starts the system's programs, hands out what they may have, and supervises them.
//!
//! The kernel gives `init` every root handle; it runs no code but this and passes on only what a program's signed manifest
//! asks for and the policy ([`init::policy`], from `system.toml`) or the user allows. [`child`] starts a process,
//! [`children`] is the table of those that live, [`devices`] and [`directory`] hold what is handed out, [`kept`] what
//! each process was given, [`server`] answers requests, [`supervisor`] says what happens when a process ends.
//!
//! Invariants: a caller is known by the badge that `init` put on its handle and by nothing it says; every handle that
//! leaves has only the rights that its operation documents, cannot be passed on, and is derived from a handle that
//! belongs to its receiver alone, so that it can be taken back.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod child;
mod children;
mod devices;
mod directory;
mod kept;
mod server;
mod supervisor;

use nonos_rt::abi::{Error, Rights, start};
use nonos_rt::log;
use nonos_rt::object::{Endpoint, Log, Notification};

use crate::server::Init;

nonos_rt::entry!(main);

fn main() -> u64 {
    let log = Log::from_handle(start::LOG);
    if let Ok(own) = log.copy(Rights::WRITE) {
        log::set(own);
    }
    let failure = match run(log) {
        Ok(never) => match never {},
        Err(error) => error,
    };
    log!("cannot go on: {failure}");
    1
}

/// Starts the system and serves it.
fn run(log: Log) -> Result<core::convert::Infallible, Error> {
    let endpoint = Endpoint::create()?;
    let signals = Notification::create()?;
    signals.bind()?;
    // Requests are served through `requests`, so that `init` can use `endpoint` to make badged copies.
    let requests = endpoint.copy(Rights::READ)?;
    let mut init = Init::new(endpoint, signals, log);
    init.start_due();
    Err(nonos_rt::service::serve(&requests, &mut init))
}
