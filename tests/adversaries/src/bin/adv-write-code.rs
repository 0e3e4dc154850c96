//! Writes its own code.
#![no_std]
#![no_main]

adversaries::must_end!("write own code", {
    // SAFETY: the kernel must end this process.
    unsafe { adversaries::write(write_target as *const () as u64) }
});

/// Never called: if it can be written, the report still works.
fn write_target() {
    core::hint::black_box(());
}
