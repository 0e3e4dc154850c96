//! Reads the kernel's memory.
#![no_std]
#![no_main]

adversaries::must_end!("read the kernel's memory", {
    // SAFETY: the kernel must end this process.
    unsafe { adversaries::read(adversaries::KERNEL_ADDRESS) }
});
