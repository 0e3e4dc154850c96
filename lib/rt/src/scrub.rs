//! Overwriting what functions that returned left on the stack.

use core::hint::black_box;

/// Overwrites so many bytes of the stack below its caller: copies that moving a secret leaves behind.
#[inline(never)]
pub fn scrub<const BYTES: usize>() {
    black_box(&mut [0_u8; BYTES]);
}
