//! Verdicts: one line for each thing that was tried.
//!
//! - `denied: WHAT: REASON`: refused, for the reason that the interface gives.
//! - `works: WHAT`: must work, and does: without this a kernel that refuses everything would pass.
//! - `held: WHAT`: what must not happen did not.
//! - `ATTACK SUCCEEDED: WHAT`: not refused, or for another reason.
//! - `BROKEN: WHAT`: what must work does not.

use core::fmt::{Arguments, Debug, Display};

use nonos_abi::Error;
use nonos_rt::terminal::Terminal;

use crate::calls::Result;

/// Where the lines go.
pub trait Output {
    /// Shows a line at once.
    fn line(&mut self, line: Arguments<'_>);
}

impl Output for Terminal {
    fn line(&mut self, line: Arguments<'_>) {
        crate::say(self, line);
    }
}

/// Lines so far.
pub struct Verdicts<O> {
    /// Where they go.
    pub output: O,
    shown: u64,
    failed: u64,
}

impl<O: Output> Verdicts<O> {
    /// None yet.
    pub fn new(output: O) -> Self {
        Self {
            output,
            shown: 0,
            failed: 0,
        }
    }

    /// Good and bad lines.
    pub fn counts(&self) -> (u64, u64) {
        (self.shown, self.failed)
    }

    fn good(&mut self, line: Arguments<'_>) {
        self.shown += 1;
        self.output.line(line);
    }

    /// Something that must not be was.
    pub fn breach(&mut self, line: Arguments<'_>) {
        self.failed += 1;
        self.output.line(format_args!("ATTACK SUCCEEDED: {line}"));
    }

    /// Something that must work does not.
    pub fn broken(&mut self, line: Arguments<'_>) {
        self.failed += 1;
        self.output.line(format_args!("BROKEN: {line}"));
    }

    /// Must be refused for this reason.
    pub fn denied<T>(&mut self, what: impl Display, result: Result<T>, reason: Error) {
        self.denied_one_of(what, result, &[reason]);
    }

    /// Must be refused for one of these reasons, where the interface leaves it open.
    pub fn denied_one_of<T>(&mut self, what: impl Display, result: Result<T>, reasons: &[Error]) {
        match result {
            Err(error) if reasons.contains(&error) => {
                self.good(format_args!("denied: {what}: {error}"));
            }
            Err(error) => {
                self.breach(format_args!("{what}: refused for another reason: {error}"));
            }
            Ok(_) => self.breach(format_args!("{what}")),
        }
    }

    /// What a blocked thread must get. `None`: it is still blocked.
    pub fn woken<T>(&mut self, what: impl Display, outcome: Option<Result<T>>, reason: Error) {
        match outcome {
            Some(result) => self.denied(what, result, reason),
            None => self.breach(format_args!("{what}: it still waits")),
        }
    }

    /// Must work.
    pub fn works<T>(&mut self, what: impl Display, result: Result<T>) -> Option<T> {
        match result {
            Ok(value) => {
                self.good(format_args!("works: {what}"));
                Some(value)
            }
            Err(error) => {
                self.broken(format_args!("{what}: {error}"));
                None
            }
        }
    }

    /// Must hold.
    pub fn held(&mut self, what: impl Display, holds: bool) {
        if holds {
            self.good(format_args!("held: {what}"));
        } else {
            self.breach(format_args!("not so: {what}"));
        }
    }

    /// Must be equal.
    pub fn equal<T: PartialEq + Debug>(&mut self, what: impl Display, found: T, expected: T) {
        if found == expected {
            self.good(format_args!("held: {what}"));
        } else {
            self.breach(format_args!("{what}: {found:?}, not {expected:?}"));
        }
    }

    /// Runs a part that prepares with `?`; an error there is one of the preparation.
    pub fn part(&mut self, what: &str, body: impl FnOnce(&mut Self) -> Result<()>) {
        if let Err(error) = body(self) {
            self.broken(format_args!("{what}, while preparing: {error}"));
        }
    }

    /// The last line, and the exit code.
    pub fn finish(mut self) -> u64 {
        let (shown, failed) = self.counts();
        self.output
            .line(format_args!("{shown} shown, {failed} failed"));
        u64::from(failed > 0)
    }
}

/// A part of an attack, which says what became of it.
pub type Part = fn(&mut Verdicts<Terminal>) -> Result<()>;

/// Runs parts of an attack with verdicts on the console; returns the exit code.
pub fn parts(parts: &[(&str, Part)]) -> u64 {
    let mut verdicts = Verdicts::new(crate::console());
    for (what, body) in parts {
        verdicts.part(what, body);
    }
    verdicts.finish()
}
