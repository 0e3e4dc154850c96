//! Writes its own code.
#![no_std]
#![no_main]

adversaries::must_end!("write own code", {
    // SAFETY: the kernel must end this process.
    unsafe { adversaries::write(main as *const () as u64) }
});
