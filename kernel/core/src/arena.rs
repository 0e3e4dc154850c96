//! Typed arenas: where kernel objects live.
//!
//! The kernel has no heap. Each kind of object has one arena, a slice whose size is fixed at boot, and is named
//! by a typed index that cannot be used with another arena. An entry counts its references (handles, mappings,
//! bindings, charges) and remembers which process pays for it.
//!
//! Invariants: an entry is either on the free list, with no references, or in use; the free list visits every
//! free entry once; `used` is the number of entries that are not on it. The list is one of distances, so that entries
//! filled with zeros are a list of them all: no arena needs a loop to make it.

use core::marker::PhantomData;
use core::num::NonZeroU16;
use core::ops::{Index, IndexMut};

use crate::speculation::{index_opaque, narrow};

/// A value for entries that are not in use. Arenas are filled with it before the kernel starts.
pub trait Empty {
    /// The value. No constant: code that sets the few fields that are not zero is smaller than values of hundreds of bytes to copy.
    fn unused() -> Self;
}

/// The typed index of an object in its arena.
pub trait Id: Copy + Eq {
    /// The index of the entry at this position.
    fn at(position: usize) -> Option<Self>;
    /// Position of the entry in the arena.
    fn position(self) -> usize;
    /// The same, and past the end of every arena for none.
    fn position_or_none(id: Option<Self>) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)+) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(transparent)]
        pub struct $name(NonZeroU16);

        impl Id for $name {
            fn at(position: usize) -> Option<Self> {
                NonZeroU16::new(u16::try_from(position).ok()?.checked_add(1)?).map(Self)
            }

            fn position(self) -> usize {
                usize::from(self.0.get()).wrapping_sub(1)
            }

            #[inline(always)]
            fn position_or_none(id: Option<Self>) -> usize {
                usize::from(id.map_or(0, |id| id.0.get())).wrapping_sub(1)
            }
        }
    )+ };
}

ids! {
    /// A process.
    ProcessId,
    /// A thread.
    ThreadId,
    /// A memory object.
    MemoryId,
    /// An endpoint.
    EndpointId,
    /// A notification.
    NotificationId,
    /// An interrupt line.
    InterruptId,
    /// A module of the system image.
    ModuleId,
    /// A timer.
    TimerId,
    /// A request to be told when a process ends.
    WatchId,
}

/// One place in an arena.
pub struct Entry<T> {
    pub(crate) value: T,
    pub(crate) references: u32,
    pub(crate) payer: Option<ProcessId>,
    pub(crate) in_use: bool,
    /// From the entry after this one to the next free one, modulo 2^16. There is none when that is past the end.
    next_free: u16,
}

impl<T: Empty> Empty for Entry<T> {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            value: T::unused(),
            references: 0,
            payer: None,
            in_use: false,
            next_free: 0,
        }
    }
}

/// The position after this one.
fn after(position: u16) -> u16 {
    position.wrapping_add(1)
}

/// Position of an object that a [`View`] has found.
pub(crate) struct Place<I> {
    position: usize,
    ids: PhantomData<I>,
}

impl<I> Clone for Place<I> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<I> Copy for Place<I> {}

impl<I> Place<I> {
    /// The position.
    #[inline(always)]
    pub fn position(self) -> usize {
        self.position
    }
}

/// The entries of an arena while it neither grows nor moves, so that the compiler checks an index that is used several times once.
pub(crate) struct View<'a, I, T: 'static> {
    entries: &'a mut [Entry<T>],
    ids: PhantomData<I>,
}

/// All objects of one kind.
pub(crate) struct Arena<I, T: 'static> {
    entries: &'static mut [Entry<T>],
    /// Position of the first free entry; past the end for none.
    first_free: u16,
    used: usize,
    ids: PhantomData<I>,
}

impl<I: Id, T: Empty> Arena<I, T> {
    /// An arena with every entry free, as [`Empty::unused`] makes them; the first to be given out is the lowest.
    pub fn new(entries: &'static mut [Entry<T>]) -> Self {
        assert!(entries.len() < usize::from(u16::MAX), "too many objects");
        Self {
            entries,
            first_free: 0,
            used: 0,
            ids: PhantomData,
        }
    }

    /// Takes a free entry for `value` with one reference; `None` when there is none.
    pub fn insert(&mut self, value: T, payer: Option<ProcessId>) -> Option<I> {
        let position = self.first_free;
        let id = I::at(position.into())?;
        let entry = self.entries.get_mut(usize::from(position))?;
        self.first_free = after(position).wrapping_add(entry.next_free);
        *entry = Entry {
            value,
            references: 1,
            payer,
            in_use: true,
            next_free: 0,
        };
        self.used += 1;
        Some(id)
    }

    /// Frees an entry. The caller has seen to everything that the value referred to.
    pub fn remove(&mut self, id: I) {
        let position = id.position();
        self.entries[position] = Entry {
            next_free: self.first_free.wrapping_sub(after(position as u16)),
            ..Entry::unused()
        };
        self.first_free = position as u16;
        self.used -= 1;
    }

