//! Processes: an address space, a handle table, a quota.

use nonos_abi::Name;

use crate::arena::ModuleId;
use crate::arena::{Empty, ProcessId, ThreadId, WatchId};
use crate::frame::FrameList;
use crate::machine::{AddressSpace, Fault};

/// A process. Its slots and regions lie in their own arenas, at its position.
pub struct Process {
    /// Number for people, never used again.
    pub(crate) number: u64,
    pub(crate) name: Name,
    pub(crate) thread: Option<ThreadId>,
    pub(crate) space: Option<AddressSpace>,
    pub(crate) module: Option<ModuleId>,
    pub(crate) frames: FrameList,
    pub(crate) watches: Option<WatchId>,
    pub(crate) next_ended: Option<ProcessId>,
    pub(crate) exit: Option<Exit>,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    Code(u64),
    Fault(Fault),
    Killed,
}

impl Empty for Process {
    const EMPTY: Self = Self {
        number: 0,
        name: Name::NONE,
        thread: None,
        space: None,
        module: None,
        frames: FrameList::EMPTY,
        watches: None,
        next_ended: None,
        exit: None,
    };
}

/// A request to be told when a process ends.
pub struct Watch {
    pub(crate) next: Option<WatchId>,
}

impl Empty for Watch {
    const EMPTY: Self = Self { next: None };
}
