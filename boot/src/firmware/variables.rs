//! UEFI variables: whether Secure Boot is on, and the rollback minimum where there is no TPM.
#![forbid(unsafe_code)]

use nonos_abi::boot::RollbackStore;
use nonos_boot::rollback::{Refusal, Store};
use uefi::runtime::{self, VariableAttributes, VariableVendor};
use uefi::{CStr16, Status, cstr16, guid};

/// The project's own namespace.
const VENDOR: VariableVendor = VariableVendor(guid!("6f1d2d8e-5b0c-4f0e-9d3a-4e6f4e4f5301"));
const ROLLBACK: &CStr16 = cstr16!("RollbackMinimum");
/// Not visible, and not writable, after boot services have ended.
const ROLLBACK_ATTRIBUTES: VariableAttributes =
    VariableAttributes::NON_VOLATILE.union(VariableAttributes::BOOTSERVICE_ACCESS);

/// Whether the firmware says that it enforces Secure Boot with a platform key of its owner (UEFI 2.10, 32.3).
pub fn secure_boot_is_on() -> bool {
    global(cstr16!("SecureBoot")) == Some(1) && global(cstr16!("SetupMode")) == Some(0)
}

fn global(name: &CStr16) -> Option<u8> {
    let mut buffer = [0; 1];
    let (value, _) =
        runtime::get_variable(name, &VariableVendor::GLOBAL_VARIABLE, &mut buffer).ok()?;
    value.first().copied()
}

/// The rollback minimum in a non-volatile, boot-services-only variable: 8 bytes, little-endian. Weaker than
/// a TPM, since who can write the firmware's flash can set it back; status says so.
pub struct RollbackVariable;

impl Store for RollbackVariable {
    fn kind(&self) -> RollbackStore {
        RollbackStore::UefiVariable
    }

    fn read(&mut self) -> Result<u64, Refusal> {
        // Longer than it should be, so that one that is too long is seen with its attributes.
        let mut buffer = [0; 64];
        let error = match runtime::get_variable(ROLLBACK, &VENDOR, &mut buffer) {
            Ok((value, attributes)) => return decode(value, attributes),
            Err(error) => error,
        };
        match (error.status(), error.data()) {
            (Status::NOT_FOUND, _) => Ok(0),
            (_, Some(bytes)) => Err(Refusal::Variable {
                attributes: None,
                bytes: *bytes,
            }),
            (status, None) => Err(Refusal::Firmware(status.0 as u64)),
        }
    }

    fn raise(&mut self, to: u64) -> Result<(), Refusal> {
        runtime::set_variable(ROLLBACK, &VENDOR, ROLLBACK_ATTRIBUTES, &to.to_le_bytes())
            .map_err(|error| Refusal::Firmware(error.status().0 as u64))
    }

    /// The end of boot services locks it.
    fn lock(&mut self) -> Result<(), Refusal> {
        Ok(())
    }
}

/// The minimum in a variable that is exactly as this program makes it.
fn decode(value: &[u8], attributes: VariableAttributes) -> Result<u64, Refusal> {
    match value.try_into() {
        Ok(value) if attributes == ROLLBACK_ATTRIBUTES => Ok(u64::from_le_bytes(value)),
        _ => Err(Refusal::Variable {
            attributes: Some(attributes.bits()),
            bytes: value.len(),
        }),
    }
}
