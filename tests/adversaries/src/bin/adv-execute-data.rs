//! Executes its own data.
#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU8, Ordering};

/// Atomics, so that it lies in writable memory.
static CODE: [AtomicU8; 5] = [const { AtomicU8::new(0) }; 5];

adversaries::must_end!("execute own data", {
    for (byte, value) in CODE.iter().zip(adversaries::RETURN) {
        byte.store(value, Ordering::Relaxed);
    }
    // SAFETY: the kernel must end this process; else the code returns.
    unsafe { adversaries::call(CODE.as_ptr() as u64) }
});
