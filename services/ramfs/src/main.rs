//! The file system in memory, see `nonos_proto::files`.
//!
//! [`ramfs`] is the file system; [`service`] has its requests arrive and its answers leave, [`root`] gets the key from the vault. When this process ends, everything that it
//! stored is gone: it is memory. Handles to its files are dead then, so that nobody takes the files of its successor for
//! the ones that were lost.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod root;
mod service;

use nonos_abi::Error;
use nonos_proto::CallError;
use nonos_rt::object::Notification;
use nonos_rt::parent;
use ramfs::volume::Volume;

use crate::root::Root;
use crate::service::{Memory, Service};

nonos_rt::entry!(main);

fn main() -> u64 {
    nonos_rt::service::main(run)
}

fn run() -> Result<Error, CallError> {
    let endpoint = parent::serve("files")?;
    let issuer = parent::issue("files")?;
    let signals = Notification::create().map_err(CallError::Unreachable)?;
    signals.bind().map_err(CallError::Unreachable)?;
    let root = Root::connect()?;
    let mut service = Service::new(Volume::new(Memory), issuer, signals, root);
    service.follow_vault();
    Ok(nonos_rt::service::serve(&endpoint, &mut service))
}
