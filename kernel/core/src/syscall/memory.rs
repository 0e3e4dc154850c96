//! `MemoryCreate`, `MemoryMap`, `MemoryUnmap`.

use nonos_abi::{Error, PAGE_BYTES, Rights};

use super::Outcome;
use crate::arena::ProcessId;
use crate::handle::{Capability, Found};
use crate::kernel::Kernel;
use crate::lineage::NEVER;
use crate::machine::{Access, Machine};
use crate::object::Object;

/// What a handle to memory can carry: there is no executable memory object.
pub(super) const MEMORY_RIGHTS: Rights = Rights::READ
    .or(Rights::WRITE)
    .or(Rights::GRANT)
    .or(Rights::REVOKE);

/// The rights that an access needs, and the access, when it is one.
#[inline(always)]
pub(crate) fn access(wanted: u64) -> (Rights, Option<Access>) {
    const READ: u64 = Rights::READ.bits();
    const READ_WRITE: u64 = Rights::READ.or(Rights::WRITE).bits();
    match wanted {
        READ_WRITE => (Rights::READ.or(Rights::WRITE), Some(Access::ReadWrite)),
        READ => (Rights::READ, Some(Access::Read)),
        _ => (Rights::NONE, None),
    }
}

impl Kernel {
    pub(super) fn sys_memory_create(
        &mut self,
        process: ProcessId,
        pages: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        self.check_free_handle(process)?;
        let id = self.create_ram(process, pages, machine)?;
        self.give(process, Capability::new(Object::Memory(id), MEMORY_RIGHTS))
    }

    pub(super) fn sys_memory_map(
        &mut self,
        process: ProcessId,
        memory: u64,
        wanted: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (rights, wanted) = access(wanted);
        let (id, found) = self.look_up_found(process, memory, rights, machine)?;
        let access = wanted.ok_or(Error::InvalidArgument)?;
        let address = self.map_memory(process, id, &found, access, machine)?;
        let bytes = u64::from(self.memories[id].pages) * PAGE_BYTES as u64;
        Ok(Outcome::Two(address, bytes))
    }

    pub(super) fn sys_memory_unmap(
        &mut self,
        process: ProcessId,
        address: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        self.unmap_memory(process, address, machine)?;
        Ok(Outcome::Done)
    }

    /// Checks that a process can be given another handle, before something is made for it.
    pub(super) fn check_free_handle(&self, process: ProcessId) -> Result<(), Error> {
        if self.has_free_slots(process, 1) {
            Ok(())
        } else {
            Err(Error::OutOfHandles)
        }
    }

    /// Puts a new capability into the caller's table, as a child of the handle that allowed to make it; its object has
    /// the reference already, and is gone when this fails.
    pub(super) fn give_child(
        &mut self,
        process: ProcessId,
        parent: &Found,
        capability: Capability,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        match self.insert_child(process, parent, capability, NEVER) {
            Ok(handle) => Ok(Outcome::One(handle.raw().into())),
            Err(error) => {
                self.release(&capability, machine);
                Err(error)
            }
        }
    }

    /// Puts a new capability into the caller's table; its object has the reference already.
    pub(super) fn give(
        &mut self,
        process: ProcessId,
        capability: Capability,
    ) -> Result<Outcome, Error> {
        let handle = self.insert_root(process, capability)?;
        Ok(Outcome::One(handle.raw().into()))
    }
}
