//! What programs hold: handles to files and directories, known by the badge that was put on each.
//!
//! A badge says which object of the table it stands for, and its serial number: none is ever given twice, so that a handle whose
//! object was closed is refused for ever, wherever it is. An object counts for the program that opened it, also when
//! another program opened it through a handle that it was passed, and is closed when that program ends.

use nonos_proto::Refusal;
use nonos_proto::files::{how, rights};

use crate::node::{Kind, Node};
use crate::pages::Supply;
use crate::volume::{Hint, Volume, not_found};

/// In badges that were put on handles here; `init` sets it in none of its own.
const OBJECT: u64 = 1 << 62;
/// Most objects.
pub const OBJECTS: usize = 256;
/// Most objects of one program.
const OBJECTS_EACH: u32 = 64;
/// Most objects that were opened through one that was shared, with that.
const OBJECTS_THROUGH: usize = 12;
/// Most programs at a time: each has a bit that signals its end.
pub const CLIENTS: usize = 32;
/// Most files and directories that are offered at a time; more drive out the oldest.
const OFFERS: usize = 8;

/// What a handle stands for.
#[derive(Clone, Copy)]
pub struct Object {
    serial: u64,
    client: usize,
    /// The file or directory.
    pub node: Node,
    id: u64,
    /// What the handle is good for.
    pub rights: u64,
    /// Serial number of the object that was shared and that this one was opened through, or is; 0 for none.
    through: u64,
    /// The file that what is written goes to, and that may take the place of `node`; none for that itself.
    pub staged: Node,
    /// Where listing goes on.
    pub hint: Hint,
}

impl Object {
    /// Refuses when one of these rights is missing.
    ///
    /// # Errors
    /// [`Refusal::MissingRight`].
    pub fn needs(&self, needed: u64) -> Result<(), Refusal> {
        if self.rights & needed == needed {
            Ok(())
        } else {
            Err(Refusal::MissingRight)
        }
    }
}

/// A program that connected.
struct Client {
    badge: u64,
    root: Node,
    open: u32,
}

/// Something that may be moved elsewhere.
struct Offer {
    ticket: u64,
    node: Node,
    id: u64,
}

/// All handles.
pub struct Objects {
    objects: [Option<Object>; OBJECTS],
    clients: [Option<Client>; CLIENTS],
    offers: [Option<Offer>; OFFERS],
    next_offer: usize,
    next_serial: u64,
}

impl Default for Objects {
    fn default() -> Self {
        Self::new()
    }
}

/// Which object of the table a badge stands for; none when it is no badge of an object.
pub fn index_of(badge: u64) -> Option<usize> {
    (badge & OBJECT != 0).then_some((badge % OBJECTS as u64) as usize)
}

impl Objects {
    /// No handles.
    pub const fn new() -> Self {
        Self {
            objects: [const { None }; OBJECTS],
            clients: [const { None }; CLIENTS],
            offers: [const { None }; OFFERS],
            next_offer: 0,
            next_serial: 1,
        }
    }

    /// Which client has this badge.
    pub fn client(&self, badge: u64) -> Option<usize> {
        let is_it = |client: &Option<Client>| client.as_ref().is_some_and(|c| c.badge == badge);
        self.clients.iter().position(is_it)
    }

    /// A place for a new client.
    ///
    /// # Errors
    /// [`Refusal::Full`].
    pub fn free_client(&self) -> Result<usize, Refusal> {
        let free = self.clients.iter().position(Option::is_none);
        free.ok_or(Refusal::Full)
    }

    /// A new client, with its home.
    pub fn add_client(&mut self, place: usize, badge: u64, root: Node) {
        self.clients[place] = Some(Client {
            badge,
            root,
            open: 0,
        });
    }

    /// The home of a client; none after [`Self::close_all`].
    ///
    /// # Errors
    /// [`Refusal::Gone`] when there is no such client.
    pub fn root(&self, client: usize) -> Result<Node, Refusal> {
        let client = self.clients.get(client).and_then(Option::as_ref);
        client.map(|client| client.root).ok_or(Refusal::Gone)
    }

