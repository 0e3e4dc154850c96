//! The stack protector: functions with buffers keep a random value below their return address and look at it before they
//! return (`-Zstack-protector`). Whoever writes past a buffer changes it first.
//!
//! The value is the boot loader's, another at every boot, the same on all CPUs. Its name and that of the function are the
//! compiler's.

use core::sync::atomic::{AtomicU64, Ordering};

/// What protected functions keep and compare.
// SAFETY: the name that the compiler reads this value by; a word, as it expects.
#[unsafe(no_mangle)]
static __stack_chk_guard: AtomicU64 = AtomicU64::new(0);

/// Sets the value. Only a function that never returns may call this: it and its callers began with another value.
#[inline(always)]
pub fn set(guard: u64) {
    __stack_chk_guard.store(guard, Ordering::Relaxed);
}

/// Called by a function that finds another value at its end.
// SAFETY: the name that the compiler calls this by, with no arguments; it never returns.
#[unsafe(no_mangle)]
extern "C" fn __stack_chk_fail() -> ! {
    crate::stop!("a function wrote past its part of the stack")
}
