//! `TimerCreate`, `TimerSet`.

use nonos_abi::{Error, Rights};

use super::Outcome;
use crate::arena::ProcessId;
use crate::handle::Capability;
use crate::kernel::Kernel;
use crate::notification::Signal;
use crate::object::Object;
use crate::timer::{Alarm, PERIOD_NS_MIN};

impl Kernel {
    pub(super) fn sys_timer_create(&mut self, process: ProcessId) -> Result<Outcome, Error> {
        self.check_free_handle(process)?;
        let id = self.create_timer(process)?;
        self.give(process, Capability::new(Object::Timer(id), Rights::ALL))
    }

    /// A time that has passed signals at once, or as good as.
    pub(super) fn sys_timer_set(
        &mut self,
        process: ProcessId,
        timer: u64,
        notification: u64,
        bits: u64,
        [deadline_ns, period_ns]: [u64; 2],
    ) -> Result<Outcome, Error> {
        let id = self.look_up(process, timer, Rights::WRITE, Object::timer)?;
        let notification =
            self.look_up(process, notification, Rights::WRITE, Object::notification)?;
        if (1..PERIOD_NS_MIN).contains(&period_ns) {
            return Err(Error::InvalidArgument);
        }
        if deadline_ns == 0 {
            self.unset_timer(id);
        } else {
            let alarm = Alarm {
                signal: Signal { notification, bits },
                deadline_ns,
                period_ns,
            };
            self.set_timer(id, alarm);
        }
        Ok(Outcome::Done)
    }
}
