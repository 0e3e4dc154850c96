//! Key agreement on the curve P-256 (SP 800-56A, 5.7.1.2), for TPMs, which have no better curve. Where the choice is ours,
//! [`crate::hybrid`] agrees on keys.

use p256::elliptic_curve::Generate;
use p256::elliptic_curve::ecdh::EphemeralSecret;
use p256::elliptic_curve::sec1::ToSec1Point;
use p256::{NistP256, PublicKey};
use rand_core::CryptoRng;

use crate::{Error, Secret};

/// Bytes of a public key: both coordinates, big-endian.
pub const KEY_BYTES: usize = 64;

/// What a key was agreed on with: the ephemeral public key that the other side needs, and the x-coordinate that both sides
/// know and nobody else. That is not a key yet: derive one from it and from both public keys.
pub struct Agreed {
    /// The public key.
    pub public: [u8; KEY_BYTES],
    /// The secret.
    pub shared: Secret<32>,
}

/// Agrees on a secret with the holder of a public key, by a key that is used for nothing else.
///
/// # Errors
/// [`Error::BadPublicKey`] when it is no point of the curve.
pub fn agree(public: &[u8; KEY_BYTES], rng: &mut dyn CryptoRng) -> Result<Agreed, Error> {
    let mut encoded = [4; 1 + KEY_BYTES];
    encoded[1..].copy_from_slice(public);
    let theirs = PublicKey::from_sec1_bytes(&encoded).map_err(|_| Error::BadPublicKey)?;
    let own = EphemeralSecret::<NistP256>::generate_from_rng(rng);
    let shared = own.diffie_hellman(&theirs);
    let mut public = [0; KEY_BYTES];
    let point = own.public_key().to_sec1_point(false);
    let coordinates = point.as_bytes().get(1..).ok_or(Error::BadPublicKey)?;
    public.copy_from_slice(coordinates);
    Ok(Agreed {
        public,
        shared: Secret::written_by(|bytes| bytes.copy_from_slice(shared.raw_secret_bytes())),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::NonZeroScalar;

    /// Bytes that are all the same.
    struct Same(u8);

    impl rand_core::TryRng for Same {
        type Error = core::convert::Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(u32::from_ne_bytes([self.0; 4]))
        }

        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(u64::from_ne_bytes([self.0; 8]))
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(self.0);
            Ok(())
        }
    }

    impl rand_core::TryCryptoRng for Same {}

    #[test]
    fn both_sides_agree() {
        let other = NonZeroScalar::generate_from_rng(&mut Same(7));
        let encoded = PublicKey::from_secret_scalar(&other).to_sec1_point(false);
        let public = encoded.as_bytes()[1..].try_into().unwrap();
        let agreed = agree(&public, &mut Same(9)).ok().unwrap();
        let mut own = [4; 65];
        own[1..].copy_from_slice(&agreed.public);
        let own = PublicKey::from_sec1_bytes(&own).unwrap();
        let theirs = p256::ecdh::diffie_hellman(other, own.as_affine());
        assert_eq!(theirs.raw_secret_bytes()[..], agreed.shared.expose()[..]);
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        for public in [[0; KEY_BYTES], [1; KEY_BYTES], [0xFF; KEY_BYTES]] {
            let agreed = agree(&public, &mut Same(9));
            assert_eq!(agreed.err(), Some(Error::BadPublicKey));
        }
    }
}
