//! Keys: the file system's, which is there while it is unlocked, and those of nodes, in clear while somebody has them open.
//!
//! The root key comes from outside and may come again after a lock or in a later process. So what wraps and hashes is derived
//! from it and from a salt of this process: no two file systems share a key.

use nonos_crypto::aead::{Aes256Gcm, NONCE_BYTES, Sealed, TAG_BYTES, nonce};
use nonos_crypto::{Error, Secret, hash, secret};
use nonos_proto::Refusal;

use crate::node::{HASH_BYTES, Node, WRAPPED_BYTES};

/// A key.
pub type Key = Secret<32>;

/// Most nodes that are open at a time.
const OPEN_MOST: usize = 128;

/// What is kept to open a message: its number and its tag.
pub const SEAL_BYTES: usize = 8 + TAG_BYTES;

/// What an error of the library means here.
pub fn refusal(error: Error) -> Refusal {
    match error {
        Error::NotAuthentic => Refusal::Damaged,
        // The key has sealed as many messages as it may.
        _ => Refusal::Full,
    }
}

/// Seals a message in place.
///
/// # Errors
/// [`Refusal::Full`] when the key is used up; the message is as it was.
pub fn seal(
    cipher: &mut Aes256Gcm,
    about: &[u8],
    message: &mut [u8],
) -> Result<[u8; SEAL_BYTES], Refusal> {
    let number = cipher.sealed();
    let sealed = cipher.seal(about, message).map_err(refusal)?;
    let mut kept = [0; SEAL_BYTES];
    kept[..8].copy_from_slice(&number.to_le_bytes());
    kept[8..].copy_from_slice(&sealed.tag);
    Ok(kept)
}

/// Opens a message in place.
///
/// # Errors
/// [`Refusal::Damaged`] when it is not authentic; it is as it was.
pub fn open(
    cipher: &Aes256Gcm,
    about: &[u8],
    message: &mut [u8],
    kept: &[u8; SEAL_BYTES],
) -> Result<(), Refusal> {
    let (number, tag) = kept.split_first_chunk().ok_or(Refusal::Damaged)?;
    let sealed = Sealed {
        nonce: nonce(&[0; NONCE_BYTES], u64::from_le_bytes(*number)),
        tag: tag.try_into().map_err(|_| Refusal::Damaged)?,
    };
    cipher.open(&sealed, about, message).map_err(refusal)
}

/// The same key once more.
fn again(key: &Key) -> Key {
    Key::written_by(|bytes| bytes.copy_from_slice(key.expose()))
}

/// What is there while the file system is unlocked.
struct Unlocked {
    /// Wraps the keys of nodes.
    wrapping: Key,
    /// Hashes names.
    index: Key,
}

/// A node that somebody has open.
struct Open {
    node: Node,
    holders: u32,
    /// Its key, unless the file system was locked since.
    key: Option<Key>,
}

/// All keys.
pub struct Keys {
    salt: [u8; 32],
    /// What the root key hashes to, once there was one.
    check: Option<[u8; 32]>,
    unlocked: Option<Unlocked>,
    /// Messages that the wrapping key has sealed.
    wrapped: u64,
    open: [Option<Open>; OPEN_MOST],
}

impl Keys {
    /// No keys yet. The salt is random.
    pub fn new(salt: [u8; 32]) -> Self {
        Self {
            salt,
            check: None,
            unlocked: None,
            wrapped: 0,
            open: [const { None }; OPEN_MOST],
        }
    }

    /// A key for a purpose.
    fn derive(&self, root: &Key, purpose: [u8; 16]) -> [u8; 32] {
        let mut context = [0; 48];
        context[..16].copy_from_slice(&purpose);
        context[16..].copy_from_slice(&self.salt);
        hash::blake3_keyed(root, &context)
    }

    /// Gives the root key: the first time any, later the same.
    ///
    /// # Errors
    /// [`Refusal::Locked`] when it is another.
    pub fn unlock(&mut self, root: &Key) -> Result<(), Refusal> {
        let check = self.derive(root, *b"nonos ramfs test");
        if !secret::equal(self.check.get_or_insert(check), &check) {
            return Err(Refusal::Locked);
        }
        let key = |purpose| Key::taken_from(&mut self.derive(root, purpose));
        self.unlocked = Some(Unlocked {
            wrapping: key(*b"nonos ramfs wrap"),
            index: key(*b"nonos ramfs name"),
        });
        Ok(())
    }

    /// Wipes all keys.
    pub fn lock(&mut self) {
        self.unlocked = None;
        for open in self.open.iter_mut().flatten() {
            open.key = None;
        }
    }

