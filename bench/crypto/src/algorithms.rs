//! The algorithms that are measured, by name.

use core::hint::black_box;

use nonos_crypto::aead::{Aes256Gcm, ChaCha20Poly1305};
use nonos_crypto::hash;
use nonos_crypto::mac::HmacSha256;
use nonos_crypto::{Secret, ed25519, hybrid, ml_dsa, ml_kem, x25519};

use crate::Noise;

/// Bytes of a message for what is measured in bytes; the same as `openssl speed` is told.
pub const MESSAGE_BYTES: usize = 16384;

/// Names for [`with_call`].
pub const NAMES: [&str; 15] = [
    "aes-256-gcm",
    "chacha20-poly1305",
    "sha256",
    "sha512",
    "sha3-256",
    "hmac-sha256",
    "blake3",
    "ed25519-sign",
    "ed25519-verify",
    "x25519",
    "ml-kem-768-encapsulate",
    "ml-kem-768-decapsulate",
    "x-wing-decapsulate",
    "ml-dsa-65-sign",
    "ml-dsa-65-verify",
];

fn discard<T>(result: T) {
    black_box(result);
}

/// Gives `measure` a call of an algorithm: of so many bytes, or of one operation. False when there is no such algorithm.
///
/// # Panics
/// When an algorithm refuses what it is given here.
pub fn with_call(
    name: &str,
    message: &mut [u8; MESSAGE_BYTES],
    measure: &mut dyn FnMut(usize, &mut dyn FnMut()),
) -> bool {
    let rng = &mut Noise::new(7);
    let seed = || Secret::<32>::written_by(|bytes| bytes.fill(3));
    let mut bytes = |call: &mut dyn FnMut()| measure(MESSAGE_BYTES, call);
    match name {
        "aes-256-gcm" => {
            let mut cipher = Aes256Gcm::new(seed(), rng);
            bytes(&mut || discard(cipher.seal(&[0; 13], message)));
        }
        "chacha20-poly1305" => {
            let mut cipher = ChaCha20Poly1305::new(seed(), rng);
            bytes(&mut || discard(cipher.seal(&[0; 13], message)));
        }
        "sha256" => bytes(&mut || discard(hash::sha256(message))),
        "sha512" => bytes(&mut || discard(hash::sha512(message))),
        "sha3-256" => bytes(&mut || discard(hash::sha3_256(message))),
        "blake3" => bytes(&mut || discard(hash::blake3(message))),
        "hmac-sha256" => bytes(&mut || {
            let mut mac = HmacSha256::new(&[1; 32]);
            mac.update(message);
            discard(mac.finish());
        }),
        _ => {
            return with_operation(name, &message[..32], rng, &mut |call| measure(1, call));
        }
    }
    true
}

fn with_operation(
    name: &str,
    message: &[u8],
    rng: &mut Noise,
    measure: &mut dyn FnMut(&mut dyn FnMut()),
) -> bool {
    let seed = || Secret::<32>::written_by(|bytes| bytes.fill(3));
    match name {
        "ed25519-sign" => {
            let key = ed25519::SigningKey::from_seed(&seed());
            measure(&mut || discard(key.sign(message)));
        }
        "ed25519-verify" => {
            let key = ed25519::SigningKey::from_seed(&seed());
            let (public, signature) = (key.public(), key.sign(message));
            measure(&mut || discard(ed25519::verify(&public, message, &signature)));
        }
        "x25519" => {
            let key = x25519::SecretKey::from_bytes(&seed());
            let public = key.public();
            measure(&mut || discard(key.agree(&public)));
        }
        "ml-kem-768-encapsulate" => {
            let key = ml_kem::SecretKey::from_seed(&Secret::random(rng)).public();
            measure(&mut || discard(ml_kem::encapsulate(&key, rng)));
        }
        "ml-kem-768-decapsulate" => {
            let key = ml_kem::SecretKey::from_seed(&Secret::random(rng));
            let ciphertext = [7; ml_kem::CIPHERTEXT_BYTES];
            measure(&mut || discard(key.decapsulate(&ciphertext)));
        }
        "x-wing-decapsulate" => {
            let key = hybrid::SecretKey::from_seed(&seed());
            let ciphertext = [7; hybrid::CIPHERTEXT_BYTES];
            measure(&mut || discard(key.decapsulate(&ciphertext)));
        }
        "ml-dsa-65-sign" => {
            let key = ml_dsa::SigningKey::from_seed(&seed());
            measure(&mut || discard(key.sign(message, b"", rng)));
        }
        "ml-dsa-65-verify" => {
            let key = ml_dsa::SigningKey::from_seed(&seed());
            let signature = key.sign(message, b"", rng).expect("it signs");
            let public = key.public();
            measure(&mut || discard(ml_dsa::verify(&public, message, b"", &signature)));
        }
        _ => return false,
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_call_and_no_other_has() {
        let mut message = [0; MESSAGE_BYTES];
        for name in NAMES {
            let mut calls = 0;
            let found = with_call(name, &mut message, &mut |_, call| {
                call();
                calls += 1;
            });
            assert!(found && calls == 1, "{name}");
        }
        assert!(!with_call("rot13", &mut message, &mut |_, _| {}));
    }
}
