//! The root key: the vault's, for as long as that is open.

use nonos_crypto::Secret;
use nonos_proto::vault::Client;
use nonos_proto::{CallError, Refusal};
use nonos_rt::object::{Endpoint, Notification};
use nonos_rt::parent;
use ramfs::keys::Key;

/// Signalled when the vault was locked, opened or wiped.
const CHANGED: u64 = 1 << 62;
/// Signalled when the vault's process ended.
const ENDED: u64 = 1 << 63;

/// The way to the vault.
pub struct Root {
    vault: Client<Endpoint>,
    watched: bool,
}

impl Root {
    /// Connects to the vault.
    ///
    /// # Errors
    /// When there is none.
    pub fn connect() -> Result<Self, CallError> {
        Ok(Self {
            vault: Client(parent::connect("vault")?),
            watched: false,
        })
    }

    /// Whether the key may be another from now on.
    pub fn is_changed(&mut self, bits: u64) -> bool {
        self.watched &= bits & ENDED == 0;
        bits & (CHANGED | ENDED) != 0
    }

    /// The key. Changes after this are signalled.
    ///
    /// # Errors
    /// [`Refusal::Locked`] while the vault is locked; when it does not answer.
    pub fn key(&mut self, signals: &Notification) -> Result<Key, CallError> {
        while !self.watched {
            let copy = signals.to_send().map_err(CallError::Unreachable)?;
            // Waits for the next vault where one ended.
            self.vault.watch(copy.handle(), CHANGED)?;
            match parent::service_end("vault", signals, ENDED) {
                Ok(()) => self.watched = true,
                // It ended meanwhile.
                Err(CallError::Refused(Refusal::NoSuchProcess)) => {}
                Err(error) => return Err(error),
            }
        }
        let mut outcome = Ok(());
        let key = Secret::written_by(|bytes| outcome = self.vault.module_key(bytes));
        outcome.map(|()| key)
    }
}
