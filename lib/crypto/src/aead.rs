//! Authenticated encryption: AES-256-GCM (SP 800-38D) where the CPU has instructions for it, ChaCha20-Poly1305 (RFC 8439)
//! elsewhere and where a protocol wants it.
//!
//! Sealing two messages with one nonce gives away both, and with AES-GCM the key to forge more. So callers do not choose
//! nonces: a key *moves* into a cipher, which numbers its messages and mixes the number into 96 bits that are random for each
//! cipher ([`Aes256Gcm::new`]) or come from a handshake that just made the key ([`Aes256Gcm::for_protocol`]). The nonce comes back
//! to be kept beside the ciphertext. After 2³² messages the key has to be changed. Two ciphers that were given one key all the same,
//! say before and after a restart, share nonces with a probability of 2⁻⁶⁴.
//!
//! Opening checks first and decrypts then: what is not authentic stays as it was.

use aes_gcm::aead::{AeadInOut, KeyInit};
use rand_core::CryptoRng;

use crate::{Error, Secret};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;
/// Bytes of a nonce.
pub const NONCE_BYTES: usize = 12;
/// Bytes of a tag.
pub const TAG_BYTES: usize = 16;
/// Messages that one key seals, at most (SP 800-38D, 8.3).
pub const MESSAGES_MOST: u64 = 1 << 32;

/// What is kept beside a ciphertext to open it. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The nonce that this message alone has.
    pub nonce: [u8; NONCE_BYTES],
    /// The tag.
    pub tag: [u8; TAG_BYTES],
}

/// The nonce of a message by its number (RFC 8446, 5.3): whoever counts messages too need not be sent it.
pub fn nonce(base: &[u8; NONCE_BYTES], number: u64) -> [u8; NONCE_BYTES] {
    let mut nonce = *base;
    for (byte, of_number) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
        *byte ^= of_number;
    }
    nonce
}

