//! Endpoints: synchronous calls.
//!
//! A caller waits on the endpoint's queue until a receiver takes its message, then for the answer, which comes
//! through a reply handle in the receiver's table. That handle answers once. Whoever waits for someone who
//! cannot come any more is told so ([`Error::PeerGone`]): callers when the last handle that can receive is closed or has expired, and
//! when the reply handle is closed unused. Whoever waits through a handle that is revoked or expires is told that.
//!
//! When all handles that can receive have a deadline, callers that wait have the last of these as theirs. It is looked for in the tables
//! of all processes, and noted until one of the handles is closed; endpoints whose handles never had deadlines are never looked for.
//!
//! A thread that waits for a call keeps a reply slot of its process for it, so that no call that finds a receiver lacks one.
//!
//! Invariants: of the two queues at most one has threads. For each thread that awaits a reply there is exactly one
//! reply handle, in the slot its state names, and the reverse; reply handles are never copied or moved.

use nonos_abi::{Error, Handle, MessageInfo, Rights};

use crate::arena::{Empty, EndpointId, ProcessId, ThreadId};
use crate::handle::{Capability, Found};
use crate::kernel::{Caller, Kernel};
use crate::lineage::{NEVER, NodeId};
use crate::machine::Machine;
use crate::message;
use crate::object::Object;
use crate::scheduler::Queue;
use crate::thread::ThreadState;

/// Where calls arrive.
pub struct Endpoint {
    /// Threads whose calls were not received yet.
    pub(crate) callers: Queue,
    /// Threads that wait for a call.
    pub(crate) receivers: Queue,
    /// Handles with READ.
    pub(crate) receiving_handles: u32,
    /// Whether one of them ever had a deadline.
    pub(crate) expires: bool,
    /// When the last of them expires, if one may; [`UNKNOWN`] until somebody looks.
    pub(crate) receivable_until_ns: u64,
}

/// An [`Endpoint::receivable_until_ns`] that must be looked for.
pub(crate) const UNKNOWN: u64 = 0;

impl Empty for Endpoint {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            callers: Queue::EMPTY,
            receivers: Queue::EMPTY,
            receiving_handles: 0,
            expires: false,
            receivable_until_ns: UNKNOWN,
        }
    }
}

impl Kernel {
    /// Makes an endpoint with one reference, which the caller gives to a handle with READ.
    pub(crate) fn create_endpoint(&mut self, payer: ProcessId) -> Result<EndpointId, Error> {
        self.check_object_quota(payer)?;
        let endpoint = Endpoint {
            receiving_handles: 1,
            ..Endpoint::unused()
        };
        let id = self
            .endpoints
            .insert(endpoint, Some(payer))
            .ok_or(Error::OutOfObjects)?;
        self.charge_object(payer);
        Ok(id)
    }

    /// Sends the message in the caller's registers. On success the caller is blocked.
    pub(crate) fn call(
        &mut self,
        caller: Caller,
        endpoint: EndpointId,
        through: &Found,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let info = self.check_message(caller.thread, caller.process, machine)?;
        self.check_leases(caller.thread, info)?;
        if self.endpoints[endpoint].receiving_handles == 0 {
            return Err(Error::PeerGone);
        }
        self.threads[caller.thread].badge = through.capability.badge;
        if let Some(receiver) = self.endpoints[endpoint].receivers.head {
            let state = self.deliver_call(caller.thread, info, caller.process, receiver)?;
            self.endpoints[endpoint]
                .receivers
                .remove(&mut self.threads, receiver);
            self.block_through(caller.thread, through, state);
            self.scheduler.wake(&mut self.threads, receiver);
            return Ok(());
        }
        let until_ns = self.receivable_until_ns(endpoint);
        if until_ns != NEVER && machine.now_ns() >= until_ns {
            return Err(Error::PeerGone);
        }
        let through = Found {
            deadline_ns: through.deadline_ns.min(until_ns),
            ..*through
        };
        self.block_through(caller.thread, &through, ThreadState::Calling(endpoint));
        self.endpoints[endpoint]
            .callers
            .push_back(&mut self.threads, caller.thread);
        Ok(())
    }

    /// When the last handle expires that can receive.
    #[inline(never)]
    fn receivable_until_ns(&mut self, id: EndpointId) -> u64 {
        if !self.endpoints[id].expires {
            return NEVER;
        }
        if self.endpoints[id].receivable_until_ns == UNKNOWN {
            let mut last_ns = UNKNOWN;
            for slot in self.slots.iter() {
                if let Some(capability) = &slot.capability
                    && capability.rights.contains(Rights::READ)
                    && matches!(capability.object, Object::Endpoint(other) if other == id)
                {
                    last_ns = last_ns.max(slot.deadline_ns);
                }
            }
            self.endpoints[id].receivable_until_ns = last_ns;
        }
        self.endpoints[id].receivable_until_ns
    }

