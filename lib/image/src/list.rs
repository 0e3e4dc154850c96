//! The list of a publisher's modules: one signed file for all of them. Its name in the archive is [`LISTS`] and the
//! name of the publisher, so that there is one for each.
//!
//! Body: manifests ([`crate::module`]), names strictly ascending. A list may name modules that an archive does not hold.
//!
//! | offset | bytes | header field |
//! |---|---|---|
//! | 0 | 8 | magic `NONOSLST` |
//! | 8 | 8 | format version, 1 |
//! | 16 | 32 | publisher: the name of a trust anchor |
//! | 48 | 8 | bytes of the body |
//! | 56 | 32 | BLAKE3 of the body |
//! | 88 | 424 | zeros |

use nonos_abi::Name;

use crate::anchors::Anchors;
use crate::archive::LISTS;
#[cfg(feature = "sign")]
use crate::bytes::put;
use crate::bytes::{field, number};
pub use crate::envelope::Refusal;
use crate::envelope::{self, Kind};
#[cfg(feature = "sign")]
use crate::module::Description;
use crate::module::{ListedModule, MANIFEST_BYTES, Manifest};

const KIND: Kind = Kind {
    context: "nonos.modules.v1",
    magic: *b"NONOSLST",
    fields_end: 88,
};
/// Magic of a list of modules.
pub const MAGIC: [u8; 8] = KIND.magic;

/// What the header of a list says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Who signed it.
    pub publisher: Name,
    /// Bytes of the body.
    pub body_bytes: u64,
    /// BLAKE3 of the body.
    pub body_hash: [u8; 32],
}

impl Header {
    /// Reads the fields. For a file that was not verified, the result means nothing but what the file claims.
    ///
    /// # Errors
    /// The first field with a value that is not allowed.
    pub fn read(header: &envelope::Header) -> Result<Self, Refusal> {
        envelope::check_header(&KIND, header)?;
        let publisher = Name::from_bytes(field::<16, 32, _>(header));
        Ok(Self {
            publisher: publisher.ok_or(Refusal::Field { field: "publisher" })?,
            body_bytes: number::<48, _>(header),
            body_hash: field::<56, 32, _>(header),
        })
    }
}

/// Manifests that are well-formed and in order.
#[derive(Clone, Copy)]
pub struct List<'a> {
    publisher: Name,
    records: &'a [[u8; MANIFEST_BYTES]],
}

impl<'a> List<'a> {
    /// Reads a body. For a file that was not verified, the result means nothing but what the file claims.
    ///
    /// # Errors
    /// The first check that fails.
    pub fn read(publisher: Name, body: &'a [u8]) -> Result<Self, Refusal> {
        let (records, []) = body.as_chunks() else {
            return Err(Refusal::Field { field: "length" });
        };
        let mut previous = None;
        for record in records {
            let name = Manifest::read(publisher, record)?.name;
            if previous.is_some_and(|previous| previous >= name) {
                return Err(Refusal::Field {
                    field: "order of names",
                });
            }
            previous = Some(name);
        }
        Ok(Self { publisher, records })
    }

    /// The manifests, by name.
    pub fn iter(&self) -> impl Iterator<Item = Manifest> + use<'a> {
        let publisher = self.publisher;
        let read = move |record| Manifest::read(publisher, record).ok();
        self.records.iter().filter_map(read)
    }
}

/// A list that passed every check of [`verify`].
pub struct VerifiedList<'a>(List<'a>);

impl<'a> VerifiedList<'a> {
    /// The modules, by name.
    pub fn iter(&self) -> impl Iterator<Item = ListedModule<'a>> + use<'a> {
        let List { publisher, records } = self.0;
        records
            .iter()
            .map(move |record| ListedModule::new(publisher, record))
    }

    /// Their manifests.
    pub fn manifests(&self) -> impl Iterator<Item = Manifest> + use<'a> {
        self.0.iter()
    }
}

