//! What one process was given, so that it can be taken back.
//!
//! `init` gives nothing away from its own handles. For each process and thing it makes a handle in between and gives out what is
//! derived from that: revoking the handle in between takes the thing from this process and from no other, at once.

use nonos_proto::Refusal;
use nonos_rt::abi::{Error, Name, Rights};
use nonos_rt::handle::OwnedHandle;

/// What a process can be given. Nothing of it is given twice through two handles in between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Thing {
    /// A service to call.
    Service(Name),
    /// The endpoint that it serves.
    Server,
    /// State of the system.
    SystemInfo,
    /// Where the kernel lies.
    KernelLayout,
    /// Power of the machine.
    Power,
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
    Ps2Interrupt,
    /// The frame buffer.
    Screen,
}

/// Most things of one process.
const MOST: usize = 16;

/// The rights of a handle in between, beside those that its receiver gets.
const BETWEEN: Rights = Rights::GRANT.or(Rights::REVOKE);

/// A handle in between, and the needs that it stands for.
struct Entry {
    thing: Thing,
    needs: u64,
    handle: OwnedHandle,
}

/// The handles in between of one process.
pub struct Kept([Option<Entry>; MOST]);

impl Kept {
    /// Nothing was given.
    pub const fn new() -> Self {
        Self([const { None }; MOST])
    }

    /// A handle for the process, with these rights and GRANT, which it takes to leave by message and which stays behind.
    /// `make` derives the handle in between, with the rights that it is given, when there is none yet.
    pub fn give(
        &mut self,
        thing: Thing,
        needs: u64,
        rights: Rights,
        make: impl FnOnce(Rights) -> Result<OwnedHandle, Refusal>,
    ) -> Result<OwnedHandle, Refusal> {
        let is_it = |entry: &Option<Entry>| entry.as_ref().is_some_and(|e| e.thing == thing);
        let found = self.0.iter().position(is_it);
        let place = found.or_else(|| self.0.iter().position(Option::is_none));
        let entry = &mut self.0[place.ok_or(Refusal::Full)?];
        let entry = match entry {
            Some(entry) => entry,
            None => entry.insert(Entry {
                thing,
                needs,
                handle: make(rights.or(BETWEEN))?,
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
                match entry.handle.revoke() {
                    // One that has expired has nothing below it that works.
                    Ok(()) | Err(Error::Expired | Error::Revoked) => {}
                    Err(error) => {
                        *slot = Some(entry);
                        outcome = Err(error);
                    }
                }
            }
        }
        outcome
    }
}
