//! What the attackers share. Each is a program in `src/bin`: it says what it tries, tries it, and says what came of it.
//!
//! - An attack that must end the process ([`must_end!`]) prints `ATTACK SUCCEEDED: …` and exits with 1 when it still runs.
//! - An attack that must be denied prints `denied: …` and exits with 0, or the same line as above and 1.
//!
//! - An attacker that tries many things says of each what came of it ([`verdict`]).
//!
//! Attackers get the console's output and nothing else.
#![no_std]

pub mod calls;
pub mod roles;
pub mod threads;
pub mod tries;
pub mod verdict;

use core::arch::asm;
use core::fmt::{Arguments, Write};

use nonos_rt::terminal::Terminal;

/// Exit code of an attack that succeeded.
pub const SUCCEEDED: u64 = 1;
/// Exit code of an attacker that could not even report.
pub const NO_CONSOLE: u64 = 2;

/// The console, or the end of the program.
pub fn console() -> Terminal {
    match Terminal::connect() {
        Ok(terminal) => terminal,
        Err(_) => nonos_rt::syscall::exit(NO_CONSOLE),
    }
}

/// Prints a line at once.
pub fn say(terminal: &mut Terminal, line: Arguments<'_>) {
    let _ = terminal.write_fmt(line);
    let _ = terminal.write_char('\n');
    if terminal.flush().is_err() {
        nonos_rt::syscall::exit(NO_CONSOLE);
    }
}

/// Prints that an attack succeeded; returns the exit code.
pub fn succeeded(terminal: &mut Terminal, what: Arguments<'_>) -> u64 {
    say(terminal, format_args!("ATTACK SUCCEEDED: {what}"));
    SUCCEEDED
}

/// Does what must end this process.
pub fn must_end(what: &str, attack: impl FnOnce()) -> u64 {
    let mut terminal = console();
    say(&mut terminal, format_args!("trying: {what}"));
    attack();
    succeeded(&mut terminal, format_args!("{what}"))
}

/// A program that does what must end it.
#[macro_export]
macro_rules! must_end {
    ($what:literal, $attack:block) => {
        nonos_rt::entry!(main);

        fn main() -> u64 {
            $crate::must_end($what, || $attack)
        }
    };
}

/// Reads a byte.
///
/// # Safety
/// None can be given: the kernel must end the process, or the address is readable.
pub unsafe fn read(address: u64) {
    // SAFETY: reads only; see above.
    unsafe { asm!("mov {0:l}, [{1}]", out(reg_abcd) _, in(reg) address, options(nostack)) }
}

/// Writes a byte.
///
/// # Safety
/// None can be given: the kernel must end the process.
pub unsafe fn write(address: u64) {
    // SAFETY: see above; should the write succeed, this program is wrong from here on and says so.
    unsafe { asm!("mov byte ptr [{}], 0xCC", in(reg) address, options(nostack)) }
}

/// Calls the code at an address.
///
/// # Safety
/// None can be given: the kernel must end the process, or there is a `ret`.
pub unsafe fn call(address: u64) {
    // SAFETY: all registers that a function may change are given up.
    unsafe { asm!("call {}", in(reg) address, clobber_abi("C")) }
}

/// Machine code of a function that returns, with a landing pad for indirect branches: `endbr64; ret`.
pub const RETURN: [u8; 5] = [0xF3, 0x0F, 0x1E, 0xFA, 0xC3];

/// An address of the kernel, wherever it was loaded.
pub const KERNEL_ADDRESS: u64 = nonos_abi::boot::KERNEL_SPACE_START;

/// A small deterministic generator (SplitMix64, Steele et al. 2014).
pub struct Random(pub u64);

impl Random {
    /// The next number.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    /// A number below `limit`.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.draw() % limit
    }
}
