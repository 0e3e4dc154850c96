//! The firmware's variable store with our Secure Boot keys enrolled and enforcement on.
//!
//! Built offline from the empty store that comes with OVMF, so that no machine is ever booted in setup mode. The
//! store is a firmware volume (PI 1.7, vol. 3, 3.2.1) that holds EDK II's authenticated variables one after the other
//! (MdeModulePkg, `AuthenticatedVariableFormat.h`); the values of PK, KEK and db are EFI_SIGNATURE_LISTs
//! (UEFI 2.10, 32.4.1). Same certificates, same bytes.

use anyhow::{Result, bail, ensure};

use crate::keys::{Keys, SecureBootKey};

/// A GUID as EFI stores it: three little-endian numbers, then bytes.
#[derive(Clone, Copy)]
struct Guid(u32, u16, u16, [u8; 8]);

/// `EFI_GLOBAL_VARIABLE`: PK and KEK (UEFI 2.10, 3.3).
const GLOBAL_VARIABLE: Guid = Guid(
    0x8be4_df61,
    0x93ca,
    0x11d2,
    [0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c],
);
/// `EFI_IMAGE_SECURITY_DATABASE_GUID`: db (UEFI 2.10, 32.6.1).
const SECURITY_DATABASE: Guid = Guid(
    0xd719_b2cb,
    0x3d3a,
    0x4596,
    [0xa3, 0xbc, 0xda, 0xd0, 0x0e, 0x67, 0x65, 0x6f],
);
/// `gEfiSecureBootEnableDisableGuid` of EDK II.
const SECURE_BOOT_ENABLE: Guid = Guid(
    0xf0a3_0bc7,
    0xaf08,
    0x4556,
    [0x99, 0xc4, 0x00, 0x10, 0x09, 0xc9, 0x3a, 0x44],
);
/// `gEfiCustomModeEnableGuid` of EDK II.
const CUSTOM_MODE_ENABLE: Guid = Guid(
    0xc076_ec0c,
    0x7028,
    0x4399,
    [0xa0, 0x72, 0x71, 0xee, 0x5c, 0x44, 0x8b, 0x9f],
);
/// `EFI_CERT_X509_GUID` (UEFI 2.10, 32.4.1).
const CERT_X509: Guid = Guid(
    0xa5c0_59a1,
    0x94e4,
    0x4aa7,
    [0x87, 0xb5, 0xab, 0x15, 0x5c, 0x2b, 0xf0, 0x72],
);
/// `gEfiAuthenticatedVariableGuid`: what the store says it is.
const AUTHENTICATED_STORE: Guid = Guid(
    0xaaf3_2c78,
    0x947b,
    0x439a,
    [0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92],
);
/// Owner of our certificates.
const OWNER: Guid = Guid(
    0x4e4f_4e4f,
    0x5300,
    0x4001,
    [0x80, 0x00, 0x6e, 0x6f, 0x6e, 0x6f, 0x73, 0x01],
);

/// `EFI_VARIABLE_NON_VOLATILE | BOOTSERVICE_ACCESS` (UEFI 2.10, 8.2).
const BOOT_SERVICES: u32 = 0x03;
/// The same, `RUNTIME_ACCESS` and `TIME_BASED_AUTHENTICATED_WRITE_ACCESS`.
const AUTHENTICATED: u32 = 0x27;

