//! Known flaws of CPUs that programs can use to read what is not theirs: which CPUs have them, what a kernel does about them, and
//! what follows for the machine that it runs on.
//!
//! Three pure functions over one record, [`CpuSecurity`], filled from CPUID ([`enumerated`]) and model-specific registers:
//!
//! - [`is_affected`]: by what the CPU enumerates, and where it does not, by the vendors' lists of families and models;
//! - [`plan()`]: what to turn on: the boot loader asks, the kernel does it;
//! - [`assess()`]: what is so, for a person. It looks at what registers hold and at what the kernel says it does, never at
//!   what was meant to be.
//!
//! What is not known counts as affected and vulnerable. Sources: Intel SDM vol. 4 and the guidance "Affected Processors: Transient
//! Execution Attacks", AMD64 manual vol. 2 and 3 and security bulletins, the text of Linux's `hw-vuln` documentation.
#![no_std]
#![forbid(unsafe_code)]

mod affected;
mod assess;
mod cpu;
mod plan;
#[cfg(test)]
mod tests;

pub use affected::is_affected;
pub use assess::{State, Verdict, assess};
pub use cpu::{enumerated, has_arch_capabilities, signature, with_cpuid};
pub use plan::{Plan, plan};

#[doc(no_inline)]
pub use nonos_abi::info::CpuSecurity;

/// A known flaw.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Issue {
    /// CVE-2017-5754: user space reads the kernel's memory through its mappings.
    Meltdown,
    /// CVE-2017-5753, CVE-2019-1125: reads past a comparison of an index, or with the wrong GS.
    SpectreV1,
    /// CVE-2017-5715: trained indirect branches.
    SpectreV2,
    /// CVE-2018-3639: loads overtake stores to the same address.
    StoreBypass,
    /// CVE-2018-3620: loads through absent page-table entries.
    L1tf,
    /// CVE-2018-12126 and kin: loads from the CPU's internal buffers.
    Mds,
    /// CVE-2019-11135: the same by aborted transactions.
    Taa,
    /// CVE-2022-21123 and kin: the same after accesses to devices.
    MmioStaleData,
    /// CVE-2022-29900, CVE-2022-29901: trained returns.
    Retbleed,
    /// CVE-2023-20569: trained returns on AMD's newer CPUs.
    Srso,
    /// CVE-2022-40982: gather instructions read stale vector registers.
    Downfall,
    /// CVE-2023-28746: loads from the register file of Atom cores.
    Rfds,
    /// CVE-2022-0001: trained branch history.
    Bhi,
    /// CVE-2024-28956: indirect branches in the lower half of a cache line escape enhanced IBRS.
    Its,
}

impl Issue {
    /// All.
    pub const ALL: [Self; 14] = [
        Self::Meltdown,
        Self::SpectreV1,
        Self::SpectreV2,
        Self::StoreBypass,
        Self::L1tf,
        Self::Mds,
        Self::Taa,
        Self::MmioStaleData,
        Self::Retbleed,
        Self::Srso,
        Self::Downfall,
        Self::Rfds,
        Self::Bhi,
        Self::Its,
    ];

    /// Its usual name, at most 17 letters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Meltdown => "Meltdown",
            Self::SpectreV1 => "Spectre v1",
            Self::SpectreV2 => "Spectre v2",
            Self::StoreBypass => "Store bypass",
            Self::L1tf => "L1TF",
            Self::Mds => "MDS",
            Self::Taa => "TAA",
            Self::MmioStaleData => "MMIO stale data",
            Self::Retbleed => "Retbleed",
            Self::Srso => "SRSO",
            Self::Downfall => "Downfall",
            Self::Rfds => "RFDS",
            Self::Bhi => "BHI",
            Self::Its => "ITS",
        }
    }
}
