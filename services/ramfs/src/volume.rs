//! The file system: what is where, by which name, and at whose cost.
//!
//! The entries of a directory are its nodes, in the order in which they were added. Each holds its name, sealed with the directory's
//! key. A name is found through one index for all: a table of lists of nodes by the keyed hash of directory and name, which grows by a list
//! for each node, so that finding one costs the same whatever there is.
//!
//! Each program has a *home*: a directory that no other directory holds, and what is stored below it.

use nonos_abi::Name;
use nonos_crypto::aead::Aes256Gcm;
use nonos_proto::Refusal;
use nonos_proto::files::Usage;

use crate::blocks::wipe;
use crate::keys::{self, Key, Keys};
use crate::node::{HASH_BYTES, Kind, NAME_BYTES, Node};
use crate::pages::{Page, PageNumber, Pages, Supply};

/// Most homes.
const HOMES: usize = 64;
/// Lists of the index in one page.
const LISTS_PER_PAGE: u32 = (size_of::<Page>() / size_of::<u32>()) as u32;
/// Most pages of lists.
const LIST_PAGES: usize = 64;

/// What a program stores.
struct Home {
    name: Name,
    root: Node,
    pages: u64,
    files: u64,
    most: u64,
}

/// The file system.
pub struct Volume<S> {
    pub(crate) pages: Pages<S>,
    pub(crate) keys: Keys,
    free_node: Node,
    next_id: u64,
    homes: [Option<Home>; HOMES],
    /// Pages of the lists of the index.
    lists: [PageNumber; LIST_PAGES],
    /// How many lists there are.
    list_count: u32,
    /// How many nodes are in the index.
    listed: u32,
}

/// A place in a directory, to list it from there on quickly.
#[derive(Clone, Copy)]
pub struct Hint {
    node: Node,
    id: u64,
}

impl Hint {
    /// No place.
    pub const NONE: Self = Self {
        node: Node::NONE,
        id: 0,
    };
}

/// Refuses what is no name.
fn check_name(name: &[u8]) -> Result<(), Refusal> {
    let text = core::str::from_utf8(name).map_err(|_| Refusal::BadName)?;
    let bad = matches!(text, "" | "." | "..")
        || text.len() > NAME_BYTES
        || text.chars().any(|c| c == '/' || c.is_control());
    if bad { Err(Refusal::BadName) } else { Ok(()) }
}

impl<S: Supply> Volume<S> {
    /// An empty file system, locked.
    pub fn new(mut supply: S) -> Self {
        let mut salt = [0; 32];
        supply.random(&mut salt);
        Self {
            pages: Pages::new(supply),
            keys: Keys::new(salt),
            free_node: Node::NONE,
            next_id: 1,
            homes: [const { None }; HOMES],
            lists: [0; LIST_PAGES],
            list_count: 0,
            listed: 0,
        }
    }

    /// Gives the root key; after a lock the same again.
    ///
    /// # Errors
    /// [`Refusal::Locked`] when it is another.
    pub fn unlock(&mut self, root: &Key) -> Result<(), Refusal> {
        self.keys.unlock(root)
    }

    /// Wipes all keys: until [`Self::unlock`] everything that needs one is refused as [`Refusal::Locked`].
    pub fn lock(&mut self) {
        self.keys.lock();
    }

    /// Forgets everything, and has another salt: what was there cannot be read under any key. Locked afterwards.
    pub fn erase(&mut self) {
        self.pages.erase();
        let mut salt = [0; 32];
        self.pages.supply.random(&mut salt);
        self.keys = Keys::new(salt);
        self.free_node = Node::NONE;
        self.homes = [const { None }; HOMES];
        self.lists = [0; LIST_PAGES];
        self.list_count = 0;
        self.listed = 0;
    }

    /// The node, when it still is the one with this number.
    ///
    /// # Errors
    /// [`Refusal::Gone`].
    pub fn check(&self, node: Node, id: u64) -> Result<Kind, Refusal> {
        let kind = self.pages.kind(node).filter(|_| self.pages.id(node) == id);
        kind.ok_or(Refusal::Gone)
    }

    /// Number of a node, which no other ever has.
    pub fn id(&self, node: Node) -> u64 {
        self.pages.id(node)
    }

