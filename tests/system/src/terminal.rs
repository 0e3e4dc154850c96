//! Whoever sits at a machine's serial line: reads what it says, types commands.

use crate::machine::{LIMIT, PROMPT};
use std::fs;
use std::path::PathBuf;
use std::time::Duration;
use xtask::serial::{Missed, Serial};

/// Lines of the emulator's log that a failure shows.
const LOG_LINES: usize = 20;

/// The serial line of a machine. What fails ends the test, with the end of what the machine and its emulator said.
pub struct Terminal {
    pub(crate) serial: Serial,
    /// What the machine is, for failures.
    machine: String,
    /// What its emulator says.
    log: PathBuf,
}

impl Terminal {
    /// The terminal of a machine.
    pub(crate) fn new(serial: Serial, machine: String, log: PathBuf) -> Self {
        Self {
            serial,
            machine,
            log,
        }
    }

    /// What the machine's emulator said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends the test, with the transcript's end.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        let log = self.log();
        let lines: Vec<_> = log.lines().collect();
        panic!(
            "{what}\n--- end of the serial transcript, {} ---\n{}\n--- end of the emulator's log ---\n{}",
            self.machine,
            self.serial.tail(),
            lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
        );
    }

    /// Ends the test unless `holds`.
    #[track_caller]
    pub fn check(&self, holds: bool, what: &str) {
        if !holds {
            self.fail(what);
        }
    }

    /// Ends the test unless two values are equal.
    #[track_caller]
    pub fn check_equal<T: PartialEq + std::fmt::Debug>(&self, found: T, expected: T, what: &str) {
        if found != expected {
            self.fail(&format!("{what}: found {found:?}, expected {expected:?}"));
        }
    }

    /// Ends the test unless `text` contains `part`.
    #[track_caller]
    pub fn check_contains(&self, text: &str, part: &str) {
        if !text.contains(part) {
            self.fail(&format!("expected to find {part:?} in:\n{text}"));
        }
    }

    /// Everything the machine said.
    pub fn transcript(&self) -> String {
        self.serial.transcript()
    }

    /// What the machine said after what was waited for.
    pub fn pending(&self) -> String {
        self.serial.pending()
    }

    /// Waits until the serial line says nothing new for a while: for the lines after one that says that all is over.
    pub fn wait_for_quiet(&mut self) {
        let mut said = usize::MAX;
        while said != self.serial.transcript().len() {
            said = self.serial.transcript().len();
            std::thread::sleep(Duration::from_millis(500));
        }
    }

    /// Waits for a text, after what was waited for before; returns what came before it.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> String {
        self.expect_any(&[text]).1
    }

    /// Waits for whichever of several texts comes first; returns its index and what came before it.
    #[track_caller]
    pub fn expect_any(&mut self, texts: &[&str]) -> (usize, String) {
        match self.serial.wait_for_any(texts, LIMIT) {
            Ok(found) => found,
            Err(Missed::Closed) => self.fail(&format!(
                "the machine went off before it said one of {texts:?}"
            )),
            Err(Missed::TimeOver) => self.fail(&format!("the machine never said one of {texts:?}")),
        }
    }

    /// Types.
    #[track_caller]
    pub fn send(&mut self, text: &str) {
        if let Err(error) = self.serial.send(text.as_bytes()) {
            self.fail(&format!("the serial line is closed: {error}"));
        }
    }

    /// Types a command, waits for its echo, enters it; returns its output up to the next prompt.
    #[track_caller]
    pub fn command(&mut self, line: &str) -> String {
        self.last_command(line);
        self.expect(&format!("\n{PROMPT}"))
    }

    /// The number of the process of this name, from `ps`.
    #[track_caller]
    pub fn number_of(&mut self, name: &str) -> u64 {
        let processes = self.command("ps");
        let line = processes
            .lines()
            .find(|line| line.split_whitespace().nth(1) == Some(name));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| self.fail(&format!("no process {name} in:\n{processes}")))
    }

    /// As [`Self::command`], for one after which no prompt comes.
    #[track_caller]
    pub fn last_command(&mut self, line: &str) {
        self.serial.forget();
        self.send(line);
        self.expect(line);
        self.send("\r");
    }
}