/// Checks a whole file against the keys of the publisher that its name in the archive says.
///
/// # Errors
/// The first check that fails. Then nothing of the file may be used.
pub fn verify<'a>(
    entry: Name,
    file: &'a [u8],
    anchors: &Anchors<'_>,
) -> Result<VerifiedList<'a>, Refusal> {
    let publisher = entry.as_str().strip_prefix(LISTS).and_then(Name::new);
    let publisher = publisher.unwrap_or(Name::NONE);
    let keys = anchors
        .find(publisher)
        .ok_or(Refusal::Publisher { found: publisher })?;

    let signed = envelope::verify(&KIND, file, &keys)?;
    let header = Header::read(signed.header)?;
    if header.publisher != publisher {
        return Err(Refusal::Field { field: "publisher" });
    }
    let body = signed.body(header.body_bytes, &header.body_hash)?;
    List::read(publisher, body).map(VerifiedList)
}

/// The name in the archive of a publisher's list; `None` when it would be too long.
#[cfg(feature = "sign")]
pub fn entry(publisher: Name) -> Option<Name> {
    Name::new(&alloc::format!("{LISTS}{publisher}"))
}

/// Signs a list of modules with their ELFs, in any order. Does not look at the ELFs: whoever signs for others parses them
/// first with [`crate::elf`].
///
/// Same descriptions, same ELFs, same keys: same bytes.
///
/// # Errors
/// [`Refusal::Field`] for a priority or a need that does not exist, a name that occurs twice, a module of another publisher, and a
/// publisher whose name is too long for [`entry`].
#[cfg(feature = "sign")]
pub fn build(
    publisher: Name,
    modules: &[(Description, &[u8])],
    keys: &crate::keys::SecretKeys,
) -> Result<alloc::vec::Vec<u8>, Refusal> {
    let own = |(module, _): &(Description, _)| module.publisher == publisher;
    if entry(publisher).is_none() || !modules.iter().all(own) {
        return Err(Refusal::Field { field: "publisher" });
    }
    let mut sorted: alloc::vec::Vec<_> = modules.iter().collect();
    sorted.sort_by_key(|(module, _)| module.name);
    let records = sorted.iter().map(|(module, elf)| module.record(elf));
    let body: alloc::vec::Vec<u8> = records.flatten().collect();
    List::read(publisher, &body)?;
    Ok(seal(publisher, &body, keys))
}

/// Signs a body, whatever it is.
#[cfg(feature = "sign")]
fn seal(publisher: Name, body: &[u8], keys: &crate::keys::SecretKeys) -> alloc::vec::Vec<u8> {
    let mut header = envelope::new_header(&KIND);
    put::<16, 32, _>(&mut header, &publisher.to_bytes());
    put::<48, 8, _>(&mut header, &(body.len() as u64).to_le_bytes());
    put::<56, 32, _>(&mut header, &crate::signature::hash(body));
    envelope::seal(&KIND, &header, body, keys)
}

#[cfg(all(test, feature = "sign"))]
mod tests {
    use super::*;
    use crate::anchors;
    use crate::keys::SecretKeys;
    use alloc::vec::Vec;
    use nonos_abi::info::needs;

