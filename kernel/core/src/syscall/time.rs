//! Time and the end of it: `Yield`, `Sleep`, `Exit`. (`Null` and `ClockRead` are one line each in the dispatcher.)
//!
//! A process with the coarse clock is told times rounded down, and what it waits for comes at the next tick: else it could measure
//! with what it waits for.

use nonos_abi::Error;
use nonos_abi::info::process_flags::COARSE_CLOCK_NS;

use super::Outcome;
use crate::arena::ProcessId;
use crate::kernel::{Caller, Kernel};
use crate::machine::Machine;
use crate::process::Exit;

impl Kernel {
    /// A time as a process is told it.
    pub(super) fn told(&self, process: ProcessId, time_ns: u64) -> u64 {
        match self.processes[process].coarse_clock {
            true => time_ns / COARSE_CLOCK_NS * COARSE_CLOCK_NS,
            false => time_ns,
        }
    }

    /// When a time that a process named has come for it.
    pub(super) fn due(&self, process: ProcessId, time_ns: u64) -> u64 {
        match self.processes[process].coarse_clock {
            true => self.told(process, time_ns.saturating_add(COARSE_CLOCK_NS - 1)),
            false => time_ns,
        }
    }

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
        let deadline_ns = self.due(caller.process, deadline_ns);
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
