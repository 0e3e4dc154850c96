//! Modules: the only way code gets into a process.
//!
//! The signed header is the manifest: who made the module, what it asks for at most, and the hash of its ELF.
//! The body is the ELF, a static position-independent executable ([`crate::elf`]). The signature proves
//! origin; it confers no authority.
//!
//! | offset | bytes | header field |
//! |---|---|---|
//! | 0 | 8 | magic `NONOSMOD` |
//! | 8 | 8 | format version, 1 |
//! | 16 | 32 | name |
//! | 48 | 32 | publisher: the name of a trust anchor |
//! | 80 | 32 | version for people, [`Name`] rules |
//! | 112 | 8 | security version |
//! | 120 | 8 | priority ceiling, 0 to 31 |
//! | 128 | 8 | memory quota, pages |
//! | 136 | 8 | needs: bits of [`nonos_abi::info::needs`] |
//! | 144 | 8 | bytes of the ELF |
//! | 152 | 32 | BLAKE3 of the ELF |
//! | 184 | 328 | zeros |

use nonos_abi::Name;
use nonos_abi::info::needs;

use crate::anchors::Anchors;
pub use crate::envelope::Refusal;
use crate::envelope::{self, HEADER_BYTES, Kind};

const KIND: Kind = Kind {
    context: "nonos.module.v1",
    magic: *b"NONOSMOD",
    fields_end: 184,
};
/// Magic of a module.
pub const MAGIC: [u8; 8] = KIND.magic;
/// Highest priority.
pub const PRIORITY_MAX: u8 = 31;

/// What a module is and what it asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Manifest {
    /// Name.
    pub name: Name,
    /// Who signed it.
    pub publisher: Name,
    /// Version for people.
    pub version: Name,
    /// Grows when an older module must not run any more.
    pub security_version: u64,
    /// Highest priority it may get, 0 to [`PRIORITY_MAX`].
    pub priority: u8,
    /// Most memory it may get.
    pub quota_pages: u64,
    /// Most it may be granted: bits of [`nonos_abi::info::needs`].
    pub needs: u64,
    /// Bytes of the ELF.
    pub elf_bytes: u64,
    /// BLAKE3 of the ELF.
    pub elf_hash: [u8; 32],
}

impl Manifest {
    /// Reads the fields. For a file that was not verified, the result means nothing but what the file claims.
    pub fn read(header: &envelope::Header) -> Result<Self, Refusal> {
        envelope::check_header(&KIND, header)?;
        let name = |field, bytes| Name::from_bytes(bytes).ok_or(Refusal::Field { field });
        let priority = u8::try_from(envelope::number::<120>(header))
            .ok()
            .filter(|&p| p <= PRIORITY_MAX);
        let asked = envelope::number::<136>(header);
        if asked >> needs::NAMES.len() != 0 {
            return Err(Refusal::Field {
                field: "set of needs",
            });
        }
        Ok(Self {
            name: name("name", envelope::field::<16, 32>(header))?,
            publisher: name("publisher", envelope::field::<48, 32>(header))?,
            version: name("version", envelope::field::<80, 32>(header))?,
            security_version: envelope::number::<112>(header),
            priority: priority.ok_or(Refusal::Field { field: "priority" })?,
            quota_pages: envelope::number::<128>(header),
            needs: asked,
            elf_bytes: envelope::number::<144>(header),
            elf_hash: envelope::field::<152, 32>(header),
        })
    }
}

/// A module that passed every check of [`verify`].
pub struct VerifiedModule<'a> {
    manifest: Manifest,
    elf: &'a [u8],
}

/// Checks a whole file against the keys of the publisher it names.
///
/// # Errors
/// The first check that fails. Then nothing of the file may be used.
pub fn verify<'a>(file: &'a [u8], anchors: &Anchors<'_>) -> Result<VerifiedModule<'a>, Refusal> {
    let (envelope, _) = envelope::split(file)?;
    let header: &[u8; HEADER_BYTES] = envelope
        .first_chunk()
        .ok_or(Refusal::Length { found: file.len() })?;
    // A look-up by raw bytes, not yet trusted: with a wrong name the signatures fail.
    let publisher = envelope::field::<48, 32>(header);
    let keys = Name::from_bytes(publisher).and_then(|name| anchors.find(name));
    let keys = keys.ok_or(Refusal::Publisher { found: publisher })?;

    let signed = envelope::verify(&KIND, file, &keys)?;
    let manifest = Manifest::read(signed.header)?;
    let elf = signed.body(manifest.elf_bytes, &manifest.elf_hash)?;
    Ok(VerifiedModule { manifest, elf })
}

impl<'a> VerifiedModule<'a> {
    /// The signed manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The ELF, as it was hashed.
    pub fn elf(&self) -> &'a [u8] {
        self.elf
    }
}

