//! The vault's program, see the library.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec;
use alloc::vec::Vec;

use nonos_abi::{Error, Name};
use nonos_proto::files::{how, rights};
use nonos_proto::vault::{Client, Encrypted, Status, kind, uses};
use nonos_proto::{CallError, Refusal};
use nonos_rt::files::File;
use nonos_rt::object::{Endpoint, Notification};
use nonos_rt::{files, heap, parent, random, syscall};
use nonos_ui::app;
use vault_manager::Manager;
use vault_manager::book::LONGEST;
use vault_manager::keeper::{Held, Keeper};

nonos_rt::entry!(main);

/// Name of the key of the vault, and of the file.
const PASSWORDS: &str = "passwords";
/// The file while it is written.
const WRITTEN: &str = "passwords.new";
/// Beside what is encrypted, and authentic with it.
const BESIDE: &[u8] = b"nonos vault-manager passwords v1";
/// Bytes before what is encrypted: version of the key, nonce, tag.
const HEAD: usize = 4 + 12 + 16;

/// Nothing was stored so far.
const NOT_FOUND: CallError = CallError::Refused(Refusal::Kernel(Error::NotFound));

type Vault = Client<Endpoint>;

/// The running system.
struct Running {
    vault: Vault,
}

fn file_name(text: &str) -> Result<Name, CallError> {
    Name::new(text).ok_or(CallError::Refused(Refusal::BadName))
}

impl Running {
    /// The key that the passwords are encrypted with, made when there is none.
    fn key(&self) -> Result<Vault, CallError> {
        let name = file_name(PASSWORDS)?;
        let both = uses::ENCRYPT | uses::DECRYPT;
        let handle = match self.vault.open(name) {
            Err(CallError::Refused(Refusal::NoSuchKey)) => {
                self.vault.create(name, kind::AES_256_GCM, both)
            }
            opened => opened,
        };
        handle.map(|handle| Client(Endpoint::from_handle(handle)))
    }
}

/// What is in a file.
fn read(file: &File) -> Result<Vec<u8>, CallError> {
    let size = usize::try_from(file.state()?.size).unwrap_or(usize::MAX);
    if size > HEAD + LONGEST {
        return Err(CallError::Refused(Refusal::TooLong));
    }
    let mut bytes = vec![0; size];
    let length = file.read(0, &mut bytes)?;
    bytes.truncate(length);
    Ok(bytes)
}

impl Keeper for Running {
    fn status(&self) -> Result<Status, CallError> {
        self.vault.status()
    }

    fn unlock(&mut self, passphrase: &str) -> Result<(), CallError> {
        self.vault.unlock(passphrase.as_bytes())
    }

    fn lock(&mut self) -> Result<(), CallError> {
        self.vault.lock()
    }

    fn set_passphrase(&mut self, passphrase: &str) -> Result<(), CallError> {
        self.vault.set_passphrase(passphrase.as_bytes())
    }

    fn set_auto_lock(&mut self, seconds: u64) -> Result<(), CallError> {
        self.vault.set_auto_lock(seconds)
    }

    fn keys(&self) -> Result<Vec<Held>, CallError> {
        let mut keys = Vec::new();
        loop {
            let index = keys.len() as u64;
            match self.vault.key(index) {
                Ok(info) => keys.push(Held {
                    info,
                    owner: self.vault.owner(index)?,
                }),
                Err(CallError::Refused(Refusal::NoSuchKey)) => return Ok(keys),
                Err(error) => return Err(error),
            }
        }
    }

    fn create(&mut self, name: Name, kind: u64) -> Result<(), CallError> {
        let uses = match kind {
            kind::ED25519 | kind::ML_DSA_65 | kind::HYBRID => uses::SIGN,
            kind::AES_256_GCM => uses::ENCRYPT | uses::DECRYPT,
            kind::X_WING => uses::DECAPSULATE,
            _ => uses::DERIVE,
        };
        let key = self.vault.create(name, kind, uses)?;
        drop(Endpoint::from_handle(key));
        Ok(())
    }

    fn rotate(&mut self, key: &Held) -> Result<(), CallError> {
        let version = self.vault.rotate_key(key.owner.module, key.info.name);
        version.map(drop)
    }

    fn destroy(&mut self, key: &Held) -> Result<(), CallError> {
        self.vault.destroy_key(key.owner.module, key.info.name)
    }

    fn load(&mut self) -> Result<Vec<u8>, CallError> {
        let stored = files::Place::Own.open()?.open(PASSWORDS, rights::READ);
        let stored = match stored {
            Err(NOT_FOUND) => return Ok(Vec::new()),
            opened => read(&opened?)?,
        };
        let damaged = CallError::Refused(Refusal::Damaged);
        let (head, message) = stored.split_first_chunk::<HEAD>().ok_or(damaged)?;
        let with = Encrypted {
            version: u32::from_le_bytes(*head.first_chunk().ok_or(damaged)?),
            nonce: *head[4..].first_chunk().ok_or(damaged)?,
            tag: *head[16..].first_chunk().ok_or(damaged)?,
        };
        let mut message = message.to_vec();
        self.key()?.decrypt(with, BESIDE, &mut message)?;
        Ok(message)
    }

    fn save(&mut self, mut bytes: Vec<u8>) -> Result<(), CallError> {
        let Encrypted {
            version,
            nonce,
            tag,
        } = self.key()?.encrypt(BESIDE, &mut bytes)?;
        let home = files::Place::Own.open()?;
        let how = rights::WRITE | how::CREATE | how::EMPTY;
        let file = home.open(WRITTEN, how)?;
        let head = [&version.to_le_bytes()[..], &nonce, &tag].concat();
        file.write(0, &head)?;
        file.write(HEAD as u64, &bytes)?;
        drop(file);
        home.rename(WRITTEN, &home, PASSWORDS)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        random::fill(bytes);
    }

    fn now_ns(&self) -> u64 {
        syscall::clock_ns()
    }
}

fn main() -> u64 {
    heap::wipe_freed();
    let connected = Notification::create().map_err(CallError::Unreachable);
    let connected = connected.and_then(|signals| Ok((signals, Client(parent::connect("vault")?))));
    let Ok((signals, vault)) = connected else {
        return 1;
    };
    // Without this it is seen a few seconds later that the vault was locked.
    if let Ok(copy) = signals.to_send() {
        let _ = vault.watch(copy.handle(), app::OWN);
    }
    app::run_on(&signals, Manager::new(Running { vault }))
}
