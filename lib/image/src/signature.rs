//! The two signature schemes and the hash, over raw bytes. The only place that names the libraries.
//!
//! Verification handles public data only, so nothing here needs to be constant-time.

use fips204::ml_dsa_65;
use fips204::traits::{SerDes, Verifier};

/// Stack to have free when a verification starts. ML-DSA keeps its matrix there: 123 KB are used at opt-level "s",
/// 150 KB at 3 (measured from the compiled frames). UEFI promises an application 128 KiB in all (UEFI 2.10,
/// 2.3.4), so a boot loader verifies on a stack of its own.
pub const STACK_BYTES: usize = 160 << 10;

/// Bytes of an Ed25519 public key.
pub const ED25519_KEY_BYTES: usize = 32;
/// Bytes of an Ed25519 signature.
pub const ED25519_SIGNATURE_BYTES: usize = 64;
/// Bytes of an ML-DSA-65 public key (FIPS 204, table 2).
pub const ML_DSA_KEY_BYTES: usize = 1952;
/// Bytes of an ML-DSA-65 signature (FIPS 204, table 2).
pub const ML_DSA_SIGNATURE_BYTES: usize = 3309;

/// Whether an Ed25519 signature is valid (RFC 8032, 5.1.7, without its cofactor; also refused: keys and
/// commitments of small order, encodings that are not canonical).
pub fn ed25519_is_valid(
    key: &[u8; ED25519_KEY_BYTES],
    message: &[u8],
    signature: &[u8; ED25519_SIGNATURE_BYTES],
) -> bool {
    ed25519_dalek::VerifyingKey::from_bytes(key).is_ok_and(|key| {
        key.verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
            .is_ok()
    })
}

/// Whether an ML-DSA-65 signature is valid for this message and context (FIPS 204, algorithm 3).
pub fn ml_dsa_is_valid(
    key: &[u8; ML_DSA_KEY_BYTES],
    message: &[u8],
    context: &[u8],
    signature: &[u8; ML_DSA_SIGNATURE_BYTES],
) -> bool {
    ml_dsa_65::PublicKey::try_from_bytes(*key)
        .is_ok_and(|key| key.verify(message, signature, context))
}

/// BLAKE3 hash.
pub fn hash(bytes: &[u8]) -> [u8; 32] {
    *blake3::hash(bytes).as_bytes()
}
