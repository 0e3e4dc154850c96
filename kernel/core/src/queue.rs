//! Queues: doubly linked lists through the entries of an arena, so that adding and removing takes no memory and no search.
//!
//! Which list an entry is on follows from its state; a chain says which of its links a list uses. An entry is on at
//! most one list of each chain.
//!
//! The link of the first entry to the one before it and the tail of an empty list mean nothing: so taking the first entry
//! touches no other.

use crate::arena::{Arena, Empty, Id, ThreadId};
use crate::thread::Thread;

/// Neighbours in a [`List`]. The first entry has no `previous`, whatever stands there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Links<I> {
    pub previous: Option<I>,
    pub next: Option<I>,
}

impl<I> Links<I> {
    /// Of an entry that is on no list, or alone.
    pub const NONE: Self = Self {
        previous: None,
        next: None,
    };
}

/// Which links of which objects a list uses.
pub(crate) trait Chain {
    /// Index of an object.
    type Id: Id + 'static;
    /// The object.
    type Item: Empty + 'static;
    /// Its links.
    fn links(item: &mut Self::Item) -> &mut Links<Self::Id>;
    /// The object after it.
    fn next(item: &Self::Item) -> Option<Self::Id>;
}

type Items<C> = Arena<<C as Chain>::Id, <C as Chain>::Item>;

/// A list of objects.
pub(crate) struct List<C: Chain> {
    /// The first.
    pub head: Option<C::Id>,
    tail: Option<C::Id>,
}

impl<C: Chain> Clone for List<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C: Chain> Copy for List<C> {}

impl<C: Chain> List<C> {
    /// Without objects.
    pub const EMPTY: Self = Self {
        head: None,
        tail: None,
    };

    /// Adds an object that is on no list at the end.
    #[inline]
    pub fn push_back(&mut self, items: &mut Items<C>, id: C::Id) {
        let (previous, last) = self.end_with(Some(id));
        *C::links(&mut items[id]) = Links {
            previous,
            next: None,
        };
        if let Some(last) = last {
            C::links(&mut items[last]).next = Some(id);
        }
    }

    /// Notes an object at the end. Returns its link to the one before it, and, if there is one, that object, whose link leads to
    /// it from now on.
    #[inline(always)]
    pub fn end_with(&mut self, id: Option<C::Id>) -> (Option<C::Id>, Option<C::Id>) {
        let previous = core::mem::replace(&mut self.tail, id);
        if self.head.is_some() {
            return (previous, previous);
        }
        self.head = id;
        (previous, None)
    }

    /// Adds an object that is on no list at the front.
    pub fn push_front(&mut self, items: &mut Items<C>, id: C::Id) {
        self.insert_before(items, id, self.head);
    }

    /// Adds an object that is on no list before another, or at the end.
    pub fn insert_before(&mut self, items: &mut Items<C>, id: C::Id, next: Option<C::Id>) {
        let Some(next) = next else {
            return self.push_back(items, id);
        };
        let is_first = self.head == Some(next);
        let previous = C::links(&mut items[next]).previous.replace(id);
        let previous = previous.filter(|_| !is_first);
        *C::links(&mut items[id]) = Links {
            previous,
            next: Some(next),
        };
        match previous {
            Some(previous) => C::links(&mut items[previous]).next = Some(id),
            None => self.head = Some(id),
        }
    }

    /// Adds an object that is on no list before the first that comes later, on a list that is sorted.
    pub fn insert_sorted(
        &mut self,
        items: &mut Items<C>,
        id: C::Id,
        is_later: impl Fn(&C::Item) -> bool,
    ) {
        let later = self.iter(items).find(|&other| is_later(&items[other]));
        self.insert_before(items, id, later);
    }

    /// Takes out an object that is on this list.
    pub fn remove(&mut self, items: &mut Items<C>, id: C::Id) {
        if self.head == Some(id) {
            return self.remove_first(&mut items[id]);
        }
        let links = core::mem::replace(C::links(&mut items[id]), Links::NONE);
        if let Some(previous) = links.previous {
            C::links(&mut items[previous]).next = links.next;
        }
        match links.next {
            Some(next) => C::links(&mut items[next]).previous = links.previous,
            None => self.tail = links.previous,
        }
    }

    /// Takes out the first object, which is this.
    #[inline(always)]
    pub fn remove_first(&mut self, first: &mut C::Item) {
        self.head = core::mem::replace(C::links(first), Links::NONE).next;
    }

    /// Takes out the first object.
    #[inline]
    pub fn pop_front(&mut self, items: &mut Items<C>) -> Option<C::Id> {
        let id = self.head?;
        self.remove_first(&mut items[id]);
        Some(id)
    }

    /// The objects, first to last.
    pub fn iter(self, items: &Items<C>) -> impl Iterator<Item = C::Id> {
        core::iter::successors(self.head, |&id| C::next(&items[id]))
    }
}

#[cfg(any(test, feature = "testing"))]
impl<C: Chain> List<C> {
    /// Whether this is the last object.
    pub fn ends_with(self, id: Option<C::Id>) -> bool {
        self.head.and(self.tail) == id
    }
}

/// Threads by what they do: ready, or waiting for something.
pub(crate) struct ByState;

impl Chain for ByState {
    type Id = ThreadId;
    type Item = Thread;

    fn links(thread: &mut Thread) -> &mut Links<ThreadId> {
        &mut thread.links
    }

    fn next(thread: &Thread) -> Option<ThreadId> {
        thread.links.next
    }
}

/// Threads by when they are to be woken.
pub(crate) struct ByDeadline;

impl Chain for ByDeadline {
    type Id = ThreadId;
    type Item = Thread;

    fn links(thread: &mut Thread) -> &mut Links<ThreadId> {
        &mut thread.timeout_links
    }

    fn next(thread: &Thread) -> Option<ThreadId> {
        thread.timeout_links.next
    }
}

/// Threads by process.
pub(crate) struct OfProcess;

impl Chain for OfProcess {
    type Id = ThreadId;
    type Item = Thread;

    fn links(thread: &mut Thread) -> &mut Links<ThreadId> {
        &mut thread.siblings
    }

    fn next(thread: &Thread) -> Option<ThreadId> {
        thread.siblings.next
    }
}

/// The threads of a process, the first one first.
pub(crate) type ThreadList = List<OfProcess>;

/// Threads that are ready, or wait for the same.
pub(crate) type Queue = List<ByState>;

/// Threads that are woken at a time, the earliest first.
pub(crate) type Timeouts = List<ByDeadline>;
