//! `ThreadCreate`, `ThreadSchedule`, `ThreadEnd`.

use nonos_abi::{Error, Handle, Rights, USER_END};

use super::Outcome;
use crate::arena::{ProcessId, ThreadId};
use crate::handle::Capability;
use crate::kernel::{Caller, Kernel};
use crate::machine::{Machine, UserContext};
use crate::object::Object;
use crate::thread::ThreadState;

impl Kernel {
    /// A wrong entry or stack pointer is the new thread's fault, but for one outside user space.
    pub(super) fn sys_thread_create(
        &mut self,
        process: ProcessId,
        entry: u64,
        stack_pointer: u64,
        argument: u64,
        priority: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        self.check_free_handle(process)?;
        if entry >= USER_END {
            return Err(Error::BadAddress);
        }
        let context = UserContext {
            rip: entry,
            rsp: stack_pointer,
            rdi: argument,
            ..UserContext::new()
        };
        let priority = self.allowed_priority(process, priority);
        let id = self.create_thread(process, context, priority, machine)?;
        self.give(process, Capability::new(Object::Thread(id), Rights::ALL))
    }

    /// CPUs that do not exist are left out of the affinity; one must be left.
    pub(super) fn sys_thread_schedule(
        &mut self,
        process: ProcessId,
        thread: u64,
        priority: u64,
        affinity: u64,
        machine: &impl Machine,
    ) -> Result<Outcome, Error> {
        let id: ThreadId = self.look_up(process, thread, Rights::WRITE, machine)?;
        let affinity = affinity as u8 & self.scheduler.all_cpus();
        if affinity == 0 {
            return Err(Error::InvalidArgument);
        }
        if self.threads[id].state == ThreadState::Ended {
            return Err(Error::PeerGone);
        }
        let owner = self.threads[id].process.ok_or(Error::PeerGone)?;
        let priority = self.allowed_priority(owner, priority);
        self.scheduler
            .reschedule(&mut self.threads, id, priority, affinity);
        Ok(Outcome::Done)
    }

    /// Ending a thread that has ended succeeds.
    pub(super) fn sys_thread_end(
        &mut self,
        caller: Caller,
        thread: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let id = if thread == u64::from(Handle::NONE.raw()) {
            caller.thread
        } else {
            self.look_up(caller.process, thread, Rights::EXECUTE, machine)?
        };
        self.exit_thread(id, machine);
        Ok(match self.caller() {
            Some(_) => Outcome::Done,
            None => Outcome::Written,
        })
    }

    fn allowed_priority(&self, process: ProcessId, priority: u64) -> u8 {
        let most = self.processes[process].priority;
        u8::try_from(priority).unwrap_or(u8::MAX).min(most)
    }
}
