//! The system image: one signed file that carries everything the system runs.
//!
//! Body: an [`crate::archive`], compressed by [`nonos_lzma`]. It is verified as stored and decompressed afterwards, into a buffer of the
//! signed size.
//!
//! | offset | bytes | header field |
//! |---|---|---|
//! | 0 | 8 | magic `NONOSIMG` |
//! | 8 | 8 | format version, 1 |
//! | 16 | 8 | security version: the boot loader refuses an image below its rollback counter |
//! | 24 | 32 | version for people, [`Name`] rules |
//! | 56 | 8 | bytes of the body as stored |
//! | 64 | 8 | bytes it unpacks to |
//! | 72 | 32 | BLAKE3 of the body as stored |
//! | 104 | 408 | zeros |

use nonos_abi::Name;

#[cfg(feature = "sign")]
use crate::bytes::put;
use crate::bytes::{field, number};
pub use crate::envelope::Refusal;
use crate::envelope::{self, Kind};
use crate::keys::PublicKeys;
#[cfg(feature = "unpack")]
pub use crate::unpack::UnpackError;

const KIND: Kind = Kind {
    context: "nonos.image.v1",
    magic: *b"NONOSIMG",
    fields_end: 104,
};
/// Magic of a system image.
pub const MAGIC: [u8; 8] = KIND.magic;

/// What the header of a system image says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// Grows when an older image must not boot any more.
    pub security_version: u64,
    /// Version for people.
    pub version: Name,
    /// Bytes of the body as stored.
    pub payload_bytes: u64,
    /// Bytes the body unpacks to.
    pub unpacked_bytes: u64,
    /// BLAKE3 of the body as stored.
    pub payload_hash: [u8; 32],
}

impl Header {
    /// Reads the fields. For a file that was not verified, the result means nothing but what the file claims.
    pub fn read(header: &envelope::Header) -> Result<Self, Refusal> {
        envelope::check_header(&KIND, header)?;
        let version = Name::from_bytes(field::<24, 32, _>(header));
        Ok(Self {
            security_version: number::<16, _>(header),
            version: version.ok_or(Refusal::Field { field: "version" })?,
            payload_bytes: number::<56, _>(header),
            unpacked_bytes: number::<64, _>(header),
            payload_hash: field::<72, 32, _>(header),
        })
    }
}

/// A system image that passed every check of [`verify`].
pub struct VerifiedImage<'a> {
    header: Header,
    payload: &'a [u8],
    unpacked_bytes: usize,
}

/// Checks a whole file against the trusted keys.
///
/// # Errors
/// The first check that fails. Then nothing of the file may be used.
pub fn verify<'a>(file: &'a [u8], keys: &PublicKeys) -> Result<VerifiedImage<'a>, Refusal> {
    let signed = envelope::verify(&KIND, file, keys)?;
    let header = Header::read(signed.header)?;
    let payload = signed.body(header.payload_bytes, &header.payload_hash)?;
    let unpacked_bytes = usize::try_from(header.unpacked_bytes).map_err(|_| Refusal::Field {
        field: "unpacked size",
    })?;
    Ok(VerifiedImage {
        header,
        payload,
        unpacked_bytes,
    })
}

impl<'a> VerifiedImage<'a> {
    /// The signed header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The body as stored.
    pub fn payload(&self) -> &'a [u8] {
        self.payload
    }

    /// Bytes that [`Self::unpack`] needs.
    pub fn unpacked_bytes(&self) -> usize {
        self.unpacked_bytes
    }

    /// Decompresses the body to `out`, which has exactly [`Self::unpacked_bytes`] bytes.
    ///
    /// # Errors
    /// When `out` has another length, or the body is no stream that fills it exactly. Then `out` holds nothing
    /// of use.
    #[cfg(feature = "unpack")]
    pub fn unpack(&self, out: &mut [u8]) -> Result<(), UnpackError> {
        if out.len() != self.unpacked_bytes {
            return Err(UnpackError::Buffer {
                found: out.len(),
                expected: self.unpacked_bytes,
            });
        }
        nonos_lzma::unpack(self.payload, out).map_err(UnpackError::Stream)
    }
}