/// `EFI_TIME` of our enrolment: 2026-01-01 00:00:00 UTC. Any later signed update of the variables is newer.
const ENROLMENT_TIME: [u8; 16] = [0xea, 0x07, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A variable starts with this (`VARIABLE_DATA`).
const START_ID: u16 = 0x55AA;
/// `VAR_ADDED`: the variable is complete and not deleted.
const ADDED: u8 = 0x3F;
/// Erased flash.
const ERASED: u8 = 0xFF;
/// Size of `VARIABLE_STORE_HEADER`.
const STORE_HEADER_BYTES: usize = 28;

/// The empty store `template` with the certificates of `keys` enrolled.
///
/// # Errors
/// When `template` is no empty store, or too small.
pub fn enrol(template: &[u8], keys: &Keys) -> Result<Vec<u8>> {
    let list = |key| keys.certificate_der(key).map(|der| signature_list(&der));
    let variables = [
        variable(
            "PK",
            GLOBAL_VARIABLE,
            AUTHENTICATED,
            &list(SecureBootKey::Pk)?,
        ),
        variable(
            "KEK",
            GLOBAL_VARIABLE,
            AUTHENTICATED,
            &list(SecureBootKey::Kek)?,
        ),
        variable(
            "db",
            SECURITY_DATABASE,
            AUTHENTICATED,
            &list(SecureBootKey::Db)?,
        ),
        variable("SecureBootEnable", SECURE_BOOT_ENABLE, BOOT_SERVICES, &[1]),
        variable("CustomMode", CUSTOM_MODE_ENABLE, BOOT_SERVICES, &[0]),
    ];
    let mut store = template.to_vec();
    let mut at = first_variable(template)?;
    for variable in variables {
        let Some(room) = store.get_mut(at..at + variable.len()) else {
            bail!("the variable store is too small")
        };
        ensure!(
            room.iter().all(|&byte| byte == ERASED),
            "the variable store is not empty"
        );
        room.copy_from_slice(&variable);
        at = (at + variable.len()).next_multiple_of(4);
    }
    Ok(store)
}

/// Where the first variable lies, from the firmware volume's header.
fn first_variable(volume: &[u8]) -> Result<usize> {
    ensure!(volume.get(40..44) == Some(b"_FVH"), "no firmware volume");
    let header_bytes = u16::from_le_bytes([volume[48], volume[49]]) as usize;
    let store = volume.get(header_bytes..header_bytes + STORE_HEADER_BYTES);
    let known = store.is_some_and(|store| store.starts_with(&AUTHENTICATED_STORE.bytes()));
    ensure!(
        known,
        "the firmware volume holds no authenticated variables"
    );
    Ok(header_bytes + STORE_HEADER_BYTES)
}

/// `AUTHENTICATED_VARIABLE_HEADER`, name, value.
fn variable(name: &str, vendor: Guid, attributes: u32, value: &[u8]) -> Vec<u8> {
    let name: Vec<u8> = name
        .encode_utf16()
        .chain([0])
        .flat_map(u16::to_le_bytes)
        .collect();
    let mut bytes = START_ID.to_le_bytes().to_vec();
    bytes.extend([ADDED, 0]);
    bytes.extend(attributes.to_le_bytes());
    bytes.extend(0u64.to_le_bytes()); // monotonic count, unused
    bytes.extend(if attributes == AUTHENTICATED {
        ENROLMENT_TIME
    } else {
        [0; 16]
    });
    bytes.extend(0u32.to_le_bytes()); // public key index, unused
    bytes.extend((name.len() as u32).to_le_bytes());
    bytes.extend((value.len() as u32).to_le_bytes());
    bytes.extend(vendor.bytes());
    bytes.extend(name);
    bytes.extend(value);
    bytes
}

/// `EFI_SIGNATURE_LIST` with one certificate.
fn signature_list(certificate: &[u8]) -> Vec<u8> {
    let owner = OWNER.bytes();
    let signature_bytes = owner.len() + certificate.len();
    let mut bytes = CERT_X509.bytes().to_vec();
    for size in [28 + signature_bytes, 0, signature_bytes] {
        bytes.extend((size as u32).to_le_bytes());
    }
    bytes.extend(owner);
    bytes.extend(certificate);
    bytes
}

impl Guid {
    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes[..4].copy_from_slice(&self.0.to_le_bytes());
        bytes[4..6].copy_from_slice(&self.1.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.2.to_le_bytes());
        bytes[8..].copy_from_slice(&self.3);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_has_the_layout_of_edk2() {
        let bytes = variable("db", SECURITY_DATABASE, AUTHENTICATED, &[7; 5]);
        assert_eq!(bytes.len(), 60 + 6 + 5);
        assert_eq!(bytes[..8], [0xAA, 0x55, 0x3F, 0, 0x27, 0, 0, 0]);
        assert_eq!(bytes[36..44], [6, 0, 0, 0, 5, 0, 0, 0]);
        assert_eq!(bytes[44..48], [0xcb, 0xb2, 0x19, 0xd7]);
        assert_eq!(bytes[60..66], *b"d\0b\0\0\0");
    }

    #[test]
    fn a_file_that_is_no_variable_store_is_refused() {
        assert!(first_variable(&[0; 4096]).is_err());
        assert!(first_variable(b"_FVH").is_err());
    }
}
