//! The fast path: a call, and an answer with the wait for the next call, when the other side is waiting for just that; a signal to a
//! more important thread that waits for it; a yield to an equal; and, in `fast_map`, mapping and unmapping a page.
//!
//! The same meaning as the plain path (`endpoint`, `notification`, `scheduler`), which every case that is not the usual one is left to:
//! leases in the message, handles that are not moved (`fast_move`), a handle or a wait with a deadline, a budget, something else to run or to
//! decide. Nothing is changed before it is certain that all can be done. The scheduler has nothing to decide afterwards. After a call or an answer the thread
//! that waited goes on at the cost of the one that called, in its time slice.
//!
//! Each object is looked up before anything is written, so that the compiler looks once only.
//!
//! `tests::fast_path` plays the same games with and without it and compares every register.

use nonos_abi::message::MESSAGE_WORDS;
use nonos_abi::{MessageInfo, Rights, Syscall};

use crate::handle::{Capability, Slot};
use crate::kernel::Kernel;
use crate::lineage::NodeId;
use crate::machine::{CpuId, Current, Machine, Switch};
use crate::notification::Notification;
use crate::object::Object;
use crate::queue::Links;
use crate::thread::{Thread, ThreadState};

/// What a message may have to go this way: words and a label.
pub(crate) const PLAIN_BITS: u64 = 0xFFFF_000F;

const CALL: u64 = Syscall::Call as u64;
const REPLY_RECEIVE: u64 = Syscall::ReplyReceive as u64;
const YIELD: u64 = Syscall::Yield as u64;
const SIGNAL: u64 = Syscall::NotificationSignal as u64;
const MAP: u64 = Syscall::MemoryMap as u64;
const UNMAP: u64 = Syscall::MemoryUnmap as u64;

/// Counts the fast paths, by kind.
#[cfg(any(test, feature = "testing"))]
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Call,
    Answer,
    Yield,
    Signal,
    Move,
    Map,
    Unmap,
}

/// How many kinds there are.
#[cfg(any(test, feature = "testing"))]
pub(crate) const KINDS: usize = Kind::Unmap as usize + 1;

#[cfg(any(test, feature = "testing"))]
impl Kind {
    /// Where a message is counted.
    fn of(plain: Self, info: MessageInfo) -> usize {
        let kind = if info.handles() == 0 {
            plain
        } else {
            Self::Move
        };
        kind as usize
    }
}