    fn unlocked(&self) -> Result<&Unlocked, Refusal> {
        self.unlocked.as_ref().ok_or(Refusal::Locked)
    }

    /// The hash of a name in a directory.
    ///
    /// # Errors
    /// [`Refusal::Locked`].
    pub fn hash(&self, directory: u64, name: &[u8]) -> Result<[u8; HASH_BYTES], Refusal> {
        let index = &self.unlocked()?.index;
        let mut named = [0; 8 + crate::node::NAME_BYTES];
        named[..8].copy_from_slice(&directory.to_le_bytes());
        let end = 8 + name.len();
        named
            .get_mut(8..end)
            .ok_or(Refusal::BadName)?
            .copy_from_slice(name);
        let hash = hash::blake3_keyed(index, &named[..end]);
        crate::blocks::wipe(&mut named);
        hash.first_chunk().copied().ok_or(Refusal::BadName)
    }

    /// Wraps the key of a node.
    ///
    /// # Errors
    /// [`Refusal::Locked`], [`Refusal::Full`].
    pub fn wrap(&mut self, id: u64, key: &Key) -> Result<[u8; WRAPPED_BYTES], Refusal> {
        let mut cipher = Aes256Gcm::resumed(again(&self.unlocked()?.wrapping), self.wrapped);
        let mut wrapped = [0; WRAPPED_BYTES];
        wrapped[..32].copy_from_slice(key.expose());
        let sealed = seal(&mut cipher, &id.to_le_bytes(), &mut wrapped[..32]);
        self.wrapped = cipher.sealed();
        let sealed = sealed.inspect_err(|_| crate::blocks::wipe(&mut wrapped))?;
        wrapped[32..].copy_from_slice(&sealed);
        Ok(wrapped)
    }

    /// The key of a node.
    fn unwrap(&self, id: u64, wrapped: &[u8; WRAPPED_BYTES]) -> Result<Key, Refusal> {
        let cipher = Aes256Gcm::resumed(again(&self.unlocked()?.wrapping), self.wrapped);
        let (sealed, kept) = wrapped.split_first_chunk().ok_or(Refusal::Damaged)?;
        let kept = kept.try_into().map_err(|_| Refusal::Damaged)?;
        let mut key: [u8; 32] = *sealed;
        open(&cipher, &id.to_le_bytes(), &mut key, kept)?;
        Ok(Key::taken_from(&mut key))
    }

    /// The cipher of a node, which goes on after so many messages.
    ///
    /// # Errors
    /// [`Refusal::Locked`], [`Refusal::Damaged`].
    pub fn cipher(
        &mut self,
        node: Node,
        id: u64,
        wrapped: &[u8; WRAPPED_BYTES],
        sealed: u64,
    ) -> Result<Aes256Gcm, Refusal> {
        self.unlocked()?;
        let place = self.place(node);
        let key = match place.and_then(|place| self.open[place].as_ref()?.key.as_ref()) {
            Some(key) => again(key),
            None => {
                let key = self.unwrap(id, wrapped)?;
                if let Some(open) = place.and_then(|place| self.open[place].as_mut()) {
                    open.key = Some(again(&key));
                }
                key
            }
        };
        Ok(Aes256Gcm::resumed(key, sealed))
    }

    fn place(&self, node: Node) -> Option<usize> {
        let is_it = |open: &Option<Open>| open.as_ref().is_some_and(|open| open.node == node);
        self.open.iter().position(is_it)
    }

    /// Somebody opens a node.
    ///
    /// # Errors
    /// [`Refusal::Full`].
    pub fn hold(&mut self, node: Node) -> Result<(), Refusal> {
        let place = self.place(node);
        let place = place.or_else(|| self.open.iter().position(Option::is_none));
        let open = &mut self.open[place.ok_or(Refusal::Full)?];
        let new = || Open {
            node,
            holders: 0,
            key: None,
        };
        open.get_or_insert_with(new).holders += 1;
        Ok(())
    }

    /// Somebody closes a node: the last wipes its key.
    pub fn release(&mut self, node: Node) {
        if let Some(place) = self.place(node)
            && let Some(open) = &mut self.open[place]
        {
            open.holders -= 1;
            if open.holders == 0 {
                self.open[place] = None;
            }
        }
    }

    /// The node is no more: wipes its key, whoever has it open.
    pub fn forget(&mut self, node: Node) {
        if let Some(place) = self.place(node) {
            self.open[place] = None;
        }
    }

    /// How many keys of nodes lie there in clear.
    pub fn in_clear(&self) -> usize {
        let open = self.open.iter().flatten();
        open.filter(|open| open.key.is_some()).count()
    }
}
