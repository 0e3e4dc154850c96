//! What is so: each flaw, with what the registers hold and what the kernel does.

use nonos_abi::info::{CpuSecurity, cpu_measures as does};

use crate::Issue;
use crate::affected::is_affected;
use crate::cpu::{
    AUTO_IBRS, AUTO_IBRS_ON, BHI_OFF, FB_CLEAR, GDS_CTRL, GDS_MITIGATION_OFF, IBRS_ALL, IBRS_ON,
    L1D_FLUSH, MD_CLEAR, MDS_NO, OSXSAVE_ON, RFDS_CLEAR, RRSBA, RRSBA_OFF, SSBD_ON, STIBP_ON,
    TSX_CTRL, TSX_OFF, has_barrier,
};

/// What is so of one flaw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// The CPU does not have it.
    NotAffected,
    /// The CPU has it, and something keeps programs from using it.
    Mitigated,
    /// Programs can use it in some ways only.
    InPart,
    /// Programs can use it.
    Vulnerable,
}

/// A flaw's state, and why it is so: what mitigates it, or what is missing.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    /// The flaw.
    pub issue: Issue,
    /// What is so.
    pub state: State,
    /// By what, or what is missing; empty when not affected.
    pub why: &'static str,
}

/// The state of every flaw, in the order of [`Issue::ALL`].
pub fn assess(cpu: &CpuSecurity) -> [Verdict; Issue::ALL.len()] {
    Issue::ALL.map(|issue| {
        let (state, why) = if is_affected(cpu, issue) {
            affected(cpu, issue)
        } else {
            (State::NotAffected, "")
        };
        Verdict { issue, state, why }
    })
}

fn affected(cpu: &CpuSecurity, issue: Issue) -> (State, &'static str) {
    use State::{InPart, Mitigated, Vulnerable};
    let kernel = |measure| cpu.measures & measure != 0;
    let clears = kernel(does::BUFFERS_CLEARED);
    let cleared = (Mitigated, "buffers cleared at exits (VERW)");
    let not_cleared = (Vulnerable, "the microcode does not clear buffers");
    let aligned = kernel(does::RETURNS_ALIGNED);
    let barrier_on_entry = (Mitigated, "IBPB at entries into the kernel");
    match issue {
        Issue::Meltdown if kernel(does::PAGE_TABLES_ISOLATED) => {
            (Mitigated, "page-table isolation")
        }
        Issue::Meltdown => (Vulnerable, "user page tables hold the kernel"),
        Issue::SpectreV1 if kernel(does::INDICES_MASKED) => {
            (Mitigated, "masked indices, lfence at entries")
        }
        Issue::SpectreV1 => (Vulnerable, "indices are not masked"),
        Issue::SpectreV2 => spectre_v2(cpu),
        Issue::StoreBypass if SSBD_ON.of(cpu) => (Mitigated, "SSBD, for all programs"),
        Issue::StoreBypass => (Vulnerable, "no SSBD that holds: microcode too old?"),
        Issue::L1tf if kernel(does::ABSENT_ENTRIES_ZERO) => {
            (Mitigated, "absent entries are zero, and no guests run")
        }
        Issue::L1tf => (Vulnerable, "absent page-table entries are not zero"),
        Issue::Mds if clears && MD_CLEAR.of(cpu) => cleared,
        Issue::Taa if TSX_CTRL.of(cpu) && TSX_OFF.of(cpu) => (Mitigated, "transactions off"),
        Issue::Taa if clears && MD_CLEAR.of(cpu) && !MDS_NO.of(cpu) => cleared,
        Issue::MmioStaleData
            if clears
                && (FB_CLEAR.of(cpu)
                    || MD_CLEAR.of(cpu) && L1D_FLUSH.of(cpu) && !MDS_NO.of(cpu)) =>
        {
            cleared
        }
        Issue::Rfds if clears && RFDS_CLEAR.of(cpu) => cleared,
        Issue::Mds | Issue::Taa | Issue::MmioStaleData | Issue::Rfds => not_cleared,
        Issue::Retbleed if has_enhanced_ibrs(cpu) => (Mitigated, "enhanced IBRS"),
        Issue::Retbleed | Issue::Srso if kernel(does::BARRIER_ON_ENTRY) => barrier_on_entry,
        Issue::Retbleed | Issue::Srso => (Vulnerable, "no IBPB at entries: microcode too old?"),
        Issue::Downfall if GDS_CTRL.of(cpu) && !GDS_MITIGATION_OFF.of(cpu) => {
            (Mitigated, "microcode")
        }
        Issue::Downfall if !OSXSAVE_ON.of(cpu) => (Mitigated, "AVX off, no microcode"),
        Issue::Downfall => (Vulnerable, "AVX on, no microcode"),
        Issue::Bhi if BHI_OFF.of(cpu) => (Mitigated, "BHI_DIS_S"),
        Issue::Bhi if kernel(does::HISTORY_CLEARED) => (Mitigated, "history cleared at entries"),
        Issue::Bhi if kernel(does::FAR_JUMPS) => (Mitigated, "far jumps"),
        Issue::Bhi if retpolines_hold(cpu) => (Mitigated, "retpolines"),
        Issue::Bhi if kernel(does::BARRIER_ON_ENTRY) => barrier_on_entry,
        Issue::Bhi => (Vulnerable, "neither BHI_DIS_S nor retpolines"),
        Issue::Its if kernel(does::BARRIER_ON_ENTRY) => barrier_on_entry,
        Issue::Its if aligned && kernel(does::FAR_JUMPS) => {
            (Mitigated, "far jumps, aligned returns")
        }
        // As returns are aligned, so is that of the retpoline, which whatever predicts returns may predict.
        Issue::Its if aligned && kernel(does::RETPOLINES) => {
            (Mitigated, "retpolines, aligned returns")
        }
        Issue::Its if kernel(does::FAR_JUMPS) => (InPart, "far jumps; returns can be trained"),
        Issue::Its if retpolines_hold(cpu) => (InPart, "retpolines; returns can be trained"),
        Issue::Its => (Vulnerable, "indirect branches can be trained"),
    }
}

