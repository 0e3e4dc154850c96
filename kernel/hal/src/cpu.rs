//! Instructions and registers of one CPU: control registers, model-specific registers, ports, CPUID.
//!
//! Reading is safe. Writing is `unsafe` where a wrong value can break memory safety; who writes says why the
//! value is right. Nothing here keeps state.

use core::arch::asm;
use core::arch::x86_64::{__cpuid_count, CpuidResult};
use core::hint::spin_loop;
use core::mem::offset_of;

use nonos_kernel_core::machine::UserContext;

use crate::extended;

pub mod pinned;

/// Bits of CR0 (SDM vol. 3, 2.5).
pub mod cr0 {
    pub const PE: u64 = 1;
    pub const MP: u64 = 1 << 1;
    pub const ET: u64 = 1 << 4;
    pub const NE: u64 = 1 << 5;
    pub const WP: u64 = 1 << 16;
    pub const PG: u64 = 1 << 31;
}

/// Bits of CR3 with CR4.PCIDE set (SDM vol. 3, 4.10.4.1). Identifier 0 is the kernel's.
pub mod cr3 {
    /// The identifier of isolated user mode.
    pub const USER_ID: u64 = 1;
    /// The load forgets no translation.
    pub const KEEP_CACHED: u64 = 1 << 63;
}

/// Bits of CR4 (SDM vol. 3, 2.5).
pub mod cr4 {
    pub const TSD: u64 = 1 << 2;
    pub const DE: u64 = 1 << 3;
    pub const PAE: u64 = 1 << 5;
    pub const MCE: u64 = 1 << 6;
    pub const OSFXSR: u64 = 1 << 9;
    pub const OSXMMEXCPT: u64 = 1 << 10;
    pub const UMIP: u64 = 1 << 11;
    pub const LA57: u64 = 1 << 12;
    pub const PCIDE: u64 = 1 << 17;
    pub const OSXSAVE: u64 = 1 << 18;
    pub const SMEP: u64 = 1 << 20;
    pub const SMAP: u64 = 1 << 21;
    pub const CET: u64 = 1 << 23;
}

/// Bits of IA32_EFER (SDM vol. 3, 2.2.1).
pub mod efer {
    pub const SCE: u64 = 1;
    pub const LME: u64 = 1 << 8;
    pub const LMA: u64 = 1 << 10;
    pub const NXE: u64 = 1 << 11;
    /// Automatic IBRS (AMD64 manual vol. 2, 3.1.7).
    pub const AIBRSE: u64 = 1 << 21;
}

/// Bits of RFLAGS (SDM vol. 1, 3.4.3).
pub mod rflags {
    /// Bit 1 is always set.
    pub const FIXED: u64 = 1 << 1;
    pub const TF: u64 = 1 << 8;
    pub const IF: u64 = 1 << 9;
    /// CF, PF, AF, ZF, SF, DF and OF: what a program may set for itself.
    pub const USER: u64 = 0xCD5;
    /// Everything that SFMASK may clear.
    pub const ALL: u64 = 0x3F_7FD5;
}

/// Model-specific registers that every x86_64 CPU has, or that are used only after CPUID named them.
#[derive(Clone, Copy)]
#[repr(u32)]
pub enum Msr {
    ApicBase = 0x1B,
    PredictionCommand = 0x49,
    MicrocodeRevision = 0x8B,
    ArchCapabilities = 0x10A,
    TsxControl = 0x122,
    McuControl = 0x123,
    SysenterCs = 0x174,
    Pat = 0x277,
    UserCet = 0x6A0,
    SupervisorCet = 0x6A2,
    KernelShadowStack = 0x6A4,
    UserShadowStack = 0x6A7,
    InterruptShadowStacks = 0x6A8,
    TscDeadline = 0x6E0,
    ExtendedSupervisorState = 0xDA0,
    Star = 0xC000_0081,
    LongStar = 0xC000_0082,
    SyscallMask = 0xC000_0084,
    GsBase = 0xC000_0101,
    KernelGsBase = 0xC000_0102,
}

/// Reads a model-specific register. One that the CPU lacks faults.
pub fn read_msr(msr: Msr) -> u64 {
    read_msr_number(msr as u32)
}

/// Reads a model-specific register by number.
fn read_msr_number(msr: u32) -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading a register changes no memory; of a register that does not exist it faults, which stops the kernel.
    unsafe {
        asm!("rdmsr", in("ecx") msr, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    };
    u64::from(high) << 32 | u64::from(low)
}

/// Writes a model-specific register.
///
/// # Safety
/// The value must keep what the kernel relies on: entry points, segment bases, memory types.
pub unsafe fn write_msr(msr: Msr, value: u64) {
    // SAFETY: the caller answers for the value.
    unsafe { write_msr_number(msr as u32, value) }
}

/// Writes a register of the local APIC in x2APIC mode (SDM vol. 3, 10.12.1.2): its number among them.
///
/// # Safety
/// As [`write_msr`].
pub unsafe fn write_x2apic(register: u32, value: u64) {
    // SAFETY: one of the local APIC's; the caller answers for the value.
    unsafe { write_msr_number(X2APIC | register & 0xFF, value) }
}

