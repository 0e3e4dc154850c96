//! Ed25519 (RFC 8032).
//!
//! Verification is strict (`verify_strict`): without the cofactor, and keys and commitments of small order are refused as well as
//! encodings that are not canonical, so one signature is valid for everyone or for no one.

use crate::Error;

/// Bytes of a public key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// Whether a signature is one of this key over this message. All of it is public, so nothing is constant-time.
///
/// # Errors
/// [`Error::BadPublicKey`], [`Error::BadSignature`].
#[inline]
pub fn verify(
    key: &[u8; KEY_BYTES],
    message: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<(), Error> {
    let signature = ed25519_dalek::Signature::from_bytes(signature);
    ed25519_dalek::VerifyingKey::from_bytes(key)
        .map_err(|_| Error::BadPublicKey)?
        .verify_strict(message, &signature)
        .map_err(|_| Error::BadSignature)
}

#[cfg(feature = "sign")]
pub use sign::SigningKey;

#[cfg(feature = "sign")]
mod sign {
    use ed25519_dalek::Signer;

    use super::{KEY_BYTES, SIGNATURE_BYTES};
    use crate::Secret;

    /// A secret key. Wiped when dropped.
    pub struct SigningKey(ed25519_dalek::SigningKey);

    impl SigningKey {
        /// The key that follows from a seed (RFC 8032, 5.1.5).
        pub fn from_seed(seed: &Secret<32>) -> Self {
            Self(ed25519_dalek::SigningKey::from_bytes(seed.expose()))
        }

        /// The public key.
        pub fn public(&self) -> [u8; KEY_BYTES] {
            self.0.verifying_key().to_bytes()
        }

        /// Signs. The same message has the same signature (RFC 8032, 5.1.6).
        pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_BYTES] {
            self.0.sign(message).to_bytes()
        }
    }
}

#[cfg(all(test, feature = "sign"))]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn a_signature_is_valid_for_its_key_and_message_only() {
        let key = SigningKey::from_seed(&Secret::written_by(|seed| seed.fill(1)));
        let other = SigningKey::from_seed(&Secret::written_by(|seed| seed.fill(2)));
        let mut signature = key.sign(b"message");
        assert_eq!(verify(&key.public(), b"message", &signature), Ok(()));
        let refused = Err(Error::BadSignature);
        assert_eq!(verify(&key.public(), b"messagf", &signature), refused);
        assert_eq!(verify(&other.public(), b"message", &signature), refused);
        signature[63] ^= 1;
        assert_eq!(verify(&key.public(), b"message", &signature), refused);
        // 2 is the y of no point.
        let mut no_key = [0; KEY_BYTES];
        no_key[0] = 2;
        let verified = verify(&no_key, b"message", &signature);
        assert_eq!(verified, Err(Error::BadPublicKey));
    }
}
