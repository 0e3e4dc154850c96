//! The two signature schemes and the hash, as the format uses them: whether a signature is valid, over raw bytes.
//!
//! Verification handles public data only, so nothing here needs to be constant-time.

use nonos_crypto::{ed25519, hash, ml_dsa};

pub use ed25519::{KEY_BYTES as ED25519_KEY_BYTES, SIGNATURE_BYTES as ED25519_SIGNATURE_BYTES};
pub use hash::blake3 as hash;
pub use ml_dsa::{KEY_BYTES as ML_DSA_KEY_BYTES, SIGNATURE_BYTES as ML_DSA_SIGNATURE_BYTES};

/// Stack to have free when a verification starts. UEFI promises an application 128 KiB in all (UEFI 2.10,
/// 2.3.4), so a boot loader verifies on a stack of its own.
pub const STACK_BYTES: usize = ml_dsa::VERIFY_STACK_BYTES;

/// Whether an Ed25519 signature is valid, strictly.
pub fn ed25519_is_valid(
    key: &[u8; ED25519_KEY_BYTES],
    message: &[u8],
    signature: &[u8; ED25519_SIGNATURE_BYTES],
) -> bool {
    ed25519::verify(key, message, signature).is_ok()
}

/// Whether an ML-DSA-65 signature is valid for this message and context.
pub fn ml_dsa_is_valid(
    key: &[u8; ML_DSA_KEY_BYTES],
    message: &[u8],
    context: &[u8],
    signature: &[u8; ML_DSA_SIGNATURE_BYTES],
) -> bool {
    ml_dsa::verify(key, message, context, signature).is_ok()
}
