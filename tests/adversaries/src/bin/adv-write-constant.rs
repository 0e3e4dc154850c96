//! Writes its own constants: text, and a table that was written once, when the program was loaded (RELRO).
#![no_std]
#![no_main]

use core::hint::black_box;

/// Holds an address, so that the loader had to relocate it.
static RELOCATED: [&str; 2] = ["one", "two"];

adversaries::must_end!("write own constants", {
    let table = black_box(&RELOCATED);
    // SAFETY: the kernel must end this process.
    unsafe { adversaries::write(table.as_ptr() as u64) }
});
