//! `EndpointCreate`, `EndpointBadge`, `Call`, `Receive`, `Reply`, `ReplyReceive`, `LeaseRead`, `LeaseWrite`.

use nonos_abi::{Error, Handle, Rights};

use super::{Arguments, Outcome, deadline};
use crate::arena::{EndpointId, ProcessId};
use crate::handle::Capability;
use crate::kernel::{Caller, Kernel};
use crate::lease::Transfer;
use crate::machine::Machine;
use crate::object::{Answers, Object};

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
        deadline_ns: u64,
        machine: &impl Machine,
    ) -> Result<Outcome, Error> {
        let (_, found) =
            self.look_up_found::<EndpointId>(process, endpoint, Rights::GRANT, machine)?;
        if found.capability.badge != 0 || badge == 0 {
            return Err(Error::InvalidArgument);
        }
        let copy = Capability {
            badge,
            ..found.capability.narrowed(Rights::from_bits(rights))
        };
        let handle = self.insert_copy(process, &found, copy, deadline(deadline_ns))?;
        Ok(Outcome::One(handle.raw().into()))
    }

    pub(super) fn sys_call(
        &mut self,
        caller: Caller,
        endpoint: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (id, found) = self.look_up_found(caller.process, endpoint, Rights::WRITE, machine)?;
        self.call(caller, id, &found, machine)?;
        Ok(Outcome::Written)
    }

    pub(super) fn sys_receive(
        &mut self,
        caller: Caller,
        endpoint: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (id, found) = self.look_up_found(caller.process, endpoint, Rights::READ, machine)?;
        self.receive(caller, id, &found, machine)?;
        Ok(Outcome::Written)
    }

    pub(super) fn sys_reply(
        &mut self,
        caller: Caller,
        reply: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (Answers(waiting), found) =
            self.look_up_found(caller.process, reply, Rights::NONE, machine)?;
        self.reply(caller, found.handle, waiting, machine)?;
        Ok(Outcome::Done)
    }

    /// The endpoint is checked first, so that a call that fails has not answered. Whether the one to answer is still
    /// there is of no concern to a server that goes on to the next: only an answer that cannot be
    /// delivered is an error. Without a reply handle this is `Receive`.
    pub(super) fn sys_reply_receive(
        &mut self,
        caller: Caller,
        handles: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (endpoint, reply) = (handles & u64::from(u32::MAX), handles >> 32);
        let (id, found) = self.look_up_found(caller.process, endpoint, Rights::READ, machine)?;
        if reply != u64::from(Handle::NONE.raw()) {
            match self.sys_reply(caller, reply, machine) {
                Ok(_) | Err(Error::PeerGone) => {}
                Err(error) => return Err(error),
            }
        }
        self.receive(caller, id, &found, machine)?;
        Ok(Outcome::Written)
    }

    pub(super) fn sys_lease(
        &mut self,
        process: ProcessId,
        arguments: Arguments,
        transfer: Transfer,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let [reply, index, offset, pointer, length, _] = arguments;
        let Answers(waiting) = self.look_up(process, reply, Rights::NONE, machine)?;
        let caller = waiting.ok_or(Error::PeerGone)?;
        self.use_lease(
            process, caller, index, offset, pointer, length, transfer, machine,
        )?;
        Ok(Outcome::Done)
    }
}
