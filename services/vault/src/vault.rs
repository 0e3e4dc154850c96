//! The vault as its callers see it: who may do what, and what comes of it. Each operation is one of [`nonos_proto::vault`].

use nonos_abi::Name;
use nonos_crypto::aead::Sealed;
use nonos_crypto::{CryptoRng, Secret};
use nonos_proto::Refusal;
use nonos_proto::vault::{
    BLOB_BYTES, Encrypted, Event, KeyInfo, LONGEST_PASSPHRASE, Offer, Owner, SECRET_BYTES, Status,
    status, uses,
};

use crate::World;
use crate::badge::{Badge, KeyBadge};
use crate::blob::{Attributes, Wrapped};
use crate::delay::Delay;
use crate::hierarchy::Root;
use crate::journal::Journal;
use crate::key::{Key, Kind};
use crate::lock::{Record, SALT_BYTES, Stretched};
use crate::seal::{Absent, Approval, KEPT_BYTES, Seal};
use crate::store::{Entry, Store};

/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;
/// Locks itself after so long without use, at first.
const AUTO_LOCK_NS: u64 = 600 * SECOND_NS;
/// The longest time that can be set: a week.
const AUTO_LOCK_MOST_SECONDS: u64 = 7 * 24 * 3600;

/// Who calls.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// What the kernel says.
    pub badge: Badge,
    /// The caller's module, as `init` says it; none for the holder of a handle to a key.
    pub module: Name,
    /// Number of the operation, for the record.
    pub operation: u8,
}

/// What became of the root that was kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Started {
    /// Nothing was kept: the root is new.
    New,
    /// The root that was kept is there.
    Opened,
    /// The root that was kept waits for its passphrase, or cannot be unsealed.
    Locked,
    /// What was kept is no record: it is left as it is, and the root is new.
    Unreadable,
    /// The TPM does not answer: the root is new.
    TpmFailed,
}

/// What happened to the vault as a whole: others have to be told.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Changes {
    /// It was locked, opened or wiped.
    pub state: bool,
    /// Places whose keys were destroyed, a bit each: handles to them are to be revoked.
    pub destroyed: u64,
}

/// The vault.
pub struct Vault<S> {
    /// The root, while the vault is open.
    root: Option<Root>,
    /// How the root is sealed; none as long as it is sealed to nothing.
    record: Option<Record>,
    /// The record is kept in the TPM.
    kept: bool,
    /// Tells the passphrase from others while the vault is open.
    check: Option<Secret<32>>,
    tpm: S,
    store: Store,
    delay: Delay,
    journal: Journal,
    other_boot_chain: bool,
    auto_lock_ns: u64,
    used_ns: u64,
    changes: Changes,
}

impl<S: Seal> Vault<S> {
    /// Starts with the root that the TPM kept, or with a new one.
    pub fn start(mut tpm: S, world: &mut impl World) -> (Self, Started) {
        let loaded = if tpm.present() { tpm.load() } else { Ok(None) };
        let mut vault = Self {
            root: None,
            record: None,
            kept: false,
            check: None,
            tpm,
            store: Store::new(),
            delay: Delay::default(),
            journal: Journal::new(),
            other_boot_chain: false,
            auto_lock_ns: AUTO_LOCK_NS,
            used_ns: world.now_ns(),
            changes: Changes::default(),
        };
        let started = match loaded {
            Ok(Some(kept)) if kept != [0; KEPT_BYTES] => match Record::from_bytes(&kept) {
                Some(record) => {
                    vault.kept = true;
                    vault.record = Some(record);
                    let opened =
                        !record.has_passphrase() && vault.try_open(world, &record, None).is_ok();
                    if opened {
                        Started::Opened
                    } else {
                        Started::Locked
                    }
                }
                None => Started::Unreadable,
            },
            Ok(_) => Started::New,
            Err(_) => Started::TpmFailed,
        };
        if vault.record.is_none() {
            vault.root = Some(Root::new(world.random()));
        }
        (vault, started)
    }

