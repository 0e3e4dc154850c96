//! Executes its own stack.
#![no_std]
#![no_main]

use core::hint::black_box;

adversaries::must_end!("execute own stack", {
    let code = black_box(adversaries::RETURN);
    // SAFETY: the kernel must end this process; else the code returns.
    unsafe { adversaries::call(code.as_ptr() as u64) }
});
