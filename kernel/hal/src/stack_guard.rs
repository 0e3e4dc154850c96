//! The stack protector: functions with buffers keep a random value below their return address and look at it before they
//! return (`-Zstack-protector`). Whoever writes past a buffer changes it first.
//!
//! Each CPU has a value of its own, the boot loader's, another at every boot. The kernel runs on one stack of each CPU and leaves none
//! for another while a function is on it, so no two stacks share a value but those of one CPU. The compiler reads it at `gs:0x28`, the
//! place that LLVM knows for kernels of Linux: it takes another only by a module flag, which `rustc` cannot set.

use core::mem::offset_of;
use core::sync::atomic::{AtomicU64, Ordering};

/// What GS.base points to in the kernel.
#[repr(C, align(512))]
pub struct Guarded {
    unused: [u64; 5],
    /// What protected functions keep and compare.
    stack_guard: AtomicU64,
}

const _: () = assert!(offset_of!(Guarded, stack_guard) == 0x28);

impl Guarded {
    /// All zero.
    pub const fn new() -> Self {
        Self {
            unused: [0; 5],
            stack_guard: AtomicU64::new(0),
        }
    }

    /// Sets the value. On the CPU itself only a function that never returns may call this: it and its callers began with another
    /// value.
    #[inline(always)]
    pub fn set_stack_guard(&self, value: u64) {
        self.stack_guard.store(value, Ordering::Relaxed);
    }
}

/// Called by a function that finds another value at its end.
// SAFETY: the name that the compiler calls this by, with no arguments; it never returns.
#[unsafe(no_mangle)]
extern "C" fn __stack_chk_fail() -> ! {
    crate::stop!("a function wrote past its part of the stack")
}
