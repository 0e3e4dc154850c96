//! Which CPUs have which flaw.
//!
//! What the CPU enumerates decides. Where that says nothing, the vendors' lists of families and models do; a CPU of Intel that they
//! do not name counts as affected by what all of its kind had before a bit said otherwise.

use nonos_abi::info::CpuSecurity;

use crate::Issue;
use crate::cpu::{
    AMD_BTC_NO, AMD_SSB_NO, AVX, BHI_CTRL, BHI_NO, FBSDP_NO, GDS_CTRL, GDS_NO, HYPERVISOR,
    IBRS_ALL, ITS_NO, MDS_NO, PSDP_NO, RDCL_NO, RFDS_CLEAR, RFDS_NO, RSBA, RTM, SBDR_SSDP_NO,
    SRSO_NO, SRSO_USER_KERNEL_NO, SSB_NO, TAA_NO, TSX_CTRL, Vendor, family, model, stepping,
    vendor,
};

/// Intel, family 6: a model, and bits of [`has`] and [`lacks`].
const INTEL: [(u8, u16); 38] = [
    // Atom: Bonnell and Saltwell execute in order.
    (0x1C, lacks::ALL),
    (0x26, lacks::ALL),
    (0x27, lacks::ALL),
    (0x35, lacks::ALL),
    (0x36, lacks::ALL),
    // Silvermont, Airmont, Knights Landing, Knights Mill.
    (0x37, lacks::SSB_L1TF | lacks::MMIO),
    (0x4A, lacks::SSB_L1TF | lacks::MMIO),
    (0x4D, lacks::SSB_L1TF | lacks::MMIO),
    (0x4C, lacks::SSB_L1TF | lacks::MMIO),
    (0x57, lacks::SSB_L1TF | lacks::MMIO),
    (0x85, lacks::SSB_L1TF | lacks::MMIO),
    // Goldmont, Goldmont Plus.
    (0x5C, lacks::MDS | lacks::L1TF | lacks::MMIO | has::RFDS),
    (0x5F, lacks::MDS | lacks::L1TF | lacks::MMIO | has::RFDS),
    (0x7A, lacks::MDS | lacks::L1TF | lacks::MMIO | has::RFDS),
    // Tremont.
    (0x86, has::RFDS),
    (0x96, has::RFDS),
    (0x9C, has::RFDS),
    // Gracemont, and what has its cores: Alder Lake, Raptor Lake.
    (0xBE, lacks::MMIO | has::RFDS),
    (0x97, lacks::MMIO | has::RFDS),
    (0x9A, lacks::MMIO | has::RFDS),
    (0xB7, lacks::MMIO | has::RFDS),
    (0xBA, lacks::MMIO | has::RFDS),
    (0xBF, lacks::MMIO | has::RFDS),
    // Skylake, and its server, which is Cascade Lake and Cooper Lake from stepping 5 on.
    (0x4E, has::RETBLEED | has::GDS),
    (0x5E, has::RETBLEED | has::GDS),
    (0x55, has::RETBLEED | has::GDS | has::ITS_FROM_6),
    // Kaby Lake, Coffee Lake, Whiskey Lake, Comet Lake, Cannon Lake.
    (0x8E, has::RETBLEED | has::GDS | has::ITS_FROM_12),
    (0x9E, has::RETBLEED | has::GDS | has::ITS_FROM_13),
    (0xA5, has::RETBLEED | has::GDS | has::ITS),
    (0xA6, has::RETBLEED | has::GDS | has::ITS),
    (0x66, has::RETBLEED),
    // Ice Lake, Lakefield, Rocket Lake, Tiger Lake.
    (0x7E, has::RETBLEED | has::GDS | has::ITS),
    (0x6A, has::GDS | has::ITS),
    (0x6C, has::GDS | has::ITS),
    (0x8A, has::RETBLEED),
    (0xA7, has::RETBLEED | has::GDS | has::ITS),
    (0x8C, lacks::MMIO | has::GDS | has::ITS),
    (0x8D, lacks::MMIO | has::GDS | has::ITS),
];

/// What a model has although most have not.
mod has {
    pub const RETBLEED: u16 = 1;
    pub const GDS: u16 = 1 << 1;
    pub const RFDS: u16 = 1 << 2;
    pub const ITS: u16 = 1 << 3;
    /// From these steppings on.
    pub const ITS_FROM_6: u16 = 1 << 4;
    pub const ITS_FROM_12: u16 = 1 << 5;
    pub const ITS_FROM_13: u16 = 1 << 6;
}

