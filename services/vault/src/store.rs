//! The keys, each only as it is at rest: what is in here is no secret as long as the root is none.

use nonos_abi::Name;
use nonos_crypto::{CryptoRng, Secret};
use nonos_proto::Refusal;
use nonos_proto::vault::{BLOB_BYTES, KeyInfo, uses};
use zeroize::Zeroize;

use crate::badge::KeyBadge;
use crate::blob::{Attributes, SEED_BYTES, Wrapped};
use crate::hierarchy::Root;
use crate::key::Key;

/// Most keys.
pub const MOST: usize = 64;
/// Most keys of one module.
pub const MOST_OF_MODULE: usize = 16;
/// Most versions of a key.
pub const MOST_VERSIONS: usize = 4;
/// Messages that one version encrypts, at most: nonces are random (SP 800-38D, 8.3).
const MOST_MESSAGES: u64 = 1 << 32;

struct Version {
    number: u32,
    wrapped: Wrapped,
    /// Messages encrypted so far.
    messages: u64,
}

/// A key with its versions. The present one is the one with the highest number.
pub struct Entry {
    attributes: Attributes,
    versions: [Option<Version>; MOST_VERSIONS],
    present: u32,
    /// When the present version was made or taken back, nanoseconds.
    pub since_ns: u64,
}

struct Place {
    generation: u32,
    entry: Option<Entry>,
}

/// All keys.
pub struct Store([Place; MOST]);

impl Store {
    /// None.
    pub const fn new() -> Self {
        const EMPTY: Place = Place {
            generation: 1,
            entry: None,
        };
        Self([EMPTY; MOST])
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.iter().filter(|place| place.entry.is_some()).count()
    }

    /// The keys of a module.
    fn of(&self, owner: Name) -> impl Iterator<Item = (usize, &Entry)> {
        let entries = self.0.iter().enumerate();
        entries
            .filter_map(|(index, place)| Some((index, place.entry.as_ref()?)))
            .filter(move |(_, entry)| entry.attributes.owner == owner)
    }

    /// The handle of a key's owner.
    pub fn find(&self, owner: Name, name: Name) -> Result<KeyBadge, Refusal> {
        self.of(owner)
            .find(|(_, entry)| entry.attributes.name == name)
            .map(|(index, entry)| self.badge(index, entry.attributes.uses))
            .ok_or(Refusal::NoSuchKey)
    }

    fn badge(&self, index: usize, uses: u64) -> KeyBadge {
        KeyBadge {
            place: index as u8,
            generation: self.0[index].generation,
            uses,
        }
    }

    /// Key `index` of a module.
    pub fn list(&self, owner: Name, index: u64) -> Result<KeyInfo, Refusal> {
        let index = usize::try_from(index).map_err(|_| Refusal::NoSuchKey)?;
        let (_, entry) = self.of(owner).nth(index).ok_or(Refusal::NoSuchKey)?;
        Ok(entry.info(uses::ALL))
    }

    /// Key `index` of all modules, and the handle that allows all its uses.
    pub fn nth(&self, index: u64) -> Result<(KeyBadge, &Entry), Refusal> {
        let index = usize::try_from(index).map_err(|_| Refusal::NoSuchKey)?;
        let places = self.0.iter().enumerate();
        let mut entries = places.filter_map(|(at, place)| Some((at, place.entry.as_ref()?)));
        let (at, entry) = entries.nth(index).ok_or(Refusal::NoSuchKey)?;
        Ok((self.badge(at, entry.attributes.uses), entry))
    }

    /// Whether a module can have another key, of this name.
    ///
    /// # Errors
    /// [`Refusal::NameExists`], [`Refusal::Full`].
    pub fn check_new(&self, owner: Name, name: Name) -> Result<(), Refusal> {
        if self.find(owner, name).is_ok() {
            return Err(Refusal::NameExists);
        }
        let full = self.count() == MOST || self.of(owner).count() >= MOST_OF_MODULE;
        if full { Err(Refusal::Full) } else { Ok(()) }
    }

    /// Adds a key, which was made or taken back now (nanoseconds).
    ///
    /// # Errors
    /// Those of [`Self::check_new`].
    pub fn add(
        &mut self,
        attributes: Attributes,
        version: u32,
        wrapped: Wrapped,
        since_ns: u64,
    ) -> Result<KeyBadge, Refusal> {
        self.check_new(attributes.owner, attributes.name)?;
        let free = self.0.iter().position(|place| place.entry.is_none());
        let index = free.ok_or(Refusal::Full)?;
        let mut versions = [const { None }; MOST_VERSIONS];
        versions[0] = Some(Version {
            number: version,
            wrapped,
            messages: 0,
        });
        self.0[index].entry = Some(Entry {
            attributes,
            versions,
            present: version,
            since_ns,
        });
        Ok(self.badge(index, attributes.uses))
    }

    /// The key of a handle.
    ///
    /// # Errors
    /// [`Refusal::Gone`] when it was destroyed.
    pub fn get(&mut self, badge: KeyBadge) -> Result<&mut Entry, Refusal> {
        self.0
            .get_mut(usize::from(badge.place))
            .filter(|place| place.generation == badge.generation)
            .and_then(|place| place.entry.as_mut())
            .ok_or(Refusal::Gone)
    }

