//! What is outside of the program: the vault, the stored passwords, randomness.

use alloc::string::String;
use alloc::vec::Vec;

use nonos_abi::Name;
use nonos_proto::CallError;
use nonos_proto::vault::{KeyInfo, Owner, Status};

/// A key of a module.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Held {
    /// What it is.
    pub info: KeyInfo,
    /// Whose it is.
    pub owner: Owner,
}

/// The vault, and what is stored.
pub trait Keeper {
    /// State of the vault.
    fn status(&self) -> Result<Status, CallError>;

    /// Opens the vault.
    fn unlock(&mut self, passphrase: &str) -> Result<(), CallError>;

    /// Locks it.
    fn lock(&mut self) -> Result<(), CallError>;

    /// Sets its passphrase.
    fn set_passphrase(&mut self, passphrase: &str) -> Result<(), CallError>;

    /// Has it lock itself after so many seconds without use; 0 for never.
    fn set_auto_lock(&mut self, seconds: u64) -> Result<(), CallError>;

    /// The keys of all modules.
    fn keys(&self) -> Result<Vec<Held>, CallError>;

    /// Makes a key of this program's own.
    fn create(&mut self, name: Name, kind: u64) -> Result<(), CallError>;

    /// Makes a new version of a key.
    fn rotate(&mut self, key: &Held) -> Result<(), CallError>;

    /// Destroys a key.
    fn destroy(&mut self, key: &Held) -> Result<(), CallError>;

    /// What is stored, decrypted; nothing when nothing is.
    fn load(&mut self) -> Result<Vec<u8>, CallError>;

    /// Stores it, encrypted, in place of what was stored.
    fn save(&mut self, bytes: Vec<u8>) -> Result<(), CallError>;

    /// Fills with random bytes.
    fn random(&mut self, bytes: &mut [u8]);

    /// The time, nanoseconds.
    fn now_ns(&self) -> u64;
}

/// How long ago something was, for a person.
pub fn age(since_ns: u64, now_ns: u64) -> String {
    let minutes = now_ns.saturating_sub(since_ns) / 60_000_000_000;
    match minutes {
        0 => "just now".into(),
        1..60 => alloc::format!("{minutes} min"),
        60..2880 => alloc::format!("{} h", minutes / 60),
        _ => alloc::format!("{} days", minutes / 1440),
    }
}
