//! Threads: what the scheduler runs.

use nonos_abi::Error;

use crate::arena::{Empty, EndpointId, NotificationId, ProcessId, ThreadId};
use crate::handle::Found;
use crate::lineage::{NEVER, NodeId};
use crate::machine::{AddressSpace, FrameNumber, UserContext};

/// A thread.
///
/// It is on at most one queue, through `links`: which one follows from its state.
pub struct Thread {
    pub(crate) context: UserContext,
    pub(crate) process: Option<ProcessId>,
    pub(crate) space: AddressSpace,
    pub(crate) state: ThreadState,
    pub(crate) links: Links,
    /// 0 (lowest) to 31.
    pub(crate) priority: u8,
    /// What is left of its time slice while it is ready.
    pub(crate) slice_ns: u64,
    /// CPU time until it last stopped running.
    pub(crate) cpu_ns: u64,
    /// When it wakes, while it sleeps.
    pub(crate) deadline_ns: u64,
    /// The handle it waits through, or did.
    pub(crate) through: Option<NodeId>,
    /// When that handle expires.
    pub(crate) expires_ns: u64,
    /// Badge of the endpoint handle it calls through, while it waits for a receiver.
    pub(crate) badge: u64,
    /// The notification that ends its `Receive`, too.
    pub(crate) bound: Option<NotificationId>,
}

/// What a thread does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ThreadState {
    /// Made, not started.
    New,
    /// On the ready queue of its priority.
    Ready,
    /// On the CPU.
    Running,
    /// On the queue of callers of an endpoint.
    Calling(EndpointId),
    /// Its call was received: the answer comes from whoever uses the reply handle in this slot.
    AwaitingReply {
        /// Who holds the reply handle.
        server: ProcessId,
        /// Slot of the reply handle.
        slot: u16,
    },
    /// On the queue of receivers of an endpoint.
    Receiving(EndpointId),
    /// On the queue of a notification.
    Waiting(NotificationId),
    /// On the queue of sleepers.
    Sleeping,
    /// Not any more.
    Ended,
}

/// Neighbours in a [`Queue`](crate::scheduler::Queue).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Links {
    pub previous: Option<ThreadId>,
    pub next: Option<ThreadId>,
}

impl Links {
    /// Of a thread that is on no queue, or alone.
    pub const NONE: Self = Self {
        previous: None,
        next: None,
    };
}

impl Empty for Thread {
    const EMPTY: Self = Self {
        context: UserContext::new(),
        process: None,
        space: AddressSpace(FrameNumber(0)),
        state: ThreadState::New,
        links: Links::NONE,
        priority: 0,
        slice_ns: 0,
        cpu_ns: 0,
        deadline_ns: 0,
        through: None,
        expires_ns: NEVER,
        badge: 0,
        bound: None,
    };
}

impl Thread {
    /// Has it wait through a handle, once it blocks.
    #[inline(always)]
    pub(crate) fn wait_through(&mut self, found: &Found) {
        self.through = Some(found.node);
        self.expires_ns = found.deadline_ns;
    }

    /// Whether it is blocked, waiting through this handle.
    pub(crate) fn waits_through(&self, node: NodeId) -> bool {
        let waits = matches!(
            self.state,
            ThreadState::Calling(_)
                | ThreadState::AwaitingReply { .. }
                | ThreadState::Receiving(_)
                | ThreadState::Waiting(_)
        );
        waits && self.through == Some(node)
    }

    /// Has the thread find an error when it goes on.
    pub fn fail(&mut self, error: Error) {
        self.context.rax = error.raw();
    }
}
