//! Reads an I/O port, the keyboard's: a general protection fault without an I/O permission.
#![no_std]
#![no_main]

adversaries::must_end!("in al, 0x60", {
    // SAFETY: ring 3 may not; should it work, nothing that this program relies on has changed.
    unsafe { core::arch::asm!("in al, 0x60", out("al") _) }
});