    /// What others have to be told since the last call.
    pub fn take_changes(&mut self) -> Changes {
        core::mem::take(&mut self.changes)
    }

    /// Locks it when it is due. When to look again, if ever.
    pub fn tick(&mut self, now_ns: u64) -> Option<u64> {
        let due_ns = self.auto_lock_due_ns()?;
        if now_ns < due_ns {
            return Some(due_ns);
        }
        self.lock_now();
        None
    }

    /// When it locks itself if nobody uses it.
    pub fn auto_lock_due_ns(&self) -> Option<u64> {
        let locks = self.auto_lock_ns != 0 && self.root.is_some();
        let opens_again = self.record.as_ref().is_some_and(Record::has_passphrase);
        (locks && opens_again).then(|| self.used_ns.saturating_add(self.auto_lock_ns))
    }

    /// Records what came of an operation. Of those that use no secret, refusals only.
    fn recorded<T>(
        &mut self,
        world: &impl World,
        caller: Caller,
        secret: bool,
        result: Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let now_ns = world.now_ns();
        let outcome = result.as_ref().map(|_| ()).map_err(|refusal| *refusal);
        if secret && outcome.is_ok() {
            self.used_ns = now_ns;
        }
        if secret || outcome.is_err() {
            let module = match caller.badge {
                Badge::Client { .. } | Badge::Lender(_) => caller.module,
                Badge::Key(key) => self
                    .store
                    .get(key)
                    .map_or(Name::NONE, |entry| entry.owner()),
            };
            self.journal.add(now_ns, caller.operation, module, outcome);
        }
        result
    }

    fn opened(&self) -> Result<&Root, Refusal> {
        self.root.as_ref().ok_or(Refusal::Locked)
    }

    #[cfg(test)]
    pub(crate) fn tpm(&mut self) -> &mut S {
        &mut self.tpm
    }

    /// Whether it holds anything that has to be gone while it is locked.
    #[cfg(test)]
    pub(crate) fn holds_secrets(&self) -> bool {
        self.root.is_some() || self.check.is_some()
    }
}

/// What anyone may see.
impl<S: Seal> Vault<S> {
    /// Its state.
    pub fn status(&self, now_ns: u64) -> Status {
        let (uses, denials) = self.journal.counts();
        let record = self.record.as_ref();
        let flags = [
            (self.root.is_none(), status::LOCKED),
            (
                record.is_some_and(Record::has_passphrase),
                status::PASSPHRASE,
            ),
            (self.tpm.present(), status::TPM),
            (self.kept, status::KEPT),
            (self.other_boot_chain, status::OTHER_BOOT_CHAIN),
        ];
        let set = flags.iter().filter(|(is_so, _)| *is_so);
        Status {
            flags: set.fold(0, |flags, (_, flag)| flags | flag),
            keys: self.store.count() as u64,
            uses,
            denials,
            wrong: self.delay.wrong(),
            wait_ns: self.delay.left_ns(now_ns),
            auto_lock_seconds: self.auto_lock_ns / SECOND_NS,
        }
    }
}

/// What the user may do.
impl<S: Seal> Vault<S> {
    /// `unlock`
    pub fn unlock(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        passphrase: &[u8],
    ) -> Result<(), Refusal> {
        let user = caller.badge.user();
        let result = user.and_then(|()| self.unlock_with(world, passphrase));
        self.recorded(world, caller, true, result)
    }

    /// A passphrase of someone who may try. The duress passphrase looks like the right one in everything that is shown.
    fn unlock_with(&mut self, world: &mut impl World, passphrase: &[u8]) -> Result<(), Refusal> {
        if self.root.is_some() {
            return Err(Refusal::NotLocked);
        }
        let record = self.record.ok_or(Refusal::NoPassphrase)?;
        self.unlock_record(world, &record, passphrase)?;
        self.delay.clear();
        self.changes.state = true;
        Ok(())
    }