    /// A handle with a deadline was made.
    #[cold]
    pub(crate) fn note_expiring(&mut self, capability: &Capability) {
        if let Object::Endpoint(id) = capability.object
            && capability.rights.contains(Rights::READ)
        {
            self.endpoints[id].expires = true;
        }
    }

    /// The time has come that a caller waits for at the latest: it is told that its handle, or the last that can receive, has expired.
    /// When those that can receive are others than when it began to wait, callers wait until those expire.
    #[inline(never)]
    pub(crate) fn end_call_in_time(
        &mut self,
        caller: ThreadId,
        endpoint: EndpointId,
        machine: &mut impl Machine,
    ) {
        if let Err(expired) = self.check_wait(caller, machine) {
            return self.end_wait(caller, expired, machine);
        }
        let until_ns = self.receivable_until_ns(endpoint);
        if machine.now_ns() >= until_ns {
            return self.fail_callers(endpoint, machine);
        }
        let mut next = self.endpoints[endpoint].callers.head;
        while let Some(caller) = next {
            next = self.threads[caller].links.next;
            let deadline_ns = self.wait_expires_ns(caller).min(until_ns);
            self.scheduler
                .change_timeout(&mut self.threads, caller, deadline_ns);
        }
    }

    /// Moves a call, whose message was just checked, to the registers of a receiver with a reply slot; returns the state of the caller from then on. On errors
    /// nothing has changed.
    fn deliver_call(
        &mut self,
        caller: ThreadId,
        info: MessageInfo,
        from: ProcessId,
        receiver: ThreadId,
    ) -> Result<ThreadState, Error> {
        let to = self.threads[receiver].process.ok_or(Error::PeerGone)?;
        let mut arrival = self.transfer(caller, info, from, to)?;
        self.lend(caller, &mut arrival);
        let kept = self.threads[receiver].reply;
        let reply = self.slots[kept as usize].fill_reply(Some(caller));
        arrival.info = arrival.info.with_reply(reply);
        arrival.sender = self.threads[caller].badge;
        message::arrive(&mut self.threads[receiver].context, &arrival);
        self.scheduler.donate(&mut self.threads, caller, receiver);
        Ok(ThreadState::AwaitingReply(NodeId::at(kept)))
    }

    /// Takes the next call, or the bits of the bound notification, to the caller's registers, or blocks it.
    pub(crate) fn receive(
        &mut self,
        receiver: Caller,
        endpoint: EndpointId,
        through: &Found,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        self.scheduler
            .end_donation(&mut self.threads, receiver.thread);
        if let Some(id) = self.threads[receiver.thread].bound
            && self.notifications[id].bits != 0
        {
            self.arrive_signalled(receiver.thread, id);
            return Ok(());
        }
        self.keep_reply(receiver.thread, receiver.process)?;
        while let Some(caller) = self.endpoints[endpoint]
            .callers
            .pop_front(&mut self.threads)
        {
            match self.deliver_queued(caller, receiver.thread, machine) {
                Ok(state) => {
                    self.threads[caller].state = state;
                    // It does not wait for somebody to receive any more.
                    if self.threads[caller].deadline_ns.is_some() {
                        let expires_ns = self.wait_expires_ns(caller);
                        self.scheduler
                            .change_timeout(&mut self.threads, caller, expires_ns);
                    }
                    return Ok(());
                }
                Err(error) => self.wake_with_error(caller, error, machine),
            }
        }
        let state = ThreadState::Receiving(endpoint);
        self.block_through(receiver.thread, through, state);
        self.endpoints[endpoint]
            .receivers
            .push_back(&mut self.threads, receiver.thread);
        Ok(())
    }

    /// Has the running thread wait through a handle, at most until that expires.
    #[inline]
    pub(crate) fn block_through(&mut self, thread: ThreadId, through: &Found, state: ThreadState) {
        self.threads[thread].through = Some(through.node);
        self.slots[through.node.position()].waited = true;
        self.scheduler.block(&mut self.threads, state);
        if through.deadline_ns != NEVER {
            self.scheduler
                .set_timeout(&mut self.threads, thread, through.deadline_ns);
        }
    }

    fn deliver_queued(
        &mut self,
        caller: ThreadId,
        receiver: ThreadId,
        machine: &mut impl Machine,
    ) -> Result<ThreadState, Error> {
        self.check_wait(caller, machine)?;
        let from = self.threads[caller].process.ok_or(Error::PeerGone)?;
        // What was true when it was sent may not be any more.
        let info = self.check_message(caller, from, machine)?;
        self.deliver_call(caller, info, from, receiver)
    }