/// Reads a register of the local APIC in x2APIC mode.
pub fn read_x2apic(register: u32) -> u64 {
    read_msr_number(X2APIC | register & 0xFF)
}

/// First of the registers of the local APIC.
const X2APIC: u32 = 0x800;

/// Writes a model-specific register by number: any but those of [`pinned`], which are written there.
///
/// # Safety
/// As [`write_msr`].
unsafe fn write_msr_number(msr: u32, value: u64) {
    // SAFETY: the caller answers for the value. Not `nomem`: the write may start what touches memory.
    unsafe {
        asm!("wrmsr", in("ecx") msr, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack, preserves_flags));
    }
}

macro_rules! control_register {
    ($visibility:vis $read:ident, $write:ident, $name:literal) => {
        #[doc = concat!("Reads ", $name, ".")]
        $visibility fn $read() -> u64 {
            let value: u64;
            // SAFETY: reading changes nothing.
            unsafe { asm!(concat!("mov {}, ", $name), out(reg) value, options(nomem, nostack, preserves_flags)) };
            value
        }

        #[doc = concat!("Writes ", $name, ".")]
        ///
        /// # Safety
        /// The value must keep the mappings and protections that the kernel relies on.
        $visibility unsafe fn $write(value: u64) {
            // SAFETY: the caller answers for the value.
            unsafe { asm!(concat!("mov ", $name, ", {}"), in(reg) value, options(nostack, preserves_flags)) };
        }
    };
}

control_register!(pub read_cr3, write_cr3, "cr3");
// Written by `pinned` alone.
control_register!(read_cr0, write_cr0, "cr0");
control_register!(read_cr4, write_cr4, "cr4");

/// Reads XCR0.
fn read_xcr0() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading changes nothing; with CR4.OSXSAVE clear it faults, which stops the kernel.
    unsafe {
        asm!("xgetbv", in("ecx") 0, out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    };
    u64::from(high) << 32 | u64::from(low)
}

/// Writes XCR0.
///
/// # Safety
/// The CPU has these components, and CR4.OSXSAVE is set.
unsafe fn write_xcr0(value: u64) {
    // SAFETY: the caller answers for the value.
    unsafe {
        asm!("xsetbv", in("ecx") 0, in("eax") value as u32, in("edx") (value >> 32) as u32, options(nostack, preserves_flags));
    }
}

/// Turns all breakpoints off (DR7).
pub fn clear_breakpoints() {
    // SAFETY: breakpoints off is the reset state.
    unsafe { asm!("mov dr7, {}", in(reg) 0_u64, options(nostack, preserves_flags)) };
}

/// CR2: the address of the last page fault.
pub fn read_cr2() -> u64 {
    let value: u64;
    // SAFETY: reading changes nothing.
    unsafe { asm!("mov {}, cr2", out(reg) value, options(nomem, nostack, preserves_flags)) };
    value
}

/// Forgets the translation of the page at `address` and all cached page-table structures for it.
pub fn invalidate_page(address: u64) {
    // SAFETY: dropping cached translations changes no memory; it orders earlier table writes before it.
    unsafe { asm!("invlpg [{}]", in(reg) address, options(nostack, preserves_flags)) };
}

/// Writes all caches back to memory.
pub fn write_back_caches() {
    // SAFETY: memory keeps its contents as seen by this CPU.
    unsafe { asm!("wbinvd", options(nostack, preserves_flags)) };
}

/// The time-stamp counter.
pub fn read_tsc() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reading changes nothing.
    unsafe {
        asm!("rdtsc", out("eax") low, out("edx") high, options(nomem, nostack, preserves_flags))
    };
    u64::from(high) << 32 | u64::from(low)
}

/// A random number from RDRAND; the time-stamp counter where there is none. For placement only, never for keys.
pub fn placement_number() -> u64 {
    rdrand().unwrap_or_else(read_tsc)
}

/// A number from RDRAND, if the CPU has it and one is ready in so many tries (SDM vol. 1, 7.3.17.1).
pub fn rdrand() -> Option<u64> {
    const TRIES: u32 = 10;
    if cpuid(1).ecx & 1 << 30 == 0 {
        return None;
    }
    (0..TRIES).find_map(|_| {
        let (value, valid): (u64, u8);
        // SAFETY: CPUID names RDRAND; it writes registers only.
        unsafe {
            asm!("rdrand {}", "setc {}", out(reg) value, out(reg_byte) valid, options(nomem, nostack))
        };
        (valid != 0).then_some(value)
    })
}

/// A number from RDSEED, in the same way. It is slower, so CPUs that ask at the same time wait for one another.
pub fn rdseed() -> Option<u64> {
    const TRIES: u32 = 1000;
    if cpuid(7).ebx & 1 << 18 == 0 {
        return None;
    }
    (0..TRIES).find_map(|_| {
        let (value, valid): (u64, u8);
        // SAFETY: CPUID names RDSEED; it writes registers only.
        unsafe {
            asm!("rdseed {}", "setc {}", out(reg) value, out(reg_byte) valid, options(nomem, nostack))
        };
        if valid == 0 {
            spin_loop();
        }
        (valid != 0).then_some(value)
    })
}

