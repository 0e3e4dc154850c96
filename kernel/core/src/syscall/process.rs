//! `ModuleAdmit` and `Process…`: from a verified module to a running program and its end.

use nonos_abi::info::process_flags;
use nonos_abi::{Error, Name, Rights};

use super::{Arguments, Outcome, deadline};
use crate::arena::ProcessId;
use crate::budget::Budget;
use crate::handle::Capability;
use crate::kernel::{Caller, Kernel};
use crate::lineage::NEVER;
use crate::machine::Machine;
use crate::notification::Signal;
use crate::object::{Archive, Object};
use crate::process::Exit;
use crate::user::Allegation;

/// What a handle to a module can carry.
const MODULE_RIGHTS: Rights = Rights::READ
    .or(Rights::EXECUTE)
    .or(Rights::GRANT)
    .or(Rights::REVOKE);

impl Kernel {
    pub(super) fn sys_module_admit(
        &mut self,
        process: ProcessId,
        archive: u64,
        name: u64,
        name_bytes: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (_, found) = self.look_up_found::<Archive>(process, archive, Rights::READ, machine)?;
        self.lineage.check_depth(found.node)?;
        self.check_free_handle(process)?;
        let length = usize::try_from(name_bytes).unwrap_or(usize::MAX);
        let mut bytes = [0; Name::BYTES];
        let buffer = bytes.get_mut(..length).ok_or(Error::InvalidArgument)?;
        self.copy_in(process, Allegation::new(name, length)?, buffer, machine)?;
        let name = core::str::from_utf8(buffer).ok().and_then(Name::new);
        let id = self.admit_module(name.ok_or(Error::InvalidArgument)?, machine)?;
        let module = Capability::new(Object::Module(id), MODULE_RIGHTS);
        let handle = self.insert_copy(process, &found, module, NEVER)?;
        Ok(Outcome::One(handle.raw().into()))
    }

    pub(super) fn sys_process_create(
        &mut self,
        process: ProcessId,
        module: u64,
        limits: [u64; 2],
        [budget_ns, period_ns, flags]: [u64; 3],
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let module = self.look_up(process, module, Rights::EXECUTE, machine)?;
        self.check_free_handle(process)?;
        let budget = Budget::new(budget_ns, period_ns)?;
        let maker = Some(process);
        let coarse_clock = match flags {
            0 => false,
            process_flags::COARSE_CLOCK => true,
            _ => return Err(Error::InvalidArgument),
        };
        let id = self.create_process(maker, module, limits, budget, coarse_clock, machine)?;
        let made = Capability::new(Object::Process(id), Rights::ALL);
        self.retain(&made);
        self.give(process, made)
    }

    pub(super) fn sys_process_grant(
        &mut self,
        process: ProcessId,
        arguments: Arguments,
        machine: &impl Machine,
    ) -> Result<Outcome, Error> {
        let [child, handle, rights, deadline_ns, ..] = arguments;
        let child: ProcessId = self.look_up(process, child, Rights::WRITE, machine)?;
        let found = self.look_up_any(process, handle, Rights::GRANT, machine)?;
        let copy = found.capability.narrowed(Rights::from_bits(rights));
        if self.processes[child].exit.is_some() {
            return Err(Error::PeerGone);
        }
        if !self.is_new(child) {
            return Err(Error::Busy);
        }
        let handle = self.insert_copy(child, &found, copy, deadline(deadline_ns))?;
        Ok(Outcome::One(handle.raw().into()))
    }

    pub(super) fn sys_process_start(
        &mut self,
        process: ProcessId,
        child: u64,
        arguments: [u64; 2],
        machine: &impl Machine,
    ) -> Result<Outcome, Error> {
        let child = self.look_up(process, child, Rights::WRITE, machine)?;
        self.start_process(child, arguments)?;
        Ok(Outcome::Done)
    }

    /// Ending a process that has ended succeeds. A process can end itself.
    pub(super) fn sys_process_kill(
        &mut self,
        caller: Caller,
        victim: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let victim = self.look_up(caller.process, victim, Rights::EXECUTE, machine)?;
        self.end_process(victim, Exit::Killed, machine);
        Ok(if victim == caller.process {
            Outcome::Written
        } else {
            Outcome::Done
        })
    }

    pub(super) fn sys_process_watch(
        &mut self,
        process: ProcessId,
        watched: u64,
        notification: u64,
        bits: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (watched, source) = self.look_up_found(process, watched, Rights::READ, machine)?;
        let (notification, sink) =
            self.look_up_found(process, notification, Rights::WRITE, machine)?;
        let signal = Signal { notification, bits };
        self.watch_process(process, watched, &source, &sink, signal, machine)?;
        Ok(Outcome::Done)
    }

    pub(super) fn sys_process_read(
        &mut self,
        process: ProcessId,
        read: u64,
        pointer: u64,
        words: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let read = self.look_up(process, read, Rights::READ, machine)?;
        let mut info = self.process_info(read, machine.now_ns());
        info.cpu_ns = self.told(process, info.cpu_ns);
        self.copy_record(process, &info, pointer, words, machine)?;
        Ok(Outcome::Done)
    }
}