    /// Destroys a key. Its place has another generation from now on.
    ///
    /// # Errors
    /// [`Refusal::Gone`].
    pub fn destroy(&mut self, badge: KeyBadge) -> Result<(), Refusal> {
        self.get(badge)?;
        self.0[usize::from(badge.place)].empty();
        Ok(())
    }

    /// Destroys all keys; the places that had one, a bit each.
    pub fn clear(&mut self) -> u64 {
        let mut had = 0;
        for (index, place) in self.0.iter_mut().enumerate() {
            if place.entry.is_some() {
                had |= 1 << index;
                place.empty();
            }
        }
        had
    }
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    fn empty(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if let Some(entry) = &mut self.entry {
            entry.versions.iter_mut().for_each(wipe);
        }
        self.entry = None;
    }
}

fn wipe(version: &mut Option<Version>) {
    if let Some(version) = version {
        version.wrapped.zeroize();
    }
    *version = None;
}

impl Entry {
    /// What the key is, for who may use it so.
    pub fn info(&self, allowed: u64) -> KeyInfo {
        KeyInfo {
            name: self.attributes.name,
            kind: self.attributes.kind as u64,
            uses: self.attributes.uses & allowed,
            version: self.present.into(),
            versions: self.versions.iter().flatten().count() as u64,
        }
    }

    /// The module that owns it.
    pub fn owner(&self) -> Name {
        self.attributes.owner
    }

    /// The most that a handle to it allows.
    pub fn uses(&self) -> u64 {
        self.attributes.uses
    }

    fn version(&mut self, number: u64) -> Result<&mut Version, Refusal> {
        let number = match number {
            0 => self.present.into(),
            number => number,
        };
        self.versions
            .iter_mut()
            .flatten()
            .find(|version| u64::from(version.number) == number)
            .ok_or(Refusal::NoSuchVersion)
    }

    /// The key of a version (0: the present one), to use it.
    ///
    /// # Errors
    /// [`Refusal::NoSuchVersion`].
    pub fn open(&mut self, number: u64, root: &Root) -> Result<Key, Refusal> {
        let attributes = self.attributes;
        let version = self.version(number)?;
        let key = root.wrapping_key();
        let seed = version.wrapped.open(&attributes, version.number, key)?;
        Ok(Key::new(attributes.kind, seed))
    }

    /// The key of the present version, to encrypt with, and its number.
    ///
    /// # Errors
    /// [`Refusal::KeyUsedUp`].
    pub fn open_to_encrypt(&mut self, root: &Root) -> Result<(Key, u32), Refusal> {
        let version = self.version(0)?;
        if version.messages == MOST_MESSAGES {
            return Err(Refusal::KeyUsedUp);
        }
        version.messages += 1;
        Ok((self.open(0, root)?, self.present))
    }

    /// The versions that exist, from the present one back.
    pub fn numbers(&self) -> impl Iterator<Item = u64> + use<> {
        let mut numbers = [0; MOST_VERSIONS];
        for (slot, version) in numbers.iter_mut().zip(self.versions.iter().flatten()) {
            *slot = version.number.into();
        }
        numbers.sort_unstable_by(|a: &u64, b| b.cmp(a));
        numbers.into_iter().filter(|&number| number != 0)
    }

    /// The key of a version at rest.
    ///
    /// # Errors
    /// [`Refusal::NoSuchVersion`].
    pub fn blob(&mut self, number: u64) -> Result<[u8; BLOB_BYTES], Refusal> {
        let attributes = self.attributes;
        let version = self.version(number)?;
        Ok(version.wrapped.to_blob(&attributes, version.number))
    }

    /// Makes a new version, which is the present one from now on: its number.
    ///
    /// # Errors
    /// [`Refusal::Full`] when there are as many as can be.
    pub fn rotate(&mut self, root: &Root, random: &mut dyn CryptoRng) -> Result<u64, Refusal> {
        let free = self.versions.iter().position(Option::is_none);
        let free = free.ok_or(Refusal::Full)?;
        let number = self.present.checked_add(1).ok_or(Refusal::Full)?;
        let seed = Secret::<SEED_BYTES>::random(random);
        let key = root.wrapping_key();
        self.versions[free] = Some(Version {
            number,
            wrapped: Wrapped::new(&seed, &self.attributes, number, key, random)?,
            messages: 0,
        });
        self.present = number;
        Ok(number.into())
    }

    /// Destroys a version.
    ///
    /// # Errors
    /// [`Refusal::NoSuchVersion`]; [`Refusal::InUse`] for the present one.
    pub fn retire(&mut self, number: u64) -> Result<(), Refusal> {
        if number == 0 || number == u64::from(self.present) {
            return Err(Refusal::InUse);
        }
        let is_it = |version: &Option<Version>| {
            version
                .as_ref()
                .is_some_and(|version| u64::from(version.number) == number)
        };
        let index = self.versions.iter().position(is_it);
        wipe(&mut self.versions[index.ok_or(Refusal::NoSuchVersion)?]);
        Ok(())
    }
}
