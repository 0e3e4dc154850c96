//! One key while it is used: what follows from its seed, and what can be done with that.

use nonos_crypto::aead::{Aes256Gcm, NONCE_BYTES, Sealed};
use nonos_crypto::kdf::HkdfSha256;
use nonos_crypto::{CryptoRng, Error, Secret, ed25519, hybrid, ml_dsa};
use nonos_proto::Refusal;
use nonos_proto::vault::{kind, uses};

use crate::blob::SEED_BYTES;
use crate::hierarchy::labelled;

/// The two seeds of a hybrid signing key, which no other key has.
const HYBRID_ED25519: &[u8] = b"nonos.vault.hybrid.ed25519.v1";
const HYBRID_ML_DSA: &[u8] = b"nonos.vault.hybrid.ml-dsa-65.v1";

/// Most bytes of a public key.
pub const PUBLIC_BYTES: usize = ed25519::KEY_BYTES + ml_dsa::KEY_BYTES;
/// Most bytes of a signature.
pub const SIGNATURE_BYTES: usize = ed25519::SIGNATURE_BYTES + ml_dsa::SIGNATURE_BYTES;

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Ed25519.
    Ed25519 = kind::ED25519 as u8,
    /// ML-DSA-65.
    MlDsa65 = kind::ML_DSA_65 as u8,
    /// Ed25519 and ML-DSA-65.
    Hybrid = kind::HYBRID as u8,
    /// AES-256-GCM.
    Aes256Gcm = kind::AES_256_GCM as u8,
    /// X-Wing.
    XWing = kind::X_WING as u8,
    /// HKDF-SHA-256.
    Hkdf = kind::HKDF as u8,
}

impl Kind {
    /// The kind with this number.
    pub fn from_raw(raw: u64) -> Option<Self> {
        Some(match raw {
            kind::ED25519 => Self::Ed25519,
            kind::ML_DSA_65 => Self::MlDsa65,
            kind::HYBRID => Self::Hybrid,
            kind::AES_256_GCM => Self::Aes256Gcm,
            kind::X_WING => Self::XWing,
            kind::HKDF => Self::Hkdf,
            _ => return None,
        })
    }

    /// What it can be used for, beside what keys of every kind can.
    pub fn uses(self) -> u64 {
        match self {
            Self::Ed25519 | Self::MlDsa65 | Self::Hybrid => uses::SIGN,
            Self::Aes256Gcm => uses::ENCRYPT | uses::DECRYPT,
            Self::XWing => uses::DECAPSULATE,
            Self::Hkdf => uses::DERIVE,
        }
    }
}

/// A key that is being used. Wiped when dropped.
pub struct Key {
    kind: Kind,
    seed: Secret<SEED_BYTES>,
}

/// What operations refuse when the key is of another kind. A handle never allows that.
const OTHER_KIND: Refusal = Refusal::UseNotAllowed;

impl Key {
    /// The key that follows from a seed.
    pub fn new(kind: Kind, seed: Secret<SEED_BYTES>) -> Self {
        Self { kind, seed }
    }

    /// The seed, which is the secret key.
    pub fn seed(&self) -> &Secret<SEED_BYTES> {
        &self.seed
    }

    fn hybrid_seeds(&self) -> [Secret<32>; 2] {
        let from = HkdfSha256::extract(&[], self.seed.expose());
        [HYBRID_ED25519, HYBRID_ML_DSA].map(|label| labelled(&from, label))
    }

    /// Writes the public key; returns its length.
    ///
    /// # Errors
    /// [`Refusal::UseNotAllowed`] when the kind has none, [`Refusal::TooShort`] when it does not fit.
    pub fn public(&self, out: &mut [u8]) -> Result<usize, Refusal> {
        match self.kind {
            Kind::Ed25519 => put(out, &[&ed25519::SigningKey::from_seed(&self.seed).public()]),
            Kind::MlDsa65 => put(out, &[&ml_dsa::SigningKey::from_seed(&self.seed).public()]),
            Kind::Hybrid => {
                let [curve, lattice] = self.hybrid_seeds();
                let curve = ed25519::SigningKey::from_seed(&curve).public();
                put(
                    out,
                    &[&curve, &ml_dsa::SigningKey::from_seed(&lattice).public()],
                )
            }
            Kind::XWing => put(out, &[&hybrid::SecretKey::from_seed(&self.seed).public()]),
            Kind::Aes256Gcm | Kind::Hkdf => Err(OTHER_KIND),
        }
    }

