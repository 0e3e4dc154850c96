//! X-Wing: ML-KEM-768 and X25519 together (draft-connolly-cfrg-xwing-kem-06). Secret for as long as one of the two holds.
//!
//! Why this construction and not `X25519MLKEM768` of TLS: that one only puts the two secrets side by side and relies on
//! the handshake's transcript to bind keys and ciphertexts. X-Wing hashes the X25519 parts in itself, so what comes out is a key
//! that can be used as it is, by a vault or a message, and it has a proof for exactly that. A TLS library has its own.
//!
//! The construction is a hash over the results of two libraries, and is written out here: the crate `x-wing` wants a heap where it
//! wipes its secrets.

use rand_core::CryptoRng;
use sha3::{Digest, Sha3_256};
use shake::{ExtendableOutput, Shake256, Update, XofReader};
use x25519_dalek::{X25519_BASEPOINT_BYTES, x25519};

use crate::{Error, Secret, ml_kem};

/// Bytes of a seed, which is what is kept of a secret key.
pub const SEED_BYTES: usize = 32;
/// Bytes of a public key: that of ML-KEM-768, then that of X25519.
pub const KEY_BYTES: usize = ml_kem::KEY_BYTES + 32;
/// Bytes of a ciphertext: that of ML-KEM-768, then an X25519 public key.
pub const CIPHERTEXT_BYTES: usize = ml_kem::CIPHERTEXT_BYTES + 32;

/// `XWingLabel` (5.3).
const LABEL: &[u8; 6] = br"\.//^\";

/// A secret key. Wiped when dropped.
pub struct SecretKey {
    lattice: ml_kem::SecretKey,
    curve: Secret<32>,
    curve_public: [u8; 32],
}

impl SecretKey {
    /// The key that follows from a seed (5.2, `expandDecapsulationKey`).
    pub fn from_seed(seed: &Secret<SEED_BYTES>) -> Self {
        let mut shake = Shake256::default();
        shake.update(seed.expose());
        let mut expanded = shake.finalize_xof();
        let lattice = Secret::written_by(|bytes| expanded.read(bytes));
        let curve = Secret::written_by(|bytes| expanded.read(bytes));
        Self {
            lattice: ml_kem::SecretKey::from_seed(&lattice),
            curve_public: x25519(*curve.expose(), X25519_BASEPOINT_BYTES),
            curve,
        }
    }

    /// The public key.
    pub fn public(&self) -> [u8; KEY_BYTES] {
        joined(&self.lattice.public(), &self.curve_public)
    }

    /// The secret in a ciphertext (5.5); of a ciphertext that is none, a secret that nobody knows.
    pub fn decapsulate(&self, ciphertext: &[u8; CIPHERTEXT_BYTES]) -> Secret<32> {
        let (lattice, curve) = parted(ciphertext);
        let from_lattice = self.lattice.decapsulate(lattice);
        let from_curve = Secret::taken_from(&mut x25519(*self.curve.expose(), *curve));
        combined(&from_lattice, &from_curve, curve, &self.curve_public)
    }
}

/// Makes a secret and the ciphertext that tells it to the holder of the secret key (5.4).
///
/// # Errors
/// [`Error::BadPublicKey`] when the part for ML-KEM is none (FIPS 203, 7.2).
pub fn encapsulate(
    key: &[u8; KEY_BYTES],
    rng: &mut dyn CryptoRng,
) -> Result<([u8; CIPHERTEXT_BYTES], Secret<32>), Error> {
    let (lattice, curve) = parted(key);
    let (lattice_ciphertext, from_lattice) = ml_kem::encapsulate(lattice, rng)?;
    let random = Secret::<32>::random(rng);
    let sent = x25519(*random.expose(), X25519_BASEPOINT_BYTES);
    let from_curve = Secret::taken_from(&mut x25519(*random.expose(), *curve));
    let secret = combined(&from_lattice, &from_curve, &sent, curve);
    Ok((joined(&lattice_ciphertext, &sent), secret))
}

/// `Combiner` (5.3).
fn combined(
    from_lattice: &Secret<32>,
    from_curve: &Secret<32>,
    sent: &[u8; 32],
    public: &[u8; 32],
) -> Secret<32> {
    let hash = Sha3_256::new()
        .chain_update(from_lattice.expose())
        .chain_update(from_curve.expose())
        .chain_update(sent)
        .chain_update(public)
        .chain_update(LABEL);
    Secret::taken_from(&mut hash.finalize().into())
}

fn joined<const BYTES: usize>(lattice: &[u8], curve: &[u8; 32]) -> [u8; BYTES] {
    let mut whole = [0; BYTES];
    whole[..lattice.len()].copy_from_slice(lattice);
    whole[lattice.len()..].copy_from_slice(curve);
    whole
}

/// The part of ML-KEM-768 and that of X25519, which is the last.
fn parted<const LATTICE: usize, const BYTES: usize>(
    whole: &[u8; BYTES],
) -> (&[u8; LATTICE], &[u8; 32]) {
    const { assert!(LATTICE + 32 == BYTES) };
    let parts = whole
        .split_first_chunk()
        .and_then(|(lattice, curve)| Some((lattice, curve.try_into().ok()?)));
    parts.expect("the lengths fit, by the line above")
}
