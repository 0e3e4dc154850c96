//! Requests and answers: which file a badge stands for, and memory that clients lend.

use nonos_abi::{Handle, Message, Name, PAGE_BYTES, Rights};
use nonos_proto::files::{
    self as interface, BADGE_DOCUMENTS, Files, LISTED_BYTES, Listed, NAME_BYTES, Opened, State,
    Usage, kind, rights,
};
use nonos_proto::{CallError, Caller, Lease, Passable, Refusal};
use nonos_rt::mapping::Private;
use nonos_rt::object::{Endpoint, Notification};
use nonos_rt::scrub::scrub;
use nonos_rt::service::{Server, read_lent, write_lent};
use nonos_rt::{log, parent, random};
use ramfs::blocks::{BLOCK_BYTES, wipe};
use ramfs::node::{Kind, Node};
use ramfs::objects::{CLIENTS, OBJECTS, Objects, index_of};
use ramfs::pages::Supply;
use ramfs::volume::Volume;

use crate::root::Root;

/// Bytes of names that are gathered before they go to the client.
const GATHERED: usize = 2048;
const _: () = assert!(GATHERED >= LISTED_BYTES + NAME_BYTES);

/// What the user may store in documents, pages of 4 KiB.
const DOCUMENTS_PAGES: u64 = 12_288;

/// The name under which the user's documents are kept: the service's own, which is no client's.
fn documents() -> Result<Name, Refusal> {
    Name::new("ramfs").ok_or(Refusal::BadName)
}

/// Memory of this process.
pub struct Memory;

impl Supply for Memory {
    // As few pieces as mappings allow, and not much that is never used.
    const PIECE_PAGES: usize = 1024;

    fn memory(&mut self) -> Option<&'static mut [u8]> {
        Private::leaked_pages(Self::PIECE_PAGES).ok()
    }

    fn random(&mut self, bytes: &mut [u8]) {
        random::fill(bytes);
    }
}

/// The service.
pub struct Service {
    volume: Volume<Memory>,
    objects: Objects,
    /// The endpoint, to be badged for each object.
    issuer: Endpoint,
    /// A bit for the end of each client.
    signals: Notification,
    watchers: [Option<(Notification, u64)>; OBJECTS],
    root: Root,
}

/// The stack that is used at most.
const DEEPEST_BYTES: usize = 64 << 10;

impl Service {
    /// No clients yet, and locked.
    pub fn new(
        volume: Volume<Memory>,
        issuer: Endpoint,
        signals: Notification,
        root: Root,
    ) -> Self {
        Self {
            volume,
            root,
            objects: Objects::new(),
            issuer,
            signals,
            watchers: [const { None }; OBJECTS],
        }
    }

    /// Unlocks with the vault's key, or locks while the vault is locked. When the key is another one, the vault was wiped, and so is
    /// everything here.
    pub fn follow_vault(&mut self) {
        self.take_key();
        scrub::<DEEPEST_BYTES>();
    }

    /// In a function of its own, whose part of the stack is overwritten with the copies of the key that moving it left there.
    #[inline(never)]
    fn take_key(&mut self) {
        match self.root.key(&self.signals) {
            Ok(key) => {
                if self.volume.unlock(&key).is_err() {
                    log!("the vault has another root: all files are gone");
                    self.erase();
                    // There is no key that would not be the first.
                    let _ = self.volume.unlock(&key);
                }
            }
            Err(error) => {
                self.volume.lock();
                log!("locked: {error}");
            }
        }
    }

    /// Forgets all files, and tells those who watch some.
    fn erase(&mut self) {
        self.volume.erase();
        self.objects.close_all();
        for watcher in &mut self.watchers {
            if let Some((notification, bits)) = watcher.take() {
                let _ = notification.signal(bits);
            }
        }
    }

    /// The client that connected with this badge, made known when it calls for the first time.
    fn client(&mut self, caller: Caller) -> Result<usize, Refusal> {
        if index_of(caller.badge).is_some() {
            return Err(Refusal::UnknownOperation);
        }
        let known = self.objects.client(caller.badge);
        if let Some(client) = known
            && self.objects.root(client)? != Node::NONE
        {
            return Ok(client);
        }
        let place = known.map_or_else(|| self.objects.free_client(), Ok)?;
        let process = caller.badge & !BADGE_DOCUMENTS;
        let who = parent::client(process).map_err(refusal)?;
        let root = match caller.badge == process {
            true => self.volume.home(who.module, who.storage_pages)?,
            false => self.volume.home(documents()?, DOCUMENTS_PAGES)?,
        };
        if known.is_none() {
            parent::client_end(process, &self.signals, 1 << place).map_err(refusal)?;
        }
        self.objects.add_client(place, caller.badge, root);
        Ok(place)
    }

    /// A handle with a badge, and what it stands for.
    fn opened(&mut self, badge: u64, node: Node) -> Result<Opened, Refusal> {
        let handle = self.issue(badge, Rights::WRITE)?;
        let kind = self.volume.check(node, self.volume.id(node))?;
        Ok(Opened {
            handle,
            kind: kind_number(kind),
            size: self.volume.size(node).0,
        })
    }