    /// A client ended: everything that it opened is closed.
    pub fn end_client(&mut self, volume: &mut Volume<impl Supply>, client: usize) {
        for index in 0..OBJECTS {
            if self.objects[index].is_some_and(|object| object.client == client) {
                self.close(volume, index);
            }
        }
        if let Some(client) = self.clients.get_mut(client) {
            *client = None;
        }
    }

    /// All files are gone: every badge is refused from now on. Clients have no home until they are given one again.
    pub fn close_all(&mut self) {
        self.objects = [const { None }; OBJECTS];
        self.offers = [const { None }; OFFERS];
        for client in self.clients.iter_mut().flatten() {
            (client.root, client.open) = (Node::NONE, 0);
        }
    }

    /// A badge for a file or directory that a client opens.
    ///
    /// # Errors
    /// [`Refusal::Full`].
    pub fn add(
        &mut self,
        volume: &mut Volume<impl Supply>,
        client: usize,
        node: Node,
        rights: u64,
    ) -> Result<u64, Refusal> {
        self.add_through(volume, client, node, rights, 0)
    }

    /// The same, opened through a shared object.
    fn add_through(
        &mut self,
        volume: &mut Volume<impl Supply>,
        client: usize,
        node: Node,
        rights: u64,
        through: u64,
    ) -> Result<u64, Refusal> {
        if through != 0 && self.opened_through(through).count() >= OBJECTS_THROUGH {
            return Err(Refusal::Full);
        }
        let index = self.objects.iter().position(Option::is_none);
        let index = index.ok_or(Refusal::Full)?;
        let owner = self.clients.get_mut(client).and_then(Option::as_mut);
        let owner = owner.ok_or(Refusal::Gone)?;
        if owner.open >= OBJECTS_EACH {
            return Err(Refusal::Full);
        }
        volume.keys.hold(node)?;
        owner.open += 1;
        let serial = self.next_serial;
        self.next_serial += 1;
        self.objects[index] = Some(Object {
            serial,
            client,
            node,
            id: volume.id(node),
            rights,
            through,
            staged: Node::NONE,
            hint: Hint::NONE,
        });
        Ok(OBJECT | (serial * OBJECTS as u64) | index as u64)
    }

    /// What a badge stands for, when that is still there.
    ///
    /// # Errors
    /// [`Refusal::Gone`], and [`Refusal::UnknownOperation`] when it is no badge of an object.
    pub fn get(
        &mut self,
        volume: &Volume<impl Supply>,
        badge: u64,
    ) -> Result<(&mut Object, Kind), Refusal> {
        let index = index_of(badge).ok_or(Refusal::UnknownOperation)?;
        let serial = (badge & !OBJECT) / OBJECTS as u64;
        let object = self.objects[index].as_mut();
        let object = object.filter(|object| object.serial == serial);
        let object = object.ok_or(Refusal::Gone)?;
        let kind = volume.check(object.node, object.id)?;
        Ok((object, kind))
    }

    /// Whether this badge's object is open, also when what it stands for was removed.
    pub fn is_current(&self, badge: u64) -> bool {
        let serial = (badge & !OBJECT) / OBJECTS as u64;
        let object = index_of(badge).and_then(|index| self.objects[index]);
        object.is_some_and(|object| object.serial == serial)
    }

    /// The objects that a client opened.
    pub fn of_client(&self, client: usize) -> impl Iterator<Item = usize> {
        let all = self.objects.iter().enumerate();
        all.filter_map(move |(index, object)| object.filter(|o| o.client == client).map(|_| index))
    }

    /// Closes an object: its badge is refused from now on.
    pub fn close(&mut self, volume: &mut Volume<impl Supply>, index: usize) {
        let Some(object) = self.objects[index].take() else {
            return;
        };
        if let Some(staged) = object.staged.some() {
            volume.discard(staged);
        }
        // The key of what was removed is gone, and its place may be another's now.
        if volume.check(object.node, object.id).is_ok() {
            volume.keys.release(object.node);
        }
        if let Some(client) = &mut self.clients[object.client] {
            client.open -= 1;
        }
    }

