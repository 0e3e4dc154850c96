//! X25519 (RFC 7748), for protocols that name it. Where the choice is ours, [`crate::hybrid`] agrees on keys.

use crate::{Error, Secret};

/// Bytes of a public key.
pub const KEY_BYTES: usize = 32;

/// A secret key. Wiped when dropped.
pub struct SecretKey(x25519_dalek::StaticSecret);

impl SecretKey {
    /// The key that random bytes are (RFC 7748, 5).
    pub fn from_bytes(bytes: &Secret<32>) -> Self {
        Self((*bytes.expose()).into())
    }

    /// The public key.
    pub fn public(&self) -> [u8; KEY_BYTES] {
        x25519_dalek::PublicKey::from(&self.0).to_bytes()
    }

    /// What both sides know and nobody else. Not a key yet: derive one from it and from both public keys.
    ///
    /// # Errors
    /// [`Error::WeakPublicKey`] when anyone would know it (RFC 7748, 6.1).
    pub fn agree(&self, public: &[u8; KEY_BYTES]) -> Result<Secret<32>, Error> {
        let shared = self.0.diffie_hellman(&(*public).into());
        match shared.was_contributory() {
            true => Ok(Secret::written_by(|own| {
                own.copy_from_slice(shared.as_bytes())
            })),
            false => Err(Error::WeakPublicKey),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_agree_and_a_point_of_small_order_is_refused() {
        let key = |byte| SecretKey::from_bytes(&Secret::written_by(|bytes| bytes.fill(byte)));
        let (one, two) = (key(1), key(2));
        let shared = one.agree(&two.public()).ok().unwrap();
        assert!(shared.equals(&two.agree(&one.public()).ok().unwrap()));
        assert_eq!(one.agree(&[0; 32]).err(), Some(Error::WeakPublicKey));
    }
}
