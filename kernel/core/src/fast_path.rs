//! The fast path: a call, and an answer with the wait for the next call, when the other side is waiting for just that; a signal to a
//! more important thread that waits for it; and a yield to an equal.
//!
//! The same meaning as the plain path (`endpoint`, `notification`, `scheduler`), which every case that is not the usual one is left to:
//! handles or leases in the message, a handle or a wait with a deadline, a budget, something else to run or to decide. Nothing is
//! changed before it is certain that all can be done. The scheduler has nothing to decide afterwards. After a call or an answer the thread
//! that waited goes on at the cost of the one that called, in its time slice.
//!
//! Each object is looked up before anything is written, so that the compiler looks once only.
//!
//! `tests::fast_path` plays the same games with and without it and compares every register.

use nonos_abi::message::MESSAGE_WORDS;
use nonos_abi::{Handle, MessageInfo, Rights, Syscall};

use crate::arena::{ProcessId, ThreadId};
use crate::handle::Capability;
use crate::kernel::Kernel;
use crate::lineage::{NEVER, NodeId};
use crate::machine::{AddressSpace, Machine, UserContext};
use crate::message;
use crate::notification::Notification;
use crate::object::Object;
use crate::queue::Links;
use crate::speculation::index_nospec;
use crate::thread::{Thread, ThreadState};

/// What a message may have to go this way: words and a label.
const PLAIN_BITS: u64 = 0xFFFF_000F;

const CALL: u64 = Syscall::Call as u64;
const REPLY_RECEIVE: u64 = Syscall::ReplyReceive as u64;
const YIELD: u64 = Syscall::Yield as u64;
const SIGNAL: u64 = Syscall::NotificationSignal as u64;

/// What the CPU runs after a system call that was a usual one; else the kernel, in which nothing has changed.
type Fast<'a> = Result<(&'a mut UserContext, AddressSpace), &'a mut Kernel>;

/// Counts the fast paths, by kind.
#[cfg(any(test, feature = "testing"))]
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Call,
    Answer,
    Yield,
    Signal,
}

