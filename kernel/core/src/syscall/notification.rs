//! `NotificationCreate`, `NotificationSignal`, `NotificationWait`, `NotificationBind`.

use nonos_abi::{Error, Rights};

use super::Outcome;
use crate::arena::{NotificationId, ProcessId};
use crate::handle::Capability;
use crate::kernel::{Caller, Kernel};
use crate::machine::Machine;
use crate::notification::Signal;
use crate::object::Object;
use crate::thread::ThreadState;

impl Kernel {
    pub(super) fn sys_notification_create(&mut self, process: ProcessId) -> Result<Outcome, Error> {
        self.check_free_handle(process)?;
        let id = self.create_notification(process)?;
        self.give(
            process,
            Capability::new(Object::Notification(id), Rights::ALL),
        )
    }

    pub(super) fn sys_notification_signal(
        &mut self,
        process: ProcessId,
        handle: u64,
        bits: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let notification = self.look_up(process, handle, Rights::WRITE, machine)?;
        self.signal(Signal { notification, bits }, machine);
        Ok(Outcome::Done)
    }

    pub(super) fn sys_notification_wait(
        &mut self,
        caller: Caller,
        handle: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (id, found): (NotificationId, _) =
            self.look_up_found(caller.process, handle, Rights::READ, machine)?;
        let notification = &mut self.notifications[id];
        if notification.bits != 0 {
            return Ok(Outcome::One(core::mem::take(&mut notification.bits)));
        }
        self.block_through(caller.thread, &found, ThreadState::Waiting(id));
        self.notifications[id]
            .waiters
            .push_back(&mut self.threads, caller.thread);
        Ok(Outcome::Written)
    }

    pub(super) fn sys_notification_bind(
        &mut self,
        caller: Caller,
        handle: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (id, found) = self.look_up_found(caller.process, handle, Rights::READ, machine)?;
        self.bind_notification(caller.thread, id, &found, machine)?;
        Ok(Outcome::Done)
    }
}
