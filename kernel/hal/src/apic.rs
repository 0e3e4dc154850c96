//! The local APIC (SDM vol. 3, chapter 11): end of interrupt, and its timer as a counter.

use crate::cpu::{self, Msr};
use crate::interrupts::vector;
use crate::private::PrivateArea;
use crate::protection;

/// Registers, as offsets of the memory-mapped form; x2APIC numbers them by 16 bytes from MSR 0x800 on.
mod register {
    pub const ID: u32 = 0x20;
    pub const TASK_PRIORITY: u32 = 0x80;
    pub const END_OF_INTERRUPT: u32 = 0xB0;
    pub const SPURIOUS: u32 = 0xF0;
    pub const LVT_TIMER: u32 = 0x320;
    pub const LVT_LINT0: u32 = 0x350;
    pub const LVT_LINT1: u32 = 0x360;
    pub const LVT_ERROR: u32 = 0x370;
    pub const INITIAL_COUNT: u32 = 0x380;
    pub const CURRENT_COUNT: u32 = 0x390;
    pub const DIVIDE: u32 = 0x3E0;
}

const X2APIC_MSRS: u32 = 0x800;
const MASKED: u32 = 1 << 16;
const DELIVER_NMI: u32 = 4 << 8;
const SOFTWARE_ENABLE: u32 = 1 << 8;
const TIMER_TSC_DEADLINE: u32 = 2 << 17;
const DIVIDE_BY_1: u32 = 0b1011;

/// Bits of IA32_APIC_BASE.
const BASE_X2APIC: u64 = 1 << 10;
const BASE_ENABLE: u64 = 1 << 11;
const BASE_ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

/// Reaches the registers.
#[derive(Clone, Copy)]
enum Access {
    Memory(*mut u32),
    X2apic,
}

/// The local APIC of the boot CPU.
pub struct LocalApic {
    access: Access,
    /// Physical address of its registers.
    pub physical: u64,
}

impl LocalApic {
    /// Enables it, with everything masked but NMIs.
    ///
    /// # Safety
    /// Called once, with interrupts off.
    pub unsafe fn enable(area: &mut PrivateArea) -> Self {
        let base = cpu::read_msr(Msr::ApicBase);
        let physical = base & BASE_ADDRESS;
        let x2apic = protection::has_x2apic();
        let mode = BASE_ENABLE | if x2apic { BASE_X2APIC } else { 0 };
        // SAFETY: enabling changes where interrupts come from, and they are off. A firmware that left x2APIC
        // mode on has it, so that mode is never left, which would fault.
        unsafe { cpu::write_msr(Msr::ApicBase, base | mode) };
        let access = if x2apic {
            Access::X2apic
        } else {
            Access::Memory(area.map_device(physical))
        };
        let apic = Self { access, physical };
        apic.write(register::LVT_TIMER, MASKED | u32::from(vector::TIMER));
        apic.write(register::LVT_LINT0, MASKED);
        apic.write(register::LVT_LINT1, DELIVER_NMI);
        apic.write(register::LVT_ERROR, MASKED);
        apic.write(register::TASK_PRIORITY, 0);
        apic.write(register::DIVIDE, DIVIDE_BY_1);
        apic.write(
            register::SPURIOUS,
            SOFTWARE_ENABLE | u32::from(vector::SPURIOUS),
        );
        apic
    }

    /// Its number, as interrupts are addressed.
    pub fn id(&self) -> u32 {
        match self.access {
            Access::Memory(_) => self.read(register::ID) >> 24,
            Access::X2apic => self.read(register::ID),
        }
    }

    /// Says that the interrupt in service was seen.
    #[inline]
    pub fn end_of_interrupt(&self) {
        self.write(register::END_OF_INTERRUPT, 0);
    }

    /// Puts the timer in TSC-deadline mode.
    pub fn use_tsc_deadline(&self) {
        self.write(
            register::LVT_TIMER,
            TIMER_TSC_DEADLINE | u32::from(vector::TIMER),
        );
        // SAFETY: orders the write above, which may be to memory, before the first deadline (SDM vol. 3, 11.5.4.1).
        unsafe { core::arch::asm!("mfence", options(nostack, preserves_flags)) };
    }

    /// Lets the timer in one-shot mode interrupt.
    pub fn use_one_shot(&self) {
        self.write(register::LVT_TIMER, u32::from(vector::TIMER));
    }

    /// Starts the timer in one-shot mode; 0 stops it.
    pub fn start_count(&self, count: u32) {
        self.write(register::INITIAL_COUNT, count);
    }

    /// Where the timer in one-shot mode is; it counts down.
    pub fn current_count(&self) -> u32 {
        self.read(register::CURRENT_COUNT)
    }

    fn read(&self, register: u32) -> u32 {
        match self.access {
            // SAFETY: `base` is the APIC's page, mapped for good.
            Access::Memory(base) => unsafe { base.byte_add(register as usize).read_volatile() },
            Access::X2apic => cpu::read_msr_number(X2APIC_MSRS + (register >> 4)) as u32,
        }
    }

    fn write(&self, register: u32, value: u32) {
        match self.access {
            // SAFETY: as in `read`. The values written here raise only vectors that have a gate.
            Access::Memory(base) => unsafe {
                base.byte_add(register as usize).write_volatile(value)
            },
            // SAFETY: as above.
            Access::X2apic => unsafe {
                cpu::write_msr_number(X2APIC_MSRS + (register >> 4), value.into())
            },
        }
    }
}