    fn unlock_record(
        &mut self,
        world: &mut impl World,
        record: &Record,
        passphrase: &[u8],
    ) -> Result<(), Refusal> {
        if !record.has_passphrase() {
            return match passphrase {
                [] => self.try_open(world, record, None),
                _ => Err(Refusal::NoPassphrase),
            };
        }
        // Where the TPM counts, it also bars.
        let bars = !record.has_tpm();
        self.delay.check(world.now_ns())?;
        let stretched = stretched(world, passphrase, record.salt())?;
        if record.is_duress(&stretched) {
            return self.destroy_under_duress(world, &stretched, *record.salt());
        }
        let result = self.try_open(world, record, Some(&stretched));
        if result == Err(Refusal::WrongPassphrase) {
            self.delay.count(world.now_ns(), bars);
        }
        result
    }

    fn try_open(
        &mut self,
        world: &mut impl World,
        record: &Record,
        passphrase: Option<&Stretched>,
    ) -> Result<(), Refusal> {
        let mut opened = record.open(passphrase, None, &mut self.tpm);
        let mut approved = false;
        if opened.as_ref().err() == Some(&Refusal::PolicyMismatch)
            && let Some(approval) = record.approval()
        {
            opened = record.open(passphrase, Some(approval), &mut self.tpm);
            approved = opened.is_ok();
        }
        self.other_boot_chain = matches!(opened, Err(Refusal::PolicyMismatch));
        self.root = Some(opened?);
        self.check = passphrase.map(Stretched::check);
        if approved {
            // When the TPM does not do it, the approval stays for the next start.
            let _ = self.seal_to_this_system(world, record, passphrase);
        }
        Ok(())
    }

    /// After an update: the system before opens it no more, but with an approval of its own.
    fn seal_to_this_system(
        &mut self,
        world: &mut impl World,
        before: &Record,
        passphrase: Option<&Stretched>,
    ) -> Result<(), Refusal> {
        let mut record = self.sealed(world, passphrase, *before.salt())?;
        record.set_duress_of(before);
        self.tpm.store(&record.to_bytes())?;
        self.record = Some(record);
        Ok(())
    }

    /// `lock`
    pub fn lock(&mut self, world: &mut impl World, caller: Caller) -> Result<(), Refusal> {
        let result = caller.badge.user().and_then(|()| {
            self.opened()?;
            self.seal_if_unsealed(world)?;
            self.lock_now();
            Ok(())
        });
        self.recorded(world, caller, true, result)
    }

    fn lock_now(&mut self) {
        self.root = None;
        self.check = None;
        self.changes.state = true;
    }

    /// Has a record of the root, so that it can be opened again.
    fn seal_if_unsealed(&mut self, world: &mut impl World) -> Result<(), Refusal> {
        if self.record.is_none() {
            let salt = new_salt(world);
            self.record = Some(self.sealed(world, None, salt)?);
        }
        Ok(())
    }

    fn sealed(
        &mut self,
        world: &mut impl World,
        passphrase: Option<&Stretched>,
        salt: [u8; SALT_BYTES],
    ) -> Result<Record, Refusal> {
        let root = self.root.as_ref().ok_or(Refusal::Locked)?;
        Record::seal(root, passphrase, salt, &mut self.tpm, world.random())
    }

    /// `wipe`. Also when it is locked, and when the TPM does not forget what it keeps: then with an error, all else being
    /// wiped.
    pub fn wipe(&mut self, world: &mut impl World, caller: Caller) -> Result<(), Refusal> {
        let result = caller.badge.user().and_then(|()| {
            self.destroy_all(world);
            self.delay.clear();
            self.forget_kept()
        });
        self.recorded(world, caller, true, result)
    }

    /// Destroys the root and all keys, and has a new root.
    fn destroy_all(&mut self, world: &mut impl World) {
        self.root = Some(Root::new(world.random()));
        self.record = None;
        self.check = None;
        self.other_boot_chain = false;
        // What was done with keys that are no more would tell that there were some.
        self.journal = Journal::new();
        self.changes.destroyed |= self.store.clear();
        self.changes.state = true;
    }

    fn forget_kept(&mut self) -> Result<(), Refusal> {
        if core::mem::take(&mut self.kept) {
            self.tpm.store(&[0; KEPT_BYTES])?;
        }
        Ok(())
    }