/// Programs against the kernel, then programs against programs.
fn spectre_v2(cpu: &CpuSecurity) -> (State, &'static str) {
    let kernel = |measure| cpu.measures & measure != 0;
    let between = kernel(does::BARRIER_ON_SWITCH);
    let both = |text, alone| match (between, STIBP_ON.of(cpu)) {
        (true, true) => (State::Mitigated, text),
        (true, false) => (State::Mitigated, alone),
        (false, _) => (State::InPart, "no IBPB: programs train one another"),
    };
    if has_enhanced_ibrs(cpu) {
        both("enhanced IBRS, IBPB, STIBP", "enhanced IBRS, IBPB")
    } else if AUTO_IBRS.of(cpu) && AUTO_IBRS_ON.of(cpu) {
        both("automatic IBRS, IBPB, STIBP", "automatic IBRS, IBPB")
    } else if kernel(does::FAR_JUMPS) {
        both("far jumps, IBPB, STIBP", "far jumps, IBPB")
    } else if kernel(does::RETPOLINES) {
        both("retpolines, IBPB, STIBP", "retpolines, IBPB")
    } else if kernel(does::BARRIER_ON_ENTRY) {
        both("IBPB at entries and switches, STIBP", "IBPB at entries")
    } else if has_barrier(cpu) {
        (State::Vulnerable, "the kernel's branches can be trained")
    } else {
        (State::Vulnerable, "no IBRS, IBPB or retpolines")
    }
}

fn has_enhanced_ibrs(cpu: &CpuSecurity) -> bool {
    IBRS_ALL.of(cpu) && IBRS_ON.of(cpu)
}

/// Retpolines, and nothing else that predicts returns.
fn retpolines_hold(cpu: &CpuSecurity) -> bool {
    cpu.measures & does::RETPOLINES != 0 && (!RRSBA.of(cpu) || RRSBA_OFF.of(cpu))
}
