//! What a kernel turns on, from what the CPU enumerates.
//!
//! Everything that the CPU offers is on, for all programs and all the time: none trusts another, so no program asks for it, and
//! none may do without. Values that are set once cost nothing on the way; what runs at each exit, entry or switch is
//! done only where a flaw needs it.

use nonos_abi::boot::remedy;
use nonos_abi::info::CpuSecurity;

use crate::Issue;
use crate::affected::{has_trained_returns, is_affected};
use crate::cpu::{
    AMD_IBRS, AMD_SSB_NO, AMD_SSBD, AMD_STIBP, AUTO_IBRS, BHI_CTRL, BHI_NO, FB_CLEAR, GDS_CTRL,
    IBPB_BRANCH_TYPES, IBRS_ALL, IBRS_IBPB, MD_CLEAR, RFDS_CLEAR, RRSBA, RRSBA_CTRL, SRBDS_CTRL,
    SSB_NO, SSBD, STIBP, TSX_CTRL, Vendor, family, has_barrier, vendor,
};

/// IA32_SPEC_CTRL (SDM vol. 4, table 2-2; AMD64 manual vol. 2, 3.2.9).
mod spec_control {
    pub const IBRS: u64 = 1;
    pub const STIBP: u64 = 1 << 1;
    pub const SSBD: u64 = 1 << 2;
    pub const RRSBA_DIS_S: u64 = 1 << 6;
    pub const BHI_DIS_S: u64 = 1 << 10;
}

/// What to turn on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Value of IA32_SPEC_CTRL; 0 without [`remedy::SPEC_CONTROL`].
    pub spec_control: u64,
    /// Bits of [`remedy`].
    pub remedies: u64,
}

/// What to turn on for this CPU. Looks at nothing that the kernel may have changed.
pub fn plan(cpu: &CpuSecurity) -> Plan {
    let when = |condition: bool, bits: u64| if condition { bits } else { 0 };
    let amd = matches!(vendor(cpu), Vendor::Amd | Vendor::Hygon);
    let exists = IBRS_IBPB.of(cpu)
        || STIBP.of(cpu)
        || SSBD.of(cpu)
        || AMD_IBRS.of(cpu)
        || AMD_STIBP.of(cpu)
        || AMD_SSBD.of(cpu);
    let ssbd = SSBD.of(cpu) && !SSB_NO.of(cpu) || AMD_SSBD.of(cpu) && !AMD_SSB_NO.of(cpu);
    let value = when(IBRS_ALL.of(cpu), spec_control::IBRS)
        | when(STIBP.of(cpu) || AMD_STIBP.of(cpu), spec_control::STIBP)
        | when(ssbd, spec_control::SSBD)
        | when(
            RRSBA_CTRL.of(cpu) && RRSBA.of(cpu),
            spec_control::RRSBA_DIS_S,
        )
        | when(BHI_CTRL.of(cpu) && !BHI_NO.of(cpu), spec_control::BHI_DIS_S);
    let barrier = has_barrier(cpu);
    // On Zen 3 and later IBPB forgets enough only with newer microcode.
    let flushes_returns = !amd || family(cpu) < 0x19 || IBPB_BRANCH_TYPES.of(cpu);
    let affected = |issue| is_affected(cpu, issue);
    let clear_buffers = MD_CLEAR.of(cpu) && (affected(Issue::Mds) || affected(Issue::Taa))
        || (FB_CLEAR.of(cpu) || MD_CLEAR.of(cpu)) && affected(Issue::MmioStaleData)
        || RFDS_CLEAR.of(cpu) && affected(Issue::Rfds);
    let barrier_on_entry = barrier && flushes_returns && has_trained_returns(cpu);
    let remedies = [
        (exists, remedy::SPEC_CONTROL),
        (AUTO_IBRS.of(cpu), remedy::AUTO_IBRS),
        (TSX_CTRL.of(cpu), remedy::TSX_OFF),
        (SRBDS_CTRL.of(cpu) || GDS_CTRL.of(cpu), remedy::MCU_CONTROL),
        (affected(Issue::Meltdown), remedy::ISOLATE_TABLES),
        (clear_buffers, remedy::CLEAR_BUFFERS),
        (barrier, remedy::BARRIER_ON_SWITCH),
        (barrier_on_entry, remedy::BARRIER_ON_ENTRY),
        (
            // Those after these have BHI_CTRL; retpolines are enough before.
            affected(Issue::Bhi) && IBRS_ALL.of(cpu) && !BHI_CTRL.of(cpu) && !barrier_on_entry,
            remedy::CLEAR_HISTORY,
        ),
        (
            affected(Issue::Downfall) && !GDS_CTRL.of(cpu),
            remedy::AVX_OFF,
        ),
    ];
    Plan {
        spec_control: when(exists, value),
        remedies: remedies
            .iter()
            .fold(0, |bits, (wanted, bit)| bits | when(*wanted, *bit)),
    }
}
