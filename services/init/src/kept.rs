//! What one process was given, so that it can be taken back.
//!
//! `init` gives nothing away from its own handles. For each process and thing it makes a handle in between and gives out what is
//! derived from that: revoking the handle in between takes the thing from this process and from no other, at once.

use nonos_proto::Refusal;
use nonos_rt::abi::{Error, Name, Rights};
use nonos_rt::handle::OwnedHandle;
use nonos_rt::syscall;

/// What a process can be given. Nothing of it is given twice through two handles in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thing {
    /// A service to call.
    Service(Name),
    /// The endpoint that it serves.
    Server,
    /// The same, to make handles of for its clients.
    Issuer,
    /// State of the system.
    SystemInfo,
    /// Where the kernel lies.
    KernelLayout,
    /// The kernel's log, with these rights.
    Log(Rights),
    /// The record of denied system calls.
    Audit,
    /// I/O ports of the serial port.
    SerialPorts,
    /// Interrupt of the serial port.
    SerialInterrupt,
    /// Data port of the PS/2 controller.
    Ps2Data,
    /// Control port of the PS/2 controller.
    Ps2Control,
    /// Interrupt of the keyboard.
    KeyboardInterrupt,
    /// Interrupt of the mouse.
    MouseInterrupt,
    /// The frame buffer.
    Screen,
    /// Registers of the TPM.
    Tpm,
    /// Registers of the GPU.
    GpuRegisters,
    /// The GPU, to map memory for.
    Gpu,
}

/// Most things of one process.
const MOST: usize = 16;

/// The rights of a handle in between, beside those that its receiver gets.
const BETWEEN: Rights = Rights::GRANT.or(Rights::REVOKE);

/// A handle in between, the needs that it stands for, and until when it works (0: for good).
struct Entry {
    thing: Thing,
    needs: u64,
    until_ns: u64,
    handle: OwnedHandle,
}

impl Entry {
    /// Takes back what is derived from it. What has expired works no more, as all below it, and revoking it would be
    /// denied.
    fn revoke(&self) -> Result<(), Error> {
        let expired = self.until_ns != 0 && self.until_ns <= syscall::clock_ns();
        if expired {
            Ok(())
        } else {
            self.handle.revoke()
        }
    }
}

/// Until when a process may have something, and what that stands for.
#[derive(Clone, Copy)]
pub struct Terms {
    /// Needs: bits of [`nonos_rt::abi::info::needs`].
    pub needs: u64,
    /// Time of the end, 0 for none.
    pub until_ns: u64,
}

/// The handles in between of one process.
pub struct Kept([Option<Entry>; MOST]);

impl Kept {
    /// Nothing was given.
    pub const fn new() -> Self {
        Self([const { None }; MOST])
    }

    /// A handle for the process, with these rights and GRANT, which it takes to leave by message and which stays behind.
    /// `make` derives the handle in between when there is none yet, with the rights and until the time that it is given.
    pub fn give(
        &mut self,
        thing: Thing,
        terms: Terms,
        rights: Rights,
        make: impl FnOnce(Rights, u64) -> Result<OwnedHandle, Refusal>,
    ) -> Result<OwnedHandle, Refusal> {
        let is_it = |entry: &Option<Entry>| entry.as_ref().is_some_and(|e| e.thing == thing);
        let found = self.0.iter().position(is_it);
        let place = found.or_else(|| self.0.iter().position(Option::is_none));
        let entry = &mut self.0[place.ok_or(Refusal::Full)?];
        let entry = match entry {
            Some(entry) => entry,
            None => entry.insert(Entry {
                thing,
                needs: terms.needs,
                until_ns: terms.until_ns,
                handle: make(rights.or(BETWEEN), terms.until_ns)?,
            }),
        };
        Ok(entry.handle.copy(rights.or(Rights::GRANT), 0)?)
    }

    /// Takes back what was given for any of these needs.
    ///
    /// # Errors
    /// When the kernel does not revoke one of the handles: that is kept, so that this can be tried again.
    pub fn revoke(&mut self, needs: u64) -> Result<(), Error> {
        self.revoke_where(|entry| entry.needs & needs != 0)
    }

    /// Takes back everything.
    pub fn revoke_all(&mut self) -> Result<(), Error> {
        self.revoke_where(|_| true)
    }

    /// A handle in between is closed only after it was revoked: what is derived from a handle that is closed lives on.
    fn revoke_where(&mut self, what: impl Fn(&Entry) -> bool) -> Result<(), Error> {
        let mut outcome = Ok(());
        for slot in &mut self.0 {
            if let Some(entry) = slot.take_if(|entry| what(entry)) {
                // It may have expired since.
                if let Err(error) = entry.revoke()
                    && error != Error::Expired
                {
                    *slot = Some(entry);
                    outcome = Err(error);
                }
            }
        }
        outcome
    }
}
