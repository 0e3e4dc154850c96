//! `HandleClose`, `HandleCopy`, `HandleInfo`, `HandleRevoke`.

use nonos_abi::{Error, Rights};

use super::{Outcome, deadline};
use crate::arena::ProcessId;
use crate::kernel::{Caller, Kernel};
use crate::machine::Machine;

impl Kernel {
    /// What was revoked or has expired can be closed, too.
    pub(super) fn sys_handle_close(
        &mut self,
        process: ProcessId,
        handle: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let found = self.find(process, handle)?;
        let index = found.handle.index();
        self.check_not_in_use(process, index)?;
        self.take_handle(process, index);
        self.release(&found.capability, machine);
        Ok(Outcome::Done)
    }

    pub(super) fn sys_handle_copy(
        &mut self,
        process: ProcessId,
        handle: u64,
        rights: u64,
        deadline_ns: u64,
        machine: &impl Machine,
    ) -> Result<Outcome, Error> {
        let found = self.look_up_any(process, handle, Rights::GRANT, machine)?;
        let copy = found.capability.narrowed(Rights::from_bits(rights));
        let handle = self.insert_copy(process, &found, copy, deadline(deadline_ns))?;
        Ok(Outcome::One(handle.raw().into()))
    }

    pub(super) fn sys_handle_info(
        &mut self,
        process: ProcessId,
        handle: u64,
        machine: &impl Machine,
    ) -> Result<Outcome, Error> {
        let found = self.look_up_any(process, handle, Rights::NONE, machine)?;
        Ok(Outcome::Two(
            found.capability.object.kind() as u64,
            found.capability.rights.bits(),
        ))
    }

    /// A long revocation makes the system call again until nothing is left, so that the kernel can do other things in between.
    pub(super) fn sys_handle_revoke(
        &mut self,
        caller: Caller,
        handle: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let found = self.look_up_any(caller.process, handle, Rights::REVOKE, machine)?;
        if self.revoke(found.node, machine) {
            Ok(Outcome::Done)
        } else {
            self.repeat_syscall(caller.thread);
            Ok(Outcome::Written)
        }
    }
}
