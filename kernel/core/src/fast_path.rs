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
use nonos_abi::{MessageInfo, Rights, Syscall};

use crate::arena::{ThreadId, View};
use crate::handle::{Capability, Slot};
use crate::kernel::Kernel;
use crate::lineage::{NEVER, NodeId};
use crate::machine::{CpuId, Machine, Switch};
use crate::message;
use crate::notification::Notification;
use crate::object::Object;
use crate::queue::Links;
use crate::thread::{Thread, ThreadState};

/// What a message may have to go this way: words and a label.
const PLAIN_BITS: u64 = 0xFFFF_000F;

const CALL: u64 = Syscall::Call as u64;
const REPLY_RECEIVE: u64 = Syscall::ReplyReceive as u64;
const YIELD: u64 = Syscall::Yield as u64;
const SIGNAL: u64 = Syscall::NotificationSignal as u64;

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
    /// Does the system call of the running thread of the machine's CPU if it is a usual one. Else nothing has changed, and
    /// [`Self::syscall`] does it.
    #[inline(always)]
    pub fn fast_syscall(&mut self, machine: &impl Machine) -> Option<Switch<'_>> {
        let cpu = machine.cpu();
        let id = self.scheduler.running_at(cpu)?;
        match self.threads[id].context.rax {
            CALL => self.fast_call(cpu, id),
            REPLY_RECEIVE => self.fast_reply_receive(cpu, id),
            YIELD => self.fast_yield(id, machine),
            SIGNAL => self.fast_signal(id, machine),
            _ => None,
        }
    }

    #[inline(always)]
    fn fast_call(&mut self, cpu: CpuId, id: ThreadId) -> Option<Switch<'_>> {
        let (mut threads, slots) = (self.threads.view(), &mut *self.slots);
        let mut endpoints = self.endpoints.view();
        let caller = &threads[id];
        let (raw, account) = (caller.context.rdi, caller.account);
        let info = plain_message(caller.context.rsi)?;
        let raw = u32::try_from(raw).ok()?;
        let through = slot_at(slots, self.handle_mask, caller, raw)?;
        let &Object::Endpoint(endpoint) = usable(&slots[through], raw, Rights::WRITE)? else {
            return None;
        };
        let receiver = endpoints[endpoint].receivers.head?;
        let server = &threads[receiver];
        if !waits_plainly(server) || !self.scheduler.can_hand_over(cpu, account, server) {
            return None;
        }
        let (to, first) = (server.process?, server.first_slot as usize);
        let table = &mut self.processes[to].table;
        let index = table.first_free_reply()?;
        let position = first.wrapping_add(index.into());
        if position >= slots.len() {
            return None;
        }

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[Kind::Call as usize] += 1;
        }
        let reply = Capability::new(Object::Reply(Some(id)), Rights::NONE);
        let reply = table.fill_first_reply(&mut slots[position], reply);
        let badge = slots[through].badge();
        slots[through].waited = true;
        let caller = &mut threads[id];
        caller.through = Some(NodeId::at(through as u32));
        caller.state = ThreadState::AwaitingReply {
            server: to,
            slot: index,
        };
        self.scheduler.hand_over(cpu, receiver);
        let server = &mut threads[receiver];
        endpoints[endpoint].receivers.remove_first(server);
        server.context.rdi = badge;
        server.context.rsi = info.with_reply(reply).0;
        server.account = account;
        Some(go_on(threads, [id, receiver], info, cpu))
    }

    #[inline(always)]
    fn fast_reply_receive(&mut self, cpu: CpuId, id: ThreadId) -> Option<Switch<'_>> {
        let (mut threads, slots) = (self.threads.view(), &mut *self.slots);
        let mut endpoints = self.endpoints.view();
        let server = &threads[id];
        let handles = server.context.rdi;
        let info = plain_message(server.context.rsi)?;
        let process = server.process?;
        if let Some(bound) = server.bound
            && self.notifications[bound].bits != 0
        {
            return None;
        }
        let (raw, reply_raw) = (handles as u32, (handles >> 32) as u32);
        let through = slot_at(slots, self.handle_mask, server, raw)?;
        let &Object::Endpoint(endpoint) = usable(&slots[through], raw, Rights::READ)? else {
            return None;
        };
        let reply = slot_at(slots, self.handle_mask, server, reply_raw)?;
        let &Object::Reply(Some(caller)) = usable(&slots[reply], reply_raw, Rights::NONE)? else {
            return None;
        };
        let client = &threads[caller];
        if endpoints[endpoint].callers.head.is_some()
            || !waits_plainly(client)
            || !self.scheduler.can_hand_over(cpu, client.account, client)
        {
            return None;
        }

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[Kind::Answer as usize] += 1;
        }
        self.processes[process].table.empty_reply(&mut slots[reply]);
        slots[through].waited = true;
        let receivers = &mut endpoints[endpoint].receivers;
        let last = receivers.last();
        receivers.end_with(id);
        if let Some(last) = last {
            threads[last].links.next = Some(id);
        }
        let server = &mut threads[id];
        server.links = Links {
            previous: last,
            next: None,
        };
        server.account = Some(process);
        server.through = Some(NodeId::at(through as u32));
        server.state = ThreadState::Receiving(endpoint);
        self.scheduler.hand_over(cpu, caller);
        let client = &mut threads[caller];
        client.context.rdi = 0;
        client.context.rsi = info.0;
        Some(go_on(threads, [id, caller], info, cpu))
    }

    /// A function of its own, as [`Self::fast_signal`] is: calls need the registers.
    #[inline(never)]
    fn fast_yield(&mut self, id: ThreadId, machine: &impl Machine) -> Option<Switch<'_>> {
        self.scheduler.enter(machine.cpu());
        let thread = &self.threads[id];
        let now_ns = machine.now_ns();
        let next = self
            .scheduler
            .next_equal(&self.threads, &self.processes, thread, now_ns)?;

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[Kind::Yield as usize] += 1;
        }
        self.threads[id].context.rax = 0;
        self.scheduler
            .yield_to(&mut self.threads, &mut self.processes, [id, next], now_ns);
        let next = &mut self.threads[next];
        Some(Switch::to(&mut next.context, next.space))
    }

    #[inline(never)]
    fn fast_signal(&mut self, id: ThreadId, machine: &impl Machine) -> Option<Switch<'_>> {
        self.scheduler.enter(machine.cpu());
        let sender = &self.threads[id];
        let (raw, bits) = (sender.context.rdi, sender.context.rsi);
        let raw = u32::try_from(raw).ok()?;
        let slot = slot_at(self.slots, self.handle_mask, sender, raw)?;
        let &Object::Notification(notification) = usable(&self.slots[slot], raw, Rights::WRITE)?
        else {
            return None;
        };
        let Notification { waiters, bound, .. } = &self.notifications[notification];
        let next = waiters.head?;
        let waiter = &self.threads[next];
        let usual = bits != 0
            && bound.is_none()
            && self
                .scheduler
                .takes_over(&self.threads, &self.processes, sender, waiter);
        if !usual {
            return None;
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
        Some(Switch::to(&mut next.context, next.space))
    }
}

