//! Faults in words.

use core::fmt;

use nonos_abi::kcfi::{self, CHECK_BYTES, UD2_BYTES};

use crate::arena::ProcessId;
use crate::kernel::Kernel;
use crate::machine::{Fault, Machine};
use crate::user::Allegation;

/// Names of the exceptions (SDM vol. 3, table 6-1).
const NAMES: [&str; 22] = [
    "divide error",
    "debug exception",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "device not available",
    "double fault",
    "coprocessor segment overrun",
    "invalid TSS",
    "segment not present",
    "stack-segment fault",
    "general protection fault",
    "page fault",
    "reserved exception",
    "x87 floating-point error",
    "alignment check",
    "machine check",
    "SIMD floating-point exception",
    "virtualization exception",
    "control protection exception",
];
const INVALID_OPCODE: u8 = 6;
const PAGE_FAULT: u8 = 14;

/// Error code of an invalid opcode that ended a call through a pointer to a function of another type; the CPU gives none.
const MISTYPED_CALL: u64 = 1;

/// Bits of a page fault's error code (SDM vol. 3, 4.7).
mod page_fault {
    pub const PRESENT: u64 = 1;
    pub const WRITE: u64 = 1 << 1;
    pub const FETCH: u64 = 1 << 4;
}

impl Kernel {
    /// Says of an invalid opcode whether it is that of a check before an indirect call.
    pub(crate) fn explain(
        &self,
        process: ProcessId,
        fault: Fault,
        machine: &mut impl Machine,
    ) -> Fault {
        if fault.vector != INVALID_OPCODE {
            return fault;
        }
        let mut code = [0; CHECK_BYTES];
        let start = fault
            .instruction
            .wrapping_sub((CHECK_BYTES - UD2_BYTES) as u64);
        let read = Allegation::new(start, CHECK_BYTES)
            .and_then(|range| self.copy_in(process, range, &mut code, machine));
        let error = if read.is_ok() && kcfi::is_check(&code) {
            MISTYPED_CALL
        } else {
            0
        };
        Fault { error, ..fault }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = NAMES
            .get(usize::from(self.vector))
            .unwrap_or(&"unknown exception");
        f.write_str(name)?;
        if self.vector == PAGE_FAULT {
            let kind = match self.error {
                error if error & page_fault::FETCH != 0 => "executing",
                error if error & page_fault::WRITE != 0 => "writing",
                _ => "reading",
            };
            let present = self.error & page_fault::PRESENT != 0;
            let reason = if present {
                "access not allowed"
            } else {
                "not mapped"
            };
            write!(f, " {kind} {:#x} ({reason})", self.address)?;
        } else if self.vector == INVALID_OPCODE && self.error == MISTYPED_CALL {
            f.write_str(" (kCFI: called a function of another type)")?;
        } else if self.error != 0 {
            write!(f, ", error code {:#x}", self.error)?;
        }
        write!(f, " at instruction {:#x}", self.instruction)
    }
}
