//! Reads through a null pointer.
#![no_std]
#![no_main]

adversaries::must_end!("read address 0", {
    // SAFETY: the kernel must end this process.
    unsafe { adversaries::read(0) }
});