    /// Signs; returns the length of the signature.
    ///
    /// # Errors
    /// As [`Self::public`].
    pub fn sign(
        &self,
        message: &[u8],
        random: &mut dyn CryptoRng,
        out: &mut [u8],
    ) -> Result<usize, Refusal> {
        let lattice = |seed: &Secret<32>, random: &mut dyn CryptoRng| {
            ml_dsa::SigningKey::from_seed(seed)
                .sign(message, &[], random)
                .map_err(|_| Refusal::Malformed)
        };
        match self.kind {
            Kind::Ed25519 => put(
                out,
                &[&ed25519::SigningKey::from_seed(&self.seed).sign(message)],
            ),
            Kind::MlDsa65 => put(out, &[&lattice(&self.seed, random)?]),
            Kind::Hybrid => {
                let [curve, of_lattice] = self.hybrid_seeds();
                let curve = ed25519::SigningKey::from_seed(&curve).sign(message);
                put(out, &[&curve, &lattice(&of_lattice, random)?])
            }
            _ => Err(OTHER_KIND),
        }
    }

    /// Whether it is a signature of this key.
    ///
    /// # Errors
    /// [`Refusal::NotAuthentic`]; [`Refusal::UseNotAllowed`] when the kind does not sign.
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), Refusal> {
        let of_curve = |seed: &Secret<32>, signature: &[u8]| {
            let public = ed25519::SigningKey::from_seed(seed).public();
            let signature = signature.try_into().map_err(|_| Error::BadSignature)?;
            ed25519::verify(&public, message, signature)
        };
        let of_lattice = |seed: &Secret<32>, signature: &[u8]| {
            let public = ml_dsa::SigningKey::from_seed(seed).public();
            let signature = signature.try_into().map_err(|_| Error::BadSignature)?;
            ml_dsa::verify(&public, message, &[], signature)
        };
        let result = match self.kind {
            Kind::Ed25519 => of_curve(&self.seed, signature),
            Kind::MlDsa65 => of_lattice(&self.seed, signature),
            Kind::Hybrid => {
                let [curve, lattice] = self.hybrid_seeds();
                let (first, second) = signature
                    .split_at_checked(ed25519::SIGNATURE_BYTES)
                    .ok_or(Refusal::NotAuthentic)?;
                of_curve(&curve, first).and_then(|()| of_lattice(&lattice, second))
            }
            _ => return Err(OTHER_KIND),
        };
        result.map_err(|_| Refusal::NotAuthentic)
    }

    /// Encrypts in place, under a nonce that is random.
    ///
    /// # Errors
    /// [`Refusal::UseNotAllowed`], [`Refusal::KeyUsedUp`].
    pub fn encrypt(
        self,
        beside: &[u8],
        message: &mut [u8],
        random: &mut dyn CryptoRng,
    ) -> Result<Sealed, Refusal> {
        match self.kind {
            Kind::Aes256Gcm => Aes256Gcm::new(self.seed, random)
                .seal(beside, message)
                .map_err(|_| Refusal::KeyUsedUp),
            _ => Err(OTHER_KIND),
        }
    }

    /// Decrypts in place.
    ///
    /// # Errors
    /// [`Refusal::UseNotAllowed`], [`Refusal::NotAuthentic`]; the message is as it was.
    pub fn decrypt(self, with: &Sealed, beside: &[u8], message: &mut [u8]) -> Result<(), Refusal> {
        match self.kind {
            Kind::Aes256Gcm => Aes256Gcm::for_protocol(self.seed, [0; NONCE_BYTES])
                .open(with, beside, message)
                .map_err(|_| Refusal::NotAuthentic),
            _ => Err(OTHER_KIND),
        }
    }

    /// The secret in a ciphertext; of one that is none, a secret that nobody knows.
    ///
    /// # Errors
    /// [`Refusal::UseNotAllowed`]; [`Refusal::Malformed`] for another length.
    pub fn decapsulate(&self, ciphertext: &[u8]) -> Result<Secret<32>, Refusal> {
        match self.kind {
            Kind::XWing => {
                let ciphertext = ciphertext.try_into().map_err(|_| Refusal::Malformed)?;
                Ok(hybrid::SecretKey::from_seed(&self.seed).decapsulate(ciphertext))
            }
            _ => Err(OTHER_KIND),
        }
    }

    /// Writes a key that follows from this one.
    ///
    /// # Errors
    /// [`Refusal::UseNotAllowed`]; [`Refusal::TooLong`] for more than 255 times 32 bytes.
    pub fn derive(&self, info: &[u8], out: &mut [u8]) -> Result<(), Refusal> {
        match self.kind {
            Kind::Hkdf => HkdfSha256::extract(&[], self.seed.expose())
                .fill(info, out)
                .map_err(|_| Refusal::TooLong),
            _ => Err(OTHER_KIND),
        }
    }
}

/// Writes parts one after the other; returns their length.
fn put(out: &mut [u8], parts: &[&[u8]]) -> Result<usize, Refusal> {
    let mut length = 0;
    for part in parts {
        out.get_mut(length..length + part.len())
            .ok_or(Refusal::TooShort)?
            .copy_from_slice(part);
        length += part.len();
    }
    Ok(length)
}
