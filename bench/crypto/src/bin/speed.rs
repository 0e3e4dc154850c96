//! How fast one algorithm of `lib/crypto` is on this computer, in CPU time: `crypto-speed NAME` prints bytes or operations in a second.

#![forbid(unsafe_code)]

use std::hint::black_box;
use std::process::ExitCode;
use std::{fs, io};

use bench_crypto::Noise;
use nonos_crypto::aead::{Aes256Gcm, ChaCha20Poly1305};
use nonos_crypto::hash;
use nonos_crypto::mac::HmacSha256;
use nonos_crypto::{Secret, ed25519, hybrid, ml_dsa, ml_kem, x25519};

/// CPU time to measure for, at least.
const NANOSECONDS: u64 = 1_000_000_000;
/// Calls between two looks at the clock take at least this long.
const BATCH_NANOSECONDS: u64 = 20_000_000;
/// Bytes of a message for what is measured in bytes; the same as `openssl speed` is told.
const MESSAGE_BYTES: usize = 16384;

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    for name in &names {
        match rate(name) {
            Ok(Some(rate)) => println!("{rate:.2}"),
            Ok(None) => {
                eprintln!("{name}: no such algorithm");
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("/proc/thread-self/schedstat: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn rate(name: &str) -> io::Result<Option<f64>> {
    let rng = &mut Noise::new(7);
    let seed = || Secret::<32>::written_by(|bytes| bytes.fill(3));
    let mut message = vec![0x5A; MESSAGE_BYTES];
    let bytes = MESSAGE_BYTES as f64;
    let found = match name {
        "aes-256-gcm" => {
            let mut cipher = Aes256Gcm::new(seed(), rng);
            bytes * calls(|| cipher.seal(&[0; 13], &mut message))?
        }
        "chacha20-poly1305" => {
            let mut cipher = ChaCha20Poly1305::new(seed(), rng);
            bytes * calls(|| cipher.seal(&[0; 13], &mut message))?
        }
        "sha256" => bytes * calls(|| hash::sha256(&message))?,
        "sha512" => bytes * calls(|| hash::sha512(&message))?,
        "sha3-256" => bytes * calls(|| hash::sha3_256(&message))?,
        "blake3" => bytes * calls(|| hash::blake3(&message))?,
        "hmac-sha256" => {
            bytes
                * calls(|| {
                    let mut mac = HmacSha256::new(&[1; 32]);
                    mac.update(&message);
                    mac.finish()
                })?
        }
        "ed25519-sign" => {
            let key = ed25519::SigningKey::from_seed(&seed());
            calls(|| key.sign(&message[..32]))?
        }
        "ed25519-verify" => {
            let key = ed25519::SigningKey::from_seed(&seed());
            let (public, signature) = (key.public(), key.sign(&message[..32]));
            calls(|| ed25519::verify(&public, &message[..32], &signature))?
        }
        "x25519" => {
            let key = x25519::SecretKey::from_bytes(&seed());
            let public = key.public();
            calls(|| key.agree(&public))?
        }
        "ml-kem-768-encapsulate" => {
            let key = ml_kem::SecretKey::from_seed(&Secret::random(rng)).public();
            calls(|| ml_kem::encapsulate(&key, rng))?
        }
        "ml-kem-768-decapsulate" => {
            let key = ml_kem::SecretKey::from_seed(&Secret::random(rng));
            let ciphertext = [7; ml_kem::CIPHERTEXT_BYTES];
            calls(|| key.decapsulate(&ciphertext))?
        }
        "x-wing-decapsulate" => {
            let key = hybrid::SecretKey::from_seed(&seed());
            let ciphertext = [7; hybrid::CIPHERTEXT_BYTES];
            calls(|| key.decapsulate(&ciphertext))?
        }
        "ml-dsa-65-sign" => {
            let key = ml_dsa::SigningKey::from_seed(&seed());
            calls(|| key.sign(&message[..32], b"", rng))?
        }
        "ml-dsa-65-verify" => {
            let key = ml_dsa::SigningKey::from_seed(&seed());
            let signature = key.sign(&message[..32], b"", rng).expect("it signs");
            let public = key.public();
            calls(|| ml_dsa::verify(&public, &message[..32], b"", &signature))?
        }
        _ => return Ok(None),
    };
    Ok(Some(found))
}

/// Calls in a second of CPU time.
fn calls<T>(mut call: impl FnMut() -> T) -> io::Result<f64> {
    let mut batch = 1_u64;
    let mut took = |batch: u64| {
        let before = cpu_nanoseconds()?;
        (0..batch).for_each(|_| drop(black_box(call())));
        cpu_nanoseconds().map(|after| after - before)
    };
    while took(batch)? < BATCH_NANOSECONDS {
        batch *= 2;
    }
    let (mut calls, mut time) = (0, 0);
    while time < NANOSECONDS {
        time += took(batch)?;
        calls += batch;
    }
    Ok(calls as f64 * 1e9 / time as f64)
}

/// CPU time of this thread, so that what else runs on the computer does not count (`openssl speed` counts the same).
fn cpu_nanoseconds() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text
        .split_whitespace()
        .next()
        .and_then(|time| time.parse().ok());
    first.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
