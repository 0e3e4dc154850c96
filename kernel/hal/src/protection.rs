//! Turning on the CPU's protections, and reading back what is on.

use nonos_abi::info::{CpuStatus, cpu_features};

use crate::cpu::pinned::{self, Register};
use crate::cpu::{self, Msr, cr0, cr4, efer};
use crate::{cet, extended, isolation, mitigations, table};

/// A CPUID feature bit: leaf, register (0 to 3: EAX to EDX), bit.
struct Feature(u32, u8, u8);

mod feature {
    use super::Feature;

    pub const AVX: Feature = Feature(1, 2, 28);
    pub const FXSR: Feature = Feature(1, 3, 24);
    pub const X2APIC: Feature = Feature(1, 2, 21);
    pub const TSC_DEADLINE: Feature = Feature(1, 2, 24);
    pub const HYPERVISOR: Feature = Feature(1, 2, 31);
    pub const PCID: Feature = Feature(1, 2, 17);
    pub const SMEP: Feature = Feature(7, 1, 7);
    pub const SMAP: Feature = Feature(7, 1, 20);
    pub const UMIP: Feature = Feature(7, 2, 2);
    pub const SHADOW_STACKS: Feature = Feature(7, 2, 7);
    pub const BRANCH_TRACKING: Feature = Feature(7, 3, 20);
    pub const ARCH_CAPABILITIES: Feature = Feature(7, 3, 29);
    pub const SYSCALL: Feature = Feature(0x8000_0001, 3, 11);
    pub const NX: Feature = Feature(0x8000_0001, 3, 20);
}

impl Feature {
    #[inline(never)]
    fn present(&self) -> bool {
        let leaf = cpu::cpuid(self.0);
        let registers = [leaf.eax, leaf.ebx, leaf.ecx, leaf.edx];
        registers[usize::from(self.1)] >> self.2 & 1 != 0
    }
}

/// Whether cached translations can have identifiers.
pub fn has_pcid() -> bool {
    feature::PCID.present()
}

/// Whether the CPU has AVX.
pub fn has_avx() -> bool {
    feature::AVX.present()
}

/// Whether the local APIC has x2APIC mode.
pub fn has_x2apic() -> bool {
    feature::X2APIC.present()
}

/// Whether the timer of the local APIC has TSC-deadline mode.
pub fn has_tsc_deadline() -> bool {
    feature::TSC_DEADLINE.present()
}

/// Whether the CPU has shadow stacks.
pub fn has_shadow_stacks() -> bool {
    feature::SHADOW_STACKS.present()
}

/// Whether the CPU tracks indirect branches.
#[inline(never)]
pub fn has_branch_tracking() -> bool {
    feature::BRANCH_TRACKING.present()
}

/// Whether Intel made the CPU.
pub fn is_intel() -> bool {
    cpu::cpuid(0).ebx == mitigations::INTEL
}

/// Whether a hypervisor says that it is there.
pub fn is_virtual() -> bool {
    feature::HYPERVISOR.present()
}

/// Physical address bits of the CPU.
pub fn address_bits() -> u32 {
    match cpu::cpuid(0x8000_0008).eax & 0xFF {
        0 => 36,
        bits => bits,
    }
}

