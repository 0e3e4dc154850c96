//! What the screen is made of: records, as the kernel gives them now.

use alloc::vec::Vec;

use nonos_abi::info::{
    AuditRecord, BootStatus, CpuSecurity, CpuStatus, DmaStatus, Pcr, RandomStatus,
};

/// PCRs that are shown: firmware, its settings, the boot loader, Secure Boot's state, the system image.
pub const MEASURED: [u64; 4] = [0, 4, 7, 11];

/// Records; `None` for what could not be read.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// How the system was booted.
    pub boot: Option<BootStatus>,
    /// The CPU, now.
    pub cpu: Option<CpuStatus>,
    /// What it says of known flaws, with CPUID, and what the kernel does about them.
    pub flaws: Option<CpuSecurity>,
    /// What keeps devices from memory, now.
    pub dma: Option<DmaStatus>,
    /// The kernel's generator of random numbers, now.
    pub random: Option<RandomStatus>,
    /// States of the modules of the image (`module_state`).
    pub modules: Vec<u64>,
    /// PCRs with their numbers.
    pub pcrs: Vec<(u64, Pcr)>,
}

/// Where records come from.
pub trait Source {
    /// The records, now.
    fn facts(&self) -> Facts;

    /// Denied system calls since the last time; `None` when they may not be read.
    fn denials(&mut self) -> Option<Vec<AuditRecord>>;
}
