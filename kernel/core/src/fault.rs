//! Faults in words.

use core::fmt;

use crate::machine::Fault;

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
const PAGE_FAULT: u8 = 14;

/// Bits of a page fault's error code (SDM vol. 3, 4.7).
mod page_fault {
    pub const PRESENT: u64 = 1;
    pub const WRITE: u64 = 1 << 1;
    pub const FETCH: u64 = 1 << 4;
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
        } else if self.error != 0 {
            write!(f, ", error code {:#x}", self.error)?;
        }
        write!(f, " at instruction {:#x}", self.instruction)
    }
}
