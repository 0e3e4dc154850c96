//! Bytes that nobody is to see.

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// Secret bytes: wiped when dropped, neither printed nor cloned, compared in constant time.
///
/// ```
/// fn any<T>() {}
/// any::<nonos_crypto::Secret<32>>();
/// ```
/// ```compile_fail,E0277
/// fn printable<T: core::fmt::Debug>() {}
/// printable::<nonos_crypto::Secret<32>>();
/// ```
/// ```compile_fail,E0277
/// fn cloned<T: Clone>() {}
/// cloned::<nonos_crypto::Secret<32>>();
/// ```
/// ```compile_fail,E0277
/// fn compared_in_variable_time<T: PartialEq>() {}
/// compared_in_variable_time::<nonos_crypto::Secret<32>>();
/// ```
pub struct Secret<const BYTES: usize>(Zeroizing<[u8; BYTES]>);

impl<const BYTES: usize> Secret<BYTES> {
    /// New random bytes.
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        Self::written_by(|bytes| rng.fill_bytes(bytes))
    }

    /// Takes bytes out of where they lie, and wipes them there.
    pub fn taken_from(bytes: &mut [u8; BYTES]) -> Self {
        let secret = Self::written_by(|own| own.copy_from_slice(bytes));
        bytes.zeroize();
        secret
    }

    /// The bytes that `write` leaves in place of zeros.
    pub fn written_by(write: impl FnOnce(&mut [u8; BYTES])) -> Self {
        let mut secret = Self(Zeroizing::new([0; BYTES]));
        write(&mut secret.0);
        secret
    }

    /// The bytes, for whoever must see them. They are secret.
    pub fn expose(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// Whether the bytes are the same, in a time that does not depend on them.
    pub fn equals(&self, other: &Self) -> bool {
        equal(&*self.0, &*other.0)
    }
}

/// Whether bytes are the same, in a time that depends on the lengths only. For tags, digests and all that an attacker
/// must not find byte by byte.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.ct_eq(b).into()
}

/// For tests: does not compile for a type that can be printed, cloned, or compared in variable time. Where a type has the trait, two
/// implementations fit.
#[macro_export]
macro_rules! assert_secret {
    ($($type:ty)+) => {$(
        $crate::assert_secret!($type, core::fmt::Debug);
        $crate::assert_secret!($type, core::fmt::Display);
        $crate::assert_secret!($type, Clone);
        $crate::assert_secret!($type, PartialEq);
    )+};
    ($type:ty, $trait:path) => {{
        trait Fits<Which> {
            fn fits() {}
        }
        impl<T> Fits<()> for T {}
        impl<T: $trait> Fits<u8> for T {}
        <$type as Fits<_>>::fits();
    }};
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "full")]
    #[test]
    fn secrets_can_be_neither_printed_nor_cloned_nor_compared_in_variable_time() {
        assert_secret! {
            Secret<32>
            crate::aead::Aes256Gcm
            crate::aead::ChaCha20Poly1305
            crate::ed25519::SigningKey
            crate::hash::Blake3
            crate::hybrid::SecretKey
            crate::kdf::HkdfSha256
            crate::kdf::HkdfSha512
            crate::mac::HmacSha256
            crate::mac::HmacSha512
            crate::ml_dsa::SigningKey
            crate::ml_kem::SecretKey
            crate::x25519::SecretKey
        }
    }

    #[test]
    fn only_the_same_bytes_of_the_same_length_are_equal() {
        assert!(equal(b"", b"") && equal(b"abc", b"abc"));
        for other in [&b"abd"[..], b"bbc", b"ab", b"abcd", b""] {
            assert!(!equal(b"abc", other));
        }
    }

    #[test]
    fn what_a_secret_is_taken_from_is_wiped() {
        let mut bytes = [7; 32];
        let secret = Secret::taken_from(&mut bytes);
        assert_eq!(bytes, [0; 32]);
        assert_eq!(secret.expose(), &[7; 32]);
        assert!(secret.equals(&Secret::written_by(|own| own.fill(7))));
        assert!(!secret.equals(&Secret::written_by(|own| own[31] = 7)));
    }
}
