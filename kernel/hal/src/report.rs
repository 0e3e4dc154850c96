//! The report of a kernel that cannot go on: what happened and where, in plain text on serial line and screen.
//!
//! No secrets: no memory is shown, and of the registers only values that are small or addresses of the kernel;
//! of a thread in user space, none. The other CPUs are halted before. After the report memory is wiped and the machine halts (`stop.rs`).

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::sync::atomic::Ordering;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::{BootInfo, KERNEL_SPACE_START};
use nonos_abi::cet;
use nonos_abi::kcfi::{self, CHECK_BYTES, UD2_BYTES};
use nonos_image::archive::{Archive, KERNEL_SYMBOLS};
use nonos_image::symbols::Symbols;

use crate::cpu;
use crate::cpus::CpuBlock;
use crate::entry;
use crate::private::Window;
use crate::screen::Screen;
use crate::serial::Serial;
use crate::stop::{self, Claim, Ending};

/// What `nonos_fatal` in `entry.s` pushed, and the CPU before it.
#[repr(C)]
pub struct Registers {
    general: [u64; 15],
    vector: u64,
    error: u64,
    rip: u64,
    cs: u64,
    rflags: u64,
    rsp: u64,
    ss: u64,
}

const GENERAL_NAMES: [&str; 15] = [
    "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14",
    "r15",
];

/// Values below are no secrets: counts, lengths, flags.
const SMALL: u64 = 0x1_0000;

/// Most callers shown.
const CALLERS: usize = 20;

/// First byte, and length, of a call: all calls of the kernel are direct ones (`thunks.s`).
const CALL: u8 = 0xE8;
const CALL_BYTES: u64 = 5;

const VECTOR_NMI: u64 = 2;
const VECTOR_INVALID_OPCODE: u64 = 6;
const VECTOR_DOUBLE_FAULT: u64 = 8;
const VECTOR_PAGE_FAULT: u64 = 14;
const VECTOR_MACHINE_CHECK: u64 = 18;
const VECTOR_CONTROL_PROTECTION: u64 = cet::VECTOR as u64;

/// Reports a fault in the kernel, an NMI or a machine check, and stops. Called by `entry.s`.
pub extern "C" fn fatal(registers: &Registers) -> ! {
    let address = cpu::read_cr2();
    stop_with(|report| report.fault(registers, address))
}

/// A check in Rust code that failed: a bound, a sum, an assertion. It stops as any invalid instruction does, and the report says
/// where. No message is kept: as nothing is read here, the compiler drops every message, and what prepares it, from the whole
/// kernel. What is worth words is said with [`stop!`](crate::stop!).
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    cpu::invalid_instruction()
}

/// Reports why the kernel cannot go on and stops. Called by [`stop!`](crate::stop!).
#[cold]
pub fn stop_because(reason: fmt::Arguments<'_>) -> ! {
    stop_with(|report| report.reason(reason))
}

/// Writes a report and stops the machine; after a fault while doing so there is no other report, but memory is wiped.
fn stop_with(write: impl FnOnce(&mut Report) -> fmt::Result) -> ! {
    if stop::claim() == Claim::Again {
        let _ = Serial.write_str("\nnonos: another fault while stopping\n");
        stop::finish(Ending::Halt);
    }
    let mut report = Report::new();
    // Writing to the port and the screen cannot fail.
    let _ = write(&mut report);
    let _ = report.write_str("\n");
    stop::finish(Ending::Halt)
}

/// Where a report goes.
pub struct Report {
    info: Option<&'static BootInfo>,
    screen: Option<Screen>,
    /// The CPU that stopped.
    cpu: &'static CpuBlock,
}

impl Report {
    /// A report on an empty screen.
    pub fn new() -> Self {
        let info = stop::boot_info();
        let cpu = CpuBlock::of_this_cpu();
        // SAFETY: the kernel is stopping; who used the window before never runs again.
        let window = Window::exists(cpu).then(|| unsafe { Window::first(cpu) });
        let screen = info
            .zip(window)
            .and_then(|(info, window)| Screen::cleared(info.framebuffer, window));
        Self { info, screen, cpu }
    }

    fn reason(&mut self, reason: fmt::Arguments<'_>) -> fmt::Result {
        let cpu = self.cpu.id().0;
        write!(
            self,
            "\nnonos: the kernel stopped: {reason}\n  on CPU {cpu}\n"
        )?;
        // Everything below this report on the stack was called to write it.
        self.callers(core::ptr::from_ref(self) as u64)
    }