    /// Destroys everything and opens an empty vault with the duress passphrase as its passphrase. Whatever fails, what was there is
    /// destroyed.
    fn destroy_under_duress(
        &mut self,
        world: &mut impl World,
        passphrase: &Stretched,
        salt: [u8; SALT_BYTES],
    ) -> Result<(), Refusal> {
        self.destroy_all(world);
        if self.set_record(world, Some(passphrase), salt).is_err() {
            // What the TPM keeps opens nothing that is left.
            let _ = self.forget_kept();
            let root = self.root.as_ref().ok_or(Refusal::Locked)?;
            let random = world.random();
            let record = Record::seal(root, Some(passphrase), salt, &mut Absent, random)?;
            self.record = Some(record);
            self.check = Some(passphrase.check());
        }
        Ok(())
    }

    /// `set_passphrase`
    pub fn set_passphrase(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        passphrase: &[u8],
    ) -> Result<(), Refusal> {
        let result = caller.badge.user().and_then(|()| {
            self.opened()?;
            let salt = new_salt(world);
            match passphrase {
                [] if !self.tpm.present() => {
                    self.record = None;
                    self.check = None;
                    Ok(())
                }
                [] => self.set_record(world, None, salt),
                passphrase => {
                    let stretched = stretched(world, passphrase, &salt)?;
                    self.set_record(world, Some(&stretched), salt)
                }
            }
        });
        self.recorded(world, caller, true, result)
    }

    /// Seals the root anew, and keeps it so where it was kept.
    fn set_record(
        &mut self,
        world: &mut impl World,
        passphrase: Option<&Stretched>,
        salt: [u8; SALT_BYTES],
    ) -> Result<(), Refusal> {
        let mut record = self.sealed(world, passphrase, salt)?;
        if let Some(approval) = self.record.as_ref().and_then(Record::approval) {
            record.approve(approval);
        }
        if self.kept {
            self.tpm.store(&record.to_bytes())?;
        }
        self.record = Some(record);
        self.check = passphrase.map(Stretched::check);
        Ok(())
    }

    /// `set_duress`
    pub fn set_duress(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        passphrase: &[u8],
    ) -> Result<(), Refusal> {
        let result = caller
            .badge
            .user()
            .and_then(|()| self.set_duress_to(world, passphrase));
        // That there is one is nowhere to be seen.
        self.recorded(world, caller, false, result)
    }

    fn set_duress_to(&mut self, world: &mut impl World, passphrase: &[u8]) -> Result<(), Refusal> {
        self.opened()?;
        let check = self.check.as_ref().ok_or(Refusal::NoPassphrase)?;
        let record = self.record.as_mut().ok_or(Refusal::NoPassphrase)?;
        if passphrase.is_empty() {
            record.forget_duress(world.random());
        } else {
            let stretched = stretched(world, passphrase, record.salt())?;
            if stretched.check().equals(check) {
                return Err(Refusal::SamePassphrase);
            }
            record.set_duress(&stretched);
        }
        if self.kept {
            self.tpm.store(&record.to_bytes())?;
        }
        Ok(())
    }

    /// `set_auto_lock`
    pub fn set_auto_lock(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        seconds: u64,
    ) -> Result<(), Refusal> {
        let result = caller.badge.user().and_then(|()| {
            self.opened()?;
            if seconds > AUTO_LOCK_MOST_SECONDS {
                return Err(Refusal::TooLong);
            }
            self.auto_lock_ns = seconds * SECOND_NS;
            Ok(())
        });
        self.recorded(world, caller, true, result)
    }

    /// `keep`
    pub fn keep(&mut self, world: &mut impl World, caller: Caller, on: u64) -> Result<(), Refusal> {
        let result = caller.badge.user().and_then(|()| {
            self.opened()?;
            match on {
                0 => self.forget_kept(),
                1 if !self.tpm.present() => Err(Refusal::NoSuchDevice),
                1 => {
                    self.seal_if_unsealed(world)?;
                    let record = self.record.as_ref().ok_or(Refusal::NoPassphrase)?;
                    self.tpm.store(&record.to_bytes())?;
                    self.kept = true;
                    Ok(())
                }
                _ => Err(Refusal::Malformed),
            }
        });
        self.recorded(world, caller, true, result)
    }

