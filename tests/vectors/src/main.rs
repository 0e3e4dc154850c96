//! Runs all public vectors in ring 3 and says how many.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::fmt::{Arguments, Write};

use nonos_rt::object::Notification;
use nonos_rt::terminal::Terminal;
use nonos_rt::{syscall, thread};

nonos_rt::entry!(main);

/// Exit code when a vector does not hold.
const WRONG: u64 = 1;
/// Exit code when there is no console, no memory for a stack, or no thread.
const NOT_RUN: u64 = 2;

/// Priority of the thread: at most that of the manifest.
const PRIORITY: u64 = 8;

/// A program's stack is too small for ML-DSA, so a thread with a larger one does it all and ends the process.
fn main() -> u64 {
    let Ok(_thread) = thread::spawn(run, 0, crypto_vectors::STACK_BYTES, PRIORITY) else {
        return NOT_RUN;
    };
    let Ok(never) = Notification::create() else {
        return NOT_RUN;
    };
    let _ = never.wait();
    NOT_RUN
}

fn run(_: u64) {
    let Ok(mut terminal) = Terminal::connect() else {
        syscall::exit(NOT_RUN);
    };
    let (mut run, mut not_offered, mut wrong) = (0, 0, 0);
    crypto_vectors::run(|suite| {
        say(
            &mut terminal,
            format_args!(
                "{}: {} run, {} not offered, {} wrong",
                suite.name, suite.run, suite.not_offered, suite.wrong
            ),
        );
        if let Some(test) = suite.first_wrong {
            say(
                &mut terminal,
                format_args!("{}: test {test} is wrong", suite.name),
            );
        }
        run += suite.run;
        not_offered += suite.not_offered;
        wrong += suite.wrong;
    });
    say(
        &mut terminal,
        format_args!("all vectors: {run} run, {not_offered} not offered, {wrong} wrong"),
    );
    syscall::exit(if wrong == 0 { 0 } else { WRONG });
}

fn say(terminal: &mut Terminal, line: Arguments<'_>) {
    let written = writeln!(terminal, "{line}");
    if written.is_err() || terminal.flush().is_err() {
        syscall::exit(NOT_RUN);
    }
}