macro_rules! ciphers {
    ($($(#[$doc:meta])* $name:ident, $library:ty;)+) => {$(
        $(#[$doc])*
        ///
        /// A key is moved in, so that no second cipher has it:
        /// ```compile_fail,E0382
        /// # fn two(key: nonos_crypto::Secret<32>, rng: &mut dyn nonos_crypto::CryptoRng) {
        #[doc = concat!("let first = nonos_crypto::aead::", stringify!($name), "::new(key, rng);")]
        #[doc = concat!("let second = nonos_crypto::aead::", stringify!($name), "::new(key, rng);")]
        /// # }
        /// ```
        pub struct $name {
            cipher: $library,
            base: [u8; NONCE_BYTES],
            sealed: u64,
        }

        impl $name {
            /// A cipher whose nonces start at a random place.
            pub fn new(key: Secret<KEY_BYTES>, rng: &mut dyn CryptoRng) -> Self {
                let mut base = [0; NONCE_BYTES];
                rng.fill_bytes(&mut base);
                Self::for_protocol(key, base)
            }

            /// A cipher whose nonces a protocol prescribes, by [`nonce`]. The key must be one that no other cipher has had: it
            /// comes from the same handshake as the base.
            pub fn for_protocol(key: Secret<KEY_BYTES>, base: [u8; NONCE_BYTES]) -> Self {
                Self {
                    cipher: <$library>::new(key.expose().into()),
                    base,
                    sealed: 0,
                }
            }

            /// A cipher for a key that was put away and is taken out again, after it sealed so many messages. The number of a message
            /// is its nonce, so the key must be used in this way alone, by one cipher at a time, and [`Self::sealed`] be kept
            /// with it.
            pub fn resumed(key: Secret<KEY_BYTES>, sealed: u64) -> Self {
                Self {
                    sealed,
                    ..Self::for_protocol(key, [0; NONCE_BYTES])
                }
            }

            /// How many messages it sealed.
            pub fn sealed(&self) -> u64 {
                self.sealed
            }

            /// Encrypts a message in place.
            ///
            /// # Errors
            /// [`Error::KeyUsedUp`], [`Error::MessageTooLong`]; the message is as it was.
            pub fn seal(&mut self, associated: &[u8], message: &mut [u8]) -> Result<Sealed, Error> {
                if self.sealed >= MESSAGES_MOST {
                    return Err(Error::KeyUsedUp);
                }
                let nonce = nonce(&self.base, self.sealed);
                // Counted before anything is encrypted: no way out of here leads to this number again.
                self.sealed += 1;
                let tag = self
                    .cipher
                    .encrypt_inout_detached(&nonce.into(), associated, message.into())
                    .map_err(|_| Error::MessageTooLong)?;
                Ok(Sealed { nonce, tag: tag.into() })
            }

            /// Decrypts a message in place.
            ///
            /// # Errors
            /// [`Error::NotAuthentic`]; the message is as it was.
            pub fn open(
                &self,
                sealed: &Sealed,
                associated: &[u8],
                message: &mut [u8],
            ) -> Result<(), Error> {
                self.cipher
                    .decrypt_inout_detached(
                        &sealed.nonce.into(),
                        associated,
                        message.into(),
                        &sealed.tag.into(),
                    )
                    .map_err(|_| Error::NotAuthentic)
            }
        }
    )+};
}

ciphers! {
    /// AES-256-GCM.
    Aes256Gcm, aes_gcm::Aes256Gcm;
    /// ChaCha20-Poly1305.
    ChaCha20Poly1305, chacha20poly1305::ChaCha20Poly1305;
}

#[cfg(test)]
mod tests {
    extern crate alloc;

    use super::*;

    fn key() -> Secret<KEY_BYTES> {
        Secret::written_by(|bytes| bytes.fill(1))
    }

    #[test]
    fn no_two_messages_have_one_nonce_and_a_used_up_key_refuses() {
        let mut cipher = Aes256Gcm::for_protocol(key(), [0xFF; NONCE_BYTES]);
        let first = cipher.seal(b"", &mut [0; 8]).unwrap();
        let second = cipher.seal(b"", &mut [0; 8]).unwrap();
        assert_eq!(first.nonce, [0xFF; NONCE_BYTES]);
        assert_ne!(first.nonce, second.nonce);
        cipher.sealed = MESSAGES_MOST - 1;
        cipher.seal(b"", &mut []).unwrap();
        let mut message = *b"as it was";
        assert_eq!(cipher.seal(b"", &mut message), Err(Error::KeyUsedUp));
        assert_eq!(&message, b"as it was");
    }

    #[test]
    fn a_resumed_key_goes_on_where_it_stopped() {
        let mut first = Aes256Gcm::resumed(key(), 0);
        first.seal(b"", &mut [0; 8]).unwrap();
        let mut message = *b"a message";
        let mut second = Aes256Gcm::resumed(key(), first.sealed());
        let sealed = second.seal(b"", &mut message).unwrap();
        assert_eq!(sealed.nonce, nonce(&[0; NONCE_BYTES], 1));
        assert_eq!(second.sealed(), 2);
        first.open(&sealed, b"", &mut message).unwrap();
        assert_eq!(&message, b"a message");
        let mut used_up = Aes256Gcm::resumed(key(), u64::MAX);
        assert_eq!(used_up.seal(b"", &mut message), Err(Error::KeyUsedUp));
    }

    #[test]
    fn nonces_follow_rfc_8446() {
        let base = [0xA0; NONCE_BYTES];
        assert_eq!(nonce(&base, 0), base);
        let seventh = nonce(&base, 0x0102_0304_0506_0708);
        assert_eq!(seventh[..4], base[..4]);
        assert_eq!(seventh[4], 0xA1);
        assert_eq!(seventh[11], 0xA8);
    }

    /// `$cipher` refuses each change of one byte and leaves what it was given.
    macro_rules! refuses_any_change {
        ($test:ident, $cipher:ty) => {
            #[test]
            fn $test() {
                let mut cipher = <$cipher>::for_protocol(key(), [2; NONCE_BYTES]);
                let mut message =
                    *b"a message of more than one block: 012345678901234567890123456789";
                let sealed = cipher.seal(b"beside", &mut message).unwrap();
                let refused = |sealed: Sealed, associated: &[u8], message: &[u8]| {
                    let mut opened = message.to_vec();
                    let refused = cipher.open(&sealed, associated, &mut opened);
                    assert_eq!(refused, Err(Error::NotAuthentic));
                    assert_eq!(opened, message);
                };
                refused(sealed, b"besidf", &message);
                refused(sealed, b"beside", &message[..63]);
                for byte in 0..message.len() {
                    let mut changed = message;
                    changed[byte] ^= 0x80;
                    refused(sealed, b"beside", &changed);
                }
                for byte in 0..TAG_BYTES {
                    let mut changed = sealed;
                    changed.tag[byte] ^= 1;
                    refused(changed, b"beside", &message);
                }
                for byte in 0..NONCE_BYTES {
                    let mut changed = sealed;
                    changed.nonce[byte] ^= 1;
                    refused(changed, b"beside", &message);
                }
                assert!(cipher.open(&sealed, b"beside", &mut message).is_ok());
                assert!(message.starts_with(b"a message"));
            }
        };
    }

    refuses_any_change!(aes_refuses_any_change, Aes256Gcm);
    refuses_any_change!(chacha_refuses_any_change, ChaCha20Poly1305);
}