    /// `approve`
    pub fn approve(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        approval: &Approval,
    ) -> Result<(), Refusal> {
        let user = caller.badge.user();
        let result = user.and_then(|()| self.approve_with(world, approval));
        self.recorded(world, caller, true, result)
    }

    fn approve_with(&mut self, world: &mut impl World, approval: &Approval) -> Result<(), Refusal> {
        let mut record = self
            .record
            .filter(|_| self.kept)
            .ok_or(Refusal::NotStored)?;
        record.approve(approval);
        self.tpm.store(&record.to_bytes())?;
        self.record = Some(record);
        if self.root.is_none() && !record.has_passphrase() {
            self.try_open(world, &record, None)?;
            self.changes.state = true;
        }
        Ok(())
    }

    /// `event`
    pub fn event(
        &mut self,
        world: &impl World,
        caller: Caller,
        sequence: u64,
    ) -> Result<Event, Refusal> {
        match caller.badge.user() {
            // No more of them is no refusal.
            Ok(()) => self.journal.from(sequence).ok_or(Refusal::NoSuchKey),
            Err(refusal) => self.recorded(world, caller, false, Err(refusal)),
        }
    }
}

/// What the user may do with the keys of all modules: see and replace them, not use them.
impl<S: Seal> Vault<S> {
    /// `key`
    pub fn key(
        &mut self,
        world: &impl World,
        caller: Caller,
        index: u64,
    ) -> Result<KeyInfo, Refusal> {
        self.nth(world, caller, index, |entry| entry.info(uses::ALL))
    }

    /// `owner`
    pub fn owner(
        &mut self,
        world: &impl World,
        caller: Caller,
        index: u64,
    ) -> Result<Owner, Refusal> {
        self.nth(world, caller, index, |entry| Owner {
            module: entry.owner(),
            since_ns: entry.since_ns,
        })
    }

    fn nth<T>(
        &mut self,
        world: &impl World,
        caller: Caller,
        index: u64,
        see: impl FnOnce(&Entry) -> T,
    ) -> Result<T, Refusal> {
        match caller.badge.user() {
            // The end of the list is no refusal.
            Ok(()) => self.store.nth(index).map(|(_, entry)| see(entry)),
            Err(refusal) => self.recorded(world, caller, false, Err(refusal)),
        }
    }

    /// `rotate_key`
    pub fn rotate_key(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        module: Name,
        name: Name,
    ) -> Result<u64, Refusal> {
        let result = caller.badge.user().and_then(|()| {
            let key = self.store.find(module, name)?;
            let root = self.root.as_ref().ok_or(Refusal::Locked)?;
            rotate(self.store.get(key)?, root, world)
        });
        self.recorded(world, caller, true, result)
    }

    /// `destroy_key`
    pub fn destroy_key(
        &mut self,
        world: &impl World,
        caller: Caller,
        module: Name,
        name: Name,
    ) -> Result<(), Refusal> {
        let result = caller.badge.user().and_then(|()| {
            self.opened()?;
            let key = self.store.find(module, name)?;
            self.changes.destroyed |= 1 << key.place;
            self.store.destroy(key)
        });
        self.recorded(world, caller, true, result)
    }
}

/// What the power box may do with the keys of all modules: see them, and lend their use.
impl<S: Seal> Vault<S> {
    /// `offer`: a key, and its name.
    pub fn offer(
        &mut self,
        world: &impl World,
        caller: Caller,
        index: u64,
    ) -> Result<(Offer, Name), Refusal> {
        if let Err(refusal) = caller.badge.lender() {
            return self.recorded(world, caller, false, Err(refusal));
        }
        // The end of the list is no refusal.
        let (key, entry) = self.store.nth(index)?;
        let info = entry.info(uses::LENDABLE);
        let offer = Offer {
            number: key.number(),
            kind: info.kind,
            uses: info.uses,
            module: entry.owner(),
        };
        Ok((offer, info.name))
    }

