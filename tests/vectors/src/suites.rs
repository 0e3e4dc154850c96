//! What each suite does with a test: gives the fields to `lib/crypto` and compares what comes out.

use core::convert::Infallible;

use nonos_crypto::aead::{Aes256Gcm, ChaCha20Poly1305, KEY_BYTES, NONCE_BYTES, Sealed};
use nonos_crypto::hash::{self, Blake3};
use nonos_crypto::kdf::{HkdfSha256, HkdfSha512};
use nonos_crypto::mac::{HmacSha256, HmacSha512};
use nonos_crypto::{Error, Secret, ed25519, hybrid, ml_dsa, ml_kem, secret, x25519};
use rand_core::{TryCryptoRng, TryRng};

use crate::{Expected, Outcome, Test};

/// What a suite does with a test.
pub type Check = fn(&Test<'_>) -> Outcome;

/// The check of a suite.
///
/// # Panics
/// When there is none.
pub fn find(name: &str) -> Check {
    match name {
        "BLAKE3" => blake3,
        "SHA-2 and SHA-3" => hashes,
        "AES-GCM" => aes_gcm,
        "ChaCha20-Poly1305" => chacha,
        "Ed25519" => ed25519_verification,
        "Ed25519 signing" | "Ed25519 signing, 1023 bytes" => ed25519_signing,
        "X25519" => x25519_agreement,
        "X-Wing" => x_wing,
        "HMAC-SHA-256" => hmac_sha256,
        "HMAC-SHA-512" => hmac_sha512,
        "HKDF-SHA-256" => hkdf_sha256,
        "HKDF-SHA-512" => hkdf_sha512,
        "ML-KEM-768 keys" => ml_kem_keys,
        "ML-KEM-768 encapsulation" => ml_kem_encapsulation,
        "ML-KEM-768 decapsulation" => ml_kem_decapsulation,
        "ML-KEM-768 expanded keys" => ml_kem_expanded_keys,
        "ML-DSA-65 verification" => ml_dsa_verification,
        "ML-DSA-65 signing" => ml_dsa_signing,
        _ => panic!("{name}: nothing to do with its tests"),
    }
}

/// Right when the result is what it must be.
fn right_if(holds: bool) -> Outcome {
    if holds {
        Outcome::Right
    } else {
        Outcome::Wrong
    }
}

/// Of a test with a field that cannot even be given to `lib/crypto`.
fn refused_by_type(test: &Test<'_>) -> Outcome {
    match test.expected {
        Expected::Refused => Outcome::Right,
        Expected::Works | Expected::WorksOrRefused => Outcome::NotOffered,
    }
}

/// Whether a test is one that must be refused.
fn must_fail(test: &Test<'_>) -> bool {
    test.expected == Expected::Refused
}

fn secret<const BYTES: usize>(bytes: &[u8; BYTES]) -> Secret<BYTES> {
    Secret::written_by(|own| own.copy_from_slice(bytes))
}

/// A "generator" that gives the bytes of a vector.
struct Given<'a>(&'a [u8]);

impl TryRng for Given<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        unimplemented!("vectors give bytes")
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        unimplemented!("vectors give bytes")
    }

    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        let (given, rest) = self.0.split_at(out.len());
        out.copy_from_slice(given);
        self.0 = rest;
        Ok(())
    }
}

impl TryCryptoRng for Given<'_> {}

/// Length of the input, key, and the long outputs: hash, keyed hash, derived key.
fn blake3(test: &Test<'_>) -> Outcome {
    /// More than the longest input.
    static PATTERN: [u8; 128 << 10] = {
        let mut input = [0; 128 << 10];
        let mut at = 0;
        while at < input.len() {
            input[at] = (at % 251) as u8;
            at += 1;
        }
        input
    };
    let length = test.array(0).map(|bytes| u64::from_le_bytes(*bytes));
    let input = &PATTERN[..length.expect("a length") as usize];
    let key = test.array(1).expect("a key of 32 bytes");
    let kinds = [
        (Blake3::new(), test.field(2)),
        (Blake3::keyed(&secret(key)), test.field(3)),
        (Blake3::derive_key(BLAKE3_CONTEXT), test.field(4)),
    ];
    let mut right = hash::blake3(input)[..] == test.field(2)[..32];
    for (mut hasher, expected) in kinds {
        // In pieces of two lengths, which must not matter.
        let (first, second) = input.split_at(input.len() / 3);
        hasher.update(first).update(second);
        let mut long = [0; 131];
        hasher.fill(&mut long);
        right &= long[..] == *expected
            && hasher.finish()[..] == expected[..32]
            && hasher.finish_secret().expose()[..] == expected[..32];
    }
    right_if(right)
}

