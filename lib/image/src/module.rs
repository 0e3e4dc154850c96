//! Modules: the only way code gets into a process.
//!
//! A module is an ELF in the archive, a static position-independent executable ([`crate::elf`]), and a manifest in the signed
//! [`crate::list`] of its publisher: what it asks for at most, and the hash of its ELF. The signature proves
//! origin; it confers no authority.
//!
//! | offset | bytes | manifest field |
//! |---|---|---|
//! | 0 | 32 | name: that of the ELF in the archive |
//! | 32 | 32 | version for people, [`Name`] rules |
//! | 64 | 8 | security version |
//! | 72 | 8 | priority ceiling, 0 to 31 |
//! | 80 | 8 | memory quota, pages |
//! | 88 | 8 | needs: bits of [`nonos_abi::info::needs`] |
//! | 96 | 32 | BLAKE3 of the ELF |

use nonos_abi::Name;
use nonos_abi::info::needs;

#[cfg(feature = "sign")]
use crate::bytes::put;
use crate::bytes::{field, number};
use crate::envelope::{Refusal, check_hash};

/// Bytes of a manifest in a list.
pub const MANIFEST_BYTES: usize = 128;
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
    /// BLAKE3 of the ELF.
    pub elf_hash: [u8; 32],
}

impl Manifest {
    /// Reads the fields. In a list that was not verified, the result means nothing but what the list claims.
    ///
    /// # Errors
    /// The first field with a value that is not allowed.
    pub fn read(publisher: Name, record: &[u8; MANIFEST_BYTES]) -> Result<Self, Refusal> {
        let name = |field, bytes| Name::from_bytes(bytes).ok_or(Refusal::Field { field });
        let priority = u8::try_from(number::<72, _>(record))
            .ok()
            .filter(|&p| p <= PRIORITY_MAX);
        let asked = number::<88, _>(record);
        if asked >> needs::NAMES.len() != 0 {
            return Err(Refusal::Field {
                field: "set of needs",
            });
        }
        Ok(Self {
            name: name("name", field::<0, 32, _>(record))?,
            publisher,
            version: name("version", field::<32, 32, _>(record))?,
            security_version: number::<64, _>(record),
            priority: priority.ok_or(Refusal::Field { field: "priority" })?,
            quota_pages: number::<80, _>(record),
            needs: asked,
            elf_hash: field::<96, 32, _>(record),
        })
    }
}

/// A manifest of a verified list ([`crate::list::VerifiedList`]). Nothing is known of an ELF yet.
#[derive(Clone, Copy)]
pub struct ListedModule<'a> {
    publisher: Name,
    record: &'a [u8; MANIFEST_BYTES],
}

/// An ELF that a verified list names, by its hash.
pub struct VerifiedModule<'a> {
    manifest: Manifest,
    elf: &'a [u8],
}

impl<'a> ListedModule<'a> {
    pub(crate) fn new(publisher: Name, record: &'a [u8; MANIFEST_BYTES]) -> Self {
        Self { publisher, record }
    }

    /// Whether this is the name of the module.
    pub fn is_named(&self, name: Name) -> bool {
        self.record.starts_with(&name.to_bytes())
    }

    /// Checks that an ELF is the one that was signed.
    ///
    /// # Errors
    /// [`Refusal::Hash`]. Then nothing of the ELF may be used.
    pub fn verify<'e>(&self, elf: &'e [u8]) -> Result<VerifiedModule<'e>, Refusal> {
        let manifest = Manifest::read(self.publisher, self.record)?;
        check_hash(elf, &manifest.elf_hash)?;
        Ok(VerifiedModule { manifest, elf })
    }
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

/// What the person who signs says of a module; the rest of the manifest follows from the ELF.
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

#[cfg(feature = "sign")]
impl Description {
    /// The manifest with this ELF, as it stands in a list.
    pub(crate) fn record(&self, elf: &[u8]) -> [u8; MANIFEST_BYTES] {
        let mut record = [0; MANIFEST_BYTES];
        put::<0, 32, _>(&mut record, &self.name.to_bytes());
        put::<32, 32, _>(&mut record, &self.version.to_bytes());
        put::<64, 8, _>(&mut record, &self.security_version.to_le_bytes());
        put::<72, 8, _>(&mut record, &u64::from(self.priority).to_le_bytes());
        put::<80, 8, _>(&mut record, &self.quota_pages.to_le_bytes());
        put::<88, 8, _>(&mut record, &self.needs.to_le_bytes());
        put::<96, 32, _>(&mut record, &crate::signature::hash(elf));
        record
    }
}
