//! `init`: starts the system's programs, hands out what they may have, and supervises them.
//!
//! The kernel gives `init` every root handle; it runs no code but this and passes on only what both a program's
//! signed manifest and the policy ([`policy`], from `system.toml`) name. [`child`] starts a process,
//! [`children`] is the table of those that live, [`devices`] and [`directory`] hold what is handed out,
//! [`server`] answers requests, [`supervisor`] says what happens when a process ends.
//!
//! Invariants: a caller is known by the badge that `init` put on its handle and by nothing it says; every
//! handle that leaves has only the rights its operation documents, and GRANT, which the kernel asks for in
//! whatever travels in a message.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod child;
mod children;
mod devices;
mod directory;
mod policy;
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
    let ended = Notification::create()?;
    ended.bind()?;
    // Requests are served through `requests`, so that `init` can use `endpoint` to make badged copies.
    let requests = endpoint.copy(Rights::READ)?;
    let mut init = Init::new(endpoint, ended, log);
    for policy in policy::MODULES
        .iter()
        .filter(|policy| policy.boot && policy.name != "init")
    {
        init.start_at_boot(policy);
    }
    Err(nonos_rt::service::serve(&requests, &mut init))
}
