//! Shares files with itself, stores as much as it may, then writes without end, until a write fails: what it meets in between, it says.
//!
//! For tests: in the place of `meter`, whose policy lets it store little, once the user allows it.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use core::fmt::{Arguments, Write};

use nonos_proto::files::{Client, how, rights};
use nonos_proto::{CallError, Refusal};
use nonos_rt::files::{File, Place};
use nonos_rt::object::{Endpoint, Notification};
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
    match shares(&home) {
        Ok(()) => say(
            &mut terminal,
            format_args!("what is shared is as it was shared"),
        ),
        Err(wrong) => return end(&mut terminal, format_args!("WRONG: {wrong}")),
    }
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

/// Whether a call was refused for this reason.
fn refused<T>(outcome: Result<T, CallError>, refusal: Refusal) -> bool {
    outcome.err() == Some(CallError::Refused(refusal))
}

/// Makes handles that allow less and tries more through them; watches a file and a directory. What is not as it must be.
fn shares(home: &File) -> Result<(), &'static str> {
    let failed = |what| move |_: CallError| what;
    let all = rights::READ | rights::WRITE | rights::GRANT;
    let file = home.open("shared", all | how::CREATE);
    let file = file.map_err(failed("a file is not made"))?;
    let changes = Notification::create().map_err(|_| "no notification")?;
    let told = |bit: u64| {
        let sent = changes.signal(NOT_A_CHANGE).and_then(|()| changes.wait());
        sent.is_ok_and(|bits| bits & !NOT_A_CHANGE == bit)
    };
    let watched = file.watch(&changes, OF_FILE);
    watched.map_err(failed("a file is not watched"))?;
    let watched = home.watch(&changes, OF_DIRECTORY);
    watched.map_err(failed("a directory is not watched"))?;

    let reader = file.share(rights::READ).map(Client);
    let reader = reader.map_err(failed("a file is not shared"))?;
    let written = file.write(0, b"text");
    written.map_err(failed("nothing is written"))?;
    let mut text = [0; 8];
    let checks = [
        (told(OF_FILE), "a change of a file is not told"),
        (
            reader.read(0, &mut text) == Ok(4) && text[..4] == *b"text",
            "reading",
        ),
        (told(0), "reading is told as a change"),
        (
            refused(reader.write(0, b"x"), Refusal::MissingRight),
            "writing",
        ),
        (
            refused(reader.append(b"x"), Refusal::MissingRight),
            "appending",
        ),
        (
            refused(reader.resize(0), Refusal::MissingRight),
            "making it shorter",
        ),
        (
            refused(reader.share(rights::READ), Refusal::MissingRight),
            "sharing",
        ),
        (
            refused(reader.open(rights::READ, b"x"), Refusal::NotADirectory),
            "opening in it",
        ),
        (told(0), "what was refused is told as a change"),
    ];
    all_hold(&checks)?;

    let seen = home.share(rights::LIST | rights::READ).map(Client);
    let seen = seen.map_err(failed("a directory is not shared"))?;
    let (read, write) = (rights::READ, rights::READ | rights::WRITE);
    let opened = seen
        .open(read, b"shared")
        .map(|opened| Client(Endpoint::from_handle(opened.handle)));
    let opened = opened.map_err(failed("nothing is opened through it"))?;
    let new = read | how::CREATE;
    let checks = [
        (seen.list(0, &mut [0; 512]).is_ok(), "listing"),
        (opened.read(0, &mut text) == Ok(4), "reading through it"),
        (
            refused(opened.write(0, b"x"), Refusal::MissingRight),
            "writing through it",
        ),
        (
            refused(seen.open(write, b"shared"), Refusal::MissingRight),
            "opening to write",
        ),
        (
            refused(seen.open(new, b"other"), Refusal::MissingRight),
            "making a file",
        ),
        (
            refused(seen.remove(b"shared"), Refusal::MissingRight),
            "removing",
        ),
        (
            refused(seen.offer(b"shared"), Refusal::MissingRight),
            "moving out",
        ),
        (
            refused(seen.share(rights::ALL), Refusal::MissingRight),
            "sharing more",
        ),
        (told(0), "what was refused is told as a change"),
    ];
    all_hold(&checks)?;

    let removed = home.remove("shared");
    removed.map_err(failed("it is not removed"))?;
    all_hold(&[
        (told(OF_DIRECTORY), "a change of a directory is not told"),
        (
            refused(reader.read(0, &mut text), Refusal::Gone),
            "reading what was removed",
        ),
        (
            refused(opened.read(0, &mut text), Refusal::Gone),
            "reading through it",
        ),
    ])?;
    for client in [reader, opened, seen] {
        let closed = client.close();
        closed.map_err(failed("a handle is not closed"))?;
        if !refused(client.state(), Refusal::Gone) {
            return Err("a closed handle");
        }
    }
    Ok(())
}

/// Bits of the notification.
const OF_FILE: u64 = 1;
const OF_DIRECTORY: u64 = 2;
/// Signalled here, so that waiting ends.
const NOT_A_CHANGE: u64 = 4;

/// The first that does not hold.
fn all_hold(checks: &[(bool, &'static str)]) -> Result<(), &'static str> {
    let wrong = checks.iter().find(|(holds, _)| !holds);
    wrong.map_or(Ok(()), |(_, what)| Err(*what))
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
