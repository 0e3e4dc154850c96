//! Notifications: 64 signal bits, set by one side, taken and cleared by the other.
//!
//! A notification can be bound to one thread, whose `Receive` then ends when a bit is set. The binding is a reference.
//! Invariant: while a thread waits (or a bound thread receives), no bit is set.

use nonos_abi::{Error, MessageInfo};

use crate::arena::{Empty, NotificationId, ProcessId, ThreadId};
use crate::handle::Found;
use crate::kernel::Kernel;
use crate::lineage::Derived;
use crate::machine::Machine;
use crate::message::{self, Arrival};
use crate::scheduler::Queue;
use crate::thread::ThreadState;

/// Signal bits, and who waits for them.
pub struct Notification {
    pub(crate) bits: u64,
    pub(crate) waiters: Queue,
    pub(crate) bound: Option<ThreadId>,
}

impl Empty for Notification {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            bits: 0,
            waiters: Queue::EMPTY,
            bound: None,
        }
    }
}

/// Bits to set in a notification. Whoever stores one holds a reference.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Signal {
    pub notification: NotificationId,
    pub bits: u64,
}

impl Kernel {
    /// Makes a notification with one reference.
    pub(crate) fn create_notification(
        &mut self,
        payer: ProcessId,
    ) -> Result<NotificationId, Error> {
        self.check_object_quota(payer)?;
        let id = self
            .notifications
            .insert(Notification::unused(), Some(payer));
        let id = id.ok_or(Error::OutOfObjects)?;
        self.charge_object(payer);
        Ok(id)
    }

    /// Sets bits, or hands them to a thread that waits for them.
    pub(crate) fn signal(&mut self, signal: Signal, machine: &mut impl Machine) {
        let id = signal.notification;
        let notification = &mut self.notifications[id];
        notification.bits |= signal.bits;
        if notification.bits == 0 {
            return;
        }
        if let Some(bound) = notification.bound
            && let ThreadState::Receiving(endpoint) = self.threads[bound].state
        {
            if let Err(expired) = self.check_wait(bound, machine) {
                return self.end_wait(bound, expired, machine);
            }
            self.endpoints[endpoint]
                .receivers
                .remove(&mut self.threads, bound);
            self.give_back_reply(bound);
            self.arrive_signalled(bound, id);
            return self.scheduler.wake(&mut self.threads, bound);
        }
        loop {
            let notification = &mut self.notifications[id];
            let Some(waiter) = notification.waiters.head else {
                return;
            };
            let thread = &mut self.threads[waiter];
            notification.waiters.remove_first(thread);
            if thread.deadline_ns.is_some()
                && let Err(expired) = self.check_wait(waiter, machine)
            {
                self.wake_with_error(waiter, expired, machine);
                continue;
            }
            let thread = &mut self.threads[waiter];
            thread.context.rax = 0;
            thread.context.rdi = core::mem::take(&mut self.notifications[id].bits);
            return self.scheduler.wake(&mut self.threads, waiter);
        }
    }

    /// Ends the `Receive` of a thread with the bits of its notification.
    pub(crate) fn arrive_signalled(&mut self, thread: ThreadId, id: NotificationId) {
        let bits = core::mem::take(&mut self.notifications[id].bits);
        let arrival = Arrival {
            sender: bits,
            ..Arrival::new(MessageInfo::NOTIFICATION)
        };
        message::arrive(&mut self.threads[thread].context, &arrival);
    }

    /// Binds a notification to a thread by the authority of a handle, in place of the one bound before.
    pub(crate) fn bind_notification(
        &mut self,
        thread: ThreadId,
        id: NotificationId,
        through: &Found,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        match self.notifications[id].bound {
            Some(bound) if bound == thread => return Ok(()),
            Some(_) => return Err(Error::Busy),
            None => {}
        }
        self.lineage.check_depth(through.node)?;
        self.unbind_notification(thread, machine);
        self.notifications.retain(id);
        self.notifications[id].bound = Some(thread);
        self.threads[thread].bound = Some(id);
        let node = self.lineage.node(Derived::Bound(thread));
        self.lineage.link(node, through.node);
        Ok(())
    }

    /// Undoes a binding.
    pub(crate) fn unbind_notification(&mut self, thread: ThreadId, machine: &mut impl Machine) {
        if let Some(id) = self.threads[thread].bound.take() {
            self.notifications[id].bound = None;
            let node = self.lineage.node(Derived::Bound(thread));
            self.lineage.unlink(node);
            self.release_notification(id, machine);
        }
    }

    /// Drops a reference; with the last one, the notification is gone and threads that wait for it find out.
    pub(crate) fn release_notification(&mut self, id: NotificationId, machine: &mut impl Machine) {
        if self.notifications.release(id) == 0 {
            self.end_notification(id, machine);
        }
    }

    #[inline(never)]
    fn end_notification(&mut self, id: NotificationId, machine: &mut impl Machine) {
        while let Some(waiter) = self.notifications[id].waiters.pop_front(&mut self.threads) {
            self.wake_with_error(waiter, Error::PeerGone, machine);
        }
        let payer = self.notifications.payer(id);
        self.notifications.remove(id);
        self.uncharge_object(payer);
    }
}