    /// When the handle expires through which a thread waits.
    fn wait_expires_ns(&self, thread: ThreadId) -> u64 {
        let through = self.threads[thread].through;
        through.map_or(NEVER, |node| self.slots[node.position()].deadline_ns)
    }

    /// Checks that the handle through which a thread waits has not expired.
    pub(crate) fn check_wait(&self, thread: ThreadId, machine: &impl Machine) -> Result<(), Error> {
        let deadline_ns = self.wait_expires_ns(thread);
        if deadline_ns != NEVER && machine.now_ns() >= deadline_ns {
            let handle = self.threads[thread].context.rdi & u64::from(u32::MAX);
            return Err(self.deny(handle, None, Error::Expired));
        }
        Ok(())
    }

    /// Answers a call with the message in the server's registers. Uses up the handle, unless the message cannot be
    /// delivered; then both sides are as before.
    pub(crate) fn reply(
        &mut self,
        server: Caller,
        handle: Handle,
        waiting: Option<ThreadId>,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        let Some(thread) = waiting else {
            self.table(server.process).take(handle.index());
            return Err(Error::PeerGone);
        };
        if let Err(expired) = self.check_wait(thread, machine) {
            self.table(server.process).take(handle.index());
            self.wake_with_error(thread, expired, machine);
            return Err(Error::PeerGone);
        }
        let to = self.threads[thread].process.ok_or(Error::PeerGone)?;
        let info = self.check_message(server.thread, server.process, machine)?;
        let arrival = self.transfer(server.thread, info, server.process, to)?;
        message::arrive(&mut self.threads[thread].context, &arrival);
        self.table(server.process).take(handle.index());
        self.scheduler
            .end_donation(&mut self.threads, server.thread);
        self.scheduler.wake(&mut self.threads, thread);
        Ok(())
    }

    /// The last handle that could receive is gone or has expired.
    pub(crate) fn fail_callers(&mut self, endpoint: EndpointId, machine: &mut impl Machine) {
        while let Some(caller) = self.endpoints[endpoint]
            .callers
            .pop_front(&mut self.threads)
        {
            self.wake_with_error(caller, Error::PeerGone, machine);
        }
    }

    /// Drops a reference; with the last one, the endpoint is gone.
    #[inline(never)]
    pub(crate) fn release_endpoint(
        &mut self,
        id: EndpointId,
        rights: Rights,
        machine: &mut impl Machine,
    ) {
        if rights.contains(Rights::READ) {
            let endpoint = &mut self.endpoints[id];
            endpoint.receiving_handles -= 1;
            endpoint.receivable_until_ns = UNKNOWN;
            if endpoint.receiving_handles == 0 {
                self.fail_callers(id, machine);
            } else if endpoint.expires {
                // Those that are left may have expired. The timer looks, once for all handles that are closed now.
                if let Some(caller) = endpoint.callers.head {
                    self.scheduler
                        .change_timeout(&mut self.threads, caller, UNKNOWN);
                }
            }
        }
        if self.endpoints.release(id) > 0 {
            return;
        }
        while let Some(thread) = self.endpoints[id].receivers.pop_front(&mut self.threads) {
            self.give_back_reply(thread);
            self.wake_with_error(thread, Error::PeerGone, machine);
        }
        let payer = self.endpoints.payer(id);
        self.endpoints.remove(id);
        self.uncharge_object(payer);
    }

    /// Ends the wait of a thread that was taken off its queue.
    pub(crate) fn wake_with_error(
        &mut self,
        thread: ThreadId,
        error: Error,
        machine: &mut impl Machine,
    ) {
        let syscall = self.threads[thread].context.rax;
        self.record_denial(thread, syscall, error, machine);
        self.threads[thread].fail(error);
        self.scheduler.wake(&mut self.threads, thread);
    }
    /// Ends the wait of a thread with an error.
    pub(crate) fn end_wait(&mut self, thread: ThreadId, error: Error, machine: &mut impl Machine) {
        self.leave_queue(thread);
        self.wake_with_error(thread, error, machine);
    }

    /// Takes a thread off the queue of what it waits for; what would have answered it is told that nobody waits.
    pub(crate) fn leave_queue(&mut self, id: ThreadId) {
        match self.threads[id].state {
            ThreadState::Calling(endpoint) => {
                self.endpoints[endpoint]
                    .callers
                    .remove(&mut self.threads, id);
            }
            ThreadState::Receiving(endpoint) => {
                self.endpoints[endpoint]
                    .receivers
                    .remove(&mut self.threads, id);
                self.give_back_reply(id);
            }
            ThreadState::Waiting(notification) => {
                self.notifications[notification]
                    .waiters
                    .remove(&mut self.threads, id);
            }
            ThreadState::AwaitingReply(slot) => self.orphan_reply(slot),
            _ => {}
        }
    }
}
