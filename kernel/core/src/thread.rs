//! Threads: what the scheduler runs.
//!
//! A process starts with one thread, which nobody has a handle to and which is not charged. It makes more for itself; those are
//! charged to it as kernel objects. References of a thread are: one while it has not ended, one per handle. The process ends with its last thread.

use nonos_abi::Error;

use crate::arena::{Empty, EndpointId, MemoryId, NotificationId, ProcessId, ThreadId};
use crate::kernel::Kernel;
use crate::lineage::{NEVER, NodeId};
use crate::machine::{AddressSpace, CpuId, FrameNumber, Machine, UserContext};
use crate::process::Exit;
use crate::queue::Links;
use crate::scheduler::obstacles;

/// A thread.
///
/// It is on at most one queue, through `links`: which one follows from its state. While it has a deadline it is also on the timeouts of
/// its CPU.
pub struct Thread {
    pub(crate) context: UserContext,
    pub(crate) process: Option<ProcessId>,
    pub(crate) siblings: Links<ThreadId>,
    pub(crate) space: AddressSpace,
    /// Its shadow stack, which its end frees.
    pub(crate) shadow_stack: Option<MemoryId>,
    /// Where the handle table of its process starts among all slots.
    pub(crate) first_slot: u32,
    pub(crate) state: ThreadState,
    pub(crate) links: Links<ThreadId>,
    /// The CPU it runs on or is ready at, or where it ran last.
    pub(crate) cpu: CpuId,
    /// CPUs it may run on: bit n is CPU n.
    pub(crate) affinity: u8,
    /// What keeps it from simply going on when an answer or a call ends its wait, as [`obstacles`] has it. That are also CPUs that its
    /// affinity leaves out, and all while it has a deadline or its process a mapping with one.
    pub(crate) held: u64,
    /// 0 (lowest) to 31.
    pub(crate) priority: u8,
    /// What is left of its time slice while it is ready.
    pub(crate) slice_ns: u64,
    /// The empty reply slot, by its place among all slots, that is kept for the next call that it receives, while it waits for one.
    pub(crate) reply: u32,
    /// The handle it waits through, or did.
    pub(crate) through: Option<NodeId>,
    /// The process whose budget its running is charged to: its own, or that of the caller it works for.
    pub(crate) account: Option<ProcessId>,
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
    AwaitingReply(NodeId),
    /// On the queue of receivers of an endpoint.
    Receiving(EndpointId),
    /// On the queue of a notification.
    Waiting(NotificationId),
    /// Until its deadline.
    Sleeping,
    /// Ready, but its process has used up its budget: on that process's queue, until its deadline at the latest.
    Throttled,
    /// Not any more: the record stays while a handle refers to it.
    Ended,
}

impl Empty for Thread {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            context: UserContext::new(),
            process: None,
            siblings: Links::NONE,
            space: AddressSpace(FrameNumber(0)),
            shadow_stack: None,
            first_slot: 0,
            state: ThreadState::New,
            links: Links::NONE,
            cpu: CpuId(0),
            affinity: u8::MAX,
            held: 0,
            priority: 0,
            slice_ns: 0,
            reply: u32::MAX,
            through: None,
            mapping_expires_ns: NEVER,
            account: None,
            deadline_ns: None,
            timeout_links: Links::NONE,
            badge: 0,
            bound: None,
        }
    }
}

impl Thread {
    /// Whether it is blocked, waiting through this handle.
    pub(crate) fn waits_through(&self, node: NodeId) -> bool {
        let waits = matches!(
            self.state,
            ThreadState::Calling(_)
                | ThreadState::AwaitingReply(_)
                | ThreadState::Receiving(_)
                | ThreadState::Waiting(_)
        );
        waits && self.through == Some(node)
    }

    /// Whether its affinity allows a CPU.
    pub fn may_run_on(&self, cpu: usize) -> bool {
        self.affinity >> cpu & 1 != 0
    }

