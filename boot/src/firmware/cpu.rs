//! The processor: what it must have, and the few registers that the loader reads and sets.

use core::arch::asm;
use core::arch::x86_64::{__cpuid, __cpuid_count, _rdtsc, CpuidResult};
use core::hint::spin_loop;

use nonos_boot::Refusal;
use nonos_mitigations::{CpuSecurity, Plan, enumerated, has_arch_capabilities, plan};

/// IA32_EFER (SDM vol. 4, 2.1) and its bit NXE.
const EFER: u32 = 0xC000_0080;
const EFER_NXE: u64 = 1 << 11;
/// IA32_ARCH_CAPABILITIES (SDM vol. 4, table 2-2).
const ARCH_CAPABILITIES: u32 = 0x10A;
/// CR0.WP: also the kernel may not write to read-only pages.
const CR0_WP: u64 = 1 << 16;
/// CR4.PGE, CR4.LA57, CR4.PCIDE.
const CR4_PGE: u64 = 1 << 7;
const CR4_LA57: u64 = 1 << 12;
const CR4_PCIDE: u64 = 1 << 17;

/// Refuses a processor that cannot enforce what the kernel's page tables say.
pub fn check() -> Result<(), Refusal> {
    let extended = cpuid(0x8000_0000, 0).eax;
    let has_nx = extended >= 0x8000_0001 && cpuid(0x8000_0001, 0).edx & 1 << 20 != 0;
    if !has_nx {
        return Err(Refusal::NoExecuteDisable);
    }
    if read_cr4() & CR4_LA57 != 0 {
        return Err(Refusal::FiveLevelPaging);
    }
    Ok(())
}

/// What the kernel is to do on all CPUs against the known flaws of this one.
pub fn remedies() -> Plan {
    let enumerated = enumerated();
    let arch_capabilities = match has_arch_capabilities(&enumerated) {
        true => read_msr(ARCH_CAPABILITIES),
        false => 0,
    };
    plan(&CpuSecurity {
        arch_capabilities,
        ..enumerated
    })
}

/// Time-stamp counter.
pub fn time_stamp() -> u64 {
    // SAFETY: reads a counter; every x86_64 processor has it, and firmware runs at ring 0.
    unsafe { _rdtsc() }
}

/// APIC id of this CPU.
pub fn apic_id() -> u32 {
    const EXTENDED_TOPOLOGY: u32 = 0xB;
    if cpuid(0, 0).eax >= EXTENDED_TOPOLOGY {
        let topology = cpuid(EXTENDED_TOPOLOGY, 0);
        if topology.ebx != 0 {
            return topology.edx;
        }
    }
    cpuid(1, 0).ebx >> 24
}

/// A number from RDSEED, when the CPU has it and a number ready.
pub fn rdseed() -> Option<u64> {
    let has = cpuid(0, 0).eax >= 7 && cpuid(7, 0).ebx & 1 << 18 != 0;
    has.then(|| retry(1000, rdseed_once)).flatten()
}

/// A number from RDRAND, when the CPU has it and a number ready.
pub fn rdrand() -> Option<u64> {
    let has = cpuid(1, 0).ecx & 1 << 30 != 0;
    has.then(|| retry(10, rdrand_once)).flatten()
}

/// Both may have no number ready for a moment (SDM vol. 1, 7.3.17): RDRAND in ten tries is broken, RDSEED is just slower.
fn retry(tries: u32, once: fn() -> Option<u64>) -> Option<u64> {
    (0..tries).find_map(|_| {
        let number = once();
        if number.is_none() {
            spin_loop();
        }
        number
    })
}

fn rdseed_once() -> Option<u64> {
    let (value, ready): (u64, u8);
    // SAFETY: the caller checked CPUID for RDSEED; writes two registers and flags.
    unsafe {
        asm!("rdseed {}", "setc {}", out(reg) value, out(reg_byte) ready, options(nomem, nostack))
    };
    (ready != 0).then_some(value)
}

fn rdrand_once() -> Option<u64> {
    let (value, ready): (u64, u8);
    // SAFETY: the caller checked CPUID for RDRAND; writes two registers and flags.
    unsafe {
        asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) ready, options(nomem, nostack))
    };
    (ready != 0).then_some(value)
}

/// Switches to other page tables.
///
/// # Safety
/// They map all that is in use as it is mapped now. Global and tagged translations are off.
pub unsafe fn load_page_tables(root: u64) {
    // SAFETY: the caller's promise.
    unsafe { asm!("mov cr3, {}", in(reg) root, options(nostack, preserves_flags)) };
}

/// Turns interrupts off and sets what the hand-over promises: NXE and WP on, no global and no tagged
/// translations that would outlive the firmware's page tables.
///
/// # Safety
/// Boot services have ended: the firmware's code does not run again with its expectations of these registers.
pub unsafe fn prepare_for_kernel() {
    // SAFETY: the caller's promise; `check` found NX, and clearing PGE and PCIDE keeps translations as they
    // are (PCIDE may be cleared at any time in 64-bit mode, SDM vol. 3, 4.10.1).
    unsafe {
        asm!("cli", "cld", options(nomem, nostack));
        let efer = read_msr(EFER) | EFER_NXE;
        asm!("wrmsr", in("ecx") EFER, in("eax") efer as u32, in("edx") (efer >> 32) as u32, options(nostack));
        let cr4 = read_cr4() & !(CR4_PGE | CR4_PCIDE);
        asm!("mov cr4, {}", in(reg) cr4, options(nostack));
        let mut cr0: u64;
        asm!("mov {}, cr0", out(reg) cr0, options(nomem, nostack));
        cr0 |= CR0_WP;
        asm!("mov cr0, {}", in(reg) cr0, options(nostack));
    }
}

/// A model-specific register that the CPU has.
fn read_msr(number: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a register.
    unsafe {
        asm!("rdmsr", in("ecx") number, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    };
    u64::from(high) << 32 | u64::from(low)
}

fn read_cr4() -> u64 {
    let cr4: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {}, cr4", out(reg) cr4, options(nomem, nostack, preserves_flags)) };
    cr4
}

fn cpuid(leaf: u32, subleaf: u32) -> CpuidResult {
    if subleaf == 0 {
        __cpuid(leaf)
    } else {
        __cpuid_count(leaf, subleaf)
    }
}