/// What a model has not although most have.
mod lacks {
    pub const SPECULATION: u16 = 1 << 8;
    pub const SSB: u16 = 1 << 9;
    pub const L1TF: u16 = 1 << 10;
    pub const MDS: u16 = 1 << 11;
    pub const MMIO: u16 = 1 << 12;
    pub const SSB_L1TF: u16 = SSB | L1TF;
    pub const ALL: u16 = SPECULATION | SSB | L1TF | MDS | MMIO;
}

/// What the list says of a CPU of Intel.
fn listed(cpu: &CpuSecurity) -> u16 {
    let (family, model) = (family(cpu), model(cpu));
    let found = INTEL
        .iter()
        .find(|(listed, _)| family == 6 && u32::from(*listed) == model);
    found.map_or(0, |(_, bits)| *bits)
}

/// Whether a CPU has a flaw.
pub fn is_affected(cpu: &CpuSecurity, issue: Issue) -> bool {
    match vendor(cpu) {
        Vendor::Amd | Vendor::Hygon => amd(cpu, issue),
        Vendor::Intel => intel(cpu, issue, listed(cpu)),
        Vendor::Other => intel(cpu, issue, 0),
    }
}

/// Whether returns are trained in a way that only forgetting all predictions at each entry helps against.
pub(crate) fn has_trained_returns(cpu: &CpuSecurity) -> bool {
    is_affected(cpu, Issue::Retbleed) && !IBRS_ALL.of(cpu) || is_affected(cpu, Issue::Srso)
}

fn amd(cpu: &CpuSecurity, issue: Issue) -> bool {
    match issue {
        Issue::SpectreV1 | Issue::SpectreV2 => true,
        Issue::StoreBypass => {
            !matches!(family(cpu), 0x0F..=0x12) && !AMD_SSB_NO.of(cpu) && !SSB_NO.of(cpu)
        }
        // Zen 1, Zen+, Zen 2 and what was before.
        Issue::Retbleed => matches!(family(cpu), 0x15..=0x18) && !AMD_BTC_NO.of(cpu),
        // Zen 1 to Zen 4; Zen 5 only between virtual machines, when it says so.
        Issue::Srso => {
            let safe = SRSO_NO.of(cpu) || SRSO_USER_KERNEL_NO.of(cpu);
            matches!(family(cpu), 0x17..=0x1A) && !safe
        }
        _ => false,
    }
}

fn intel(cpu: &CpuSecurity, issue: Issue, listed: u16) -> bool {
    let has = |bits| listed & bits != 0;
    if has(lacks::SPECULATION) {
        return false;
    }
    match issue {
        Issue::Meltdown => !RDCL_NO.of(cpu),
        Issue::SpectreV1 | Issue::SpectreV2 => true,
        Issue::StoreBypass => !SSB_NO.of(cpu) && !has(lacks::SSB),
        Issue::L1tf => !RDCL_NO.of(cpu) && !has(lacks::L1TF),
        Issue::Mds => !MDS_NO.of(cpu) && !has(lacks::MDS),
        Issue::Taa => !TAA_NO.of(cpu) && (RTM.of(cpu) || TSX_CTRL.of(cpu)),
        Issue::MmioStaleData => {
            let immune = SBDR_SSDP_NO.of(cpu) && FBSDP_NO.of(cpu) && PSDP_NO.of(cpu);
            !immune && !has(lacks::MMIO)
        }
        Issue::Retbleed => has(has::RETBLEED) || RSBA.of(cpu),
        Issue::Srso => false,
        Issue::Downfall => AVX.of(cpu) && !GDS_NO.of(cpu) && (has(has::GDS) || GDS_CTRL.of(cpu)),
        Issue::Rfds => !RFDS_NO.of(cpu) && (has(has::RFDS) || RFDS_CLEAR.of(cpu)),
        // A hypervisor may hide enhanced IBRS.
        Issue::Bhi => !BHI_NO.of(cpu) && (IBRS_ALL.of(cpu) || HYPERVISOR.of(cpu)),
        Issue::Its => {
            let from = |bits, first| has(bits) && stepping(cpu) >= first;
            let listed = has(has::ITS)
                || from(has::ITS_FROM_6, 6)
                || from(has::ITS_FROM_12, 12)
                || from(has::ITS_FROM_13, 13);
            listed && !ITS_NO.of(cpu) && !BHI_CTRL.of(cpu)
        }
    }
}
