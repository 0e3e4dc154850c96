//! Writes past a buffer on the stack, into its own return address.
#![no_std]
#![no_main]

use core::hint::black_box;

/// Words that are written: the buffer's, and more than lie between it and the return address.
const WORDS: usize = 16;

#[inline(never)]
fn smash(words: usize) -> u64 {
    let mut buffer = [0_u64; 4];
    let first = black_box(&raw mut buffer).cast::<u64>();
    for index in 0..words {
        // SAFETY: none can be given: what lies behind the buffer is the stack of this function and its callers, none of which
        // may go on.
        unsafe { first.add(index).write_volatile(0x4141_4141_4141) };
    }
    black_box(&buffer)[0]
}

adversaries::must_end!("writing past a buffer on the stack", {
    black_box(smash(black_box(WORDS)));
});
