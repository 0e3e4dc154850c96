//! The registers that hold protections, and XCR0: CR0, CR4, EFER, IA32_SPEC_CTRL, IA32_U_CET and IA32_S_CET.
//!
//! What was set in one stays set: there is no function that clears a bit, and nothing else writes these registers but the first
//! instructions of another CPU (`startup.s`), which load what is set here, and `cet.rs`, which does not return from setting the last. [`check`] looks whether the hardware still holds
//! exactly that, so that whoever got at one of them in another way does not keep it.

use core::sync::atomic::{AtomicU64, Ordering};

use super::{
    Msr, cr4, read_cr0, read_cr4, read_msr_number, read_xcr0, write_cr0, write_cr4,
    write_msr_number, write_xcr0,
};

/// Numbers of those that are model-specific registers (SDM vol. 4, table 2-2).
pub const EFER: u32 = 0xC000_0080;
const SPEC_CONTROL: u32 = 0x48;

/// A register whose bits stay.
#[derive(Clone, Copy)]
#[allow(missing_docs)]
pub enum Register {
    Cr0,
    Cr4,
    Efer,
    SpecControl,
    UserCet,
    SupervisorCet,
    Xcr0,
}

/// What each holds on all CPUs; 0 while nothing was set.
static PINNED: [AtomicU64; Register::ALL.len()] =
    [const { AtomicU64::new(0) }; Register::ALL.len()];

/// IA32_U_CET: what the CPU notes there of a thread's branches (SDM vol. 1, 17.2).
const TRACKER: u64 = 0b11 << 10;

impl Register {
    const ALL: [Self; 7] = [
        Self::Cr0,
        Self::Cr4,
        Self::Efer,
        Self::SpecControl,
        Self::UserCet,
        Self::SupervisorCet,
        Self::Xcr0,
    ];

    /// Its number, when it is a model-specific register.
    fn number(self) -> u32 {
        match self {
            Self::SpecControl => SPEC_CONTROL,
            Self::UserCet => Msr::UserCet as u32,
            Self::SupervisorCet => Msr::SupervisorCet as u32,
            _ => EFER,
        }
    }

    /// What it holds.
    pub fn read(self) -> u64 {
        match self {
            Self::Cr0 => read_cr0(),
            Self::Cr4 => read_cr4(),
            Self::Xcr0 => read_xcr0(),
            _ => read_msr_number(self.number()),
        }
    }

    /// What it has to hold; 0 while nothing was set.
    pub fn pinned(self) -> u64 {
        PINNED[self as usize].load(Ordering::Relaxed)
    }

    /// Sets bits beside those set before, on this CPU or another, for good, and clears all others. False when the register does not
    /// hold them; then they do not count.
    ///
    /// # Safety
    /// The CPU has the register, and its value keeps what the kernel relies on.
    #[inline(never)]
    pub unsafe fn pin(self, bits: u64) -> bool {
        let value = self.pinned() | bits;
        // SAFETY: the caller answers for the value.
        unsafe { self.write(value) };
        let held = self.read() == value;
        if held {
            self.holds(value);
        }
        held
    }

    /// Notes what it holds on this CPU since just now, as on all others.
    pub fn holds(self, value: u64) {
        PINNED[self as usize].store(value, Ordering::Relaxed);
    }

    /// # Safety
    /// As [`Self::pin`].
    unsafe fn write(self, value: u64) {
        // SAFETY: the caller answers for the value.
        unsafe {
            match self {
                Self::Cr0 => write_cr0(value),
                Self::Cr4 => write_cr4(value),
                Self::Xcr0 => write_xcr0(value),
                _ => write_msr_number(self.number(), value),
            }
        }
    }

    /// Bits that are not looked at: those that follow the process or thread that runs.
    fn free(self) -> u64 {
        match self {
            Self::Cr4 => cr4::TSD,
            Self::UserCet => TRACKER,
            _ => 0,
        }
    }
}

/// Lets programs on this CPU read the time-stamp counter, or not (CR4.TSD).
pub fn let_programs_count(allowed: bool) {
    let pinned = Register::Cr4.pinned();
    let value = if allowed { pinned } else { pinned | cr4::TSD };
    if read_cr4() != value {
        // SAFETY: what was set stays, and the bit concerns no one but programs.
        unsafe { write_cr4(value) };
    }
}

/// Looks whether this CPU holds what was set.
///
/// # Panics
/// When a register holds anything else.
pub fn check() {
    for register in Register::ALL {
        let pinned = register.pinned();
        if pinned != 0 && (register.read() ^ pinned) & !register.free() != 0 {
            changed(register);
        }
    }
}

#[cold]
#[inline(never)]
fn changed(register: Register) -> ! {
    let found = register.read();
    let name = ["CR0", "CR4", "EFER", "SPEC_CTRL", "U_CET", "S_CET", "XCR0"][register as usize];
    crate::stop!("{name} was changed to {found:#x}")
}
