//! How a process ended.

use core::fmt;

use nonos_abi::cet;
use nonos_abi::info::{ProcessInfo, exit_kind};

/// Exceptions by vector (SDM vol. 3, table 6-1).
const EXCEPTIONS: [&str; 22] = [
    "divide error",
    "single-step or debug exception",
    "non-maskable interrupt",
    "breakpoint",
    "overflow",
    "bound range exceeded",
    "invalid opcode",
    "no floating point",
    "double fault",
    "coprocessor overrun",
    "invalid task state",
    "segment not present",
    "stack-segment fault",
    "general protection",
    "page fault",
    "reserved exception",
    "floating-point error",
    "alignment check",
    "machine check",
    "SIMD floating-point error",
    "virtualization exception",
    "control protection",
];

const INVALID_OPCODE: u64 = 6;
/// The kernel's error code for an invalid opcode of a check before an indirect call.
const MISTYPED_CALL: u64 = 1;
const PAGE_FAULT: u64 = 14;
/// Error code of page faults (SDM vol. 3, 4.7): a page is there, the access was not allowed.
const PRESENT: u64 = 1;
/// The access was a write.
const WRITE: u64 = 1 << 1;
/// The access was an instruction fetch.
const FETCH: u64 = 1 << 4;

/// The end of a process, as `NAME …` goes on: ` ended: exit code 0`, ` ended by fault: …`.
pub struct Ending<'a>(pub &'a ProcessInfo);

impl fmt::Display for Ending<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.0;
        match info.exit_kind {
            exit_kind::EXIT => write!(f, "ended: exit code {}", info.exit_code),
            exit_kind::KILLED => f.write_str("ended: killed"),
            exit_kind::FAULT => fault(info, f),
            exit_kind::NONE => f.write_str("is still running"),
            other => write!(f, "ended in a way this shell does not know ({other})"),
        }
    }
}

fn fault(info: &ProcessInfo, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let name = usize::try_from(info.exit_code)
        .ok()
        .and_then(|vector| EXCEPTIONS.get(vector));
    f.write_str("ended by fault: ")?;
    match name {
        Some(name) => f.write_str(name)?,
        None => write!(f, "exception {}", info.exit_code)?,
    }
    if info.exit_code == PAGE_FAULT {
        let access = match info.fault_error {
            error if error & FETCH != 0 => "execute",
            error if error & WRITE != 0 => "write to",
            _ => "read from",
        };
        let reason = if info.fault_error & PRESENT != 0 {
            "not allowed"
        } else {
            "nothing mapped"
        };
        write!(f, ": {access} address {:#x} ({reason})", info.fault_address)?;
    } else if info.exit_code == INVALID_OPCODE && info.fault_error == MISTYPED_CALL {
        f.write_str(": kCFI, called a function of another type")?;
    } else if info.exit_code == cet::VECTOR.into() {
        write!(f, ": CET, {}", cet::cause(info.fault_error))?;
    } else if info.fault_error != 0 {
        write!(f, ": error code {:#x}", info.fault_error)?;
    }
    write!(f, ", instruction {:#x}", info.fault_instruction)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ending(kind: u64, code: u64, error: u64) -> String {
        let info = ProcessInfo {
            exit_kind: kind,
            exit_code: code,
            fault_error: error,
            fault_address: 0x1000,
            fault_instruction: 0x5555,
            ..ProcessInfo::default()
        };
        Ending(&info).to_string()
    }

    #[test]
    fn every_end_reads_as_a_sentence() {
        assert_eq!(ending(1, 0, 0), "ended: exit code 0");
        assert_eq!(ending(3, 0, 0), "ended: killed");
        assert_eq!(
            ending(2, 6, 0),
            "ended by fault: invalid opcode, instruction 0x5555"
        );
        assert_eq!(
            ending(2, 6, 1),
            "ended by fault: invalid opcode: kCFI, called a function of another type, instruction 0x5555"
        );
        assert_eq!(
            ending(2, 14, 0x6),
            "ended by fault: page fault: write to address 0x1000 (nothing mapped), instruction 0x5555"
        );
        assert_eq!(
            ending(2, 14, 0x15),
            "ended by fault: page fault: execute address 0x1000 (not allowed), instruction 0x5555"
        );
        assert_eq!(
            ending(2, 13, 0x10),
            "ended by fault: general protection: error code 0x10, instruction 0x5555"
        );
        assert_eq!(
            ending(2, 21, 3),
            "ended by fault: control protection: CET, branched to what is no target of branches, instruction 0x5555"
        );
        assert_eq!(
            ending(2, 99, 0),
            "ended by fault: exception 99, instruction 0x5555"
        );
    }
}
