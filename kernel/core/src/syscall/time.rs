//! Time and the end of it: `Yield`, `Sleep`, `Exit`. (`Null` and `ClockRead` are one line each in the dispatcher.)

use nonos_abi::Error;

use super::Outcome;
use crate::kernel::{Caller, Kernel};
use crate::machine::Machine;
use crate::process::Exit;

impl Kernel {
    pub(super) fn sys_yield(&mut self) -> Result<Outcome, Error> {
        self.scheduler.yield_now(&mut self.threads);
        Ok(Outcome::Done)
    }

    pub(super) fn sys_sleep(
        &mut self,
        caller: Caller,
        deadline_ns: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        self.threads[caller.thread].context.rax = 0;
        if deadline_ns > machine.now_ns() {
            self.scheduler.sleep(&mut self.threads, deadline_ns);
        }
        Ok(Outcome::Written)
    }

    pub(super) fn sys_exit(
        &mut self,
        caller: Caller,
        code: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        self.end_process(caller.process, Exit::Code(code), machine);
        Ok(Outcome::Written)
    }
}
