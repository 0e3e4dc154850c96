//! The record, read: vendor, family, model, and one name for each bit.

use core::arch::x86_64::{__cpuid_count, CpuidResult};

use nonos_abi::info::CpuSecurity;

/// Who made a CPU, as far as guidance differs.
#[allow(missing_docs)]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Vendor {
    Intel,
    Amd,
    Hygon,
    Other,
}

/// A bit of a field of the record.
#[derive(Clone, Copy)]
pub struct Bit(fn(&CpuSecurity) -> u64, u32);

impl Bit {
    pub fn of(self, cpu: &CpuSecurity) -> bool {
        (self.0)(cpu) >> self.1 & 1 != 0
    }
}

macro_rules! bits {
    ($($name:ident = $field:ident $bit:literal;)+) => { $(pub const $name: Bit = Bit(|cpu| cpu.$field, $bit);)+ };
}

// CPUID (SDM vol. 2, CPUID; AMD64 manual vol. 3, appendix E). EDX of leaf 7 and ECX of leaf 1 are in the upper halves.
bits! {
    AVX = leaf_1 60;
    HYPERVISOR = leaf_1 63;
    RTM = leaf_7 11;
    SRBDS_CTRL = leaf_7 41;
    MD_CLEAR = leaf_7 42;
    IBRS_IBPB = leaf_7 58;
    STIBP = leaf_7 59;
    L1D_FLUSH = leaf_7 60;
    ARCH_CAPABILITIES = leaf_7 61;
    SSBD = leaf_7 63;
    RRSBA_CTRL = leaf_7_2 2;
    BHI_CTRL = leaf_7_2 4;
    AMD_IBPB = leaf_8 12;
    AMD_IBRS = leaf_8 14;
    AMD_STIBP = leaf_8 15;
    AMD_SSBD = leaf_8 24;
    AMD_SSB_NO = leaf_8 26;
    AMD_BTC_NO = leaf_8 29;
    AUTO_IBRS = leaf_21 8;
    IBPB_BRANCH_TYPES = leaf_21 28;
    SRSO_NO = leaf_21 29;
    SRSO_USER_KERNEL_NO = leaf_21 30;
}

// IA32_ARCH_CAPABILITIES (SDM vol. 4, table 2-2).
bits! {
    RDCL_NO = arch_capabilities 0;
    IBRS_ALL = arch_capabilities 1;
    RSBA = arch_capabilities 2;
    SSB_NO = arch_capabilities 4;
    MDS_NO = arch_capabilities 5;
    TSX_CTRL = arch_capabilities 7;
    TAA_NO = arch_capabilities 8;
    SBDR_SSDP_NO = arch_capabilities 13;
    FBSDP_NO = arch_capabilities 14;
    PSDP_NO = arch_capabilities 15;
    FB_CLEAR = arch_capabilities 17;
    RRSBA = arch_capabilities 19;
    BHI_NO = arch_capabilities 20;
    GDS_CTRL = arch_capabilities 25;
    GDS_NO = arch_capabilities 26;
    RFDS_NO = arch_capabilities 27;
    RFDS_CLEAR = arch_capabilities 28;
    ITS_NO = arch_capabilities 62;
}

// What registers hold.
bits! {
    IBRS_ON = spec_control 0;
    STIBP_ON = spec_control 1;
    SSBD_ON = spec_control 2;
    RRSBA_OFF = spec_control 6;
    BHI_OFF = spec_control 10;
    TSX_OFF = tsx_control 0;
    GDS_MITIGATION_OFF = mcu_control 4;
    OSXSAVE_ON = cr4 18;
    AUTO_IBRS_ON = efer 21;
}

/// Eight letters as a number.
const fn letters(text: &[u8; 8]) -> u64 {
    u64::from_le_bytes(*text)
}

/// The vendor by its name, which EBX, EDX and ECX of leaf 0 spell.
pub fn vendor(cpu: &CpuSecurity) -> Vendor {
    const INTEL: u64 = letters(b"GenuineI");
    const AMD: u64 = letters(b"Authenti");
    const HYGON: u64 = letters(b"HygonGen");
    match cpu.vendor {
        INTEL => Vendor::Intel,
        AMD => Vendor::Amd,
        HYGON => Vendor::Hygon,
        _ => Vendor::Other,
    }
}

/// Family, with the extended family where there is one (SDM vol. 2, figure 3-6).
pub fn family(cpu: &CpuSecurity) -> u32 {
    let leaf = cpu.leaf_1 as u32;
    match leaf >> 8 & 0xF {
        0xF => 0xF + (leaf >> 20 & 0xFF),
        family => family,
    }
}

/// Model, with the extended model.
pub fn model(cpu: &CpuSecurity) -> u32 {
    let leaf = cpu.leaf_1 as u32;
    leaf >> 4 & 0xF | leaf >> 12 & 0xF0
}

/// Stepping.
pub fn stepping(cpu: &CpuSecurity) -> u32 {
    cpu.leaf_1 as u32 & 0xF
}

/// Family, model and stepping, for a person.
pub fn signature(cpu: &CpuSecurity) -> [u32; 3] {
    [family(cpu), model(cpu), stepping(cpu)]
}

/// Whether the CPU can be told to forget branch predictions (IBPB).
pub fn has_barrier(cpu: &CpuSecurity) -> bool {
    IBRS_IBPB.of(cpu) || AMD_IBPB.of(cpu)
}

/// What CPUID says of the CPU that this runs on; the rest of the record is empty.
pub fn enumerated() -> CpuSecurity {
    let pair = |low: u32, high: u32| u64::from(high) << 32 | u64::from(low);
    let leaf = |number: u32, part| match __cpuid_count(number & 1 << 31, 0).eax {
        last if number > last => CpuidResult {
            eax: 0,
            ebx: 0,
            ecx: 0,
            edx: 0,
        },
        _ => __cpuid_count(number, part),
    };
    let (leaf_0, leaf_1, leaf_7) = (leaf(0, 0), leaf(1, 0), leaf(7, 0));
    let leaf_7_2 = if leaf_7.eax >= 2 { leaf(7, 2).edx } else { 0 };
    CpuSecurity {
        vendor: pair(leaf_0.ebx, leaf_0.edx),
        vendor_end: leaf_0.ecx.into(),
        leaf_1: pair(leaf_1.eax, leaf_1.ecx),
        leaf_7: pair(leaf_7.ebx, leaf_7.edx),
        leaf_7_2: leaf_7_2.into(),
        leaf_8: leaf(0x8000_0008, 0).ebx.into(),
        leaf_21: leaf(0x8000_0021, 0).eax.into(),
        ..CpuSecurity::default()
    }
}

/// What only the kernel knows, with what CPUID says, the same to everybody.
pub fn with_cpuid(kernel: &CpuSecurity) -> CpuSecurity {
    CpuSecurity {
        microcode: kernel.microcode,
        arch_capabilities: kernel.arch_capabilities,
        spec_control: kernel.spec_control,
        tsx_control: kernel.tsx_control,
        mcu_control: kernel.mcu_control,
        cr4: kernel.cr4,
        efer: kernel.efer,
        measures: kernel.measures,
        ..enumerated()
    }
}

/// Whether there is IA32_ARCH_CAPABILITIES, which only the kernel can read.
pub fn has_arch_capabilities(cpu: &CpuSecurity) -> bool {
    ARCH_CAPABILITIES.of(cpu)
}
