//! Public keys: always a pair, Ed25519 and ML-DSA-65. Both signatures must be valid, so a forger has to
//! break both schemes.

#[cfg(feature = "sign")]
pub use crate::sign::SecretKeys;
use crate::signature::{self, ED25519_KEY_BYTES, ML_DSA_KEY_BYTES};

/// Bytes of a pair of public keys: the Ed25519 key, then the ML-DSA-65 key.
pub const PUBLIC_KEYS_BYTES: usize = ED25519_KEY_BYTES + ML_DSA_KEY_BYTES;

/// A pair of public keys.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKeys {
    /// Ed25519 (RFC 8032), encoded.
    pub ed25519: [u8; ED25519_KEY_BYTES],
    /// ML-DSA-65 (FIPS 204), encoded.
    pub ml_dsa: [u8; ML_DSA_KEY_BYTES],
}

impl PublicKeys {
    /// The keys in a public key file.
    pub const fn from_bytes(bytes: &[u8; PUBLIC_KEYS_BYTES]) -> Self {
        let mut keys = Self {
            ed25519: [0; ED25519_KEY_BYTES],
            ml_dsa: [0; ML_DSA_KEY_BYTES],
        };
        let (ed25519, ml_dsa) = bytes.split_at(ED25519_KEY_BYTES);
        keys.ed25519.copy_from_slice(ed25519);
        keys.ml_dsa.copy_from_slice(ml_dsa);
        keys
    }

    /// The contents of a public key file.
    pub fn to_bytes(&self) -> [u8; PUBLIC_KEYS_BYTES] {
        let mut bytes = [0; PUBLIC_KEYS_BYTES];
        let (ed25519, ml_dsa) = bytes.split_at_mut(ED25519_KEY_BYTES);
        ed25519.copy_from_slice(&self.ed25519);
        ml_dsa.copy_from_slice(&self.ml_dsa);
        bytes
    }

    /// BLAKE3 of [`Self::to_bytes`]: the fingerprint that people compare and the TPM measures.
    pub fn hash(&self) -> [u8; 32] {
        signature::hash(&self.to_bytes())
    }
}
