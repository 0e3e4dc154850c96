//! The driver of the TPM 2.0, see `nonos_proto::tpm`.
//!
//! `main` asks `init` for the registers, finds out which interface they are, and serves; [`hardware`] is the registers, [`event_log`] the event
//! log, [`service`] what clients may have done. Nothing is sent to the TPM before somebody asks. Without a TPM every request is
//! refused, and the log says why.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod event_log;
mod hardware;
mod service;

use nonos_proto::{CallError, Refusal};
use nonos_rt::abi::Error;
use nonos_rt::abi::boot::tpm_start;
use nonos_rt::mmio::Registers;
use nonos_rt::random::Kernel;
use nonos_rt::{log, parent};
use nonos_tpm::device::Device;
use tpm::interface::{Interface, Kind};

use crate::hardware::Hardware;
use crate::service::Service;

nonos_rt::entry!(main);

fn main() -> u64 {
    nonos_rt::service::main(run)
}

fn run() -> Result<Error, CallError> {
    let endpoint = parent::serve("tpm")?;
    let mut service = Service {
        device: None,
        system: parent::system_info()?,
    };
    match find() {
        Ok(interface) => service.device = Some(Device::new(interface, Kernel)),
        Err(error) => log!("no TPM: {error}"),
    }
    Ok(nonos_rt::service::serve(&endpoint, &mut service))
}

/// The TPM's interface.
fn find() -> Result<Interface<Hardware>, CallError> {
    let (memory, found) = parent::tpm()?;
    let registers = Registers::map(&memory).map_err(CallError::Unreachable)?;
    let expected = match found.start_method {
        tpm_start::CRB => Kind::Crb,
        _ => Kind::Fifo,
    };
    Interface::find(Hardware(registers), found.physical, expected)
        .ok_or(CallError::Refused(Refusal::NoSuchDevice))
}
