//! ML-DSA-65 (FIPS 204): signatures that a quantum computer does not forge. Signed beside Ed25519, never in its place, for as long
//! as the scheme and its implementations are young.

use fips204::ml_dsa_65;
use fips204::traits::{SerDes, Verifier};

use crate::Error;

/// Stack to have free when a verification starts: the matrix lies there. 123 KB are used at opt-level "s", 150 KB at 3
/// (measured from the compiled frames).
pub const VERIFY_STACK_BYTES: usize = 160 << 10;

/// Bytes of a public key (FIPS 204, table 2).
pub const KEY_BYTES: usize = 1952;
/// Bytes of a signature (FIPS 204, table 2).
pub const SIGNATURE_BYTES: usize = 3309;

/// Whether a signature is one of this key over this message and context (FIPS 204, algorithm 3). All of it is public, so
/// nothing is constant-time.
///
/// # Errors
/// [`Error::BadPublicKey`], [`Error::BadSignature`].
#[inline]
pub fn verify(
    key: &[u8; KEY_BYTES],
    message: &[u8],
    context: &[u8],
    signature: &[u8; SIGNATURE_BYTES],
) -> Result<(), Error> {
    let key = ml_dsa_65::PublicKey::try_from_bytes(*key).map_err(|_| Error::BadPublicKey)?;
    match key.verify(message, signature, context) {
        true => Ok(()),
        false => Err(Error::BadSignature),
    }
}

#[cfg(feature = "sign")]
pub use sign::SigningKey;

#[cfg(feature = "sign")]
mod sign {
    use fips204::ml_dsa_65;
    use fips204::traits::{KeyGen, SerDes, Signer};
    use rand_core::CryptoRng;

    use super::{KEY_BYTES, SIGNATURE_BYTES};
    use crate::{Error, Secret};

    /// A secret key. Wiped when dropped.
    pub struct SigningKey {
        key: ml_dsa_65::PrivateKey,
        public: ml_dsa_65::PublicKey,
    }

    impl SigningKey {
        /// The key that follows from a seed (FIPS 204, algorithm 6).
        pub fn from_seed(seed: &Secret<32>) -> Self {
            let (public, key) = ml_dsa_65::KG::keygen_from_seed(seed.expose());
            Self { key, public }
        }

        /// The public key.
        pub fn public(&self) -> [u8; KEY_BYTES] {
            self.public.clone().into_bytes()
        }

        /// Signs, with random bytes against faults and side channels: FIPS 204, algorithm 2, the hedged variant.
        ///
        /// # Errors
        /// [`Error::ContextTooLong`].
        pub fn sign(
            &self,
            message: &[u8],
            context: &[u8],
            rng: &mut dyn CryptoRng,
        ) -> Result<[u8; SIGNATURE_BYTES], Error> {
            self.sign_with(message, context, &Secret::random(rng))
        }

        /// Signs so that the same message has the same signature: FIPS 204, 3.4, the deterministic variant. For
        /// what must be reproducible by whoever holds the key.
        ///
        /// # Errors
        /// [`Error::ContextTooLong`].
        pub fn sign_deterministic(
            &self,
            message: &[u8],
            context: &[u8],
        ) -> Result<[u8; SIGNATURE_BYTES], Error> {
            self.sign_with(message, context, &Secret::written_by(|_| ()))
        }

        fn sign_with(
            &self,
            message: &[u8],
            context: &[u8],
            random: &Secret<32>,
        ) -> Result<[u8; SIGNATURE_BYTES], Error> {
            if context.len() > 255 {
                return Err(Error::ContextTooLong);
            }
            self.key
                .try_sign_with_seed(random.expose(), message, context)
                .map_err(|_| Error::BadSigningKey)
        }
    }
}

#[cfg(all(test, feature = "sign"))]
mod tests {
    use super::*;
    use crate::Secret;

    #[test]
    fn a_signature_is_valid_for_its_key_message_and_context_only() {
        let key = SigningKey::from_seed(&Secret::written_by(|seed| seed.fill(1)));
        let other = SigningKey::from_seed(&Secret::written_by(|seed| seed.fill(2)));
        let mut signature = key.sign_deterministic(b"message", b"here").unwrap();
        let check = |key: &SigningKey, message: &[u8], context: &[u8], signature: &_| {
            verify(&key.public(), message, context, signature)
        };
        assert_eq!(check(&key, b"message", b"here", &signature), Ok(()));
        let refused = Err(Error::BadSignature);
        assert_eq!(check(&key, b"messagf", b"here", &signature), refused);
        assert_eq!(check(&key, b"message", b"", &signature), refused);
        assert_eq!(check(&other, b"message", b"here", &signature), refused);
        signature[0] ^= 1;
        assert_eq!(check(&key, b"message", b"here", &signature), refused);
        let refused = key.sign_deterministic(b"message", &[0; 256]);
        assert_eq!(refused.err(), Some(Error::ContextTooLong));
    }
}