/// Where among all slots that of a handle is, if there is one of this number. An index past the process's table comes out as another
/// in the table, whose handle is another, also where the CPU speculates (`speculation`).
#[inline(always)]
fn slot_at(slots: &[Slot], mask: u32, thread: &Thread, raw: u32) -> Option<usize> {
    let position = (thread.first_slot as usize).wrapping_add((raw & mask) as usize);
    (position < slots.len()).then_some(position)
}

/// What a slot holds, when the handle that led to it names it, works now and for ever, and has the rights.
#[inline(always)]
fn usable(slot: &Slot, raw: u32, rights: Rights) -> Option<&Object> {
    let usable = slot.handle.raw() == raw && slot.lasting_rights.contains(rights);
    Some(&slot.capability.as_ref().filter(|_| usable)?.object)
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

/// Has a thread that waited go on in place of the one whose message it gets. Eight words go from register to register; of fewer, the
/// registers for the others are cleared.
#[inline(always)]
fn go_on<'a>(
    mut threads: View<'a, ThreadId, Thread>,
    [from, to]: [ThreadId; 2],
    info: MessageInfo,
    cpu: CpuId,
) -> Switch<'a> {
    let takes_words = info.words() >= MESSAGE_WORDS;
    if !takes_words {
        copy_words(&mut threads, [from, to], info);
    }
    let thread = threads.into_mut(to);
    thread.cpu = cpu;
    thread.state = ThreadState::Running;
    let context = &mut thread.context;
    context.rax = 0;
    context.rbx = 0;
    context.rbp = 0;
    Switch {
        context,
        space: thread.space,
        takes_words,
    }
}

/// Copies the words of a message from register to register; those beyond the count are zero.
#[inline(never)]
fn copy_words(
    threads: &mut View<'_, ThreadId, Thread>,
    [from, to]: [ThreadId; 2],
    info: MessageInfo,
) {
    let words = message::words(&threads[from].context, info);
    message::set_words(&mut threads[to].context, words);
}
