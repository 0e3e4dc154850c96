//! `EndpointCreate`, `EndpointBadge`, `Call`, `Receive`, `Reply`, `ReplyReceive`.

use nonos_abi::{Error, Handle, Rights};

use super::Outcome;
use crate::arena::ProcessId;
use crate::handle::Capability;
use crate::kernel::{Caller, Kernel};
use crate::object::Object;

impl Kernel {
    pub(super) fn sys_endpoint_create(&mut self, process: ProcessId) -> Result<Outcome, Error> {
        self.check_free_handle(process)?;
        let id = self.create_endpoint(process)?;
        self.give(process, Capability::new(Object::Endpoint(id), Rights::ALL))
    }

    pub(super) fn sys_endpoint_badge(
        &mut self,
        process: ProcessId,
        endpoint: u64,
        badge: u64,
        rights: u64,
    ) -> Result<Outcome, Error> {
        self.look_up(process, endpoint, Rights::GRANT, Object::endpoint)?;
        let copy = self.narrowed(process, endpoint, rights)?;
        if copy.badge != 0 || badge == 0 {
            return Err(Error::InvalidArgument);
        }
        let handle = self.insert_copy(process, Capability { badge, ..copy })?;
        Ok(Outcome::One(handle.raw().into()))
    }

    pub(super) fn sys_call(&mut self, caller: Caller, endpoint: u64) -> Result<Outcome, Error> {
        let (_, capability) = self.look_up_any(caller.process, endpoint)?;
        let id = capability.object.endpoint().ok_or(Error::WrongKind)?;
        capability.require(Rights::WRITE)?;
        self.call(caller, id, capability.badge)?;
        Ok(Outcome::Written)
    }

    pub(super) fn sys_receive(&mut self, caller: Caller, endpoint: u64) -> Result<Outcome, Error> {
        let id = self.look_up(caller.process, endpoint, Rights::READ, Object::endpoint)?;
        self.receive(caller, id)?;
        Ok(Outcome::Written)
    }

    pub(super) fn sys_reply(&mut self, caller: Caller, reply: u64) -> Result<Outcome, Error> {
        let (handle, capability) = self.look_up_any(caller.process, reply)?;
        let waiting = capability.object.reply().ok_or(Error::WrongKind)?;
        self.reply(caller, handle, waiting)?;
        Ok(Outcome::Done)
    }

    /// The endpoint is checked first, so that a call that fails has not answered. Whether the one to answer is still
    /// there is of no concern to a server that goes on to the next: only an answer that cannot be
    /// delivered is an error. Without a reply handle this is `Receive`.
    pub(super) fn sys_reply_receive(
        &mut self,
        caller: Caller,
        handles: u64,
    ) -> Result<Outcome, Error> {
        let (endpoint, reply) = (handles & u64::from(u32::MAX), handles >> 32);
        let id = self.look_up(caller.process, endpoint, Rights::READ, Object::endpoint)?;
        if reply != u64::from(Handle::NONE.raw()) {
            match self.sys_reply(caller, reply) {
                Ok(_) | Err(Error::PeerGone) => {}
                Err(error) => return Err(error),
            }
        }
        self.receive(caller, id)?;
        Ok(Outcome::Written)
    }
}
