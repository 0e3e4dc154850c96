//! Writes the kernel's memory.
#![no_std]
#![no_main]

adversaries::must_end!("write the kernel's memory", {
    // SAFETY: the kernel must end this process.
    unsafe { adversaries::write(adversaries::KERNEL_ADDRESS) }
});
