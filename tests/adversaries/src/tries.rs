//! Tries at services: one line for each, in the words of [`crate::verdict`].

use core::fmt::Display;

use nonos_proto::{CallError, Refusal};
use nonos_rt::object::Endpoint;
use nonos_rt::terminal::Terminal;
use nonos_rt::{parent, syscall};

use crate::{console, say, succeeded};

/// How often a program asks whether it may connect now.
const ASK_NS: u64 = 100_000_000;

/// Says what came of each try.
pub struct Tries {
    /// Where it is said.
    pub terminal: Terminal,
    /// Whether something was not as it must be.
    pub failed: bool,
}

impl Default for Tries {
    fn default() -> Self {
        Self::new()
    }
}

impl Tries {
    /// None yet.
    pub fn new() -> Self {
        Self {
            terminal: console(),
            failed: false,
        }
    }

    /// Asks for a service again and again until the user allows it.
    pub fn once_connected(&mut self, service: &str) -> Endpoint {
        say(
            &mut self.terminal,
            format_args!("waiting for the {service}"),
        );
        loop {
            match parent::connect(service) {
                Ok(endpoint) => return endpoint,
                Err(_) => drop(syscall::sleep_until(syscall::clock_ns() + ASK_NS)),
            }
        }
    }

    /// Must be refused by the service, for this reason.
    pub fn denied(&mut self, what: impl Display, outcome: Result<(), CallError>, refusal: Refusal) {
        self.fails(what, outcome, CallError::Refused(refusal));
    }

    /// Must fail so.
    pub fn fails(
        &mut self,
        what: impl Display,
        outcome: Result<(), CallError>,
        expected: CallError,
    ) {
        match outcome {
            Err(error) if error == expected => {
                say(&mut self.terminal, format_args!("denied: {what}: {error}"));
            }
            Err(error) => {
                succeeded(
                    &mut self.terminal,
                    format_args!("{what}: for another reason: {error}"),
                );
                self.failed = true;
            }
            Ok(()) => {
                succeeded(&mut self.terminal, format_args!("{what}"));
                self.failed = true;
            }
        }
    }

    /// What must work, or all the rest shows nothing.
    pub fn works<T>(&mut self, what: &str, outcome: Result<T, CallError>) -> Option<T> {
        match outcome {
            Ok(value) => {
                say(&mut self.terminal, format_args!("works: {what}"));
                Some(value)
            }
            Err(error) => {
                say(&mut self.terminal, format_args!("BROKEN: {what}: {error}"));
                self.failed = true;
                None
            }
        }
    }
}