/// Sets CR0, CR4, EFER and the PAT to what the kernel relies on, with every protection that the CPU has, and
/// reads them back.
///
/// Global pages (CR4.PGE) stay off: nothing is marked global, so a new CR3 forgets every translation.
/// FSGSBASE stays off: user space cannot set GS.base, so `swapgs` alone tells whose it is.
///
/// # Panics
/// When the CPU lacks what the kernel needs, or a register does not hold what was written.
///
/// # Safety
/// Called once at boot, on the boot page tables.
pub unsafe fn enable() {
    for (feature, name) in [
        (feature::NX, "no-execute pages"),
        (feature::SYSCALL, "syscall"),
        (feature::FXSR, "fxsave"),
    ] {
        assert!(feature.present(), "this CPU has no {name}");
    }
    assert!(
        Register::Cr4.read() & cr4::LA57 == 0,
        "5-level paging is on"
    );
    let cr0 = cr0::PG | cr0::WP | cr0::NE | cr0::ET | cr0::MP | cr0::PE;
    let mut cr4 = cr4::PAE | cr4::MCE | cr4::DE | cr4::OSFXSR | cr4::OSXMMEXCPT;
    for (feature, bit) in [
        (feature::SMEP, cr4::SMEP),
        (feature::SMAP, cr4::SMAP),
        (feature::UMIP, cr4::UMIP),
    ] {
        if feature.present() {
            cr4 |= bit;
        }
    }
    if isolation::has_identifiers() {
        cr4 |= cr4::PCIDE;
    }
    let avx = extended::is_wanted();
    if avx {
        cr4 |= cr4::OSXSAVE;
    }
    let efer = efer::SCE | efer::LME | efer::LMA | efer::NXE;
    // SAFETY: at boot; CR4 is written below.
    if unsafe { cet::enable() } {
        cr4 |= cr4::CET;
    }
    for (register, bits) in [
        (Register::Efer, efer),
        (Register::Cr0, cr0),
        (Register::Cr4, cr4),
    ] {
        // SAFETY: paging, long mode and write protection are on already and stay on.
        let held = unsafe { register.pin(bits) };
        assert!(held, "a register does not hold what was written");
    }
    if avx {
        // SAFETY: as it asks for.
        unsafe { extended::enable() };
    }
    // SAFETY: the PAT keeps what the boot tables use (index 0).
    unsafe { cpu::write_msr(Msr::Pat, table::PAT) };
    cpu::clear_breakpoints();
    assert_eq!(
        cpu::read_msr(Msr::Pat),
        table::PAT,
        "the PAT does not hold what was written"
    );
}

/// What the CPU has: bits of [`cpu_features`].
fn features() -> u64 {
    let named = [
        (feature::NX, cpu_features::NX),
        (feature::SMEP, cpu_features::SMEP),
        (feature::SMAP, cpu_features::SMAP),
        (feature::UMIP, cpu_features::UMIP),
        (feature::SHADOW_STACKS, cpu_features::CET_SS),
        (feature::BRANCH_TRACKING, cpu_features::CET_IBT),
        (feature::PCID, cpu_features::PCID),
        (Feature(1, 2, 30), cpu_features::RDRAND),
        (Feature(7, 1, 18), cpu_features::RDSEED),
        (Feature(7, 2, 3), cpu_features::PKU),
        (Feature(1, 2, 25), cpu_features::AES),
        (feature::TSC_DEADLINE, cpu_features::TSC_DEADLINE),
        (Feature(0x8000_0007, 3, 8), cpu_features::INVARIANT_TSC),
        (feature::HYPERVISOR, cpu_features::HYPERVISOR),
    ];
    let mut bits = named
        .iter()
        .filter(|(feature, _)| feature.present())
        .fold(0, |bits, (_, bit)| bits | bit);
    // RDCL_NO is bit 0, IBRS_ALL bit 1 (SDM vol. 4, table 2-2).
    for (bit, feature) in [cpu_features::RDCL_NO, cpu_features::IBRS_ALL]
        .into_iter()
        .enumerate()
    {
        bits |= (arch_capabilities() >> bit & 1) * feature;
    }
    bits
}

/// IA32_ARCH_CAPABILITIES; 0 where the CPU lacks it.
pub fn arch_capabilities() -> u64 {
    match feature::ARCH_CAPABILITIES.present() {
        true => cpu::read_msr(Msr::ArchCapabilities),
        false => 0,
    }
}

/// State of the CPU, read now; the rest of the record is left empty.
///
/// # Panics
/// When a protection is off that was turned on.
#[inline(always)]
pub fn status() -> CpuStatus {
    pinned::check();
    let mut brand = [0; 6];
    for (leaf, words) in (0x8000_0002..).zip(brand.chunks_exact_mut(2)) {
        let part = cpu::cpuid(leaf);
        words[0] = u64::from(part.ebx) << 32 | u64::from(part.eax);
        words[1] = u64::from(part.edx) << 32 | u64::from(part.ecx);
    }
    CpuStatus {
        cr0: Register::Cr0.read(),
        cr4: Register::Cr4.read(),
        efer: Register::Efer.read(),
        supervisor_cet: Register::SupervisorCet.pinned(),
        xcr0: Register::Xcr0.pinned(),
        features: features(),
        brand,
        ..CpuStatus::default()
    }
}