/// What [`build`] takes from the person who signs; the rest of the manifest follows from the ELF.
#[cfg(feature = "sign")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Description {
    /// Name.
    pub name: Name,
    /// Name of the trust anchor that has the public keys.
    pub publisher: Name,
    /// Version for people.
    pub version: Name,
    /// See [`Manifest::security_version`].
    pub security_version: u64,
    /// See [`Manifest::priority`].
    pub priority: u8,
    /// See [`Manifest::quota_pages`].
    pub quota_pages: u64,
    /// See [`Manifest::needs`].
    pub needs: u64,
}

/// Signs a module. Does not look at the ELF: whoever signs for others parses it first with [`crate::elf`].
///
/// Same description, same ELF, same keys: same bytes.
///
/// # Errors
/// [`Refusal::Field`] for a priority or a need that does not exist.
#[cfg(feature = "sign")]
pub fn build(
    description: &Description,
    elf: &[u8],
    keys: &crate::keys::SecretKeys,
) -> Result<alloc::vec::Vec<u8>, Refusal> {
    let mut header = envelope::new_header(&KIND);
    envelope::put::<16, 32>(&mut header, &description.name.to_bytes());
    envelope::put::<48, 32>(&mut header, &description.publisher.to_bytes());
    envelope::put::<80, 32>(&mut header, &description.version.to_bytes());
    envelope::put::<112, 8>(&mut header, &description.security_version.to_le_bytes());
    envelope::put::<120, 8>(&mut header, &u64::from(description.priority).to_le_bytes());
    envelope::put::<128, 8>(&mut header, &description.quota_pages.to_le_bytes());
    envelope::put::<136, 8>(&mut header, &description.needs.to_le_bytes());
    envelope::put::<144, 8>(&mut header, &(elf.len() as u64).to_le_bytes());
    envelope::put::<152, 32>(&mut header, &crate::signature::hash(elf));
    Manifest::read(&header)?;
    Ok(envelope::seal(&KIND, &header, elf, keys))
}

#[cfg(all(test, feature = "sign"))]
mod tests {
    use super::*;
    use crate::anchors;
    use crate::keys::SecretKeys;

    /// What becomes of a manifest that is signed but wrong.
    fn refusal(damage: impl FnOnce(&mut envelope::Header)) -> Refusal {
        let keys = SecretKeys::from_seeds([1; 32], [2; 32]);
        let name = Name::new("a").unwrap();
        let description = Description {
            name,
            publisher: name,
            version: name,
            security_version: 0,
            priority: 0,
            quota_pages: 0,
            needs: 0,
        };
        let file = build(&description, b"elf", &keys).unwrap();
        let mut header: envelope::Header = *file.first_chunk().unwrap();
        damage(&mut header);
        let file = envelope::seal(&KIND, &header, b"elf", &keys);
        let anchors = anchors::build(&[(name, keys.public())]).unwrap();
        verify(&file, &Anchors::parse(&anchors).unwrap())
            .map(|_| ())
            .unwrap_err()
    }

    #[test]
    fn a_signed_manifest_is_still_checked() {
        let found = *b"NONOSIMG";
        assert_eq!(
            refusal(|header| header[..8].copy_from_slice(&found)),
            Refusal::Magic {
                found,
                expected: MAGIC
            }
        );
        assert_eq!(
            refusal(|header| header[9] = 1),
            Refusal::Format { found: 0x101 }
        );
        assert_eq!(
            refusal(|header| header[184] = 1),
            Refusal::Reserved {
                offset: 184,
                found: 1
            }
        );
        let first_unknown = 136 * 8 + needs::NAMES.len();
        for (at, value, field) in [
            (16, b'/', "name"),
            (80, 0, "version"),
            (120, 32, "priority"),
            (121, 1, "priority"),
            (first_unknown / 8, 1 << (first_unknown % 8), "set of needs"),
            (143, 0x80, "set of needs"),
        ] {
            assert_eq!(
                refusal(|header| header[at] = value),
                Refusal::Field { field }
            );
        }
        assert_eq!(
            refusal(|header| header[144] = 4),
            Refusal::BodyLength {
                found: 3,
                expected: 4
            }
        );
        assert!(matches!(
            refusal(|header| header[183] ^= 1),
            Refusal::Hash { .. }
        ));
        let found = [0; 32];
        assert_eq!(
            refusal(|header| header[48] = 0),
            Refusal::Publisher { found }
        );
    }

    #[test]
    fn refusals_become_the_errors_of_the_system_call() {
        use nonos_abi::Error;
        assert_eq!(
            Error::from(refusal(|header| header[48] = b'b')),
            Error::ModulePublisher
        );
        assert_eq!(
            Error::from(refusal(|header| header[152] ^= 1)),
            Error::ModuleHash
        );
        assert_eq!(Error::from(Refusal::Ed25519), Error::ModuleEd25519);
        assert_eq!(Error::from(Refusal::MlDsa), Error::ModuleMlDsa);
        assert_eq!(
            Error::from(Refusal::Length { found: 0 }),
            Error::ModuleFormat
        );
    }
}
