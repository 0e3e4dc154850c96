//! The local APIC (SDM vol. 3, chapter 11): end of interrupt, its timer as a counter, interrupts
//! to other CPUs.

use core::arch::asm;
use core::hint::spin_loop;
use core::sync::atomic::{AtomicU64, Ordering};

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
    pub const COMMAND: u32 = 0x300;
    pub const COMMAND_DESTINATION: u32 = 0x310;
    pub const LVT_TIMER: u32 = 0x320;
    pub const LVT_LINT0: u32 = 0x350;
    pub const LVT_LINT1: u32 = 0x360;
    pub const LVT_ERROR: u32 = 0x370;
    pub const INITIAL_COUNT: u32 = 0x380;
    pub const CURRENT_COUNT: u32 = 0x390;
    pub const DIVIDE: u32 = 0x3E0;
}

const MASKED: u32 = 1 << 16;
const DELIVER_NMI: u32 = 4 << 8;
/// Delivery modes and bits of the interrupt command register (SDM vol. 3, 11.6.1).
const SEND_NMI: u32 = 4 << 8;
const SEND_INIT: u32 = 5 << 8;
const SEND_STARTUP: u32 = 6 << 8;
const SEND_PENDING: u32 = 1 << 12;
const ASSERT: u32 = 1 << 14;

/// Most reads of the command register until an interrupt is sent: it takes microseconds.
const SEND_READS: u32 = 1_000_000;

const SOFTWARE_ENABLE: u32 = 1 << 8;
const TIMER_TSC_DEADLINE: u32 = 2 << 17;
const DIVIDE_BY_1: u32 = 0b1011;

/// Bits of IA32_APIC_BASE.
const BASE_X2APIC: u64 = 1 << 10;
const BASE_ENABLE: u64 = 1 << 11;
const BASE_ADDRESS: u64 = 0x000F_FFFF_FFFF_F000;

/// Largest number that an interrupt can be addressed to without x2APIC; 255 means all.
const ID_MAX: u32 = 254;

/// What [`LocalApic::enable`] found: physical address, and where it is mapped (0: x2APIC).
static PHYSICAL: AtomicU64 = AtomicU64::new(0);
static ADDRESS: AtomicU64 = AtomicU64::new(0);

/// Reaches the registers.
#[derive(Clone, Copy)]
enum Access {
    Memory(*mut u32),
    X2apic,
}

/// The local APIC of the CPU that uses it. All CPUs reach theirs the same way, at the same address.
#[derive(Clone, Copy)]
pub struct LocalApic {
    access: Access,
    /// Physical address of its registers.
    pub physical: u64,
}

impl LocalApic {
    /// Enables the boot CPU's, with everything masked but NMIs.
    ///
    /// # Safety
    /// Called once, on the boot CPU, with interrupts off.
    pub unsafe fn enable(area: &mut PrivateArea) -> Self {
        let physical = cpu::read_msr(Msr::ApicBase) & BASE_ADDRESS;
        let access = if protection::has_x2apic() {
            Access::X2apic
        } else {
            Access::Memory(area.map_device(physical))
        };
        let apic = Self { access, physical };
        // SAFETY: interrupts are off.
        unsafe { apic.enable_here() };
        PHYSICAL.store(physical, Ordering::Relaxed);
        let address = match access {
            Access::Memory(base) => base as u64,
            Access::X2apic => 0,
        };
        ADDRESS.store(address, Ordering::Relaxed);
        apic
    }

    /// The same, for other CPUs and for a kernel that is stopping; `None` before the boot CPU's is enabled.
    pub fn shared() -> Option<Self> {
        let physical = PHYSICAL.load(Ordering::Relaxed);
        let access = match ADDRESS.load(Ordering::Relaxed) {
            0 => Access::X2apic,
            base => Access::Memory(base as *mut u32),
        };
        (physical != 0).then_some(Self { access, physical })
    }

    /// Enables this CPU's in the same way.
    ///
    /// # Safety
    /// Interrupts are off.
    pub unsafe fn enable_here(&self) {
        let apic = self;
        let base = cpu::read_msr(Msr::ApicBase) & !BASE_ADDRESS | self.physical | BASE_ENABLE;
        // SAFETY: enabling changes where interrupts come from, and they are off. A firmware that left x2APIC
        // mode on has it, so that mode is never left, which would fault. It is entered from the enabled state only.
        unsafe {
            cpu::write_msr(Msr::ApicBase, base);
            if matches!(self.access, Access::X2apic) {
                cpu::write_msr(Msr::ApicBase, base | BASE_X2APIC);
            }
        }
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
    }

    /// Whether local APICs are in x2APIC mode.
    pub fn is_x2apic(&self) -> bool {
        matches!(self.access, Access::X2apic)
    }

    /// Its number, as interrupts are addressed.
    pub fn id(&self) -> u32 {
        match self.access {
            Access::Memory(_) => self.read(register::ID) >> 24,
            Access::X2apic => self.read(register::ID),
        }
    }

    /// Whether interrupts can be sent to the local APIC with this number.
    pub fn reaches(&self, id: u32) -> bool {
        matches!(self.access, Access::X2apic) || id <= ID_MAX
    }

    /// Interrupts another CPU.
    pub fn interrupt(&self, to: u32, vector: u32) {
        self.send(to, ASSERT | vector);
    }

    /// Interrupts another CPU even when it has interrupts off.
    pub fn interrupt_unmaskable(&self, to: u32) {
        self.send(to, ASSERT | SEND_NMI);
    }

    /// Resets another CPU: it does nothing until [`Self::start`].
    pub fn reset(&self, to: u32) {
        self.send(to, ASSERT | SEND_INIT);
    }

    /// Has a CPU that was reset execute the page at this address below 1 MiB, in real mode.
    pub fn start(&self, to: u32, page_physical: u64) {
        self.send(
            to,
            ASSERT | SEND_STARTUP | (page_physical >> 12) as u32 & 0xFF,
        );
    }

    fn send(&self, to: u32, command: u32) {
        if matches!(self.access, Access::X2apic) {
            let value = u64::from(to) << 32 | u64::from(command);
            // SAFETY: no other write waits for what is stored before, so the fences do (SDM vol. 3, 11.12.3). Who sends
            // vouches for what the interrupt does there.
            unsafe {
                asm!("mfence", "lfence", options(nostack, preserves_flags));
                cpu::write_x2apic(register::COMMAND >> 4, value);
            }
            return;
        }
        self.write(register::COMMAND_DESTINATION, to << 24);
        self.write(register::COMMAND, command);
        for _ in 0..SEND_READS {
            if self.read(register::COMMAND) & SEND_PENDING == 0 {
                break;
            }
            spin_loop();
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
            Access::X2apic => cpu::read_x2apic(register >> 4) as u32,
        }
    }

    fn write(&self, register: u32, value: u32) {
        match self.access {
            // SAFETY: as in `read`. The values written here raise only vectors that have a gate.
            Access::Memory(base) => unsafe {
                base.byte_add(register as usize).write_volatile(value)
            },
            // SAFETY: as above.
            Access::X2apic => unsafe { cpu::write_x2apic(register >> 4, value.into()) },
        }
    }
}