/// Packs an archive and signs it.
///
/// Same archive, same versions, same keys: same bytes.
#[cfg(feature = "sign")]
pub fn build(
    version: Name,
    security_version: u64,
    archive: &[u8],
    keys: &crate::keys::SecretKeys,
) -> alloc::vec::Vec<u8> {
    let payload = pack(archive);
    let mut header = envelope::new_header(&KIND);
    put::<16, 8, _>(&mut header, &security_version.to_le_bytes());
    put::<24, 32, _>(&mut header, &version.to_bytes());
    put::<56, 8, _>(&mut header, &(payload.len() as u64).to_le_bytes());
    put::<64, 8, _>(&mut header, &(archive.len() as u64).to_le_bytes());
    put::<72, 32, _>(&mut header, &crate::signature::hash(&payload));
    envelope::seal(&KIND, &header, &payload, keys)
}

/// The body that [`build`] signs: depends on the archive alone.
#[cfg(feature = "sign")]
pub fn pack(archive: &[u8]) -> alloc::vec::Vec<u8> {
    nonos_lzma::pack(archive)
}

/// Decompresses a body that nobody verified, for tools that show what a file holds.
///
/// # Errors
/// As [`VerifiedImage::unpack`].
#[cfg(feature = "sign")]
pub fn unpack_unverified(payload: &[u8], out: &mut [u8]) -> Result<(), UnpackError> {
    nonos_lzma::unpack(payload, out).map_err(UnpackError::Stream)
}

#[cfg(all(test, feature = "sign"))]
mod tests {
    use super::*;
    use crate::keys::SecretKeys;
    use alloc::vec;
    use alloc::vec::Vec;

    fn keys() -> SecretKeys {
        SecretKeys::from_seeds([1; 32], [2; 32])
    }

    /// What becomes of a header that is signed but wrong.
    fn refusal(damage: impl FnOnce(&mut envelope::Header)) -> Refusal {
        let file = build(Name::new("1").unwrap(), 0, b"archive", &keys());
        let mut header: envelope::Header = *file.first_chunk().unwrap();
        damage(&mut header);
        let file = envelope::seal(&KIND, &header, &file[envelope::ENVELOPE_BYTES..], &keys());
        verify(&file, &keys().public()).map(|_| ()).unwrap_err()
    }

    #[test]
    fn a_signed_header_is_still_checked() {
        let found = *b"NONOSLST";
        assert_eq!(
            refusal(|header| header[..8].copy_from_slice(&found)),
            Refusal::Magic {
                found,
                expected: MAGIC
            }
        );
        assert_eq!(
            refusal(|header| header[8] = 2),
            Refusal::Format { found: 2 }
        );
        for offset in [104, 300, 511] {
            assert_eq!(
                refusal(|header| header[offset] = 9),
                Refusal::Reserved { offset, found: 9 }
            );
        }
        assert_eq!(
            refusal(|header| header[24] = b'\n'),
            Refusal::Field { field: "version" }
        );
        assert_eq!(
            refusal(|header| header[24] = 0),
            Refusal::Field { field: "version" }
        );
        assert!(matches!(
            refusal(|header| header[63] = 0xFF),
            Refusal::BodyLength { .. }
        ));
        assert!(matches!(
            refusal(|header| header[72] ^= 1),
            Refusal::Hash { .. }
        ));
    }

    /// Unpacks a signed body that is not what [`pack`] would have made.
    fn unpack(body: &[u8], bytes: usize) -> Result<(), UnpackError> {
        let mut header = envelope::new_header(&KIND);
        put::<24, 1, _>(&mut header, b"1");
        put::<56, 8, _>(&mut header, &(body.len() as u64).to_le_bytes());
        put::<64, 8, _>(&mut header, &(bytes as u64).to_le_bytes());
        put::<72, 32, _>(&mut header, &crate::signature::hash(body));
        let file = envelope::seal(&KIND, &header, body, &keys());
        let image = verify(&file, &keys().public()).unwrap();
        image.unpack(&mut vec![0; bytes])
    }

    #[test]
    fn a_body_that_does_not_fill_the_signed_size_exactly_is_an_error() {
        let archive: Vec<u8> = (0..50_000_u32).map(|i| ((i * i) >> 7) as u8).collect();
        let (body, bytes) = (pack(&archive), archive.len());
        assert_eq!(unpack(&body, bytes), Ok(()));
        for (body, bytes) in [
            (&body[..], bytes - 1),
            (&body, bytes + 1),
            (&[&body[..], &[0]].concat(), bytes),
            (&body[..body.len() - 1], bytes),
            (&[], bytes),
        ] {
            let found = unpack(body, bytes);
            assert!(matches!(found, Err(UnpackError::Stream(_))), "{found:?}");
        }
    }
}