    /// Adds a reference.
    pub fn retain(&mut self, id: I) {
        self.entries[id.position()].references += 1;
    }

    /// Drops a reference and says how many are left.
    pub fn release(&mut self, id: I) -> u32 {
        let entry = &mut self.entries[id.position()];
        entry.references -= 1;
        entry.references
    }

    /// Two different objects, to change both.
    ///
    /// # Panics
    /// When they are the same.
    #[inline(always)]
    pub fn pair_mut(&mut self, one: I, other: I) -> [&mut T; 2] {
        let (one, other) = (one.position(), other.position());
        if one < other {
            let (low, high) = self.entries.split_at_mut(other);
            [&mut low[one].value, &mut high[0].value]
        } else {
            let (low, high) = self.entries.split_at_mut(one);
            [&mut high[0].value, &mut low[other].value]
        }
    }

    /// The entries.
    #[inline(always)]
    pub fn view(&mut self) -> View<'_, I, T> {
        View {
            entries: self.entries,
            ids: PhantomData,
        }
    }

    /// References to an object.
    pub fn references(&self, id: I) -> u32 {
        self.entries[id.position()].references
    }

    /// The process that an object is charged to.
    pub fn payer(&self, id: I) -> Option<ProcessId> {
        self.entries[id.position()].payer
    }

    /// The index of a position that is in use. User space may have chosen the position.
    pub fn id_at(&self, position: usize) -> Option<I> {
        let masked = index_opaque(narrow(position as u64), self.entries.len());
        let entry = self.entries.get(masked)?;
        (entry.in_use && masked == position).then(|| I::at(masked))?
    }

    /// The objects that exist.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        let entries = self
            .entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| entry.in_use);
        entries.filter_map(|(position, entry)| Some((I::at(position)?, &entry.value)))
    }

    /// The objects that exist, to change them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        let entries = self.entries.iter_mut().filter(|entry| entry.in_use);
        entries.map(|entry| &mut entry.value)
    }

    /// Number of objects that exist.
    pub fn used(&self) -> usize {
        self.used
    }

    /// Number of objects that can exist.
    pub fn capacity(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(any(test, feature = "testing"))]
impl<I: Id, T: Empty> Arena<I, T> {
    /// Takes the entries, to use their memory again.
    pub fn take(&mut self) -> &'static mut [Entry<T>] {
        core::mem::take(&mut self.entries)
    }

    /// Checks the free list.
    pub fn check(&self, name: &str) -> Result<(), std::string::String> {
        let mut free = 0;
        let mut next = self.first_free;
        while let Some(entry) = self.entries.get(usize::from(next)) {
            if entry.in_use || entry.references > 0 || free > self.entries.len() {
                return Err(std::format!(
                    "{name}: entry {next} is wrong on the free list"
                ));
            }
            free += 1;
            next = after(next).wrapping_add(entry.next_free);
        }
        let used = self.entries.iter().filter(|entry| entry.in_use).count();
        if used != self.used || used + free != self.entries.len() {
            return Err(std::format!("{name}: {used} used, {free} free"));
        }
        Ok(())
    }
}

impl<I: Id, T> Index<I> for Arena<I, T> {
    type Output = T;

    fn index(&self, id: I) -> &T {
        &self.entries[id.position()].value
    }
}

impl<I: Id, T> IndexMut<I> for Arena<I, T> {
    fn index_mut(&mut self, id: I) -> &mut T {
        &mut self.entries[id.position()].value
    }
}

impl<'a, I: Id, T> View<'a, I, T> {
    /// Where an object is, if there is one: one comparison.
    #[inline(always)]
    pub fn find(&self, id: Option<I>) -> Option<Place<I>> {
        let position = I::position_or_none(id);
        (position < self.entries.len()).then_some(Place {
            position,
            ids: PhantomData,
        })
    }

    /// An object, if there is one, for as long as the arena can be changed.
    #[inline(always)]
    pub fn find_mut(self, id: I) -> Option<&'a mut T> {
        Some(&mut self.entries.get_mut(id.position())?.value)
    }

    /// References to an object.
    #[inline(always)]
    pub fn references(&mut self, place: Place<I>) -> &mut u32 {
        &mut self.entries[place.position].references
    }

    /// The object, for as long as the arena can be changed.
    #[inline(always)]
    pub fn into_mut(self, place: Place<I>) -> &'a mut T {
        &mut self.entries[place.position].value
    }
}

impl<I: Id, T> Index<Place<I>> for View<'_, I, T> {
    type Output = T;

    #[inline(always)]
    fn index(&self, place: Place<I>) -> &T {
        &self.entries[place.position].value
    }
}

impl<I: Id, T> IndexMut<Place<I>> for View<'_, I, T> {
    #[inline(always)]
    fn index_mut(&mut self, place: Place<I>) -> &mut T {
        &mut self.entries[place.position].value
    }
}
