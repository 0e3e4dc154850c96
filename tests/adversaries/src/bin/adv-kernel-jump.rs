//! Jumps into the kernel.
#![no_std]
#![no_main]

adversaries::must_end!("jump into the kernel", {
    // SAFETY: the kernel must end this process.
    unsafe { adversaries::call(adversaries::KERNEL_ADDRESS) }
});