    /// `lend`: what the handle is to say.
    pub fn lend(
        &mut self,
        world: &impl World,
        caller: Caller,
        number: u64,
        wanted: u64,
    ) -> Result<KeyBadge, Refusal> {
        let result = caller.badge.lender().and_then(|_| {
            self.opened()?;
            let key = KeyBadge::of_number(number).ok_or(Refusal::Gone)?;
            let lendable = self.store.get(key)?.uses() & uses::LENDABLE;
            if wanted == uses::NONE || wanted & !lendable != 0 {
                return Err(Refusal::UseNotAllowed);
            }
            Ok(KeyBadge {
                uses: wanted,
                ..key
            })
        });
        self.recorded(world, caller, true, result)
    }
}

/// What a module may do with its keys.
impl<S: Seal> Vault<S> {
    /// `create`
    pub fn create(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        name: Name,
        kind: u64,
        uses: u64,
    ) -> Result<KeyBadge, Refusal> {
        let result = self.add(world, caller, name, kind, uses, |random| {
            Secret::random(random)
        });
        self.recorded(world, caller, true, result)
    }

    /// `import`
    pub fn import(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        (name, kind, uses): (Name, u64, u64),
        secret: &mut [u8; SECRET_BYTES],
    ) -> Result<KeyBadge, Refusal> {
        let result = self.add(world, caller, name, kind, uses, |_| {
            Secret::taken_from(secret)
        });
        self.recorded(world, caller, true, result)
    }

    fn add(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        name: Name,
        kind: u64,
        wanted: u64,
        seed: impl FnOnce(&mut dyn CryptoRng) -> Secret<SECRET_BYTES>,
    ) -> Result<KeyBadge, Refusal> {
        caller.badge.client()?;
        let key = self.opened()?.wrapping_key();
        let kind = Kind::from_raw(kind).ok_or(Refusal::Malformed)?;
        if wanted & !kind.uses() & !uses::OF_EVERY_KIND != 0 {
            return Err(Refusal::UseNotAllowed);
        }
        let attributes = Attributes {
            owner: caller.module,
            name,
            kind,
            uses: wanted | uses::WRAP | uses::MANAGE,
        };
        self.store.check_new(attributes.owner, name)?;
        let seed = seed(world.random());
        let wrapped = Wrapped::new(&seed, &attributes, 1, key, world.random())?;
        let now_ns = world.now_ns();
        self.store.add(attributes, 1, wrapped, now_ns)
    }

    /// `unwrap`
    pub fn unwrap(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        blob: &[u8; BLOB_BYTES],
    ) -> Result<KeyBadge, Refusal> {
        let result = self.unwrap_blob(world.now_ns(), caller, blob);
        self.recorded(world, caller, true, result)
    }

    fn unwrap_blob(
        &mut self,
        now_ns: u64,
        caller: Caller,
        blob: &[u8; BLOB_BYTES],
    ) -> Result<KeyBadge, Refusal> {
        caller.badge.client()?;
        let key = self.opened()?.wrapping_key();
        let (wrapped, attributes, version) = Wrapped::from_blob(blob)?;
        if attributes.owner != caller.module {
            return Err(Refusal::NotGranted);
        }
        wrapped.open(&attributes, version, key)?;
        self.store.add(attributes, version, wrapped, now_ns)
    }

    /// `open`
    pub fn open(
        &mut self,
        world: &impl World,
        caller: Caller,
        name: Name,
    ) -> Result<KeyBadge, Refusal> {
        let client = caller.badge.client();
        let result = client.and_then(|_| self.store.find(caller.module, name));
        self.recorded(world, caller, false, result)
    }

    /// `list`
    pub fn list(
        &mut self,
        world: &impl World,
        caller: Caller,
        index: u64,
    ) -> Result<KeyInfo, Refusal> {
        match caller.badge.client() {
            // The end of the list is no refusal.
            Ok(_) => self.store.list(caller.module, index),
            Err(refusal) => self.recorded(world, caller, false, Err(refusal)),
        }
    }