/// The context string of BLAKE3's vectors; the build script compares it.
const BLAKE3_CONTEXT: &str = "BLAKE3 2019-12-27 16:29:52 test vectors context";

/// Message, SHA-256, SHA-384, SHA-512, SHA3-256, SHA3-512.
fn hashes(test: &Test<'_>) -> Outcome {
    let message = test.field(0);
    let (first, second) = message.split_at(message.len() / 2);
    let mut in_pieces = hash::Sha512::new();
    in_pieces.update(first).update(second);
    right_if(
        hash::sha256(message)[..] == *test.field(1)
            && hash::sha384(message)[..] == *test.field(2)
            && hash::sha512(message)[..] == *test.field(3)
            && in_pieces.finish()[..] == *test.field(3)
            && hash::sha3_256(message)[..] == *test.field(4)
            && hash::sha3_512(message)[..] == *test.field(5),
    )
}

/// Longest message of the AEAD vectors, and more.
const MESSAGE_MOST: usize = 1 << 12;

/// Key, nonce, associated data, message, ciphertext, tag.
macro_rules! aead {
    ($name:ident, $cipher:ty) => {
        fn $name(test: &Test<'_>) -> Outcome {
            let (Some(key), Some(nonce), Some(tag)) = (test.array(0), test.array(1), test.array(5))
            else {
                return refused_by_type(test);
            };
            let (associated, message, ciphertext) = (test.field(2), test.field(3), test.field(4));
            let mut cipher = <$cipher>::for_protocol(secret(key), *nonce);
            let mut room = [0; MESSAGE_MOST];
            let buffer = &mut room[..ciphertext.len()];
            buffer.copy_from_slice(ciphertext);
            let sealed = Sealed {
                nonce: *nonce,
                tag: *tag,
            };
            let opened = cipher.open(&sealed, associated, buffer);
            if must_fail(test) {
                return right_if(opened == Err(Error::NotAuthentic) && *buffer == *ciphertext);
            }
            let was_opened = opened.is_ok() && *buffer == *message;
            buffer.copy_from_slice(message);
            let was_sealed =
                cipher.seal(associated, buffer) == Ok(sealed) && *buffer == *ciphertext;
            right_if(was_opened && was_sealed)
        }
    };
}

aead!(aes_256_gcm, Aes256Gcm);
aead!(chacha, ChaCha20Poly1305);

/// The file has tests of all sizes that AES-GCM has, also invalid ones, which say nothing of a cipher that does not have the size.
fn aes_gcm(test: &Test<'_>) -> Outcome {
    let (key, nonce) = (test.field(0), test.field(1));
    match (key.len(), nonce.len()) {
        // A nonce of no bytes is none.
        (KEY_BYTES, NONCE_BYTES | 0) => aes_256_gcm(test),
        _ => Outcome::NotOffered,
    }
}

/// Public key, message, signature.
fn ed25519_verification(test: &Test<'_>) -> Outcome {
    let (Some(key), Some(signature)) = (test.array(0), test.array(2)) else {
        return refused_by_type(test);
    };
    let valid = ed25519::verify(key, test.field(1), signature).is_ok();
    right_if(valid != must_fail(test))
}

/// Seed, public key, message, signature.
fn ed25519_signing(test: &Test<'_>) -> Outcome {
    let key = ed25519::SigningKey::from_seed(&secret(test.array(0).expect("a seed")));
    let message = test.field(2);
    let signature = key.sign(message);
    right_if(
        key.public()[..] == *test.field(1)
            && signature[..] == *test.field(3)
            && ed25519::verify(&key.public(), message, &signature).is_ok(),
    )
}

