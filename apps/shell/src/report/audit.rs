//! `audit`: one line for each system call that was denied.

use core::fmt::{self, Write};

use nonos_abi::info::AuditRecord;
use nonos_abi::{Error, ObjectKind, Syscall};

use super::{HEADING, Padded, RESET, Short};

/// Columns of names; longer ones are cut.
const NAME: usize = 14;

/// The line above denials.
pub fn denials_heading(out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "{HEADING}{:<8} {:>5} {:<NAME$} {:<13} {:<20} OBJECT{RESET}",
        "TIME", "PID", "NAME", "WHY", "SYSTEM CALL"
    )
}

/// The line of a denial: when, who, why, what, and which object, or the handle where there is none.
pub fn denial(out: &mut impl Write, record: &AuditRecord) -> fmt::Result {
    let AuditRecord {
        process,
        name,
        handle,
        object,
        ..
    } = record;
    let time = Padded(Short(record.time_ns), 8);
    write!(
        out,
        "{time} {process:>5} {:<NAME$.NAME$} {:<13} {} ",
        name.as_str(),
        reason(record.reason),
        Padded(Call(record.syscall), 20)
    )?;
    match ObjectKind::from_raw(record.kind) {
        Some(kind) => writeln!(out, "{} {object}", kind.text()),
        None => writeln!(out, "{handle:#x}"),
    }
}

/// The errors that are denials, in a word or two.
fn reason(number: u64) -> &'static str {
    match Error::from_raw(number) {
        Some(Error::NoHandle) => "no handle",
        Some(Error::WrongKind) => "wrong kind",
        Some(Error::Revoked) => "revoked",
        Some(Error::Expired) => "expired",
        Some(Error::MissingRight) => "missing right",
        _ => "?",
    }
}

/// Name of a system call.
struct Call(u64);

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Syscall::from_raw(self.0) {
            Some(call) => write!(f, "{call:?}"),
            None => write!(f, "number {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;
    use nonos_abi::Name;

    fn shown(record: &AuditRecord) -> String {
        let mut out = String::new();
        denials_heading(&mut out).unwrap();
        denial(&mut out, record).unwrap();
        let text = plain(&out);
        let [heading, line] = text.lines().collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        assert!(line.len() < 80, "{line}");
        assert_eq!(heading.find("WHY"), Some(30));
        line.to_owned()
    }

    #[test]
    fn a_denial_says_when_who_why_what_and_which() {
        let record = AuditRecord {
            sequence: 3,
            time_ns: 12_345_000_000,
            process: 7,
            name: Name::new("adv-not-granted").unwrap(),
            reason: Error::MissingRight.raw(),
            syscall: Syscall::ProcessStart as u64,
            handle: 1,
            kind: ObjectKind::Process as u64,
            object: 7,
        };
        assert_eq!(
            shown(&record),
            "12.345 s     7 adv-not-grante missing right ProcessStart         process 7"
        );
    }

    #[test]
    fn a_handle_that_names_nothing_is_shown_as_it_was_given() {
        let record = AuditRecord {
            process: 12345,
            name: Name::new("x").unwrap(),
            reason: Error::NoHandle.raw(),
            syscall: Syscall::InterruptAcknowledge as u64,
            handle: 0xFFFF_FFFF,
            ..AuditRecord::default()
        };
        let line = shown(&record);
        assert!(
            line.ends_with("no handle     InterruptAcknowledge 0xffffffff"),
            "{line}"
        );
    }

    #[test]
    fn numbers_from_a_newer_kernel_are_shown_as_such() {
        let record = AuditRecord {
            reason: 99,
            syscall: 999,
            kind: 99,
            ..AuditRecord::default()
        };
        let line = shown(&record);
        assert!(
            line.contains("?             number 999           0x0"),
            "{line}"
        );
    }
}