    /// `module_key`
    pub fn module_key(
        &mut self,
        world: &impl World,
        caller: Caller,
    ) -> Result<Secret<32>, Refusal> {
        let client = caller.badge.client();
        let result = client.and_then(|_| Ok(self.opened()?.module_key(caller.module)));
        self.recorded(world, caller, true, result)
    }

    /// `watch`: whether the caller may.
    pub fn watch(&mut self, world: &impl World, caller: Caller) -> Result<Name, Refusal> {
        let result = caller.badge.client().map(|_| caller.module);
        self.recorded(world, caller, false, result)
    }
}

/// What the holder of a handle to a key may do.
impl<S: Seal> Vault<S> {
    /// The key of a handle that allows this use, and the root.
    fn entry(&mut self, caller: Caller, wanted: u64) -> Result<(&mut Entry, &Root), Refusal> {
        let key = caller.badge.key(wanted)?;
        let entry = self.store.get(key)?;
        let root = self.root.as_ref().ok_or(Refusal::Locked)?;
        Ok((entry, root))
    }

    /// Does something with a version of a key.
    fn with_key<T>(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        wanted: u64,
        version: u64,
        act: impl FnOnce(Key, &mut dyn CryptoRng) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let result = self
            .entry(caller, wanted)
            .and_then(|(entry, root)| entry.open(version, root))
            .and_then(|key| act(key, world.random()));
        self.recorded(world, caller, wanted != uses::NONE, result)
    }

    /// `info`
    pub fn info(&mut self, world: &impl World, caller: Caller) -> Result<KeyInfo, Refusal> {
        let result = caller
            .badge
            .key(uses::NONE)
            .and_then(|key| Ok(self.store.get(key)?.info(key.uses)));
        self.recorded(world, caller, false, result)
    }

    /// `public_key`
    pub fn public_key(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        version: u64,
        out: &mut [u8],
    ) -> Result<usize, Refusal> {
        self.with_key(world, caller, uses::NONE, version, |key, _| key.public(out))
    }

    /// `sign`
    pub fn sign(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        message: &[u8],
        out: &mut [u8],
    ) -> Result<usize, Refusal> {
        self.with_key(world, caller, uses::SIGN, 0, |key, random| {
            key.sign(message, random, out)
        })
    }

    /// `verify`
    pub fn verify(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), Refusal> {
        let result = self.entry(caller, uses::NONE).and_then(|(entry, root)| {
            let mut found = Err(Refusal::NotAuthentic);
            for number in entry.numbers() {
                found = entry.open(number, root)?.verify(message, signature);
                if found != Err(Refusal::NotAuthentic) {
                    break;
                }
            }
            found
        });
        self.recorded(world, caller, false, result)
    }

    /// `encrypt`
    pub fn encrypt(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        beside: &[u8],
        message: &mut [u8],
    ) -> Result<Encrypted, Refusal> {
        let result = self
            .entry(caller, uses::ENCRYPT)
            .and_then(|(entry, root)| entry.open_to_encrypt(root))
            .and_then(|(key, version)| {
                let Sealed { nonce, tag } = key.encrypt(beside, message, world.random())?;
                Ok(Encrypted {
                    version,
                    nonce,
                    tag,
                })
            });
        self.recorded(world, caller, true, result)
    }

    /// `decrypt`
    pub fn decrypt(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        with: Encrypted,
        beside: &[u8],
        message: &mut [u8],
    ) -> Result<(), Refusal> {
        let Encrypted {
            version,
            nonce,
            tag,
        } = with;
        // 0 stands for the present version in other operations. No message has it.
        let version = match version {
            0 => u64::MAX,
            version => version.into(),
        };
        self.with_key(world, caller, uses::DECRYPT, version, |key, _| {
            key.decrypt(&Sealed { nonce, tag }, beside, message)
        })
    }

