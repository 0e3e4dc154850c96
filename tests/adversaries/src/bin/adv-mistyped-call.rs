//! Calls a function through a pointer to functions of another type.
#![no_std]
#![no_main]

use core::hint::black_box;

fn takes_a_number(number: u64) -> u64 {
    black_box(number)
}

adversaries::must_end!("a call through a mistyped pointer", {
    let function = black_box(takes_a_number as fn(u64) -> u64);
    // SAFETY: both types are passed alike; the call does no harm, should it be made.
    let mistyped: fn(&u32) -> bool = unsafe { core::mem::transmute(function) };
    black_box(mistyped(&1));
});
