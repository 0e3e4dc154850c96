//! Requests of the other processes: bytes in and out of what they lend, handles, and who is to be told.

use nonos_proto::vault::{
    self as interface, Encrypted, Event, KeyInfo, Offer, Owner, SECRET_BYTES, Status, status,
};
use nonos_proto::{CallError, Caller, Lease, Passable, Refusal};
use nonos_rt::abi::{Handle, Message, Name};
use nonos_rt::object::{Notification, Timer};
use nonos_rt::service::{Server, write_lent};
use nonos_rt::{log, parent, syscall};
use vault::badge::{Badge, KeyBadge};
use vault::seal::Seal;
use vault::vault::{self as logic, Vault};

use crate::buffer::Buffer;
use crate::handles::{For, Handles};
use crate::world::{System, scrub};

/// Modules that are told when the state changes, at most.
const WATCHERS: usize = 8;

/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;

/// Bits of the notification.
mod signal {
    /// It may be time to lock.
    pub const IDLE: u64 = 1;
    /// Keys were destroyed: their handles are to be revoked.
    pub const DESTROYED: u64 = 2;
    /// Who lent keys ended.
    pub const LENDER_ENDED: u64 = 4;
}

/// Who is told when the state changes.
struct Watcher {
    /// The caller's badge, by which `init` knows whether it still runs.
    badge: u64,
    module: Name,
    notification: Notification,
    bits: u64,
}

/// The service.
pub struct Service<S> {
    vault: Vault<S>,
    system: System,
    handles: Handles,
    signals: Notification,
    timer: Option<Timer>,
    /// When the timer signals; 0 for never.
    timer_ns: u64,
    watchers: [Option<Watcher>; WATCHERS],
    /// Who lends keys, by the badge by which `init` knows it.
    lender: Option<u64>,
    /// Places whose handles are to be revoked, a bit each.
    destroyed: u64,
    /// The operation that is asked for.
    operation: u8,
    first: Buffer,
    second: Buffer,
}

impl<S: Seal> Service<S> {
    /// No clients yet.
    pub fn new(vault: Vault<S>, system: System, handles: Handles, signals: Notification) -> Self {
        Self {
            vault,
            system,
            handles,
            signals,
            timer: Timer::create().ok(),
            timer_ns: 0,
            watchers: [const { None }; WATCHERS],
            lender: None,
            destroyed: 0,
            operation: 0,
            first: Buffer::new(),
            second: Buffer::new(),
        }
    }

    /// Who calls, as `init` knows it.
    fn caller(&self, caller: Caller) -> Result<logic::Caller, Refusal> {
        let badge = Badge::read(caller.badge);
        let module = match badge {
            Badge::Client { badge, .. } | Badge::Lender(badge) => {
                let client = parent::client(badge).map_err(|_| Refusal::NotGranted)?;
                client.module
            }
            Badge::Key(_) => Name::NONE,
        };
        Ok(logic::Caller {
            badge,
            module,
            operation: self.operation,
        })
    }

    /// A handle for the owner of a key that is new or was found.
    fn handle(&mut self, key: KeyBadge) -> Result<Handle, Refusal> {
        self.handles.make(key, For::Owner, 0)
    }

    /// Does something with a passphrase that the caller lends.
    fn with_passphrase(
        &mut self,
        caller: Caller,
        passphrase: Lease,
        act: impl FnOnce(&mut Vault<S>, &mut System, logic::Caller, &[u8]) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let passphrase = self.first.read(passphrase)?;
        act(&mut self.vault, &mut self.system, caller, passphrase)
    }

    /// Wipes the buffers, tells those who are to know, and sees to it that the vault locks itself in time.
    fn settle(&mut self) {
        self.first.wipe();
        self.second.wipe();
        let changes = self.vault.take_changes();
        self.destroyed |= changes.destroyed;
        if self.destroyed != 0 {
            // The answer goes first: the caller may wait for it through one of these handles.
            let _ = self.signals.signal(signal::DESTROYED);
        }
        if changes.state {
            for watcher in &mut self.watchers {
                let gone =
                    |watcher: &mut Watcher| watcher.notification.signal(watcher.bits).is_err();
                drop(watcher.take_if(gone));
            }
        }
        if let Some(due_ns) = self.vault.auto_lock_due_ns()
            && (self.timer_ns == 0 || due_ns < self.timer_ns)
        {
            self.set_timer(due_ns);
        }
    }