    /// `decapsulate`
    pub fn decapsulate(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        version: u64,
        ciphertext: &[u8],
    ) -> Result<Secret<32>, Refusal> {
        self.with_key(world, caller, uses::DECAPSULATE, version, |key, _| {
            key.decapsulate(ciphertext)
        })
    }

    /// `derive`
    pub fn derive(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        version: u64,
        info: &[u8],
        out: &mut [u8],
    ) -> Result<(), Refusal> {
        self.with_key(world, caller, uses::DERIVE, version, |key, _| {
            key.derive(info, out)
        })
    }

    /// `export`
    pub fn export(
        &mut self,
        world: &mut impl World,
        caller: Caller,
        version: u64,
        out: &mut [u8; SECRET_BYTES],
    ) -> Result<(), Refusal> {
        self.with_key(world, caller, uses::EXPORT, version, |key, _| {
            out.copy_from_slice(key.seed().expose());
            Ok(())
        })
    }

    /// `wrap`
    pub fn wrap(
        &mut self,
        world: &impl World,
        caller: Caller,
        version: u64,
    ) -> Result<[u8; BLOB_BYTES], Refusal> {
        let result = self
            .entry(caller, uses::WRAP)
            .and_then(|(entry, _)| entry.blob(version));
        self.recorded(world, caller, true, result)
    }

    /// `rotate`
    pub fn rotate(&mut self, world: &mut impl World, caller: Caller) -> Result<u64, Refusal> {
        let result = self
            .entry(caller, uses::MANAGE)
            .and_then(|(entry, root)| rotate(entry, root, world));
        self.recorded(world, caller, true, result)
    }

    /// `retire`
    pub fn retire(
        &mut self,
        world: &impl World,
        caller: Caller,
        version: u64,
    ) -> Result<(), Refusal> {
        let result = self
            .entry(caller, uses::MANAGE)
            .and_then(|(entry, _)| entry.retire(version));
        self.recorded(world, caller, true, result)
    }

    /// `destroy`
    pub fn destroy(&mut self, world: &impl World, caller: Caller) -> Result<(), Refusal> {
        let result = self
            .entry(caller, uses::MANAGE)
            .map(|_| ())
            .and_then(|()| caller.badge.key(uses::MANAGE));
        // Recorded first: afterwards nobody knows whose key it was.
        let key = self.recorded(world, caller, true, result)?;
        self.changes.destroyed |= 1 << key.place;
        self.store.destroy(key)
    }

    /// `grant`: what the handle is to say.
    pub fn grant(
        &mut self,
        world: &impl World,
        caller: Caller,
        wanted: u64,
    ) -> Result<KeyBadge, Refusal> {
        let result = self
            .entry(caller, uses::MANAGE)
            .map(|_| ())
            .and_then(|()| caller.badge.key(uses::MANAGE | wanted));
        let key = self.recorded(world, caller, true, result)?;
        Ok(KeyBadge {
            uses: wanted,
            ..key
        })
    }

    /// `revoke`: whose handles are to be revoked.
    pub fn revoke(&mut self, world: &impl World, caller: Caller) -> Result<KeyBadge, Refusal> {
        let result = caller.badge.key(uses::MANAGE).and_then(|key| {
            self.store.get(key)?;
            Ok(key)
        });
        self.recorded(world, caller, true, result)
    }
}

/// Makes a new version of a key.
fn rotate(entry: &mut Entry, root: &Root, world: &mut impl World) -> Result<u64, Refusal> {
    let version = entry.rotate(root, world.random())?;
    entry.since_ns = world.now_ns();
    Ok(version)
}

fn new_salt(world: &mut impl World) -> [u8; SALT_BYTES] {
    let mut salt = [0; SALT_BYTES];
    world.random().fill_bytes(&mut salt);
    salt
}

fn stretched(
    world: &mut impl World,
    passphrase: &[u8],
    salt: &[u8; SALT_BYTES],
) -> Result<Stretched, Refusal> {
    if passphrase.len() > LONGEST_PASSPHRASE {
        return Err(Refusal::TooLong);
    }
    Ok(Stretched::new(&world.stretch(passphrase, salt)?))
}