    /// A handle with a badge. Without one the object is closed: nobody would ever.
    fn issue(&mut self, badge: u64, rights: Rights) -> Result<Handle, Refusal> {
        // GRANT stays behind, but for handles that may be passed on.
        let issued = self.issuer.badge(badge, rights.or(Rights::GRANT));
        let issued = issued.inspect_err(|_| self.close_object(badge))?;
        Ok(issued.into_handle())
    }

    fn close_object(&mut self, badge: u64) {
        if let Some(index) = index_of(badge) {
            self.objects.close(&mut self.volume, index);
            self.watchers[index] = None;
        }
    }

    /// The node that a badge stands for, when its handle has these rights.
    fn node(&mut self, caller: Caller, needed: u64) -> Result<(Node, Kind), Refusal> {
        let (object, kind) = self.objects.get(&self.volume, caller.badge)?;
        object.needs(needed)?;
        Ok((object.node, kind))
    }

    /// The file that what is written through a handle goes to. Nobody watches one that is not committed yet.
    fn target(&mut self, caller: Caller) -> Result<Node, Refusal> {
        let (object, _) = self.objects.get(&self.volume, caller.badge)?;
        object.needs(rights::WRITE)?;
        Ok(object.staged.some().unwrap_or(object.node))
    }

    /// Tells those who watch a node.
    fn changed(&mut self, node: Node) {
        for index in self.objects.of(node) {
            if let Some((notification, bits)) = &self.watchers[index]
                && notification.signal(*bits).is_err()
            {
                self.watchers[index] = None;
            }
        }
    }
}

/// Why a call to `init` failed, for whoever it was made for.
fn refusal(error: CallError) -> Refusal {
    match error {
        CallError::Unreachable(error) => Refusal::Kernel(error),
        CallError::Refused(refusal) => refusal,
        CallError::BadReply => Refusal::Malformed,
    }
}

fn kind_number(kind: Kind) -> u64 {
    match kind {
        Kind::File => kind::FILE,
        Kind::Directory => kind::DIRECTORY,
    }
}

/// A name that a client lends.
struct LentName {
    bytes: [u8; NAME_BYTES],
    length: usize,
}

