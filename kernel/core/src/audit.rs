//! The record of denied system calls: who, what, which object, when, and why. A ring: the oldest are overwritten.
//!
//! A denial is one of the first five errors. The check that fails notes the handle and the object; whoever ends the system
//! call, or the wait of a blocked thread, makes the record.

use nonos_abi::Error;
use nonos_abi::info::AuditRecord;

use crate::arena::ThreadId;
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::object::Object;

/// The ring.
pub(crate) struct Audit {
    ring: &'static mut [AuditRecord],
    written: u64,
}

impl Audit {
    /// Without records.
    pub fn new(ring: &'static mut [AuditRecord]) -> Self {
        Self { ring, written: 0 }
    }

    fn write(&mut self, record: AuditRecord) {
        let length = self.ring.len() as u64;
        let at = self.written.checked_rem(length).unwrap_or(0) as usize;
        if let Some(place) = self.ring.get_mut(at) {
            *place = AuditRecord {
                sequence: self.written,
                ..record
            };
        }
        self.written += 1;
    }

    /// The record at a position, or the oldest after it.
    pub fn read(&self, position: u64) -> Option<&AuditRecord> {
        let length = self.ring.len() as u64;
        let position = position.max(self.written.saturating_sub(length));
        let at = position.checked_rem(length)?;
        (position < self.written).then(|| &self.ring[at as usize])
    }
}

/// The handle that a check failed for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Denied {
    pub handle: u64,
    pub object: Option<Object>,
}

impl Denied {
    /// Nothing was denied.
    pub const NONE: Self = Self {
        handle: 0,
        object: None,
    };
}

impl Kernel {
    /// Notes what a check failed for.
    #[cold]
    pub(crate) fn deny(&self, handle: u64, object: Option<Object>, error: Error) -> Error {
        self.denied.set(Denied { handle, object });
        error
    }

    /// Counts and records an error if it is a denial.
    #[cold]
    pub(crate) fn record_denial(
        &mut self,
        thread: ThreadId,
        syscall: u64,
        error: Error,
        machine: &impl Machine,
    ) {
        let Some(process) = self.threads[thread].process else {
            return;
        };
        if !self.processes[process].count_denial(error) {
            return;
        }
        let Denied { handle, object } = self.denied.replace(Denied::NONE);
        self.audit.write(AuditRecord {
            time_ns: machine.now_ns(),
            process: self.processes[process].number,
            name: self.processes[process].name,
            reason: error.raw(),
            syscall,
            handle,
            kind: object.map_or(0, |object| object.kind() as u64),
            object: object.map_or(0, Object::number),
            ..AuditRecord::default()
        });
    }
}
