//! `HandleClose`, `HandleCopy`, `HandleInfo`.

use nonos_abi::{Error, Rights};

use super::Outcome;
use crate::arena::ProcessId;
use crate::handle::Capability;
use crate::kernel::Kernel;
use crate::machine::Machine;

impl Kernel {
    pub(super) fn sys_handle_close(
        &mut self,
        process: ProcessId,
        handle: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (handle, capability) = self.look_up_any(process, handle)?;
        self.table(process).take(handle.index());
        self.release(&capability, machine);
        Ok(Outcome::Done)
    }

    pub(super) fn sys_handle_copy(
        &mut self,
        process: ProcessId,
        handle: u64,
        rights: u64,
    ) -> Result<Outcome, Error> {
        let copy = self.narrowed(process, handle, rights)?;
        let handle = self.insert_copy(process, copy)?;
        Ok(Outcome::One(handle.raw().into()))
    }

    pub(super) fn sys_handle_info(
        &mut self,
        process: ProcessId,
        handle: u64,
    ) -> Result<Outcome, Error> {
        let (_, capability) = self.look_up_any(process, handle)?;
        Ok(Outcome::Two(
            capability.object.kind() as u64,
            capability.rights.bits(),
        ))
    }

    /// A capability that may be passed on, with at most these rights.
    pub(super) fn narrowed(
        &self,
        process: ProcessId,
        handle: u64,
        rights: u64,
    ) -> Result<Capability, Error> {
        let (_, capability) = self.look_up_any(process, handle)?;
        capability.require(Rights::GRANT)?;
        Ok(Capability {
            rights: capability.rights.and(Rights::from_bits(rights)),
            ..capability
        })
    }
}