    /// Has what is written through a badge go to a new file from now on.
    ///
    /// # Errors
    /// [`Refusal::MissingRight`]; as [`Volume::stage`].
    pub fn begin(&mut self, volume: &mut Volume<impl Supply>, badge: u64) -> Result<(), Refusal> {
        let (object, _) = self.get(volume, badge)?;
        object.needs(rights::WRITE)?;
        if let Some(before) = core::mem::replace(&mut object.staged, Node::NONE).some() {
            volume.discard(before);
        }
        object.staged = volume.stage(object.node)?;
        Ok(())
    }

    /// Has what was written since [`Self::begin`] be the file, for all objects: which it is now.
    ///
    /// # Errors
    /// [`Refusal::NotStored`], [`Refusal::MissingRight`]; as [`Volume::replace`].
    pub fn commit(
        &mut self,
        volume: &mut Volume<impl Supply>,
        badge: u64,
    ) -> Result<Node, Refusal> {
        let (object, _) = self.get(volume, badge)?;
        object.needs(rights::WRITE)?;
        let (file, id) = (object.node, object.id);
        let staged = core::mem::replace(&mut object.staged, Node::NONE);
        let staged = staged.some().ok_or(Refusal::NotStored)?;
        volume
            .replace(file, staged)
            .inspect_err(|_| volume.discard(staged))?;
        let objects = self.objects.iter_mut().flatten();
        for object in objects.filter(|object| (object.node, object.id) == (file, id)) {
            (object.node, object.id) = (staged, volume.id(staged));
            // There is a place for its key: that of the file before.
            volume.keys.hold(staged)?;
        }
        Ok(staged)
    }

    /// The objects that stand for a node.
    pub fn of(&self, node: Node) -> impl Iterator<Item = usize> {
        let all = self.objects.iter().enumerate();
        all.filter_map(move |(index, object)| object.filter(|o| o.node == node).map(|_| index))
    }

    /// Opens something in a directory, `with` bits of [`rights`] and [`how`]: its badge, and whether it was made.
    ///
    /// # Errors
    /// [`Refusal::MissingRight`] when the directory's handle has not all of the rights that are asked for; as [`Volume::find`] and
    /// [`Volume::create`].
    pub fn open(
        &mut self,
        volume: &mut Volume<impl Supply>,
        badge: u64,
        name: &[u8],
        with: u64,
    ) -> Result<(u64, Node, bool), Refusal> {
        let object = *self.get(volume, badge)?.0;
        let wanted = with & rights::ALL;
        object.needs(wanted)?;
        if with & how::EMPTY != 0 && wanted & rights::WRITE == 0 {
            return Err(Refusal::MissingRight);
        }
        let kind = if with & how::DIRECTORY != 0 {
            Kind::Directory
        } else {
            Kind::File
        };
        let found = match volume.find(object.node, name)? {
            Some(_) if with & how::NEW != 0 => return Err(Refusal::NameExists),
            Some(node) => {
                match volume.check(node, volume.id(node))? {
                    _ if with & how::ANY != 0 => {}
                    found if found == kind => {}
                    Kind::File => return Err(Refusal::NotADirectory),
                    Kind::Directory => return Err(Refusal::IsADirectory),
                }
                Some(node)
            }
            None if with & how::CREATE == 0 => return Err(not_found()),
            None => {
                object.needs(rights::CREATE)?;
                None
            }
        };
        let node = match found {
            Some(node) => node,
            None => volume.create(object.node, name, kind)?,
        };
        let added = self.add_through(volume, object.client, node, wanted, object.through);
        let added = added.inspect_err(|_| {
            if found.is_none() {
                let _ = volume.remove(object.node, name);
            }
        })?;
        if with & how::EMPTY != 0 && volume.check(node, volume.id(node))? == Kind::File {
            volume.resize(node, 0).inspect_err(|_| {
                if let Some(index) = index_of(added) {
                    self.close(volume, index);
                }
            })?;
        }
        Ok((added, node, found.is_none()))
    }

