//! The fast path: a call, and an answer with the wait for the next call, when the other side is waiting for just that.
//!
//! The same meaning as the plain path (`endpoint`), which every case that is not the usual one is left to: handles or leases in
//! the message, a handle or a wait with a deadline, something else to run or to decide. Nothing is changed before it is
//! certain that all can be done. The scheduler has nothing to decide afterwards: the thread that waited goes on at the
//! cost of the one that called, in its time slice.
//!
//! `tests::fast_path` plays the same games with and without it and compares every register.

use nonos_abi::{Handle, MessageInfo, Rights, Syscall};

use crate::arena::{ProcessId, ThreadId};
use crate::handle::{Capability, Slot};
use crate::kernel::Kernel;
use crate::lineage::{NEVER, NodeId};
use crate::machine::UserContext;
use crate::object::Object;
use crate::scheduler::SLICE_NS;
use crate::speculation::index_nospec;
use crate::thread::{Thread, ThreadState};

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
        let done = match self.threads[thread].context.rax {
            CALL => self.fast_call(thread).is_some(),
            REPLY_RECEIVE => self.fast_reply_receive(thread).is_some(),
            _ => false,
        };
        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths += u32::from(done);
        }
        done
    }

    #[inline(always)]
    fn fast_call(&mut self, id: ThreadId) -> Option<()> {
        let caller = &self.threads[id];
        let info = plain_message(caller.context.rsi)?;
        let (raw, account) = (caller.context.rdi, caller.account);
        let position = self.position(caller, raw);
        let through = valid_slot(self.slots.get(position)?, raw, Rights::WRITE)?;
        let Object::Endpoint(endpoint) = through.object else {
            return None;
        };
        let badge = through.badge;
        let receiver = self.endpoints[endpoint].receivers.head?;
        let server = &self.threads[receiver];
        let to = server.process?;
        if !waits_plainly(server) || !self.scheduler.can_hand_over(account, server) {
            return None;
        }
        let first = server.first_slot as usize;
        let table = &mut self.processes[to].table;
        let index = table.first_free_reply()?;
        let slot = self.slots.get_mut(first + usize::from(index))?;
        let reply = Capability::new(Object::Reply(Some(id)), Rights::NONE);
        let reply = table.fill_first_reply(slot, index, reply);

        self.endpoints[endpoint]
            .receivers
            .remove_first(&mut self.threads, receiver);
        let (caller, server) = self.threads.pair_mut(id, receiver)?;
        caller.badge = badge;
        caller.through = Some(NodeId::at(position as u32));
        self.slots[position].waited = true;
        caller.state = ThreadState::AwaitingReply {
            server: to,
            slot: reply.index(),
        };
        server.context.rdi = badge;
        server.context.rsi = info.with_reply(reply).0;
        hand_over(caller, server, info, account);
        self.scheduler.hand_over(server, receiver);
        Some(())
    }

    #[inline(always)]
    fn fast_reply_receive(&mut self, id: ThreadId) -> Option<()> {
        let server = &self.threads[id];
        let info = plain_message(server.context.rsi)?;
        let (process, handles) = (server.process?, server.context.rdi);
        let (raw, reply_raw) = (handles & u64::from(u32::MAX), handles >> 32);
        if let Some(bound) = server.bound
            && self.notifications[bound].bits != 0
        {
            return None;
        }
        let position = self.position(server, raw);
        let through = valid_slot(self.slots.get(position)?, raw, Rights::READ)?;
        let Object::Endpoint(endpoint) = through.object else {
            return None;
        };
        let reply_position = self.position(server, reply_raw);
        let reply = valid_slot(self.slots.get(reply_position)?, reply_raw, Rights::NONE)?;
        let Object::Reply(Some(caller)) = reply.object else {
            return None;
        };
        let client = &self.threads[caller];
        let account = client.account;
        if self.endpoints[endpoint].callers.head.is_some()
            || !waits_plainly(client)
            || !self.scheduler.can_hand_over(account, client)
        {
            return None;
        }
        let index = Handle::from_raw(reply_raw as u32).index();
        let slot = self.slots.get_mut(reply_position)?;
        self.processes[process].table.empty_reply(slot, index);

        self.endpoints[endpoint]
            .receivers
            .push_back(&mut self.threads, id);
        let (server, client) = self.threads.pair_mut(id, caller)?;
        server.account = Some(process);
        server.through = Some(NodeId::at(position as u32));
        self.slots[position].waited = true;
        server.state = ThreadState::Receiving(endpoint);
        client.context.rdi = 0;
        client.context.rsi = info.0;
        hand_over(server, client, info, account);
        self.scheduler.hand_over(client, caller);
        Some(())
    }

    /// Where among all slots a handle's is. An index past the table leads to slot 0, which is never filled, and speculation no
    /// further (`speculation`).
    #[inline(always)]
    fn position(&self, thread: &Thread, raw: u64) -> usize {
        let index = u32::from(Handle::from_raw(raw as u32).index());
        (thread.first_slot as usize).wrapping_add(index_nospec(index, self.handles_per_process))
    }
}

/// A message without handles and leases, with a valid count of words.
#[inline(always)]
fn plain_message(info: u64) -> Option<MessageInfo> {
    let plain = info & !PLAIN_BITS == 0 && info & 0xF <= 8;
    plain.then_some(MessageInfo(info))
}

/// What the slot of a handle holds, when the handle exists, works now and for ever, and has the rights.
#[inline(always)]
fn valid_slot(slot: &Slot, raw: u64, rights: Rights) -> Option<&Capability> {
    let capability = slot.capability.as_ref()?;
    let index = Handle::from_raw(raw as u32).index();
    let valid = u64::from(Handle::new(index, slot.generation).raw()) == raw
        && slot.deadline_ns == NEVER
        && capability.rights.contains(rights);
    valid.then_some(capability)
}

/// Whether nothing but an answer or a call ends a thread's wait, and it can go on at once.
#[inline(always)]
fn waits_plainly(thread: &Thread) -> bool {
    thread.deadline_ns.is_none() && thread.mapping_expires_ns == NEVER
}

/// Has a thread that waited go on with the words of a message, at the cost of `account`.
#[inline(always)]
fn hand_over(from: &Thread, to: &mut Thread, info: MessageInfo, account: Option<ProcessId>) {
    to.account = account;
    to.slice_ns = SLICE_NS;
    to.state = ThreadState::Running;
    to.context.rax = 0;
    to.context.rbx = 0;
    to.context.rbp = 0;
    copy_words(&from.context, &mut to.context, info.words());
}

/// Copies the words of a message; those beyond the count become zero.
#[inline(always)]
fn copy_words(from: &UserContext, to: &mut UserContext, count: usize) {
    let word = |at: usize, word: u64| if at < count { word } else { 0 };
    to.rdx = from.rdx;
    to.r10 = from.r10;
    to.r8 = from.r8;
    to.r9 = from.r9;
    to.r12 = from.r12;
    to.r13 = from.r13;
    to.r14 = from.r14;
    to.r15 = from.r15;
    if count < 8 {
        to.rdx = word(0, to.rdx);
        to.r10 = word(1, to.r10);
        to.r8 = word(2, to.r8);
        to.r9 = word(3, to.r9);
        to.r12 = word(4, to.r12);
        to.r13 = word(5, to.r13);
        to.r14 = word(6, to.r14);
        to.r15 = 0;
    }
}