    /// Forgets watchers that ended: what they gave keeps the kernel's record of their process.
    fn forget_ended(&mut self) {
        for watcher in &mut self.watchers {
            let ended = |watcher: &mut Watcher| {
                let client = parent::client(watcher.badge);
                client == Err(CallError::Refused(Refusal::NoSuchProcess))
            };
            drop(watcher.take_if(ended));
        }
    }

    /// What was lent by another is dead when this returns, and what this one lends will be when it ends.
    fn lends(&mut self, lender: u64) -> Result<(), Refusal> {
        if self.lender == Some(lender) {
            return Ok(());
        }
        self.lender = None;
        self.handles.revoke_lent()?;
        let watched = parent::client_end(lender, &self.signals, signal::LENDER_ENDED);
        watched.map_err(|_| Refusal::NotGranted)?;
        self.lender = Some(lender);
        Ok(())
    }

    /// Whoever lent keys ended: all that was lent is taken back.
    fn lender_ended(&mut self) {
        self.lender = None;
        if self.handles.revoke_lent().is_err() {
            log!("what was lent cannot be taken back");
        }
    }

    fn revoke_destroyed(&mut self) {
        let destroyed = core::mem::take(&mut self.destroyed);
        self.handles.revoke_all(destroyed);
    }

    fn set_timer(&mut self, due_ns: u64) {
        self.timer_ns = due_ns;
        let set = self
            .timer
            .as_ref()
            .map(|timer| timer.set(&self.signals, signal::IDLE, due_ns));
        if !matches!(set, Some(Ok(()))) {
            log!("no timer: it will not lock itself");
        }
    }
}

impl<S: Seal> interface::Vault for Service<S> {
    fn status(&mut self, _: Caller) -> Result<Status, Refusal> {
        Ok(self.vault.status(syscall::clock_ns()))
    }

    fn unlock(&mut self, caller: Caller, passphrase: Lease) -> Result<(), Refusal> {
        let result = self.with_passphrase(caller, passphrase, Vault::unlock);
        match result {
            Ok(()) => log!("opened"),
            Err(Refusal::WrongPassphrase) => log!("a wrong passphrase"),
            Err(_) => {}
        }
        result
    }