    /// Another badge for the same object, with at most these rights.
    ///
    /// # Errors
    /// [`Refusal::MissingRight`], [`Refusal::Full`].
    pub fn share(
        &mut self,
        volume: &mut Volume<impl Supply>,
        badge: u64,
        with: u64,
    ) -> Result<u64, Refusal> {
        let object = *self.get(volume, badge)?.0;
        object.needs(rights::GRANT)?;
        let rights = object.rights & with;
        let (client, through) = (object.client, object.through);
        let badge = self.add_through(volume, client, object.node, rights, through)?;
        if let Some(shared) = index_of(badge).and_then(|index| self.objects[index].as_mut())
            && through == 0
        {
            shared.through = shared.serial;
        }
        Ok(badge)
    }

    /// An object that was shared, and all that was opened through it.
    fn opened_through(&self, serial: u64) -> impl Iterator<Item = usize> {
        let all = self.objects.iter().enumerate();
        all.filter_map(move |(index, object)| object.filter(|o| o.through == serial).map(|_| index))
    }

    /// What is closed with a handle that is taken back: its object, and when that was shared all that was opened through it.
    ///
    /// # Errors
    /// [`Refusal::Gone`].
    pub fn revoked(&self, badge: u64) -> Result<impl Iterator<Item = usize> + use<>, Refusal> {
        if !self.is_current(badge) {
            return Err(Refusal::Gone);
        }
        let index = index_of(badge).ok_or(Refusal::Gone)?;
        let object = self.objects[index].ok_or(Refusal::Gone)?;
        let mut all = [false; OBJECTS];
        all[index] = true;
        if object.through == object.serial {
            self.opened_through(object.serial)
                .for_each(|index| all[index] = true);
        }
        let marked = all.into_iter().enumerate();
        Ok(marked.filter_map(|(index, marked)| marked.then_some(index)))
    }

    /// Offers something of a directory: the ticket to take it with.
    ///
    /// # Errors
    /// [`Refusal::MissingRight`]; as [`Volume::find`].
    pub fn offer(
        &mut self,
        volume: &mut Volume<impl Supply>,
        badge: u64,
        name: &[u8],
    ) -> Result<u64, Refusal> {
        let object = *self.get(volume, badge)?.0;
        object.needs(rights::DELETE)?;
        let node = volume.find(object.node, name)?.ok_or(not_found())?;
        let mut ticket = [0; 8];
        volume.pages.supply.random(&mut ticket);
        let ticket = u64::from_le_bytes(ticket);
        self.offers[self.next_offer] = Some(Offer {
            ticket,
            node,
            id: volume.id(node),
        });
        self.next_offer = (self.next_offer + 1) % OFFERS;
        Ok(ticket)
    }

    /// Moves what was offered into a directory. The directory it came from.
    ///
    /// # Errors
    /// [`Refusal::Gone`] when there is no such offer; [`Refusal::MissingRight`]; as [`Volume::relocate`].
    pub fn accept(
        &mut self,
        volume: &mut Volume<impl Supply>,
        badge: u64,
        name: &[u8],
        ticket: u64,
    ) -> Result<Node, Refusal> {
        let object = *self.get(volume, badge)?.0;
        object.needs(rights::CREATE)?;
        let is_it = |offer: &&mut Option<Offer>| offer.as_ref().is_some_and(|o| o.ticket == ticket);
        let offer = self.offers.iter_mut().find(is_it).and_then(Option::take);
        let offer = offer.ok_or(Refusal::Gone)?;
        volume.check(offer.node, offer.id)?;
        let from = volume.parent(offer.node);
        let may_replace = object.rights & rights::DELETE != 0;
        volume.relocate(offer.node, object.node, name, may_replace)?;
        Ok(from)
    }
}
