//! X-Wing: ML-KEM-768 and X25519 together (draft-connolly-cfrg-xwing-kem-06). Secret for as long as one of the two holds.
//!
//! Why this construction and not `X25519MLKEM768` of TLS: that one only puts the two secrets side by side and relies on
//! the handshake's transcript to bind keys and ciphertexts. X-Wing hashes the X25519 parts in itself, so what comes out is a key
//! that can be used as it is, by a vault or a message, and it has a proof for exactly that. A TLS library has its own.

use rand_core::CryptoRng;
use x_wing::{Decapsulate, Decapsulator, KeyExport, TryKeyInit};

use crate::{Error, Secret};

/// Bytes of a seed, which is what is kept of a secret key.
pub const SEED_BYTES: usize = x_wing::DECAPSULATION_KEY_SIZE;
/// Bytes of a public key.
pub const KEY_BYTES: usize = x_wing::ENCAPSULATION_KEY_SIZE;
/// Bytes of a ciphertext.
pub const CIPHERTEXT_BYTES: usize = x_wing::CIPHERTEXT_SIZE;

/// A secret key. Wiped when dropped.
pub struct SecretKey(x_wing::DecapsulationKey);

impl SecretKey {
    /// The key that follows from a seed.
    pub fn from_seed(seed: &Secret<SEED_BYTES>) -> Self {
        Self((*seed.expose()).into())
    }

    /// The public key.
    pub fn public(&self) -> [u8; KEY_BYTES] {
        self.0.encapsulation_key().to_bytes().into()
    }

    /// The secret in a ciphertext; of a ciphertext that is none, a secret that nobody knows.
    pub fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_BYTES]) -> Secret<32> {
        Secret::taken_from(&mut self.0.decapsulate(ciphertext.into()).into())
    }
}

/// Makes a secret and the ciphertext that tells it to the holder of the secret key.
///
/// # Errors
/// [`Error::BadPublicKey`] when the part for ML-KEM is none (FIPS 203, 7.2).
pub fn encapsulate(
    key: &[u8; KEY_BYTES],
    rng: &mut dyn CryptoRng,
) -> Result<([u8; CIPHERTEXT_BYTES], Secret<32>), Error> {
    let key = x_wing::EncapsulationKey::new(key.into()).map_err(|_| Error::BadPublicKey)?;
    let random = Secret::<{ x_wing::ENCAPSULATION_RANDOMNESS_SIZE }>::random(rng);
    let (ciphertext, secret) = key.encapsulate_deterministic(random.expose().into());
    Ok((ciphertext.into(), Secret::taken_from(&mut secret.into())))
}