/// Secret key, public key, shared secret. Those whose secret is zero, which anyone could know, are refused.
fn x25519_agreement(test: &Test<'_>) -> Outcome {
    let (Some(own), Some(public), Some(shared)) = (test.array(0), test.array(1), test.array(2))
    else {
        return refused_by_type(test);
    };
    match x25519::SecretKey::from_bytes(&secret(own)).agree(public) {
        Ok(agreed) => right_if(!must_fail(test) && agreed.equals(&secret(shared))),
        Err(error) => right_if(
            test.expected != Expected::Works && error == Error::WeakPublicKey && *shared == [0; 32],
        ),
    }
}

/// Seed, randomness of the encapsulation, secret, SHA3-256 of public key and ciphertext.
fn x_wing(test: &Test<'_>) -> Outcome {
    let key = hybrid::SecretKey::from_seed(&secret(test.array(0).expect("a seed")));
    let shared = secret::<32>(test.array(2).expect("a secret"));
    let public = key.public();
    let Ok((mut ciphertext, made)) = hybrid::encapsulate(&public, &mut Given(test.field(1))) else {
        return Outcome::Wrong;
    };
    let right = made.equals(&shared)
        && key.decapsulate(&ciphertext).equals(&shared)
        && hash::sha3_256(&public)[..] == *test.field(3)
        && hash::sha3_256(&ciphertext)[..] == *test.field(4);
    // Another ciphertext, in the part of either, has another secret.
    ciphertext[0] ^= 1;
    let other_lattice = key.decapsulate(&ciphertext);
    ciphertext[0] ^= 1;
    ciphertext[hybrid::CIPHERTEXT_BYTES - 1] ^= 1;
    let other_curve = key.decapsulate(&ciphertext);
    right_if(right && !other_lattice.equals(&shared) && !other_curve.equals(&shared))
}

/// Key, message, tag, which may be cut short.
macro_rules! hmac {
    ($name:ident, $mac:ty) => {
        fn $name(test: &Test<'_>) -> Outcome {
            let mac = || {
                let mut mac = <$mac>::new(test.field(0));
                mac.update(test.field(1));
                mac
            };
            let (whole, tag) = (mac().finish(), test.field(2));
            let same = secret::equal(&whole[..tag.len()], tag);
            let verified = match test.array(2) {
                Some(tag) => mac().verify(tag).is_ok(),
                None => same,
            };
            right_if(same != must_fail(test) && verified == same)
        }
    };
}

hmac!(hmac_sha256, HmacSha256);
hmac!(hmac_sha512, HmacSha512);

/// Key material, salt, info, length, output.
macro_rules! hkdf {
    ($name:ident, $kdf:ty) => {
        fn $name(test: &Test<'_>) -> Outcome {
            let length = test.array(3).map(|bytes| u64::from_le_bytes(*bytes));
            let mut room = [0; 20 << 10];
            let out = &mut room[..length.expect("a length") as usize];
            let filled = <$kdf>::extract(test.field(1), test.field(0)).fill(test.field(2), out);
            right_if(match must_fail(test) {
                true => filled == Err(Error::OutputTooLong),
                false => filled.is_ok() && *out == *test.field(4),
            })
        }
    };
}

hkdf!(hkdf_sha256, HkdfSha256);
hkdf!(hkdf_sha512, HkdfSha512);

/// Seed, public key, expanded secret key. The latter, which `lib/crypto` never shows, is compared below it.
fn ml_kem_keys(test: &Test<'_>) -> Outcome {
    let Some(seed) = test.array(0) else {
        return refused_by_type(test);
    };
    let key = ml_kem::SecretKey::from_seed(&secret(seed));
    right_if(key.public()[..] == *test.field(1) && expanded(seed)[..] == *test.field(2))
}

#[allow(deprecated, reason = "the form that the vectors have")]
fn expanded(seed: &[u8; ml_kem::SEED_BYTES]) -> [u8; 2400] {
    use ::ml_kem::ExpandedKeyEncoding;
    let key = ::ml_kem::ml_kem_768::DecapsulationKey::from_seed((*seed).into());
    key.to_expanded_bytes().into()
}

/// Public key, randomness, ciphertext, secret.
fn ml_kem_encapsulation(test: &Test<'_>) -> Outcome {
    let Some(key) = test.array(0) else {
        return refused_by_type(test);
    };
    right_if(match ml_kem::encapsulate(key, &mut Given(test.field(1))) {
        Ok((ciphertext, made)) => {
            !must_fail(test)
                && ciphertext[..] == *test.field(2)
                && made.expose()[..] == *test.field(3)
        }
        Err(error) => must_fail(test) && error == Error::BadPublicKey,
    })
}

