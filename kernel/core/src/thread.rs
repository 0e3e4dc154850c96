//! Threads: what the scheduler runs.

use nonos_abi::Error;

use crate::arena::{Empty, EndpointId, NotificationId, ProcessId, ThreadId};
use crate::lineage::{NEVER, NodeId};
use crate::machine::{AddressSpace, CpuId, FrameNumber, UserContext};
use crate::queue::Links;

/// A thread.
///
/// It is on at most one queue, through `links`: which one follows from its state. While it has a deadline it is also on the timeouts of
/// its CPU.
pub struct Thread {
    pub(crate) context: UserContext,
    pub(crate) process: Option<ProcessId>,
    pub(crate) space: AddressSpace,
    pub(crate) state: ThreadState,
    pub(crate) links: Links<ThreadId>,
    /// The CPU it runs on or is ready at, or where it ran last.
    pub(crate) cpu: CpuId,
    /// CPUs it may run on: bit n is CPU n.
    pub(crate) affinity: u8,
    /// 0 (lowest) to 31.
    pub(crate) priority: u8,
    /// What is left of its time slice while it is ready.
    pub(crate) slice_ns: u64,
    /// CPU time until it last stopped running.
    pub(crate) cpu_ns: u64,
    /// The handle it waits through, or did.
    pub(crate) through: Option<NodeId>,
    /// When it wakes if nothing wakes it before.
    pub(crate) deadline_ns: Option<u64>,
    pub(crate) timeout_links: Links<ThreadId>,
    /// When the first mapping of its process has to go because the handle expires that it was made through.
    pub(crate) mapping_expires_ns: u64,
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
    /// Made ready in the event that the kernel deals with: not at a CPU yet.
    Woken,
    /// On the ready queue of its priority at its CPU.
    Ready,
    /// On its CPU.
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
    /// Until its deadline.
    Sleeping,
    /// Not any more.
    Ended,
}

impl Empty for Thread {
    const EMPTY: Self = Self {
        context: UserContext::new(),
        process: None,
        space: AddressSpace(FrameNumber(0)),
        state: ThreadState::New,
        links: Links::NONE,
        cpu: CpuId(0),
        affinity: u8::MAX,
        priority: 0,
        slice_ns: 0,
        cpu_ns: 0,
        through: None,
        mapping_expires_ns: NEVER,
        deadline_ns: None,
        timeout_links: Links::NONE,
        badge: 0,
        bound: None,
    };
}

impl Thread {
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

    /// Whether its affinity allows a CPU.
    pub fn may_run_on(&self, cpu: usize) -> bool {
        self.affinity >> cpu & 1 != 0
    }

    /// Has the thread find an error when it goes on.
    pub fn fail(&mut self, error: Error) {
        self.context.rax = error.raw();
    }
}