impl LentName {
    fn read(lease: Lease) -> Result<Self, Refusal> {
        let length = usize::try_from(lease.length).map_err(|_| Refusal::BadName)?;
        let mut bytes = [0; NAME_BYTES];
        let name = bytes.get_mut(..length).ok_or(Refusal::BadName)?;
        read_lent(lease, 0, name)?;
        Ok(Self { bytes, length })
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Drop for LentName {
    fn drop(&mut self) {
        wipe(&mut self.bytes);
    }
}

impl Files for Service {
    fn home(&mut self, caller: Caller) -> Result<Opened, Refusal> {
        let client = self.client(caller)?;
        let root = self.objects.root(client)?;
        let badge = self
            .objects
            .add(&mut self.volume, client, root, rights::ALL)?;
        self.opened(badge, root)
    }

    fn usage(&mut self, caller: Caller) -> Result<Usage, Refusal> {
        let client = self.client(caller)?;
        Ok(self.volume.usage(self.objects.root(client)?))
    }

    fn open(&mut self, caller: Caller, with: u64, name: Lease) -> Result<Opened, Refusal> {
        let (directory, _) = self.node(caller, 0)?;
        let name = LentName::read(name)?;
        let (badge, node, made) =
            self.objects
                .open(&mut self.volume, caller.badge, name.as_slice(), with)?;
        if made {
            self.changed(directory);
        }
        self.opened(badge, node)
    }

    fn remove(&mut self, caller: Caller, name: Lease) -> Result<(), Refusal> {
        let (directory, _) = self.node(caller, rights::DELETE)?;
        let name = LentName::read(name)?;
        self.volume.remove(directory, name.as_slice())?;
        self.changed(directory);
        Ok(())
    }

    fn offer(&mut self, caller: Caller, name: Lease) -> Result<u64, Refusal> {
        let name = LentName::read(name)?;
        self.objects
            .offer(&mut self.volume, caller.badge, name.as_slice())
    }

    fn accept(&mut self, caller: Caller, offered: u64, name: Lease) -> Result<(), Refusal> {
        let (directory, _) = self.node(caller, rights::CREATE)?;
        let name = LentName::read(name)?;
        let from = self
            .objects
            .accept(&mut self.volume, caller.badge, name.as_slice(), offered)?;
        self.changed(from);
        self.changed(directory);
        Ok(())
    }

    fn list(&mut self, caller: Caller, from: u64, out: Lease) -> Result<Listed, Refusal> {
        let (object, _) = self.objects.get(&self.volume, caller.badge)?;
        object.needs(rights::LIST)?;
        let (directory, mut hint) = (object.node, object.hint);
        let room = out.length.min(GATHERED as u64) as usize;
        let mut gathered = [0; GATHERED];
        let (mut bytes, mut too_small) = (0, false);
        let listed = self
            .volume
            .list(directory, from, &mut hint, &mut |kind, size, name| {
                let end = bytes + LISTED_BYTES + name.len();
                if end > room {
                    too_small = bytes == 0;
                    return false;
                }
                let entry = &mut gathered[bytes..end];
                entry[0] = kind_number(kind) as u8;
                entry[1] = name.len() as u8;
                entry[2..LISTED_BYTES].copy_from_slice(&size.to_le_bytes());
                entry[LISTED_BYTES..].copy_from_slice(name);
                bytes = end;
                true
            });
        let written = listed.and_then(|next| {
            write_lent(out, 0, &gathered[..bytes])?;
            Ok(next)
        });
        wipe(&mut gathered);
        let next = written?;
        self.objects.get(&self.volume, caller.badge)?.0.hint = hint;
        if too_small {
            return Err(Refusal::Malformed);
        }
        Ok(Listed {
            bytes: bytes as u64,
            next,
        })
    }

    fn state(&mut self, caller: Caller) -> Result<State, Refusal> {
        let (object, kind) = self.objects.get(&self.volume, caller.badge)?;
        let (node, rights) = (object.node, object.rights);
        let (size, pages) = self.volume.size(node);
        Ok(State {
            kind: kind_number(kind),
            size,
            stored: pages * PAGE_BYTES as u64,
            rights,
        })
    }

    fn share(&mut self, caller: Caller, with: u64) -> Result<Passable, Refusal> {
        let badge = self.objects.share(&mut self.volume, caller.badge, with)?;
        let rights = Rights::WRITE.or(Rights::REVOKE);
        self.issue(badge, rights).map(Passable)
    }

    fn revoke(&mut self, caller: Caller) -> Result<(), Refusal> {
        for index in self.objects.revoked(caller.badge)? {
            self.objects.close(&mut self.volume, index);
            self.watchers[index] = None;
        }
        Ok(())
    }

    fn close(&mut self, caller: Caller) -> Result<(), Refusal> {
        // Also what was removed meanwhile; but not what took the place of what was closed.
        match self.objects.is_current(caller.badge) {
            true => self.close_object(caller.badge),
            false => return Err(Refusal::Gone),
        }
        Ok(())
    }

    fn watch(&mut self, caller: Caller, notification: Handle, bits: u64) -> Result<(), Refusal> {
        let notification = Notification::from_handle(notification);
        let needed = match self.node(caller, 0)?.1 {
            Kind::File => rights::READ,
            Kind::Directory => rights::LIST,
        };
        self.node(caller, needed)?;
        let index = index_of(caller.badge).ok_or(Refusal::Gone)?;
        self.watchers[index] = Some((notification, bits));
        Ok(())
    }

    fn read(&mut self, caller: Caller, at: u64, out: Lease) -> Result<u64, Refusal> {
        let (file, _) = self.node(caller, rights::READ)?;
        self.volume
            .read(file, at, out.length, &mut |offset, bytes| {
                Ok(write_lent(out, offset, bytes)?)
            })
    }

    fn write(&mut self, caller: Caller, at: u64, bytes: Lease) -> Result<u64, Refusal> {
        let file = self.target(caller)?;
        let written = self
            .volume
            .write(file, at, bytes.length, &mut |offset, out| {
                Ok(read_lent(bytes, offset, out)?)
            });
        self.changed(file);
        written
    }

    fn append(&mut self, caller: Caller, bytes: Lease) -> Result<u64, Refusal> {
        if self.node(caller, rights::WRITE)?.1 == Kind::Directory {
            return Err(Refusal::IsADirectory);
        }
        let file = self.target(caller)?;
        let (at, _) = self.volume.size(file);
        self.write(caller, at, bytes).map(|_| at)
    }

    fn resize(&mut self, caller: Caller, size: u64) -> Result<(), Refusal> {
        let file = self.target(caller)?;
        self.volume.resize(file, size)?;
        self.changed(file);
        Ok(())
    }

    fn begin(&mut self, caller: Caller) -> Result<(), Refusal> {
        self.objects.begin(&mut self.volume, caller.badge)
    }

    fn commit(&mut self, caller: Caller) -> Result<(), Refusal> {
        let file = self.objects.commit(&mut self.volume, caller.badge)?;
        self.changed(file);
        self.changed(self.volume.parent(file));
        Ok(())
    }
}

const _: () = assert!(BLOCK_BYTES <= nonos_abi::message::LEASE_BYTES_MAX);

impl Server for Service {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        interface::dispatch(self, caller, request)
    }

    /// The vault changed, or clients ended.
    fn signal(&mut self, bits: u64) {
        if self.root.is_changed(bits) {
            self.follow_vault();
        }
        for client in 0..CLIENTS {
            if bits >> client & 1 != 0 {
                for index in self.objects.of_client(client) {
                    self.watchers[index] = None;
                }
                self.objects.end_client(&mut self.volume, client);
            }
        }
    }
}