    /// Bytes of a file or entries of a directory, and pages that the contents take.
    pub fn size(&self, node: Node) -> (u64, u64) {
        (self.pages.size(node), self.pages.pages_of(node).into())
    }

    /// The directory that a node is in; none for a home.
    pub fn parent(&self, node: Node) -> Node {
        self.pages.parent(node)
    }

    /// The cipher of a node, at the message where it stopped.
    pub(crate) fn cipher(&mut self, node: Node) -> Result<Aes256Gcm, Refusal> {
        let (id, wrapped) = (self.pages.id(node), self.pages.wrapped(node));
        let sealed = self.pages.sealed(node);
        self.keys.cipher(node, id, &wrapped, sealed)
    }

    /// The home of a program, which may store so many pages, and as many files.
    ///
    /// # Errors
    /// [`Refusal::Full`] when there are too many, [`Refusal::OutOfStorage`], [`Refusal::Locked`].
    pub fn home(&mut self, name: Name, most: u64) -> Result<Node, Refusal> {
        let homes = self.homes.iter().flatten();
        if let Some(home) = homes.into_iter().find(|home| home.name == name) {
            return Ok(home.root);
        }
        let index = self.homes.iter().position(Option::is_none);
        let index = index.ok_or(Refusal::Full)?;
        let root = self.make(Kind::Directory, index as u8)?;
        self.homes[index] = Some(Home {
            name,
            root,
            pages: 0,
            files: 0,
            most,
        });
        Ok(root)
    }

    /// What is stored in a home.
    pub fn usage(&self, root: Node) -> Usage {
        let (memory_pages, free_pages) = self.pages.count();
        let home = self.homes[usize::from(self.pages.home(root))].as_ref();
        let [pages, files, most] = home.map_or([0; 3], |home| [home.pages, home.files, home.most]);
        Usage {
            pages,
            pages_most: most,
            files,
            files_most: most,
            memory_pages,
            free_pages,
        }
    }

    fn home_of(&mut self, node: Node) -> Result<&mut Home, Refusal> {
        let home = usize::from(self.pages.home(node));
        let home = self.homes.get_mut(home).and_then(Option::as_mut);
        home.ok_or(Refusal::Gone)
    }

    /// A page more for a file.
    pub(crate) fn charge(&mut self, file: Node) -> Result<(), Refusal> {
        let home = self.home_of(file)?;
        if home.pages >= home.most {
            return Err(Refusal::StorageFull);
        }
        home.pages += 1;
        let pages = self.pages.pages_of(file);
        self.pages.set_pages_of(file, pages + 1);
        Ok(())
    }

    /// So many pages less.
    pub(crate) fn uncharge(&mut self, file: Node, pages: u32) {
        if let Ok(home) = self.home_of(file) {
            home.pages -= u64::from(pages);
        }
        let all = self.pages.pages_of(file);
        self.pages.set_pages_of(file, all - pages);
    }

    /// A new node with a new key, nowhere yet.
    fn make(&mut self, kind: Kind, home: u8) -> Result<Node, Refusal> {
        let id = self.next_id;
        let supply = &mut self.pages.supply;
        let key = Key::written_by(|bytes| supply.random(bytes));
        let wrapped = self.keys.wrap(id, &key)?;
        let node = self.pages.take_node(&mut self.free_node)?;
        self.next_id += 1;
        self.pages.set_id(node, id);
        self.pages.set_kind(node, kind);
        self.pages.set_home(node, home);
        self.pages.set_wrapped(node, &wrapped);
        Ok(node)
    }

    fn check_directory(&self, node: Node) -> Result<(), Refusal> {
        match self.pages.kind(node) {
            Some(Kind::Directory) => Ok(()),
            Some(Kind::File) => Err(Refusal::NotADirectory),
            None => Err(Refusal::Gone),
        }
    }

    /// What has a name in a directory.
    ///
    /// # Errors
    /// [`Refusal::BadName`], [`Refusal::NotADirectory`], [`Refusal::Damaged`], [`Refusal::Locked`].
    pub fn find(&mut self, directory: Node, name: &[u8]) -> Result<Option<Node>, Refusal> {
        self.check_directory(directory)?;
        check_name(name)?;
        let hash = self.keys.hash(self.pages.id(directory), name)?;
        let list = self.list_of(&hash);
        let mut next = list.map_or(Node::NONE, |list| self.list_head(list));
        while let Some(node) = next.some() {
            if self.pages.hash(node) == hash && self.pages.parent(node) == directory {
                let cipher = self.cipher(directory)?;
                let mut own = [0; NAME_BYTES];
                let own = self.open_name(&cipher, node, &mut own)?;
                let same = own == name;
                wipe(own);
                return if same {
                    Ok(Some(node))
                } else {
                    Err(Refusal::Damaged)
                };
            }
            next = self.pages.chain(node);
        }
        Ok(None)
    }