    fn fault(&mut self, registers: &Registers, address: u64) -> fmt::Result {
        let name = match registers.vector {
            VECTOR_NMI => "non-maskable interrupt",
            VECTOR_DOUBLE_FAULT => "double fault",
            VECTOR_PAGE_FAULT => "page fault",
            VECTOR_MACHINE_CHECK => "machine check",
            0 => "division by zero",
            VECTOR_INVALID_OPCODE if self.is_mistyped_call(registers.rip) => {
                "kCFI: called a function of another type"
            }
            VECTOR_INVALID_OPCODE if self.is_check(registers.rip) => "a check in its code failed",
            VECTOR_INVALID_OPCODE => "invalid instruction",
            VECTOR_CONTROL_PROTECTION if registers.error == cet::RETURN => {
                "CET: returned elsewhere"
            }
            VECTOR_CONTROL_PROTECTION if registers.error == cet::BRANCH => {
                "CET: branched elsewhere"
            }
            13 => "general protection fault",
            _ => "exception",
        };
        write!(
            self,
            "\nnonos: the kernel stopped: {name} (vector {}, error code {:#x})\n  on CPU {}\n",
            registers.vector,
            registers.error,
            self.cpu.id().0
        )?;
        if registers.cs & 3 != 0 {
            return self.write_str("  while a program ran\n");
        }
        if registers.vector == VECTOR_PAGE_FAULT || registers.vector == VECTOR_DOUBLE_FAULT {
            let (base, _) = self.stack();
            let guard = address < base && base - address <= 4096;
            writeln!(
                self,
                "  address accessed {}{}",
                Shown(address),
                if guard {
                    " (the kernel stack is full)"
                } else {
                    ""
                }
            )?;
        }
        self.place("  at ", registers.rip)?;
        writeln!(
            self,
            "  rip {:#018x}  rsp {:#018x}  rflags {:#x}",
            registers.rip, registers.rsp, registers.rflags
        )?;
        for (index, (name, &value)) in GENERAL_NAMES.iter().zip(&registers.general).enumerate() {
            write!(
                self,
                "  {name:<3} {}{}",
                Shown(value),
                if index % 3 == 2 { "\n" } else { "" }
            )?;
        }
        self.callers(registers.rsp)
    }

    /// Whether this `ud2` ends the check before an indirect call.
    fn is_mistyped_call(&self, address: u64) -> bool {
        let start = address.wrapping_sub((CHECK_BYTES - UD2_BYTES) as u64);
        if !(self.in_code(start) && self.in_code(address)) {
            return false;
        }
        // SAFETY: code of the kernel is readable; it starts with more code than this (`entry.s`).
        kcfi::is_check(unsafe { &*(start as *const [u8; CHECK_BYTES]) })
    }

    /// Whether a failed check leads to this place ([`panic()`]).
    fn is_check(&self, address: u64) -> bool {
        // SAFETY: code of the kernel is readable; it ends with more than this (`memset` and its kin).
        self.in_code(address) && unsafe { *(address as *const [u8; UD2_BYTES]) } == kcfi::UD2
    }

    /// What may have called: every word of the kernel stack from there on that is where a call in the kernel's code returns to.
    /// Some may be left from calls that have returned.
    fn callers(&mut self, from: u64) -> fmt::Result {
        let (base, top) = self.stack();
        // One that is full is left by less than a page.
        if from.saturating_add(PAGE_BYTES as u64) < base {
            return Ok(());
        }
        let mut shown = 0;
        let mut place = from.max(base).next_multiple_of(8);
        while place < top && shown < CALLERS {
            // SAFETY: a word of this CPU's kernel stack, which is mapped.
            let back = unsafe { (place as *const u64).read_volatile() };
            if self.is_behind_call(back) {
                // A call that never returns can be the last instruction of its function.
                self.place("  perhaps called from ", back - 1)?;
                shown += 1;
            }
            place += 8;
        }
        Ok(())
    }

    /// Whether a call ends here.
    fn is_behind_call(&self, address: u64) -> bool {
        let call = address.wrapping_sub(CALL_BYTES);
        // SAFETY: code of the kernel is readable.
        self.in_code(call) && self.in_code(address) && unsafe { *(call as *const u8) } == CALL
    }

    /// This CPU's kernel stack, from where to where.
    fn stack(&self) -> (u64, u64) {
        (
            self.cpu.stack_base.load(Ordering::Relaxed),
            self.cpu.stack_top.load(Ordering::Relaxed),
        )
    }

    /// A place in the kernel's code: symbol, and offset from the kernel's base.
    fn place(&mut self, prefix: &str, address: u64) -> fmt::Result {
        let Some(offset) = self
            .info
            .filter(|_| self.in_code(address))
            .map(|info| address - info.kernel_base)
        else {
            return writeln!(self, "{prefix}{}", Shown(address));
        };
        match symbols().and_then(|symbols| symbols.resolve(offset as u32)) {
            Some((name, behind)) => {
                writeln!(self, "{prefix}{name} + {behind:#x} (kernel + {offset:#x})")
            }
            None => writeln!(self, "{prefix}kernel + {offset:#x}"),
        }
    }

    /// Whether the kernel's code is there.
    fn in_code(&self, address: u64) -> bool {
        entry::code().contains(&address)
    }
}

impl Write for Report {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The screen shows it also where the port takes nothing.
        let _ = Serial.write_str(text);
        if let Some(screen) = &mut self.screen {
            screen.write(text);
        }
        Ok(())
    }
}

/// A value of a register, when it tells nothing about a program's data.
struct Shown(u64);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 < SMALL || self.0 >= KERNEL_SPACE_START {
            write!(f, "{:#018x}", self.0)
        } else {
            f.write_str("not shown         ")
        }
    }
}

fn symbols() -> Option<Symbols<'static>> {
    let archive = Archive::parse(stop::payload()?).ok()?;
    Symbols::parse(archive.get(KERNEL_SYMBOLS)?).ok()
}
