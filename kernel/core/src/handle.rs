//! Handle tables: the only way from a process to an object.
//!
//! Each process has a fixed run of slots. Slot 0 is never filled. The last [`REPLY_SLOTS`] slots hold reply
//! handles only; all others hold anything but reply handles. A slot that is closed gets the next generation, so a
//! stale handle never matches; an ordinary slot that reached the last generation is retired. Reply slots, which
//! are filled at every call, start again from generation 0 instead: a stale reply handle could at worst
//! match, a million calls later, a newer reply handle of the same process.
//!
//! Checks at every use, in this order: the handle exists, its kind, not revoked, not expired, its rights. (Nothing can be
//! revoked or expire yet; [`Slot`] has no lineage node to look at.)

use nonos_abi::{Error, Handle, ObjectKind, Rights};

use crate::arena::Empty;
use crate::object::Object;

/// Slots at the end of each table that hold reply handles: the most calls a process can have received and not answered.
pub const REPLY_SLOTS: usize = 32;

/// One slot of a handle table.
#[derive(Clone, Copy)]
pub struct Slot {
    badge: u64,
    generation: u32,
    next_free: u16,
    rights: Rights,
    object: Option<Object>,
}

impl Empty for Slot {
    const EMPTY: Self = Self {
        badge: 0,
        generation: 0,
        next_free: 0,
        rights: Rights::NONE,
        object: None,
    };
}

/// What a handle stands for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Capability {
    pub object: Object,
    pub rights: Rights,
    /// Endpoints: what the receiver sees; 0 for none.
    pub badge: u64,
}