impl Kernel {
    /// Does the system call of the running thread of this CPU, in whose registers `rax`, `rdi` and `rsi` is this, if it is a
    /// usual one. Else nothing has changed, and [`Self::syscall`] does it. The machine is asked for when it is needed.
    #[inline(always)]
    pub fn fast_syscall<'a, M: Machine + 'a>(
        &mut self,
        [call, first, second]: [u64; 3],
        cpu: CpuId,
        machine: impl FnOnce() -> &'a mut M,
    ) -> Option<Switch<'_>> {
        if call == CALL {
            self.fast_call(cpu, first, second)
        } else if call == REPLY_RECEIVE {
            self.fast_reply_receive(cpu, first, second)
        } else {
            // Functions of their own: calls and answers need the registers. They also come first.
            let machine = machine();
            let (context, space) = match call {
                YIELD => self.fast_yield(machine)?,
                SIGNAL => self.fast_signal(machine)?,
                MAP => self.fast_map(machine)?,
                UNMAP => self.fast_unmap(machine)?,
                _ => return None,
            };
            Some(Switch::to(context, space))
        }
    }

    #[inline(always)]
    fn fast_call(&mut self, cpu: CpuId, raw: u64, info: u64) -> Option<Switch<'_>> {
        let info = match plain_message(info) {
            Some(info) => info,
            None => self.check_moving(cpu, info, raw as u32, raw as u32)?,
        };
        let running = self.scheduler.running_at(cpu);
        let (mut threads, slots) = (self.threads.view(), &mut *self.slots);
        let from = threads.find(running)?;
        let caller = &threads[from];
        let through = slot_at(slots, self.handle_mask, caller, raw as u32)?;
        let slot = &slots[through];
        let Some(Capability {
            object: Object::Endpoint(endpoint),
            badge,
            ..
        }) = slot.capability
        else {
            return None;
        };
        if !is_usable(slot, raw, Rights::WRITE) {
            return None;
        }
        let endpoint = self.endpoints.view().find_mut(endpoint)?;
        let receiver = endpoint.receivers.head;
        let to = threads.find(receiver)?;
        let server = &threads[to];
        if !self.scheduler.can_hand_over(cpu, server) {
            return None;
        }
        let kept = server.reply;
        if kept as usize >= slots.len() {
            return None;
        }

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[Kind::of(Kind::Call, info)] += 1;
        }
        let reply = slots[kept as usize].fill_reply(running);
        slots[through].waited = true;
        let caller = &mut threads[from];
        caller.through = Some(NodeId::at(through as u32));
        caller.state = ThreadState::AwaitingReply(NodeId::at(kept));
        self.scheduler.hand_over(cpu, receiver);
        let server = &mut threads[to];
        endpoint.receivers.remove_first(server);
        server.account = self.scheduler.account_at(cpu);
        server.go_on(cpu, badge, info.with_reply(reply));
        let server = threads.into_mut(to);
        Some(Switch {
            context: &mut server.context,
            space: server.space,
            message: Some(info),
        })
    }

    #[inline(always)]
    fn fast_reply_receive(&mut self, cpu: CpuId, handles: u64, info: u64) -> Option<Switch<'_>> {
        let (raw, reply_raw) = (handles as u32, (handles >> 32) as u32);
        let info = match plain_message(info) {
            Some(info) => info,
            None => self.check_moving(cpu, info, raw, reply_raw)?,
        };
        let running = self.scheduler.running_at(cpu);
        let (mut threads, slots) = (self.threads.view(), &mut *self.slots);
        let from = threads.find(running)?;
        let server = &threads[from];
        if let Some(bound) = server.bound
            && self.notifications.view().find_mut(bound)?.bits != 0
        {
            return None;
        }
        let reply = slot_at(slots, self.handle_mask, server, reply_raw)?;
        let slot = &slots[reply];
        let Some(Capability {
            object: Object::Reply(caller),
            ..
        }) = slot.capability
        else {
            return None;
        };
        if !is_usable(slot, reply_raw.into(), Rights::NONE) {
            return None;
        }
        let to = threads.find(caller)?;
        let client = &threads[to];
        if self.scheduler.account_at(cpu) != client.account
            || !self.scheduler.can_hand_over(cpu, client)
        {
            return None;
        }
        let through = slot_at(slots, self.handle_mask, server, raw)?;
        let slot = &slots[through];
        let Some(Capability {
            object: Object::Endpoint(receives),
            ..
        }) = slot.capability
        else {
            return None;
        };
        if !is_usable(slot, raw.into(), Rights::READ) {
            return None;
        }
        let endpoint = self.endpoints.view().find_mut(receives)?;
        if endpoint.callers.head.is_some() {
            return None;
        }

        #[cfg(any(test, feature = "testing"))]
        {
            self.fast_paths[Kind::of(Kind::Answer, info)] += 1;
        }
        // It is kept for the next call.
        slots[reply].empty_reply();
        slots[through].waited = true;
        let (previous, last) = endpoint.receivers.end_with(running);
        if let Some(last) = last
            && let Some(last) = threads.find(Some(last))
        {
            threads[last].links.next = running;
        }
        let server = &mut threads[from];
        server.links = Links {
            previous,
            next: None,
        };
        server.reply = reply as u32;
        server.account = server.process;
        server.through = Some(NodeId::at(through as u32));
        server.state = ThreadState::Receiving(receives);
        self.scheduler.hand_over(cpu, caller);
        let client = &mut threads[to];
        client.go_on(cpu, 0, info);
        let client = threads.into_mut(to);
        Some(Switch {
            context: &mut client.context,
            space: client.space,
            message: Some(info),
        })
    }

    #[cold]
    #[inline(never)]
    fn fast_yield(&mut self, machine: &impl Machine) -> Current<'_> {
        self.scheduler.enter(machine.cpu());
        let id = self.scheduler.running()?;
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
        Some((&mut next.context, next.space))
    }

    #[cold]
    #[inline(never)]
    fn fast_signal(&mut self, machine: &impl Machine) -> Current<'_> {
        self.scheduler.enter(machine.cpu());
        let id = self.scheduler.running()?;
        let sender = &self.threads[id];
        let (raw, bits) = (sender.context.rdi, sender.context.rsi);
        let slot = &self.slots[slot_at(self.slots, self.handle_mask, sender, raw as u32)?];
        let Some(Capability {
            object: Object::Notification(notification),
            ..
        }) = slot.capability
        else {
            return None;
        };
        if !is_usable(slot, raw, Rights::WRITE) {
            return None;
        }
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
        // There were none: nobody waits for bits that are there.
        waiter.context.rdi = bits;
        let now_ns = machine.now_ns();
        self.scheduler
            .take_over(&mut self.threads, &mut self.processes, [id, next], now_ns);
        let next = &mut self.threads[next];
        Some((&mut next.context, next.space))
    }
}

/// Where among all slots that of a handle is, if there is one of this number. An index past the process's table comes out as another
/// in the table, whose handle is another, also where the CPU speculates (`speculation`).
#[inline(always)]
pub(crate) fn slot_at(slots: &[Slot], mask: u32, thread: &Thread, raw: u32) -> Option<usize> {
    let position = (thread.first_slot as usize).wrapping_add((raw & mask) as usize);
    (position < slots.len()).then_some(position)
}

/// Whether a handle names what the slot that it led to holds, if that is anything, works now and for ever, and has the rights.
#[inline(always)]
pub(crate) fn is_usable(slot: &Slot, raw: u64, rights: Rights) -> bool {
    u64::from(slot.handle.raw()) == raw && slot.lasting_rights.contains(rights)
}

/// A message without handles and leases, with a valid count of words.
#[inline(always)]
pub(crate) fn plain_message(info: u64) -> Option<MessageInfo> {
    // A count above the limit carries to bit 4.
    const { assert!(MESSAGE_WORDS == 8) };
    let plain = (info | info.wrapping_add(7)) & !PLAIN_BITS == 0;
    plain.then_some(MessageInfo(info))
}

impl Thread {
    /// Has a thread that waited go on with a message.
    #[inline(always)]
    fn go_on(&mut self, cpu: CpuId, sender: u64, info: MessageInfo) {
        self.cpu = cpu;
        self.state = ThreadState::Running;
        let context = &mut self.context;
        context.rax = 0;
        context.rdi = sender;
        context.rsi = info.0;
        context.rbx = 0;
        context.rbp = 0;
    }
}