    /// The name of a node, with the cipher of its directory.
    fn open_name<'a>(
        &self,
        cipher: &Aes256Gcm,
        node: Node,
        out: &'a mut [u8; NAME_BYTES],
    ) -> Result<&'a mut [u8], Refusal> {
        let sealed = self.pages.name(node);
        let out = &mut out[..sealed.len()];
        out.copy_from_slice(sealed);
        let kept = self.pages.name_seal(node);
        keys::open(cipher, &self.pages.id(node).to_le_bytes(), out, &kept)?;
        Ok(out)
    }

    /// Makes a file or directory.
    ///
    /// # Errors
    /// As [`Self::find`]; [`Refusal::NameExists`], [`Refusal::StorageFull`], [`Refusal::OutOfStorage`].
    pub fn create(&mut self, directory: Node, name: &[u8], kind: Kind) -> Result<Node, Refusal> {
        if self.find(directory, name)?.is_some() {
            return Err(Refusal::NameExists);
        }
        let home = self.home_of(directory)?;
        if home.files >= home.most {
            return Err(Refusal::StorageFull);
        }
        if self.list_count == 0 {
            self.add_list();
        }
        if self.list_count == 0 {
            return Err(Refusal::OutOfStorage);
        }
        let home = self.pages.home(directory);
        let node = self.make(kind, home)?;
        match self.name_it(directory, node, name) {
            Ok(hash) => self.attach(directory, node, &hash),
            Err(refusal) => {
                self.pages.give_back_node(node, &mut self.free_node);
                return Err(refusal);
            }
        }
        self.home_of(directory)?.files += 1;
        Ok(node)
    }

    /// Seals a name of a node in a directory. Its hash.
    fn name_it(
        &mut self,
        directory: Node,
        node: Node,
        name: &[u8],
    ) -> Result<[u8; HASH_BYTES], Refusal> {
        let hash = self.keys.hash(self.pages.id(directory), name)?;
        let mut cipher = self.cipher(directory)?;
        let mut sealed = [0; NAME_BYTES];
        let sealed = &mut sealed[..name.len()];
        sealed.copy_from_slice(name);
        let about = self.pages.id(node).to_le_bytes();
        let kept = keys::seal(&mut cipher, &about, sealed);
        self.pages.set_sealed(directory, cipher.sealed());
        let kept = kept.inspect_err(|_| wipe(sealed))?;
        self.pages.set_name(node, sealed);
        self.pages.set_name_seal(node, &kept);
        Ok(hash)
    }

    /// Puts a node that has its name into a directory, as its last entry.
    fn attach(&mut self, directory: Node, node: Node, hash: &[u8; HASH_BYTES]) {
        let pages = &mut self.pages;
        let order = pages.next_order(directory) + 1;
        pages.set_next_order(directory, order);
        pages.set_order(node, order);
        pages.set_parent(node, directory);
        pages.set_hash(node, hash);
        let last = pages.last(directory);
        pages.set_previous(node, last);
        pages.set_next(node, Node::NONE);
        match last.some() {
            Some(last) => pages.set_next(last, node),
            None => pages.set_first(directory, node),
        }
        pages.set_last(directory, node);
        let size = pages.size(directory);
        pages.set_size(directory, size + 1);
        self.index(node);
    }

    /// Takes a node out of its directory, if it is in one.
    fn detach(&mut self, node: Node) {
        let Some(directory) = self.pages.parent(node).some() else {
            return;
        };
        self.unindex(node);
        let pages = &mut self.pages;
        let (previous, next) = (pages.previous(node), pages.next(node));
        match previous.some() {
            Some(previous) => pages.set_next(previous, next),
            None => pages.set_first(directory, next),
        }
        match next.some() {
            Some(next) => pages.set_previous(next, previous),
            None => pages.set_last(directory, previous),
        }
        let size = pages.size(directory);
        pages.set_size(directory, size - 1);
    }

    /// Removes a file, or a directory that is empty. Its key is gone, in clear and wrapped.
    ///
    /// # Errors
    /// As [`Self::find`]; [`Refusal::DirectoryNotEmpty`], and [`nonos_abi::Error::NotFound`].
    pub fn remove(&mut self, directory: Node, name: &[u8]) -> Result<(), Refusal> {
        let node = self.find(directory, name)?.ok_or(not_found())?;
        if self.pages.kind(node) == Some(Kind::Directory) && self.pages.size(node) != 0 {
            return Err(Refusal::DirectoryNotEmpty);
        }
        self.destroy(node);
        Ok(())
    }

    fn destroy(&mut self, node: Node) {
        self.keys.forget(node);
        if self.pages.kind(node) == Some(Kind::File) {
            self.free_blocks(node, 0);
        }
        self.detach(node);
        if let Ok(home) = self.home_of(node) {
            home.files -= 1;
        }
        self.pages.give_back_node(node, &mut self.free_node);
    }

    /// A new file without a name, which may take the place of another.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn stage(&mut self, file: Node) -> Result<Node, Refusal> {
        self.check_file(file)?;
        let home = self.home_of(file)?;
        if home.files >= home.most {
            return Err(Refusal::StorageFull);
        }
        home.files += 1;
        let home = self.pages.home(file);
        let staged = self.make(Kind::File, home);
        if staged.is_err() {
            self.home_of(file)?.files -= 1;
        }
        staged
    }

    /// Has a file of [`Self::stage`] take the place of a file, under its name.
    ///
    /// # Errors
    /// As [`Self::find`]. All is as it was.
    pub fn replace(&mut self, file: Node, staged: Node) -> Result<(), Refusal> {
        let directory = self.pages.parent(file);
        let cipher = self.cipher(directory)?;
        let mut name = [0; NAME_BYTES];
        let opened = self.open_name(&cipher, file, &mut name);
        let replaced = opened
            .map(|name| name.len())
            .and_then(|length| self.relocate(staged, directory, &name[..length], true));
        wipe(&mut name);
        replaced
    }

    /// Gives up a file of [`Self::stage`].
    pub fn discard(&mut self, staged: Node) {
        self.destroy(staged);
    }

    /// Moves a node into a directory, under a name. A file takes the place of a file, when that is allowed.
    ///
    /// # Errors
    /// As [`Self::find`]; [`Refusal::NameExists`], [`Refusal::IntoItself`], [`Refusal::OtherStorage`]. All is as it was.
    pub fn relocate(
        &mut self,
        node: Node,
        directory: Node,
        name: &[u8],
        may_replace: bool,
    ) -> Result<(), Refusal> {
        let there = self.find(directory, name)?;
        if there == Some(node) {
            return Ok(());
        }
        if self.pages.home(node) != self.pages.home(directory) {
            return Err(Refusal::OtherStorage);
        }
        let mut above = directory;
        while let Some(one) = above.some() {
            if one == node {
                return Err(Refusal::IntoItself);
            }
            above = self.pages.parent(one);
        }
        if let Some(there) = there {
            let files = [node, there].map(|node| self.pages.kind(node)) == [Some(Kind::File); 2];
            if !files || !may_replace {
                return Err(Refusal::NameExists);
            }
        }
        // Nothing below fails: the old name is overwritten only when the new one is sealed.
        let hash = self.name_it(directory, node, name)?;
        if let Some(there) = there {
            self.destroy(there);
        }
        self.detach(node);
        self.attach(directory, node, &hash);
        Ok(())
    }

    /// Lists a directory from after a place on: `see` is told kind, size and name of each entry until it says no. The place of
    /// the last that it took.
    ///
    /// # Errors
    /// [`Refusal::NotADirectory`], [`Refusal::Damaged`], [`Refusal::Locked`].
    pub fn list(
        &mut self,
        directory: Node,
        after: u64,
        hint: &mut Hint,
        see: &mut dyn FnMut(Kind, u64, &[u8]) -> bool,
    ) -> Result<u64, Refusal> {
        self.check_directory(directory)?;
        let cipher = self.cipher(directory)?;
        let mut taken = after;
        let mut next = self.first_after(directory, after, *hint);
        let mut name = [0; NAME_BYTES];
        while let Some(node) = next.some() {
            let name = self.open_name(&cipher, node, &mut name)?;
            let kind = self.pages.kind(node).ok_or(Refusal::Damaged)?;
            let wanted = see(kind, self.pages.size(node), name);
            wipe(name);
            if !wanted {
                break;
            }
            taken = self.pages.order(node);
            *hint = Hint {
                node,
                id: self.pages.id(node),
            };
            next = self.pages.next(node);
        }
        Ok(taken)
    }

    /// The first entry after a place: found at once when the hint is the entry there.
    fn first_after(&self, directory: Node, after: u64, hint: Hint) -> Node {
        if let Some(node) = hint.node.some()
            && self.check(node, hint.id).is_ok()
            && self.pages.parent(node) == directory
            && self.pages.order(node) == after
        {
            return self.pages.next(node);
        }
        let mut next = self.pages.first(directory);
        while let Some(node) = next.some() {
            if self.pages.order(node) > after {
                break;
            }
            next = self.pages.next(node);
        }
        next
    }
}