    /// Something has changed that [`Self::held`] depends on.
    pub fn note_held(&mut self) {
        let timed = self.deadline_ns.is_some() || self.mapping_expires_ns != NEVER;
        let cpus = if timed { u8::MAX } else { !self.affinity };
        self.held = obstacles(self.priority, cpus);
    }

    /// Has the thread find an error when it goes on.
    pub fn fail(&mut self, error: Error) {
        self.context.rax = error.raw();
    }
}

impl Kernel {
    /// Makes a thread of a process and starts it, with one reference for its life and one for the caller to give to a handle.
    pub(crate) fn create_thread(
        &mut self,
        id: ProcessId,
        context: UserContext,
        priority: u8,
        machine: &mut impl Machine,
    ) -> Result<ThreadId, Error> {
        self.check_object_quota(id)?;
        let space = self.processes[id].space.ok_or(Error::PeerGone)?;
        // What processes that are made later need for their first thread is not given away.
        let free = self.threads.capacity() - self.threads.used();
        if free <= self.processes.capacity() {
            return Err(Error::OutOfObjects);
        }
        let mut thread = Thread {
            context,
            process: Some(id),
            account: Some(id),
            space,
            first_slot: self.first_slot(id),
            priority,
            mapping_expires_ns: self.first_mapping_expiry(id),
            ..Thread::unused()
        };
        thread.note_held();
        let thread = self
            .threads
            .insert(thread, Some(id))
            .ok_or(Error::OutOfObjects)?;
        if let Err(error) = self.make_shadow_stack(id, thread, machine) {
            self.threads.remove(thread);
            return Err(error);
        }
        self.charge_object(id);
        self.add_thread(id, thread);
        self.threads.retain(thread);
        if self.processes[id].thread_count == 2 {
            let now_ns = machine.now_ns();
            self.scheduler
                .share_budget(&mut self.threads, &mut self.processes, id, now_ns);
        }
        self.scheduler.wake(&mut self.threads, thread);
        Ok(thread)
    }

    /// Adds a new thread to the list of its process.
    pub(crate) fn add_thread(&mut self, id: ProcessId, thread: ThreadId) {
        self.processes[id]
            .threads
            .push_back(&mut self.threads, thread);
        self.processes[id].thread_count += 1;
    }

    /// Ends a thread, and its process with the last one.
    pub(crate) fn exit_thread(&mut self, id: ThreadId, machine: &mut impl Machine) {
        if self.threads[id].state == ThreadState::Ended {
            return;
        }
        match self.threads[id].process {
            Some(process) if self.processes[process].thread_count == 1 => {
                self.end_process(process, Exit::Code(0), machine);
            }
            _ => self.end_thread(id, machine),
        }
    }

    /// Takes a thread out of whatever it does and out of its process. When it runs on another CPU, that is stopped first.
    pub(crate) fn end_thread(&mut self, id: ThreadId, machine: &mut impl Machine) {
        if let Some(cpu) = self.scheduler.runs_elsewhere(&self.threads, id) {
            machine.stop(cpu);
        }
        self.leave_queue(id);
        let now_ns = machine.now_ns();
        self.scheduler
            .forget(&mut self.threads, &mut self.processes, id, now_ns);
        let thread = &mut self.threads[id];
        thread.state = ThreadState::Ended;
        // The record may stay for long; what was in the registers does not.
        thread.context = UserContext::new();
        self.unbind_notification(id, machine);
        if let Some(process) = self.threads[id].process {
            self.free_shadow_stack(process, id, machine);
            let process = &mut self.processes[process];
            process.threads.remove(&mut self.threads, id);
            process.thread_count -= 1;
        }
        self.release_thread(id);
    }

    /// Drops a reference; with the last one, the record is gone.
    pub(crate) fn release_thread(&mut self, id: ThreadId) {
        if self.threads.release(id) > 0 {
            return;
        }
        let payer = self.threads.payer(id);
        self.threads.remove(id);
        self.uncharge_object(payer);
    }
}
