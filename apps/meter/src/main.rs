//! Reads how much memory is free, as long as the user allows it.
//!
//! Its manifest asks for the state of the system, the policy does not grant it: it is the program to try `grant` and `revoke`
//! with. It says when it may read, when that ends, and why.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::fmt::{Arguments, Write};

use nonos_rt::abi::info::{MemoryStatus, Topic};
use nonos_rt::object::SystemInfo;
use nonos_rt::terminal::Terminal;
use nonos_rt::{parent, syscall};

nonos_rt::entry!(main);

/// Time between two readings.
const PAUSE_NS: u64 = 100_000_000;

fn main() -> u64 {
    let Ok(mut terminal) = Terminal::connect() else {
        return 1;
    };
    let mut waiting = false;
    loop {
        match parent::system_info() {
            Ok(system) => {
                read_on(&system, &mut terminal);
                waiting = false;
            }
            Err(error) => {
                if !core::mem::replace(&mut waiting, true) {
                    say(&mut terminal, format_args!("waiting: {error}"));
                }
            }
        }
        pause();
    }
}

/// Reads until that fails.
fn read_on(system: &SystemInfo, terminal: &mut Terminal) {
    for readings in 0_u64.. {
        match system.read::<MemoryStatus>(Topic::Memory, 0) {
            Ok(memory) if readings == 0 => {
                let kibibytes = memory.free_pages.saturating_mul(4);
                say(terminal, format_args!("{kibibytes} KiB are free"));
            }
            Ok(_) => {}
            Err(error) => {
                let after = format_args!("{error}, after {readings} readings");
                return say(terminal, after);
            }
        }
        pause();
    }
}

fn pause() {
    let _ = syscall::sleep_until(syscall::clock_ns().saturating_add(PAUSE_NS));
}

/// Shows a line. A console that is gone misses it.
fn say(terminal: &mut Terminal, line: Arguments<'_>) {
    let _ = terminal.fresh_line();
    let _ = writeln!(terminal, "meter: {line}");
    let _ = terminal.flush();
}