impl Kernel {
    /// Does the system call of the running thread if it is a usual one.
    #[inline(always)]
    pub(crate) fn fast_path(&mut self, machine: &impl Machine) -> Fast<'_> {
        let Some(id) = self.scheduler.running() else {
            return Err(self);
        };
        match self.threads[id].context.rax {
            CALL => self.fast_call(id),
            REPLY_RECEIVE => self.fast_reply_receive(id),
            YIELD => self.fast_yield(id, machine),
            SIGNAL => self.fast_signal(id, machine),
            _ => Err(self),
        }
    }

    #[inline(always)]
    fn fast_call(&mut self, id: ThreadId) -> Fast<'_> {
        let caller = &self.threads[id];
        let (raw, account) = (caller.context.rdi, caller.account);
        let Some(info) = plain_message(caller.context.rsi) else {
            return Err(self);
        };
        let Some((through, capability)) = self.valid(caller, raw, Rights::WRITE) else {
            return Err(self);
        };
        let (object, badge) = (&capability.object, capability.badge);
        let &Object::Endpoint(endpoint) = object else {
            return Err(self);
        };
        let receivers = &mut self.endpoints[endpoint].receivers;
        let Some(receiver) = receivers.head else {
            return Err(self);
        };
        let server = &self.threads[receiver];
        let first = server.first_slot as usize;
        let Some(to) = server.process else {
            return Err(self);
        };
        if !waits_plainly(server) || !self.scheduler.can_hand_over(account, server) {
            return Err(self);
        }
        let table = &mut self.processes[to].table;
        let Some(index) = table.first_free_reply() else {
            return Err(self);
        };
        let Some(slot) = self.slots.get_mut(first + usize::from(index)) else {
            return Err(self);
        };
        let [caller, server] = self.threads.pair_mut(id, receiver);

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[Kind::Call as usize] += 1;
        }
        let reply = Capability::new(Object::Reply(Some(id)), Rights::NONE);
        let reply = table.fill_first_reply(slot, reply);
        self.slots[through.position()].waited = true;
        caller.through = Some(through);
        caller.state = ThreadState::AwaitingReply {
            server: to,
            slot: index,
        };
        receivers.remove_first(server);
        server.context.rdi = badge;
        server.context.rsi = info.with_reply(reply).0;
        hand_over(caller, server, info, account);
        self.scheduler.hand_over(server, receiver);
        Ok((&mut server.context, server.space))
    }

    #[inline(always)]
    fn fast_reply_receive(&mut self, id: ThreadId) -> Fast<'_> {
        let server = &self.threads[id];
        let handles = server.context.rdi;
        let (raw, reply_raw) = (handles & u64::from(u32::MAX), handles >> 32);
        let Some(info) = plain_message(server.context.rsi) else {
            return Err(self);
        };
        let Some(process) = server.process else {
            return Err(self);
        };
        if let Some(bound) = server.bound
            && self.notifications[bound].bits != 0
        {
            return Err(self);
        }
        let Some((through, capability)) = self.valid(server, raw, Rights::READ) else {
            return Err(self);
        };
        let &Object::Endpoint(endpoint) = &capability.object else {
            return Err(self);
        };
        let Some((reply, capability)) = self.valid(server, reply_raw, Rights::NONE) else {
            return Err(self);
        };
        let &Object::Reply(Some(caller)) = &capability.object else {
            return Err(self);
        };
        let client = &self.threads[caller];
        let account = client.account;
        if self.endpoints[endpoint].callers.head.is_some()
            || !waits_plainly(client)
            || !self.scheduler.can_hand_over(account, client)
        {
            return Err(self);
        }
        let last = self.endpoints[endpoint].receivers.last();
        if let Some(last) = last {
            self.threads[last].links.next = Some(id);
        }
        let receivers = &mut self.endpoints[endpoint].receivers;
        let slot = &mut self.slots[reply.position()];
        let table = &mut self.processes[process].table;
        let [server, client] = self.threads.pair_mut(id, caller);

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[Kind::Answer as usize] += 1;
        }
        table.empty_reply(slot);
        self.slots[through.position()].waited = true;
        receivers.end_with(id);
        server.links = Links {
            previous: last,
            next: None,
        };
        server.account = Some(process);
        server.through = Some(through);
        server.state = ThreadState::Receiving(endpoint);
        client.context.rdi = 0;
        client.context.rsi = info.0;
        hand_over(server, client, info, account);
        self.scheduler.hand_over(client, caller);
        Ok((&mut client.context, client.space))
    }

    /// A function of its own, as [`Self::fast_signal`] is: calls need the registers.
    #[inline(never)]
    fn fast_yield(&mut self, id: ThreadId, machine: &impl Machine) -> Fast<'_> {
        let thread = &self.threads[id];
        let now_ns = machine.now_ns();
        let next = self
            .scheduler
            .next_equal(&self.threads, &self.processes, thread, now_ns);
        let Some(next) = next else {
            return Err(self);
        };

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[Kind::Yield as usize] += 1;
        }
        self.threads[id].context.rax = 0;
        self.scheduler
            .yield_to(&mut self.threads, &mut self.processes, [id, next], now_ns);
        let next = &mut self.threads[next];
        Ok((&mut next.context, next.space))
    }

    #[inline(never)]
    fn fast_signal(&mut self, id: ThreadId, machine: &impl Machine) -> Fast<'_> {
        let sender = &self.threads[id];
        let (raw, bits) = (sender.context.rdi, sender.context.rsi);
        let Some((_, capability)) = self.valid(sender, raw, Rights::WRITE) else {
            return Err(self);
        };
        let &Object::Notification(notification) = &capability.object else {
            return Err(self);
        };
        let Notification { waiters, bound, .. } = &self.notifications[notification];
        let Some(next) = waiters.head else {
            return Err(self);
        };
        let waiter = &self.threads[next];
        let usual = bits != 0
            && bound.is_none()
            && self
                .scheduler
                .takes_over(&self.threads, &self.processes, sender, waiter);
        if !usual {
            return Err(self);
        }

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[Kind::Signal as usize] += 1;
        }
        let [sender, waiter] = self.threads.pair_mut(id, next);
        let notification = &mut self.notifications[notification];
        notification.waiters.remove_first(waiter);
        sender.context.rax = 0;
        waiter.context.rax = 0;
        waiter.context.rdi = core::mem::take(&mut notification.bits) | bits;
        let now_ns = machine.now_ns();
        self.scheduler
            .take_over(&mut self.threads, &mut self.processes, [id, next], now_ns);
        let next = &mut self.threads[next];
        Ok((&mut next.context, next.space))
    }

    /// What the slot of a handle holds, when the handle exists, works now and for ever, and has the rights; and its place in the lineage,
    /// where the slots come first. An index past the table leads to slot 0, which is never filled, and speculation no further
    /// (`speculation`).
    #[inline(always)]
    fn valid(&self, thread: &Thread, raw: u64, rights: Rights) -> Option<(NodeId, &Capability)> {
        let index = u32::from(Handle::from_raw(raw as u32).index());
        let index = index_nospec(index, self.handles_per_process);
        let position = (thread.first_slot as usize).wrapping_add(index);
        let slot = self.slots.get(position)?;
        let capability = slot.capability.as_ref()?;
        let valid = u64::from(slot.handle.raw()) == raw
            && slot.deadline_ns == NEVER
            && capability.rights.contains(rights);
        valid.then_some((NodeId::at(position as u32), capability))
    }
}

/// A message without handles and leases, with a valid count of words.
#[inline(always)]
fn plain_message(info: u64) -> Option<MessageInfo> {
    // A count above the limit carries to bit 4.
    const { assert!(MESSAGE_WORDS == 8) };
    let plain = (info | info.wrapping_add(7)) & !PLAIN_BITS == 0;
    plain.then_some(MessageInfo(info))
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
    to.state = ThreadState::Running;
    let (sent, context) = (&from.context, &mut to.context);
    context.rax = 0;
    context.rbx = 0;
    context.rbp = 0;
    message::set_words(context, message::raw_words(sent));
    if info.words() < MESSAGE_WORDS {
        message::clear_unsent(context, info);
    }
}
