//! A key at rest: what says what it is, in the clear, and its seed, encrypted with AES-256-GCM and bound to that.
//!
//! | bytes | what |
//! |---|---|
//! | 0–3 | `NVK1` |
//! | 4 | kind ([`nonos_proto::vault::kind`]) |
//! | 5 | uses ([`nonos_proto::vault::uses`]) |
//! | 6–7 | zero |
//! | 8–11 | version, little endian |
//! | 12–43 | name of the module that owns it |
//! | 44–75 | its name |
//! | 76–87 | nonce |
//! | 88–103 | tag |
//! | 104–135 | the seed, encrypted |
//!
//! Bytes 0 to 75 are the associated data. All of it is hostile until the tag fits.

use nonos_abi::Name;
use nonos_crypto::aead::{Aes256Gcm, NONCE_BYTES, Sealed, TAG_BYTES};
use nonos_crypto::{CryptoRng, Secret};
use nonos_proto::Refusal;
use nonos_proto::vault::{BLOB_BYTES, uses};
use zeroize::Zeroize;

use crate::key::Kind;

/// Bytes of a seed. Keys of every kind follow from one.
pub const SEED_BYTES: usize = 32;

const MAGIC: &[u8; 4] = b"NVK1";
const HEADER_BYTES: usize = BLOB_BYTES - NONCE_BYTES - TAG_BYTES - SEED_BYTES;

/// What a key is, apart from its seed. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attributes {
    /// The module that owns it.
    pub owner: Name,
    /// Its name among the owner's keys.
    pub name: Name,
    /// What it is for.
    pub kind: Kind,
    /// The most that a handle to it can allow: bits of [`uses`].
    pub uses: u64,
}

impl Attributes {
    fn header(&self, version: u32) -> [u8; HEADER_BYTES] {
        let mut header = [0; HEADER_BYTES];
        header[..4].copy_from_slice(MAGIC);
        header[4] = self.kind as u8;
        header[5] = self.uses as u8;
        header[8..12].copy_from_slice(&version.to_le_bytes());
        header[12..44].copy_from_slice(&self.owner.to_bytes());
        header[44..76].copy_from_slice(&self.name.to_bytes());
        header
    }

    /// What a header says, and the version; `None` when it is not exactly what [`Self::header`] writes.
    fn read(header: &[u8; HEADER_BYTES]) -> Option<(Self, u32)> {
        let version = u32::from_le_bytes(*header[8..].first_chunk()?);
        let attributes = Self {
            owner: Name::from_bytes(*header[12..].first_chunk()?)?,
            name: Name::from_bytes(*header[44..].first_chunk()?)?,
            kind: Kind::from_raw(header[4].into())?,
            uses: header[5].into(),
        };
        let fits = attributes.header(version) == *header && version != 0;
        (fits && attributes.uses & !attributes.kind.uses() & !uses::OF_EVERY_KIND == 0)
            .then_some((attributes, version))
    }
}

/// A seed, encrypted.
#[derive(Clone, Copy)]
pub struct Wrapped {
    sealed: Sealed,
    seed: [u8; SEED_BYTES],
}

/// What is encrypted stays readable for whoever gets the root later: a key that is destroyed is overwritten.
impl Zeroize for Wrapped {
    fn zeroize(&mut self) {
        self.seed.zeroize();
        self.sealed.tag.zeroize();
    }
}

impl Wrapped {
    /// Encrypts a seed.
    pub fn new(
        seed: &Secret<SEED_BYTES>,
        attributes: &Attributes,
        version: u32,
        key: Secret<32>,
        random: &mut dyn CryptoRng,
    ) -> Result<Self, Refusal> {
        let mut cipher = Aes256Gcm::new(key, random);
        let mut bytes = *seed.expose();
        match cipher.seal(&attributes.header(version), &mut bytes) {
            Ok(sealed) => Ok(Self {
                sealed,
                seed: bytes,
            }),
            Err(_) => {
                bytes.zeroize();
                Err(Refusal::KeyUsedUp)
            }
        }
    }

    /// Decrypts it.
    ///
    /// # Errors
    /// [`Refusal::NotAuthentic`].
    pub fn open(
        &self,
        attributes: &Attributes,
        version: u32,
        key: Secret<32>,
    ) -> Result<Secret<SEED_BYTES>, Refusal> {
        let cipher = Aes256Gcm::for_protocol(key, [0; NONCE_BYTES]);
        let mut result = Ok(());
        let seed = Secret::written_by(|bytes| {
            *bytes = self.seed;
            result = cipher.open(&self.sealed, &attributes.header(version), bytes);
        });
        result.map(|()| seed).map_err(|_| Refusal::NotAuthentic)
    }

    /// The key at rest, to be kept elsewhere.
    pub fn to_blob(self, attributes: &Attributes, version: u32) -> [u8; BLOB_BYTES] {
        let mut blob = [0; BLOB_BYTES];
        let parts = [
            &attributes.header(version)[..],
            &self.sealed.nonce,
            &self.sealed.tag,
            &self.seed,
        ];
        let mut rest = &mut blob[..];
        for part in parts {
            let (place, after) = rest.split_at_mut(part.len());
            place.copy_from_slice(part);
            rest = after;
        }
        blob
    }

    /// What a blob says it is. Nothing of it is true before [`Self::open`] has opened it.
    ///
    /// # Errors
    /// [`Refusal::Malformed`].
    pub fn from_blob(blob: &[u8; BLOB_BYTES]) -> Result<(Self, Attributes, u32), Refusal> {
        let parts = || {
            let (header, rest) = blob.split_first_chunk()?;
            let (nonce, rest) = rest.split_first_chunk()?;
            let (tag, seed) = rest.split_first_chunk()?;
            let (attributes, version) = Attributes::read(header)?;
            let sealed = Sealed {
                nonce: *nonce,
                tag: *tag,
            };
            let seed = *seed.first_chunk()?;
            Some((Self { sealed, seed }, attributes, version))
        };
        parts().ok_or(Refusal::Malformed)
    }
}
