//! The power box, see `nonos_proto::powerbox`.
//!
//! It alone of the programs that others call holds the user's documents, and lends the vault's keys. [`service`] takes requests and shows one dialog
//! at a time, [`documents`] is what there is to pick, [`given`] opens what was picked. When it ends, all that it gave is dead.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

mod documents;
mod given;
mod service;

use nonos_proto::CallError;
use nonos_rt::abi::Error;
use nonos_rt::object::Notification;
use nonos_rt::parent;

use crate::service::Service;

nonos_rt::entry!(main);

fn main() -> u64 {
    nonos_rt::service::main(run)
}

fn run() -> Result<Error, CallError> {
    let endpoint = parent::serve("powerbox")?;
    let signals = Notification::create().map_err(CallError::Unreachable)?;
    signals.bind().map_err(CallError::Unreachable)?;
    let mut service = Service::connect(signals)?;
    Ok(nonos_rt::service::serve(&endpoint, &mut service))
}
