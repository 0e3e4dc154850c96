//! ML-KEM-768 (FIPS 203), for protocols that name it. Where the choice is ours, [`crate::hybrid`] agrees on keys.

use ::ml_kem::kem::{Decapsulate, KeyExport};
use ::ml_kem::ml_kem_768;
use rand_core::CryptoRng;

use crate::{Error, Secret};

/// Bytes of a seed, which is what is kept of a secret key (FIPS 203, 7.1: `d ‖ z`).
pub const SEED_BYTES: usize = 64;
/// Bytes of a public key (FIPS 203, table 3).
pub const KEY_BYTES: usize = 1184;
/// Bytes of a ciphertext (FIPS 203, table 3).
pub const CIPHERTEXT_BYTES: usize = 1088;

/// A secret key. Wiped when dropped.
pub struct SecretKey(ml_kem_768::DecapsulationKey);

impl SecretKey {
    /// The key that follows from a seed (FIPS 203, algorithm 16).
    pub fn from_seed(seed: &Secret<SEED_BYTES>) -> Self {
        Self(ml_kem_768::DecapsulationKey::from_seed(
            (*seed.expose()).into(),
        ))
    }

    /// The public key.
    pub fn public(&self) -> [u8; KEY_BYTES] {
        self.0.encapsulation_key().to_bytes().into()
    }

    /// The secret in a ciphertext; of a ciphertext that is none, a secret that nobody knows (FIPS 203, 6.3).
    pub fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_BYTES]) -> Secret<32> {
        Secret::taken_from(&mut self.0.decapsulate(ciphertext.into()).into())
    }
}

/// Makes a secret and the ciphertext that tells it to the holder of the secret key.
///
/// # Errors
/// [`Error::BadPublicKey`] (FIPS 203, 7.2).
pub fn encapsulate(
    key: &[u8; KEY_BYTES],
    rng: &mut dyn CryptoRng,
) -> Result<([u8; CIPHERTEXT_BYTES], Secret<32>), Error> {
    let key = ml_kem_768::EncapsulationKey::new(key.into()).map_err(|_| Error::BadPublicKey)?;
    let random = Secret::<32>::random(rng);
    let (ciphertext, secret) = key.encapsulate_deterministic(random.expose().into());
    Ok((ciphertext.into(), Secret::taken_from(&mut secret.into())))
}