    fn keys() -> SecretKeys {
        SecretKeys::from_seeds([1; 32], [2; 32])
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    /// Modules `a` and `b` of publisher `p`.
    fn list() -> Vec<u8> {
        let module = |text| Description {
            name: name(text),
            publisher: name("p"),
            version: name("1"),
            security_version: 0,
            priority: 0,
            quota_pages: 0,
            needs: 0,
        };
        let modules = [(module("b"), &b"elf of b"[..]), (module("a"), b"elf of a")];
        build(name("p"), &modules, &keys()).unwrap()
    }

    fn verdict(entry: &str, file: &[u8]) -> Result<(), Refusal> {
        let anchors = anchors::build(&[
            (name("p"), keys().public()),
            // The same keys by another name.
            (name("q"), keys().public()),
        ])
        .unwrap();
        let anchors = Anchors::parse(&anchors).unwrap();
        verify(name(entry), file, &anchors).map(|_| ())
    }

    /// What becomes of a list whose header is signed but wrong.
    fn refusal(damage: impl FnOnce(&mut envelope::Header)) -> Refusal {
        let file = list();
        let mut header: envelope::Header = *file.first_chunk().unwrap();
        damage(&mut header);
        let body = &file[envelope::ENVELOPE_BYTES..];
        let file = envelope::seal(&KIND, &header, body, &keys());
        verdict("modules.p", &file).unwrap_err()
    }

    /// What becomes of a list whose body is signed but wrong.
    fn refusal_of_body(damage: impl FnOnce(&mut Vec<u8>)) -> Refusal {
        let mut body = list()[envelope::ENVELOPE_BYTES..].to_vec();
        damage(&mut body);
        verdict("modules.p", &seal(name("p"), &body, &keys())).unwrap_err()
    }

    #[test]
    fn a_signed_header_is_still_checked() {
        assert_eq!(verdict("modules.p", &list()), Ok(()));
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
        for offset in [88, 300, 511] {
            assert_eq!(
                refusal(|header| header[offset] = 1),
                Refusal::Reserved { offset, found: 1 }
            );
        }
        for publisher in [b'/', b'q'] {
            assert_eq!(
                refusal(|header| header[16] = publisher),
                Refusal::Field { field: "publisher" }
            );
        }
        assert_eq!(
            refusal(|header| header[48] = 255),
            Refusal::BodyLength {
                found: 256,
                expected: 511
            }
        );
        assert!(matches!(
            refusal(|header| header[87] ^= 1),
            Refusal::Hash { .. }
        ));
    }

    #[test]
    fn a_signed_manifest_is_still_checked() {
        let first_unknown = 88 * 8 + needs::NAMES.len();
        for (at, value, field) in [
            (0, b'/', "name"),
            (128, 0, "name"),
            (128, b'a', "order of names"),
            (0, b'c', "order of names"),
            (32, 0, "version"),
            (128 + 32, b'\n', "version"),
            (72, 32, "priority"),
            (128 + 73, 1, "priority"),
            (first_unknown / 8, 1 << (first_unknown % 8), "set of needs"),
            (128 + 95, 0x80, "set of needs"),
        ] {
            assert_eq!(
                refusal_of_body(|body| body[at] = value),
                Refusal::Field { field },
                "{at}"
            );
        }
        let length = Refusal::Field { field: "length" };
        assert_eq!(refusal_of_body(|body| body.push(0)), length);
        assert_eq!(refusal_of_body(|body| body.truncate(255)), length);
    }

    #[test]
    fn a_list_stands_under_the_name_of_its_publisher_alone() {
        let found = |text| Err(Refusal::Publisher { found: name(text) });
        assert_eq!(verdict("modules.r", &list()), found("r"));
        assert_eq!(verdict("modules.p.p", &list()), found("p.p"));
        let none = Err(Refusal::Publisher { found: Name::NONE });
        for entry in ["modules.", "p", "module.p", "Modules.p"] {
            assert_eq!(verdict(entry, &list()), none, "{entry}");
        }
        assert_eq!(
            verdict("modules.q", &list()),
            Err(Refusal::Field { field: "publisher" }),
            "another name, even with the same keys"
        );
        assert_eq!(entry(name("p")), Some(name("modules.p")));
        assert!(entry(name(&"p".repeat(24))).is_some());
        assert_eq!(entry(name(&"p".repeat(25))), None);
    }

    #[test]
    fn refusals_become_the_errors_of_the_system_call() {
        use nonos_abi::Error;
        let unknown = verdict("modules.r", &list()).unwrap_err();
        assert_eq!(Error::from(unknown), Error::ModulePublisher);
        let hash = refusal(|header| header[56] ^= 1);
        assert_eq!(Error::from(hash), Error::ModuleHash);
        assert_eq!(Error::from(Refusal::Ed25519), Error::ModuleEd25519);
        assert_eq!(Error::from(Refusal::MlDsa), Error::ModuleMlDsa);
        assert_eq!(
            Error::from(Refusal::Length { found: 0 }),
            Error::ModuleFormat
        );
    }
}