    fn lock(&mut self, caller: Caller) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        self.vault.lock(&mut self.system, caller)?;
        log!("locked");
        Ok(())
    }

    fn wipe(&mut self, caller: Caller) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let result = self.vault.wipe(&mut self.system, caller);
        match result {
            Ok(()) => log!("wiped"),
            Err(Refusal::NotGranted) => {}
            Err(refusal) => log!("wiped, but for what the TPM keeps: {refusal}"),
        }
        result
    }

    fn set_passphrase(&mut self, caller: Caller, passphrase: Lease) -> Result<(), Refusal> {
        self.with_passphrase(caller, passphrase, Vault::set_passphrase)
    }

    fn set_duress(&mut self, caller: Caller, passphrase: Lease) -> Result<(), Refusal> {
        self.with_passphrase(caller, passphrase, Vault::set_duress)
    }

    fn set_auto_lock(&mut self, caller: Caller, seconds: u64) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        self.vault.set_auto_lock(&mut self.system, caller, seconds)
    }

    fn keep(&mut self, caller: Caller, on: u64) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        self.vault.keep(&mut self.system, caller, on)
    }

    fn event(&mut self, caller: Caller, sequence: u64) -> Result<Event, Refusal> {
        let caller = self.caller(caller)?;
        self.vault.event(&self.system, caller, sequence)
    }

    fn approve(&mut self, caller: Caller, approval: Lease) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let approval = &*self.first.read(approval)?;
        let approval = approval.try_into().map_err(|_| Refusal::Malformed)?;
        self.vault.approve(&mut self.system, caller, approval)?;
        log!("another system was approved");
        Ok(())
    }

    fn key(&mut self, caller: Caller, index: u64) -> Result<KeyInfo, Refusal> {
        let caller = self.caller(caller)?;
        self.vault.key(&self.system, caller, index)
    }

    fn owner(&mut self, caller: Caller, index: u64) -> Result<Owner, Refusal> {
        let caller = self.caller(caller)?;
        self.vault.owner(&self.system, caller, index)
    }

    fn rotate_key(&mut self, caller: Caller, module: Name, name: Name) -> Result<u64, Refusal> {
        let caller = self.caller(caller)?;
        self.vault
            .rotate_key(&mut self.system, caller, module, name)
    }

    fn destroy_key(&mut self, caller: Caller, module: Name, name: Name) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        self.vault.destroy_key(&self.system, caller, module, name)
    }

    fn create(
        &mut self,
        caller: Caller,
        name: Name,
        kind: u64,
        uses: u64,
    ) -> Result<Handle, Refusal> {
        let caller = self.caller(caller)?;
        let key = self
            .vault
            .create(&mut self.system, caller, name, kind, uses)?;
        self.handle(key)
    }

    fn import(
        &mut self,
        caller: Caller,
        name: Name,
        kind: u64,
        uses: u64,
        secret: Lease,
    ) -> Result<Handle, Refusal> {
        let caller = self.caller(caller)?;
        let secret = self.first.read(secret)?;
        let secret = secret.try_into().map_err(|_| Refusal::Malformed)?;
        let what = (name, kind, uses);
        let key = self.vault.import(&mut self.system, caller, what, secret)?;
        self.handle(key)
    }

    fn unwrap(&mut self, caller: Caller, blob: Lease) -> Result<Handle, Refusal> {
        let caller = self.caller(caller)?;
        let blob = &*self.first.read(blob)?;
        let blob = blob.try_into().map_err(|_| Refusal::Malformed)?;
        let key = self.vault.unwrap(&mut self.system, caller, blob)?;
        self.handle(key)
    }

    fn open(&mut self, caller: Caller, name: Name) -> Result<Handle, Refusal> {
        let caller = self.caller(caller)?;
        let key = self.vault.open(&self.system, caller, name)?;
        self.handle(key)
    }

    fn list(&mut self, caller: Caller, index: u64) -> Result<KeyInfo, Refusal> {
        let caller = self.caller(caller)?;
        self.vault.list(&self.system, caller, index)
    }

    fn module_key(&mut self, caller: Caller, key: Lease) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let secret = self.vault.module_key(&self.system, caller)?;
        Ok(write_lent(key, 0, secret.expose())?)
    }

    fn watch(&mut self, caller: Caller, notification: Handle, bits: u64) -> Result<(), Refusal> {
        let notification = Notification::from_handle(notification);
        let caller = self.caller(caller)?;
        let module = self.vault.watch(&self.system, caller)?;
        let client = caller.badge.client()?;
        let is_it = |watcher: &Option<Watcher>| {
            watcher
                .as_ref()
                .is_some_and(|watcher| watcher.module == module)
        };
        let own = self.watchers.iter().position(is_it);
        let place = own.or_else(|| self.watchers.iter().position(Option::is_none));
        let place = place.ok_or(Refusal::Full)?;
        self.watchers[place] = Some(Watcher {
            badge: client,
            module,
            notification,
            bits,
        });
        Ok(())
    }

    fn offer(&mut self, caller: Caller, index: u64, name: Lease) -> Result<Offer, Refusal> {
        let caller = self.caller(caller)?;
        let (offer, called) = self.vault.offer(&self.system, caller, index)?;
        write_lent(name, 0, &called.to_bytes())?;
        Ok(offer)
    }

    fn lend(&mut self, caller: Caller, number: u64, uses: u64) -> Result<Passable, Refusal> {
        let caller = self.caller(caller)?;
        let key = self.vault.lend(&self.system, caller, number, uses)?;
        self.lends(caller.badge.lender()?)?;
        self.handles.make(key, For::Lender, 0).map(Passable)
    }

    fn info(&mut self, caller: Caller) -> Result<KeyInfo, Refusal> {
        let caller = self.caller(caller)?;
        self.vault.info(&self.system, caller)
    }

    fn public_key(&mut self, caller: Caller, version: u64, key: Lease) -> Result<u64, Refusal> {
        let caller = self.caller(caller)?;
        let out = self.first.room(key)?;
        let length = self
            .vault
            .public_key(&mut self.system, caller, version, out)?;
        write_lent(key, 0, &out[..length])?;
        Ok(length as u64)
    }

    fn sign(&mut self, caller: Caller, message: Lease, signature: Lease) -> Result<u64, Refusal> {
        let caller = self.caller(caller)?;
        let message = self.first.read(message)?;
        let out = self.second.room(signature)?;
        let length = self.vault.sign(&mut self.system, caller, message, out)?;
        write_lent(signature, 0, &out[..length])?;
        Ok(length as u64)
    }

    fn verify(&mut self, caller: Caller, message: Lease, signature: Lease) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let message = self.first.read(message)?;
        let signature = self.second.read(signature)?;
        self.vault
            .verify(&mut self.system, caller, message, signature)
    }

    fn encrypt(
        &mut self,
        caller: Caller,
        beside: Lease,
        message: Lease,
    ) -> Result<Encrypted, Refusal> {
        let caller = self.caller(caller)?;
        let beside = self.first.read(beside)?;
        let text = self.second.read(message)?;
        let with = self.vault.encrypt(&mut self.system, caller, beside, text)?;
        write_back(message, text)?;
        Ok(with)
    }

    fn decrypt(
        &mut self,
        caller: Caller,
        with: Encrypted,
        beside: Lease,
        message: Lease,
    ) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let beside = self.first.read(beside)?;
        let text = self.second.read(message)?;
        self.vault
            .decrypt(&mut self.system, caller, with, beside, text)?;
        write_back(message, text)
    }

    fn decapsulate(
        &mut self,
        caller: Caller,
        version: u64,
        ciphertext: Lease,
        secret: Lease,
    ) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let ciphertext = self.first.read(ciphertext)?;
        let agreed = self
            .vault
            .decapsulate(&mut self.system, caller, version, ciphertext)?;
        Ok(write_lent(secret, 0, agreed.expose())?)
    }

    fn derive(
        &mut self,
        caller: Caller,
        version: u64,
        info: Lease,
        key: Lease,
    ) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let info = self.first.read(info)?;
        let out = self.second.room(key)?;
        self.vault
            .derive(&mut self.system, caller, version, info, out)?;
        write_back(key, out)
    }

    fn export(&mut self, caller: Caller, version: u64, secret: Lease) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let out = self.first.room(secret)?;
        let out: &mut [u8; SECRET_BYTES] = out.try_into().map_err(|_| Refusal::Malformed)?;
        self.vault.export(&mut self.system, caller, version, out)?;
        write_back(secret, out)
    }

    fn wrap(&mut self, caller: Caller, version: u64, blob: Lease) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let made = self.vault.wrap(&self.system, caller, version)?;
        write_back(blob, &made)
    }

    fn rotate(&mut self, caller: Caller) -> Result<u64, Refusal> {
        let caller = self.caller(caller)?;
        self.vault.rotate(&mut self.system, caller)
    }

    fn retire(&mut self, caller: Caller, version: u64) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        self.vault.retire(&self.system, caller, version)
    }

    fn destroy(&mut self, caller: Caller) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        self.vault.destroy(&self.system, caller)
    }

    fn grant(&mut self, caller: Caller, uses: u64, seconds: u64) -> Result<Passable, Refusal> {
        let caller = self.caller(caller)?;
        let key = self.vault.grant(&self.system, caller, uses)?;
        let until_ns = match seconds {
            0 => 0,
            _ => syscall::clock_ns().saturating_add(seconds.saturating_mul(SECOND_NS)),
        };
        self.handles.make(key, For::Others, until_ns).map(Passable)
    }

    fn revoke(&mut self, caller: Caller) -> Result<(), Refusal> {
        let caller = self.caller(caller)?;
        let key = self.vault.revoke(&self.system, caller)?;
        Ok(self.handles.revoke_others(key)?)
    }
}

