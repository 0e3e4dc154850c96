//! A program that gives memory back to its heap, before and after it asked for that to be overwritten, and says when it did.
//!
//! Texts are made byte by byte, so that memory has them where they are kept and nowhere else.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::vec::Vec;
use core::fmt::Write;
use core::hint::black_box;

use nonos_proto::CallError;
use nonos_rt::heap;
use nonos_rt::object::Notification;
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

/// Length of a text, bytes: the allocator writes at the beginning and the end of what it is given back.
const LENGTH: usize = 256;

/// A text of one letter and what comes after it in the alphabet, again and again.
fn text(first: u8) -> Vec<u8> {
    let mut text = Vec::with_capacity(LENGTH);
    for index in 0..LENGTH {
        text.push(black_box(first) + (index * index / 7 % 23) as u8);
    }
    text
}

fn main() -> u64 {
    u64::from(run().is_err())
}

fn run() -> Result<(), CallError> {
    let mut terminal = Terminal::connect()?;
    let before = text(b'A');
    let mut moved = text(b'a');
    let dropped = text(b'!');
    let held = text(b'0');
    // Or the compiler would see that nobody reads them, and make none.
    black_box((&before, &dropped));
    drop(before);
    heap::wipe_freed();
    moved.reserve(16 * LENGTH);
    drop(dropped);
    let _ = terminal.write_str("freed: done\n");
    terminal.flush()?;
    // Nobody signals that: until it is ended.
    let forever = Notification::create().map_err(CallError::Unreachable)?;
    let _ = forever.wait();
    black_box((moved, held));
    Ok(())
}
