//! The file system in memory, see `nonos_proto::files`.
//!
//! [`ramfs`] is the file system; [`service`] has its requests arrive and its answers leave. When this process ends, everything that it
//! stored is gone: it is memory. Handles to its files are dead then, so that nobody takes the files of its successor for
//! the ones that were lost.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod service;

use nonos_abi::Error;
use nonos_crypto::Secret;
use nonos_proto::CallError;
use nonos_rt::object::Notification;
use nonos_rt::{parent, random};
use ramfs::volume::Volume;

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
    let mut volume = Volume::new(Memory);
    // One key for as long as this process runs. The vault's key, which it can take back, takes this place.
    let root = Secret::random(&mut random::Kernel);
    volume.unlock(&root).map_err(CallError::Refused)?;
    drop(root);
    let mut service = Service::new(volume, issuer, signals);
    Ok(nonos_rt::service::serve(&endpoint, &mut service))
}