/// Writes to what the caller lent. Nothing is written to nothing.
fn write_back(lease: Lease, bytes: &[u8]) -> Result<(), Refusal> {
    match bytes {
        [] => Ok(()),
        bytes => Ok(write_lent(lease, 0, bytes)?),
    }
}

impl<S: Seal> Server for Service<S> {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        let reply = self.answer(caller, request);
        scrub();
        self.settle();
        reply
    }

    fn signal(&mut self, bits: u64) {
        self.act_on(bits);
        scrub();
        self.settle();
    }
}

/// In functions of their own, whose part of the stack is overwritten with the copies of secrets that they left there.
impl<S: Seal> Service<S> {
    #[inline(never)]
    fn answer(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        // The key of this place is another one from now on: no handle to the one before may be left.
        self.revoke_destroyed();
        if let Badge::Client { .. } = Badge::read(caller.badge) {
            self.forget_ended();
        }
        [self.operation, _] = request.info.label().to_le_bytes();
        interface::dispatch(self, caller, request)
    }

    #[inline(never)]
    fn act_on(&mut self, bits: u64) {
        if bits & signal::DESTROYED != 0 {
            self.revoke_destroyed();
        }
        if bits & signal::LENDER_ENDED != 0 {
            self.lender_ended();
        }
        if bits & signal::IDLE != 0 {
            self.timer_ns = 0;
            let open = |vault: &Vault<S>| vault.status(0).flags & status::LOCKED == 0;
            let was_open = open(&self.vault);
            let _ = self.vault.tick(syscall::clock_ns());
            if was_open && !open(&self.vault) {
                log!("locked: nobody used it");
            }
        }
    }
}
