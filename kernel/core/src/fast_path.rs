//! The fast path: a call, and an answer with the wait for the next call, when the other side is waiting for just that.
//!
//! The same meaning as the plain path (`endpoint`), which every case that is not the usual one is left to: handles or leases in
//! the message, a handle or a wait with a deadline, something else to run or to decide. Nothing is changed before it is
//! certain that all can be done. The scheduler has nothing to decide afterwards: the thread that waited goes on at the
//! cost of the one that called, in its time slice.
//!
//! `tests::fast_path` plays the same games with and without it and compares every register.

use nonos_abi::{Handle, MessageInfo, Rights, Syscall};

use crate::arena::{EndpointId, ProcessId, ThreadId};
use crate::handle::Capability;
use crate::kernel::Kernel;
use crate::lineage::{NEVER, NodeId};
use crate::machine::UserContext;
use crate::object::Object;
use crate::scheduler::SLICE_NS;
use crate::thread::ThreadState;

/// What a message may have to go this way: words and a label.
const PLAIN_BITS: u64 = 0xFFFF_000F;

const CALL: u64 = Syscall::Call as u64;
const REPLY_RECEIVE: u64 = Syscall::ReplyReceive as u64;

impl Kernel {
    /// Does the system call of the running thread if it is a usual one. If not, nothing has changed.
    #[inline(always)]
    pub(crate) fn fast_path(&mut self) -> bool {
        let Some(thread) = self.scheduler.running() else {
            return false;
        };
        #[cfg(any(test, feature = "testing"))]
        if self.plain_only {
            return false;
        }
        match self.threads[thread].context.rax {
            CALL => self.fast_call(thread).is_some(),
            REPLY_RECEIVE => self.fast_reply_receive(thread).is_some(),
            _ => false,
        }
    }

    fn fast_call(&mut self, caller: ThreadId) -> Option<()> {
        let thread = &self.threads[caller];
        let account = thread.account;
        let info = plain_message(thread.context.rsi)?;
        let raw = thread.context.rdi;
        let (endpoint, badge, node) = self.fast_slot(thread.process?, raw, Rights::WRITE)?;
        let receiver = self.endpoints[endpoint].receivers.head?;
        let server = &self.threads[receiver];
        let to = server.process?;
        let ready = server.deadline_ns.is_none()
            && server.mapping_expires_ns == NEVER
            && self.processes[to].table.has_free_reply();
        if !ready || !self.scheduler.can_hand_over(account, server) {
            return None;
        }

        let reply = Capability::new(Object::Reply(Some(caller)), Rights::NONE);
        let reply = self.table(to).insert(reply, NEVER).ok()?;
        self.endpoints[endpoint]
            .receivers
            .remove(&mut self.threads, receiver);
        let thread = &mut self.threads[caller];
        thread.badge = badge;
        thread.through = Some(node);
        thread.state = ThreadState::AwaitingReply {
            server: to,
            slot: reply.index(),
        };
        let from = words(&thread.context);
        let info = info.with_reply(reply);
        self.hand_over(receiver, account, badge, info, from);
        Some(())
    }

    fn fast_reply_receive(&mut self, server: ThreadId) -> Option<()> {
        let thread = &self.threads[server];
        let process = thread.process?;
        let info = plain_message(thread.context.rsi)?;
        let handles = thread.context.rdi;
        let from = words(&thread.context);
        if let Some(bound) = thread.bound
            && self.notifications[bound].bits != 0
        {
            return None;
        }
        let raw = handles & u64::from(u32::MAX);
        let (endpoint, _, node) = self.fast_slot(process, raw, Rights::READ)?;
        if self.endpoints[endpoint].callers.head.is_some() {
            return None;
        }
        let reply = Handle::from_raw((handles >> 32) as u32);
        let slot = self.slots_of(process).get(usize::from(reply.index()))?;
        let Object::Reply(Some(caller)) = slot.capability?.object else {
            return None;
        };
        let client = &self.threads[caller];
        let account = client.account;
        let ready = slot.generation == reply.generation()
            && client.deadline_ns.is_none()
            && client.mapping_expires_ns == NEVER;
        if !ready || !self.scheduler.can_hand_over(account, client) {
            return None;
        }

        self.table(process).take(reply.index());
        let thread = &mut self.threads[server];
        thread.account = Some(process);
        thread.through = Some(node);
        thread.state = ThreadState::Receiving(endpoint);
        self.endpoints[endpoint]
            .receivers
            .push_back(&mut self.threads, server);
        self.hand_over(caller, account, 0, info, from);
        Some(())
    }

    /// The endpoint that a handle names, its badge and its place in the lineage, when it works now and for ever.
    #[inline(always)]
    fn fast_slot(
        &self,
        process: ProcessId,
        raw: u64,
        rights: Rights,
    ) -> Option<(EndpointId, u64, NodeId)> {
        let handle = Handle::from_raw(raw as u32);
        let index = handle.index();
        let slot = self.slots_of(process).get(usize::from(index))?;
        let capability = slot.capability.as_ref()?;
        let Object::Endpoint(endpoint) = capability.object else {
            return None;
        };
        let valid = u64::from(Handle::new(index, slot.generation).raw()) == raw
            && slot.deadline_ns == NEVER
            && capability.rights.contains(rights);
        valid.then(|| {
            (
                endpoint,
                capability.badge,
                self.lineage.slot(process, index),
            )
        })
    }

    /// Has a thread that waited go on here, in place of the running one, with a message.
    #[inline(always)]
    fn hand_over(
        &mut self,
        to: ThreadId,
        account: Option<ProcessId>,
        sender: u64,
        info: MessageInfo,
        words: [u64; 8],
    ) {
        let thread = &mut self.threads[to];
        thread.account = account;
        thread.slice_ns = SLICE_NS;
        thread.state = ThreadState::Running;
        let context = &mut thread.context;
        context.rax = 0;
        context.rdi = sender;
        context.rsi = info.0;
        context.rbx = 0;
        context.rbp = 0;
        let count = info.words();
        let word = |at: usize| if at < count { words[at] } else { 0 };
        context.rdx = word(0);
        context.r10 = word(1);
        context.r8 = word(2);
        context.r9 = word(3);
        context.r12 = word(4);
        context.r13 = word(5);
        context.r14 = word(6);
        context.r15 = word(7);
        self.scheduler.hand_over(thread, to);
        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths += 1;
        }
    }
}

/// A message without handles and leases, with a valid count of words.
#[inline(always)]
fn plain_message(info: u64) -> Option<MessageInfo> {
    let plain = info & !PLAIN_BITS == 0 && info & 0xF <= 8;
    plain.then_some(MessageInfo(info))
}

#[inline(always)]
fn words(context: &UserContext) -> [u64; 8] {
    crate::message::raw_words(context)
}
