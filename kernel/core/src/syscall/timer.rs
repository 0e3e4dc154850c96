//! `TimerCreate`, `TimerSet`.

use nonos_abi::{Error, Rights};

use super::{Arguments, Outcome};
use crate::arena::{ProcessId, TimerId};
use crate::handle::Capability;
use crate::kernel::Kernel;
use crate::machine::Machine;
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
        arguments: Arguments,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let [timer, notification, bits, deadline_ns, period_ns, _] = arguments;
        let (id, source): (TimerId, _) =
            self.look_up_found(process, timer, Rights::WRITE, machine)?;
        let (notification, sink) =
            self.look_up_found(process, notification, Rights::WRITE, machine)?;
        if (1..PERIOD_NS_MIN).contains(&period_ns) {
            return Err(Error::InvalidArgument);
        }
        if deadline_ns == 0 {
            self.unset_timer(id, machine);
            return Ok(Outcome::Done);
        }
        let alarm = Alarm {
            signal: Signal { notification, bits },
            deadline_ns: self.due(process, deadline_ns),
            period_ns: self.due(process, period_ns),
            expires_ns: source.deadline_ns.min(sink.deadline_ns),
        };
        self.set_timer(id, &source, &sink, alarm, machine)?;
        Ok(Outcome::Done)
    }
}