/// There is nothing of this name.
pub fn not_found() -> Refusal {
    Refusal::Kernel(nonos_abi::Error::NotFound)
}

/// The index.
impl<S: Supply> Volume<S> {
    /// The list for a hash, when there is one.
    fn list_of(&self, hash: &[u8; HASH_BYTES]) -> Option<u32> {
        let number = u32::from_le_bytes(*hash.first_chunk()?);
        let mask = self
            .list_count
            .checked_next_power_of_two()?
            .checked_sub(1)?;
        let list = number & mask;
        (self.list_count != 0).then_some(if list < self.list_count {
            list
        } else {
            list & mask >> 1
        })
    }

    fn list_place(&self, list: u32) -> (PageNumber, usize) {
        let page = self.lists[(list / LISTS_PER_PAGE) as usize];
        (page, (list % LISTS_PER_PAGE) as usize * size_of::<u32>())
    }

    fn list_head(&self, list: u32) -> Node {
        let (page, at) = self.list_place(list);
        self.pages.node_at(page, at)
    }

    fn set_list_head(&mut self, list: u32, node: Node) {
        let (page, at) = self.list_place(list);
        self.pages.set_node_at(page, at, node);
    }

    /// Makes a list more, and moves to it what belongs there. Without memory for it the lists grow longer.
    fn add_list(&mut self) {
        let new = self.list_count;
        let (page, at) = ((new / LISTS_PER_PAGE) as usize, new % LISTS_PER_PAGE);
        if page == LIST_PAGES {
            return;
        }
        if at == 0 {
            let Ok(taken) = self.pages.take_zeroed() else {
                return;
            };
            self.lists[page] = taken;
        }
        self.list_count += 1;
        // The list that was split: the number without its highest bit.
        let Some(bit) = new.checked_ilog2() else {
            return;
        };
        let old = new & !(1 << bit);
        let mut next = self.list_head(old);
        self.set_list_head(old, Node::NONE);
        while let Some(node) = next.some() {
            next = self.pages.chain(node);
            self.put(node);
        }
    }

