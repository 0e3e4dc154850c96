//! Uses up its stack: the page below must be a guard, not someone's memory.
#![no_std]
#![no_main]

use core::hint::black_box;

adversaries::must_end!("stack without end", {
    deeper(0);
});

/// Comes back only when there was room for a gibibyte.
fn deeper(depth: u64) -> u64 {
    let page = black_box([depth; 512]);
    if depth < 1 << 18 {
        deeper(depth + 1) + page[0]
    } else {
        page[1]
    }
}
