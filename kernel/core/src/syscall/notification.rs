//! `NotificationCreate`, `NotificationSignal`, `NotificationWait`, `NotificationBind`.

use nonos_abi::{Error, Rights};

use super::Outcome;
use crate::arena::ProcessId;
use crate::handle::Capability;
use crate::kernel::{Caller, Kernel};
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
    ) -> Result<Outcome, Error> {
        let notification = self.look_up(process, handle, Rights::WRITE, Object::notification)?;
        self.signal(Signal { notification, bits });
        Ok(Outcome::Done)
    }

    pub(super) fn sys_notification_wait(
        &mut self,
        caller: Caller,
        handle: u64,
    ) -> Result<Outcome, Error> {
        let id = self.look_up(caller.process, handle, Rights::READ, Object::notification)?;
        let notification = &mut self.notifications[id];
        if notification.bits != 0 {
            return Ok(Outcome::One(core::mem::take(&mut notification.bits)));
        }
        self.scheduler
            .block(&mut self.threads, ThreadState::Waiting(id));
        notification
            .waiters
            .push_back(&mut self.threads, caller.thread);
        Ok(Outcome::Written)
    }

    pub(super) fn sys_notification_bind(
        &mut self,
        caller: Caller,
        handle: u64,
    ) -> Result<Outcome, Error> {
        let id = self.look_up(caller.process, handle, Rights::READ, Object::notification)?;
        self.bind_notification(caller.thread, id)?;
        Ok(Outcome::Done)
    }
}