/// Seed, public key, ciphertext, secret.
fn ml_kem_decapsulation(test: &Test<'_>) -> Outcome {
    let (Some(seed), Some(ciphertext)) = (test.array(0), test.array(2)) else {
        return refused_by_type(test);
    };
    let key = ml_kem::SecretKey::from_seed(&secret(seed));
    let made = key.decapsulate(ciphertext);
    let same = key.public()[..] == *test.field(1) && made.expose()[..] == *test.field(3);
    right_if(same != must_fail(test))
}

/// Expanded secret key, ciphertext, secret: below `lib/crypto`, which keeps seeds only.
#[allow(deprecated, reason = "the form that the vectors have")]
fn ml_kem_expanded_keys(test: &Test<'_>) -> Outcome {
    use ::ml_kem::ExpandedKeyEncoding;
    use ::ml_kem::kem::Decapsulate;
    let (Some(key), Some(ciphertext)) = (test.array::<2400>(0), test.array::<1088>(1)) else {
        return refused_by_type(test);
    };
    let key = ::ml_kem::ml_kem_768::DecapsulationKey::from_expanded_bytes(key.into());
    right_if(match key {
        Ok(key) => {
            let made: [u8; 32] = key.decapsulate(ciphertext.into()).into();
            !must_fail(test) && made[..] == *test.field(2)
        }
        Err(_) => must_fail(test),
    })
}

/// Public key, message, context, signature.
fn ml_dsa_verification(test: &Test<'_>) -> Outcome {
    let (Some(key), Some(signature)) = (test.array(0), test.array(3)) else {
        return refused_by_type(test);
    };
    let valid = ml_dsa::verify(key, test.field(1), test.field(2), signature).is_ok();
    right_if(valid != must_fail(test))
}

/// Seed, public key, whether there is a message, message, context, representative of the message, randomness, signature.
fn ml_dsa_signing(test: &Test<'_>) -> Outcome {
    let Some(seed) = test.array(0) else {
        return refused_by_type(test);
    };
    if test.field(2).is_empty() {
        return ml_dsa_signing_of_a_representative(test, seed);
    }
    let key = ml_dsa::SigningKey::from_seed(&secret(seed));
    let (message, context, random) = (test.field(3), test.field(4), test.field(6));
    let signed = match random {
        [] => key.sign_deterministic(message, context),
        _ => key.sign(message, context, &mut Given(random)),
    };
    right_if(match signed {
        Ok(signature) => {
            !must_fail(test)
                && key.public()[..] == *test.field(1)
                && signature[..] == *test.field(7)
                && ml_dsa::verify(&key.public(), message, context, &signature).is_ok()
        }
        Err(error) => must_fail(test) && error == Error::ContextTooLong,
    })
}

/// What NIST calls the internal interface: below `lib/crypto`, which signs messages only.
#[allow(deprecated, reason = "meant for these vectors and nothing else")]
fn ml_dsa_signing_of_a_representative(test: &Test<'_>, seed: &[u8; 32]) -> Outcome {
    use fips204::ml_dsa_65;
    use fips204::traits::{KeyGen, SerDes};
    let (public, key) = ml_dsa_65::KG::keygen_from_seed(seed);
    let representative = test.array(5).expect("64 bytes");
    let signature = key.sign_mu(&mut NoRandomness, representative, false);
    right_if(match signature {
        Ok(signature) => {
            !must_fail(test)
                && signature[..] == *test.field(7)
                && public.verify_mu(representative, &signature)
                && public.into_bytes()[..] == *test.field(1)
        }
        Err(_) => false,
    })
}

/// What a deterministic signature is given in place of a generator. It is not asked.
struct NoRandomness;

impl rand_core_06::RngCore for NoRandomness {
    fn next_u32(&mut self) -> u32 {
        unreachable!("a deterministic signature")
    }

    fn next_u64(&mut self) -> u64 {
        unreachable!("a deterministic signature")
    }

    fn fill_bytes(&mut self, _: &mut [u8]) {
        unreachable!("a deterministic signature")
    }

    fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), rand_core_06::Error> {
        unreachable!("a deterministic signature")
    }
}

impl rand_core_06::CryptoRng for NoRandomness {}