/// CPUID leaf, sub-leaf 0; zeros when the CPU has no such leaf.
pub fn cpuid(leaf: u32) -> CpuidResult {
    if leaf > __cpuid_count(leaf & 0xC000_0000, 0).eax {
        return CpuidResult {
            eax: 0,
            ebx: 0,
            ecx: 0,
            edx: 0,
        };
    }
    __cpuid_count(leaf, 0)
}

/// Reads a byte from a port.
///
/// # Safety
/// No device may take the read as a command that touches memory.
pub unsafe fn input_byte(port: u16) -> u8 {
    let value: u8;
    // SAFETY: the caller answers for the device.
    unsafe { asm!("in al, dx", out("al") value, in("dx") port, options(nostack, preserves_flags)) };
    value
}

/// Reads two bytes from a port.
///
/// # Safety
/// As [`input_byte`].
pub unsafe fn input_word(port: u16) -> u16 {
    let value: u16;
    // SAFETY: the caller answers for the device.
    unsafe { asm!("in ax, dx", out("ax") value, in("dx") port, options(nostack, preserves_flags)) };
    value
}

/// Reads four bytes from a port.
///
/// # Safety
/// As [`input_byte`].
pub unsafe fn input_double(port: u16) -> u32 {
    let value: u32;
    // SAFETY: the caller answers for the device.
    unsafe {
        asm!("in eax, dx", out("eax") value, in("dx") port, options(nostack, preserves_flags))
    };
    value
}

/// Writes a byte to a port.
///
/// # Safety
/// No device may take the write as a command that touches memory the kernel relies on.
pub unsafe fn output_byte(port: u16, value: u8) {
    // SAFETY: the caller answers for the device.
    unsafe { asm!("out dx, al", in("dx") port, in("al") value, options(nostack, preserves_flags)) };
}

/// Writes two bytes to a port.
///
/// # Safety
/// As [`output_byte`].
pub unsafe fn output_word(port: u16, value: u16) {
    // SAFETY: the caller answers for the device.
    unsafe { asm!("out dx, ax", in("dx") port, in("ax") value, options(nostack, preserves_flags)) };
}

/// Writes four bytes to a port.
///
/// # Safety
/// As [`output_byte`].
pub unsafe fn output_double(port: u16, value: u32) {
    // SAFETY: the caller answers for the device.
    unsafe {
        asm!("out dx, eax", in("dx") port, in("eax") value, options(nostack, preserves_flags))
    };
}

/// Copies bytes, front to back, whatever else happens to them meanwhile.
///
/// # Safety
/// Both ranges are mapped, the target writable and nobody's reference.
pub unsafe fn copy(from: *const u8, to: *mut u8, bytes: usize) {
    // SAFETY: the caller answers for the ranges.
    unsafe {
        asm!("rep movsb", inout("rsi") from => _, inout("rdi") to => _, inout("rcx") bytes => _,
            options(nostack, preserves_flags));
    }
}

/// Ends in an invalid-opcode fault.
pub fn invalid_instruction() -> ! {
    // SAFETY: the fault does not return, and touches nothing before it is handled.
    unsafe { asm!("ud2", options(noreturn, nostack)) }
}

/// Stops this CPU for good: interrupts off, halted; an NMI or SMI only wakes it to halt again.
pub fn stop() -> ! {
    loop {
        // SAFETY: with interrupts off the CPU does nothing more.
        unsafe { asm!("cli", "hlt", options(nomem, nostack)) };
    }
}

/// Resets the CPU by a fault that cannot be delivered.
///
/// # Safety
/// Everything is lost.
pub unsafe fn triple_fault() -> ! {
    let empty = [0_u16; 5];
    // SAFETY: the caller wants the reset.
    unsafe { asm!("lidt [{}]", "int3", "2: hlt", "jmp 2b", in(reg) &empty, options(noreturn)) }
}

/// Loads extended state, and clears the x87 pointers that FXRSTOR and XRSTOR leave alone on some CPUs. Called in one place
/// (`extended.rs`).
///
/// # Safety
/// `fpu` of the context was stored on a way in, or is the initial state.
#[inline(always)]
pub unsafe fn restore_fpu(context: &UserContext) {
    // SAFETY: the kernel does not use these registers; the caller answers for the state.
    #[allow(named_asm_labels, reason = "its instruction is another on some CPUs")]
    unsafe {
        asm!(
            "fninit",
            ".globl nonos_load_extended",
            "nonos_load_extended:",
            "fxrstor64 [{context} + {fpu}]",
            context = in(reg) context,
            fpu = const offset_of!(UserContext, fpu),
            in("eax") extended::COMPONENTS as u32,
            options(readonly, nostack, preserves_flags),
        );
    };
}
