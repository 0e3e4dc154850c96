//! The known flaws of CPUs: what this one says of them, and what the kernel does about them.
//!
//! What CPUID says everybody can read; here is what only the kernel can. `nonos-mitigations` draws the conclusions. The kernel isolates page
//! tables (`isolation.rs`), leaves through retpolines, masks indices and keeps absent entries of page tables zero. It does not
//! turn on what newer CPUs have against the other flaws, so they are reported as open. What is read is the CPU's that runs the call.

use nonos_abi::info::{CpuSecurity, cpu_measures};

use crate::cpu::pinned::Register;
use crate::cpu::{self, Msr};
use crate::isolation;
use crate::protection;
use crate::table::Entry;
use crate::thunks;

/// First letters of the vendors' names (CPUID leaf 0, EBX).
const INTEL: u32 = u32::from_le_bytes(*b"Genu");
const AMD: u32 = u32::from_le_bytes(*b"Auth");
const HYGON: u32 = u32::from_le_bytes(*b"Hygo");

/// Revision of the microcode; 0 where nobody says how to ask.
fn microcode() -> u64 {
    match cpu::cpuid(0).ebx {
        // SDM vol. 3, 10.11.7.1: CPUID puts it there.
        INTEL => {
            // SAFETY: zero starts no update.
            unsafe { cpu::write_msr(Msr::MicrocodeRevision, 0) };
            cpu::cpuid(1);
            cpu::read_msr(Msr::MicrocodeRevision) >> 32
        }
        AMD | HYGON => cpu::read_msr(Msr::MicrocodeRevision) & 0xFFFF_FFFF,
        _ => 0,
    }
}

/// What only the kernel can read, and what it does. Leaves of CPUID are left empty.
#[inline(always)]
pub fn status() -> CpuSecurity {
    let when = |holds, measure| if holds { measure } else { 0 };
    CpuSecurity {
        microcode: microcode(),
        arch_capabilities: protection::arch_capabilities(),
        cr4: Register::Cr4.read(),
        efer: Register::Efer.read(),
        // Every index from user space goes through `speculation.rs`, and every entry that depends on a branch has its `lfence`.
        measures: cpu_measures::INDICES_MASKED
            | when(Entry::EMPTY.0 == 0, cpu_measures::ABSENT_ENTRIES_ZERO)
            | when(isolation::is_on(), cpu_measures::PAGE_TABLES_ISOLATED)
            | when(thunks::are_retpolines(), cpu_measures::RETPOLINES),
        ..CpuSecurity::default()
    }
}
