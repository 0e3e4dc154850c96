//! Stores as much as it may, then writes without end, until a write fails: what it meets in between, it says.
//!
//! For tests: in the place of `meter`, whose policy lets it store little, once the user allows it.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::fmt::{Arguments, Write};

use nonos_proto::CallError;
use nonos_proto::files::{how, rights};
use nonos_rt::files::Place;
use nonos_rt::syscall::{clock_ns, sleep_until};
use nonos_rt::terminal::Terminal;

nonos_rt::entry!(main);

/// Time until it asks again.
const PAUSE_NS: u64 = 50_000_000;

fn main() -> u64 {
    let Ok(mut terminal) = Terminal::connect() else {
        return 1;
    };
    let home = loop {
        match Place::Own.open() {
            Ok(home) => break home,
            Err(_) => drop(sleep_until(clock_ns().saturating_add(PAUSE_NS))),
        }
    };
    let with = rights::READ | rights::WRITE | how::CREATE;
    let file = match home.open("file", with) {
        Ok(file) => file,
        Err(error) => return end(&mut terminal, format_args!("cannot open: {error}")),
    };
    let block = [0x5A; 4096];
    let mut blocks = 0;
    let refused = loop {
        match file.append(&block) {
            Ok(()) => blocks += 1,
            Err(error) => break error,
        }
    };
    say(
        &mut terminal,
        format_args!("after {blocks} blocks: {refused}"),
    );
    let error: CallError = loop {
        if let Err(error) = file.write(0, &block) {
            break error;
        }
    };
    end(&mut terminal, format_args!("while writing: {error}"))
}

fn end(terminal: &mut Terminal, line: Arguments<'_>) -> u64 {
    say(terminal, line);
    3
}

/// Shows a line.
fn say(terminal: &mut Terminal, line: Arguments<'_>) {
    let _ = terminal.fresh_line();
    let _ = writeln!(terminal, "writer: {line}");
    let _ = terminal.flush();
}
