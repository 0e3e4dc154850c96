//! The stack protector: functions with buffers keep a random value below their return address and look at it before they
//! return (`-Zstack-protector`). Whoever writes past a buffer changes it first.
//!
//! The kernel gives each process a value of its own; [`crate::entry!`] stores it before anything else runs. The names are the
//! compiler's.
#![allow(unsafe_code)]

use core::sync::atomic::AtomicU64;

use crate::syscall;

/// Exit code of a program that found that it had written past its part of the stack.
pub const OVERWRITTEN_CODE: u64 = 102;

/// What protected functions keep and compare.
// SAFETY: the name that the compiler reads this value by; a word, as it expects.
#[unsafe(no_mangle)]
pub static __stack_chk_guard: AtomicU64 = AtomicU64::new(0);

/// Called by a function that finds another value at its end. Uses the stack no more than it must: it is somebody else's.
// SAFETY: the name that the compiler calls this by, with no arguments; it never returns.
#[unsafe(no_mangle)]
extern "C" fn __stack_chk_fail() -> ! {
    crate::log!("a function wrote past its part of the stack");
    syscall::exit(OVERWRITTEN_CODE)
}
