//! From the kernel's entry to `main`, and what happens at a panic.

use crate::syscall;

/// Exit code of a program that panicked.
pub const PANIC_CODE: u64 = 101;

/// What `main` may return.
pub trait Outcome {
    /// The exit code.
    fn code(self) -> u64;
}

impl Outcome for () {
    fn code(self) -> u64 {
        0
    }
}

impl Outcome for u64 {
    fn code(self) -> u64 {
        self
    }
}

/// Runs a program's `main` and ends the process with what it returns.
pub fn run<T: Outcome>(main: impl FnOnce() -> T) -> ! {
    syscall::exit(main().code())
}

/// Defines the program's entry: keeps the process's random value for the stack protector, aligns the stack and runs the given function, which takes nothing and
/// returns `()` or the exit code.
#[macro_export]
macro_rules! entry {
    ($main:path) => {
        extern "C" fn __start() -> ! {
            $crate::start::run($main)
        }

        // SAFETY: the kernel starts a process here with a stack, and `__start` finds it aligned as functions expect it.
        core::arch::global_asm!(
            ".pushsection .text._start, \"ax\", @progbits",
            ".global _start",
            ".type _start, @function",
            "_start:",
            "endbr64",
            "mov [rip + {guard}], rdx",
            "xor ebp, ebp",
            "and rsp, -16",
            "call {start}",
            "ud2",
            ".size _start, . - _start",
            ".popsection",
            guard = sym $crate::stack_guard::__stack_chk_guard,
            start = sym __start,
        );
    };
}

#[cfg(not(any(unix, windows)))]
#[panic_handler]
fn panic(info: &core::panic::PanicInfo<'_>) -> ! {
    crate::log!("{info}");
    syscall::exit(PANIC_CODE)
}
