//! The one place where cryptographic algorithms are chosen. No algorithm is our own: each file is a thin layer over a
//! well-kept library, with types that make the usual mistakes hard.
//!
//! | for | use | by |
//! |---|---|---|
//! | hashes | [`hash`]: BLAKE3, SHA-2, SHA-3 | `blake3`, `sha2`, `sha3` |
//! | message authentication | [`mac`]: HMAC | `hmac` |
//! | keys from keys | [`kdf`]: HKDF | `hkdf` |
//! | keys from passphrases | [`passphrase`]: Argon2id | `argon2` |
//! | encryption | [`aead`]: AES-256-GCM, ChaCha20-Poly1305 | `aes-gcm`, `chacha20poly1305` |
//! | signatures | [`ed25519`], [`ml_dsa`] (ML-DSA-65) | `ed25519-dalek`, `fips204` |
//! | key agreement | [`hybrid`] (X-Wing); [`x25519`], [`ml_kem`] (ML-KEM-768) for protocols that name them | `ml-kem` and `x25519-dalek` |
//! | sessions with a TPM | [`p256`] (ECDH), [`cfb`] (AES-128-CFB) | `p256`, `aes` and `cfb-mode` |
//!
//! Invariants:
//!
//! - A secret is in a type that is wiped when dropped and can be neither printed nor cloned ([`secret::Secret`]). Its bytes are
//!   seen only by whoever calls a function named `expose`.
//! - Secrets, tags and digests are compared in constant time ([`secret::equal`]).
//! - Nonces are not chosen by callers ([`aead`]).
//! - Randomness comes from a generator that the caller passes in; there is none of this crate's.
//! - Nothing allocates, and no input makes the code panic.
//!
//! What is wiped is the place where a secret lay last. Moving a value may leave a copy on the stack, and the libraries
//! below wipe their intermediate values as far as each says; so a process that holds keys does nothing else.
//!
//! Features: none for what boot loader and kernel verify with; `sign` adds signing keys; `full`, which is the default, the rest but for `tpm`: what only the driver of a
//! TPM needs.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
// Links name everything; with fewer features some of it is not there.
#![cfg_attr(not(feature = "tpm"), allow(rustdoc::broken_intra_doc_links))]

pub mod ed25519;
pub mod error;
pub mod hash;
pub mod ml_dsa;

#[cfg(feature = "full")]
pub mod aead;
#[cfg(feature = "tpm")]
pub mod cfb;
#[cfg(feature = "full")]
pub mod hybrid;
#[cfg(feature = "full")]
pub mod kdf;
#[cfg(feature = "full")]
pub mod mac;
#[cfg(feature = "full")]
pub mod ml_kem;
#[cfg(feature = "tpm")]
pub mod p256;
#[cfg(feature = "full")]
pub mod passphrase;
#[cfg(feature = "sign")]
pub mod secret;
#[cfg(feature = "full")]
pub mod x25519;

pub use error::Error;
#[cfg(feature = "sign")]
pub use rand_core::CryptoRng;
#[cfg(feature = "sign")]
pub use secret::Secret;
