//! The parts of the vault that call nothing: they run and are tested on the host.
//!
//! [`vault`] is the whole, as its callers see it: it decides who may do what, and records it ([`journal`]). Below it, [`store`]
//! holds the keys, each only as a [`blob`] that was encrypted under a key derived from the root; [`key`] is one key while it is
//! used. [`hierarchy`] is the root and what is derived from it, [`lock`] how it is sealed while the vault is locked, [`seal`] what the
//! vault wants of a TPM, [`delay`] how long wrong passphrases bar others where there is none. [`badge`] says what a handle
//! to a key allows.
//!
//! Invariants:
//!
//! - While the vault is locked, no secret is in its memory: keys are blobs, and the root is sealed.
//! - While it is open, the root is there, and of the keys the one that is being used, until the operation ends.
//! - A secret leaves by `export` of a key that was made exportable, by `derive`, `decapsulate` and `module_key`, whose results
//!   are their callers', and by nothing else.
//! - What is refused changes nothing but the record.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod badge;
pub mod blob;
pub mod delay;
pub mod hierarchy;
pub mod journal;
pub mod key;
pub mod lock;
pub mod seal;
pub mod store;
pub mod vault;

#[cfg(test)]
mod tests;

use nonos_crypto::{CryptoRng, Secret};
use nonos_proto::Refusal;

/// What the vault needs of the world around it.
pub trait World {
    /// Random bytes.
    fn random(&mut self) -> &mut dyn CryptoRng;

    /// Nanoseconds since the system started.
    fn now_ns(&self) -> u64;

    /// What follows from a passphrase at high cost (Argon2id).
    ///
    /// # Errors
    /// When there is no memory for it.
    fn stretch(
        &mut self,
        passphrase: &[u8],
        salt: &[u8; lock::SALT_BYTES],
    ) -> Result<Secret<32>, Refusal>;
}
