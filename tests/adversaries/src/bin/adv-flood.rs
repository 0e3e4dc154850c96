//! Keeps the system as busy as it can, from a thread on every CPU: calls, signals, timers without pause, moving about,
//! and handles made and closed. Never ends; others must go on, and it can be ended.
#![no_std]
#![no_main]

use adversaries::calls::{self, MS, NEVER, Result, copy};
use adversaries::threads::{self, Job};
use adversaries::{console, say};
use nonos_abi::{Error, Handle, Message, MessageInfo, Rights, start};

nonos_rt::entry!(main);

/// The shortest period that the kernel takes.
const SHORTEST_NS: u64 = 100_000;

fn main() -> u64 {
    let mut terminal = console();
    match floods() {
        Ok(count) => say(&mut terminal, format_args!("flooding with {count} threads")),
        Err(error) => {
            say(
                &mut terminal,
                format_args!("BROKEN: while preparing: {error}"),
            );
            return adversaries::SUCCEEDED;
        }
    }
    call(0);
    0
}

fn floods() -> Result<usize> {
    let notification = calls::notification()?;
    let cpus = threads::cpus();
    let bodies: [fn(u64); 4] = [call, signal, copies, wander];
    let mut count = 1;
    for index in 0..(2 * cpus).clamp(4, threads::MOST) {
        let job = Job::Run(bodies[index % bodies.len()], calls::word(notification));
        let thread = threads::start(index, job)?;
        // The last of each four goes where it likes.
        if index % bodies.len() < 3 {
            thread.pin(index % cpus)?;
        }
        count += 1;
    }
    // Periods far shorter than what the kernel needs to signal, and as many timers with the shortest as there may be.
    for period in [1, 100, 10_000, SHORTEST_NS, SHORTEST_NS, SHORTEST_NS] {
        let timer = calls::timer()?;
        match calls::timer_set(timer, notification, calls::clock() + MS, period) {
            Ok(()) | Err(Error::InvalidArgument | Error::QuotaExceeded) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Calls `init` with an operation that it does not have.
fn call(_: u64) {
    let message = Message {
        info: MessageInfo::new(0x7FFF, 0, 0),
        ..Message::default()
    };
    loop {
        let _ = calls::call(start::PARENT, &message);
    }
}

fn signal(notification: u64) {
    let notification = Handle::from_raw(notification as u32);
    loop {
        let _ = calls::signal(notification, u64::MAX);
        let _ = calls::wait(notification);
        calls::yield_now();
    }
}

/// Makes copies of copies and takes them back.
fn copies(root: u64) {
    loop {
        let Ok(root) = copy(Handle::from_raw(root as u32), Rights::ALL, NEVER) else {
            continue;
        };
        let mut copies = [root; 9];
        for index in 1..copies.len() {
            copies[index] = copy(copies[index - 1], Rights::ALL, NEVER).unwrap_or(root);
        }
        let _ = calls::revoke(root);
        for handle in copies.into_iter().rev() {
            let _ = calls::close(handle);
        }
    }
}

/// Has no CPU of its own and gives up each at once.
fn wander(_: u64) {
    loop {
        calls::yield_now();
        calls::sleep(1);
    }
}