    /// Puts a node into its list.
    fn put(&mut self, node: Node) {
        if let Some(list) = self.list_of(&self.pages.hash(node)) {
            let head = self.list_head(list);
            self.pages.set_chain(node, head);
            self.set_list_head(list, node);
        }
    }

    fn index(&mut self, node: Node) {
        self.listed += 1;
        if self.listed > self.list_count {
            self.add_list();
        }
        self.put(node);
    }

    fn unindex(&mut self, node: Node) {
        let Some(list) = self.list_of(&self.pages.hash(node)) else {
            return;
        };
        let after = self.pages.chain(node);
        let mut next = self.list_head(list);
        if next == node {
            self.set_list_head(list, after);
        }
        while let Some(other) = next.some() {
            next = self.pages.chain(other);
            if next == node {
                self.pages.set_chain(other, after);
                break;
            }
        }
        self.listed -= 1;
    }
}

#[cfg(test)]
impl<S: Supply> Volume<S> {
    /// Length of the longest list of the index.
    pub(crate) fn longest_list(&self) -> usize {
        let length = |list| {
            let first = self.list_head(list).some();
            core::iter::successors(first, |&node| self.pages.chain(node).some()).count()
        };
        (0..self.list_count).map(length).max().unwrap_or(0)
    }
}
