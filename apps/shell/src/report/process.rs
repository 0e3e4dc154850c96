//! `ps` and `caps`: one line for each process or handle.

use core::fmt::{self, Write};

use nonos_abi::info::{HandleRecord, ProcessInfo, handle_state, needs, process_state};
use nonos_abi::{ObjectKind, Rights};

use super::{HEADING, Padded, RESET, Short, set_bits, words};

/// The line above processes.
pub fn processes_heading(out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "{HEADING}{:>5} {:<20} {:<5} {:>3} {:>3} {:>11} {:>4} {:>6} {:>5} CPU{RESET}",
        "PID", "NAME", "STATE", "PRI", "THR", "PAGES/QUOTA", "CAPS", "DENIED", "LIMIT"
    )
}

/// The line of a process.
pub fn process(out: &mut impl Write, info: &ProcessInfo) -> fmt::Result {
    let state = match info.state {
        process_state::NEW => "new",
        process_state::READY => "ready",
        process_state::BLOCKED => "wait",
        process_state::ENDED => "ended",
        _ => "?",
    };
    let ProcessInfo {
        id,
        name,
        priority,
        threads,
        pages,
        quota_pages,
        handles,
        denials,
        cpu_ns,
        ..
    } = info;
    writeln!(
        out,
        "{id:>5} {name:<20} {state:<5} {priority:>3} {threads:>3} {pages:>5}/{quota_pages:<5} {handles:>4} {denials:>6} {} {}",
        Budget(info),
        Short(*cpu_ns)
    )
}

/// The share of a CPU that a process may use, or `-`.
struct Budget<'a>(&'a ProcessInfo);

impl fmt::Display for Budget<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProcessInfo {
            budget_ns,
            period_ns,
            ..
        } = *self.0;
        match (budget_ns.saturating_mul(100)).checked_div(period_ns) {
            Some(percent) if budget_ns != 0 => write!(f, "{percent:>4}%"),
            _ => write!(f, "{:>5}", "-"),
        }
    }
}

/// The line above handles.
pub fn capabilities_heading(out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "{HEADING}{:<9} {:<20} {:<6} {:<8} {:<10} {:>4} BADGE{RESET}",
        "HANDLE", "OBJECT", "RIGHTS", "EXPIRES", "FROM", "KIDS"
    )
}

/// The line of a handle at a time: what it is, how long it works, the process and handle that it was derived from, and how many
/// were derived from it.
pub fn capability(out: &mut impl Write, record: &HandleRecord, now_ns: u64) -> fmt::Result {
    let kind = ObjectKind::from_raw(record.kind).map_or("?", ObjectKind::text);
    let HandleRecord {
        handle,
        object,
        parent_process,
        parent_handle,
        children,
        badge,
        ..
    } = record;
    write!(
        out,
        "{handle:<#9x} {} {}  {} ",
        Padded(format_args!("{kind} {object}"), 20),
        Rights::from_bits(record.rights),
        Padded(Validity(record, now_ns), 8),
    )?;
    match parent_process {
        0 => write!(out, "{:<10}", "-")?,
        process => {
            let parent = format_args!("{process}/{parent_handle:#x}");
            write!(out, "{}", Padded(parent, 10))?;
        }
    }
    match *badge {
        0 => writeln!(out, " {children:>4} -"),
        // All 16 digits fit only without a prefix.
        badge if badge >> 48 != 0 => writeln!(out, " {children:>4} {badge:x}"),
        badge => writeln!(out, " {children:>4} {badge:#x}"),
    }
}

/// How long a handle works yet.
struct Validity<'a>(&'a HandleRecord, u64);

impl fmt::Display for Validity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(record, now_ns) = *self;
        match (record.state, record.deadline_ns) {
            (handle_state::REVOKED, _) => f.write_str("revoked"),
            (handle_state::EXPIRED, _) => f.write_str("expired"),
            (_, 0) => f.write_str("never"),
            (_, deadline_ns) => Short(deadline_ns.saturating_sub(now_ns)).fmt(f),
        }
    }
}

/// The needs that there are: bits of [`mod@needs`].
pub fn all_needs(out: &mut impl Write, all: u64) -> fmt::Result {
    words(out, "there are", set_bits(all, &needs::NAMES))
}

/// What a process asks for and may have: bits of [`mod@needs`].
pub fn needs(out: &mut impl Write, asked: u64, granted: u64) -> fmt::Result {
    words(out, "may have", set_bits(granted, &needs::NAMES))?;
    match asked & !granted {
        0 => Ok(()),
        denied => words(out, "asks for, too", set_bits(denied, &needs::NAMES)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;
    use nonos_abi::Name;

    #[track_caller]
    fn two_lines(out: &str) -> (String, String) {
        let text = plain(out);
        let [heading, line] = text.lines().collect::<Vec<_>>()[..] else {
            panic!("{text}")
        };
        assert!(heading.len() < 80 && line.len() < 80, "{text}");
        (heading.to_owned(), line.to_owned())
    }

    #[test]
    fn lines_stand_under_their_headings_in_80_columns() {
        let mut out = String::new();
        processes_heading(&mut out).unwrap();
        let info = ProcessInfo {
            id: 12345,
            name: Name::new("adv-execute-constant").unwrap(),
            pages: 65_536,
            quota_pages: 65_536,
            threads: 3,
            cpu_ns: 59_999_000_000,
            budget_ns: 8_000_000,
            period_ns: 10_000_000,
            ..ProcessInfo::default()
        };
        process(&mut out, &info).unwrap();
        let (heading, line) = two_lines(&out);
        assert_eq!(heading.find("CPU"), line.find("59.999"));
        assert_eq!(heading.find("NAME"), line.find("adv"));
        assert_eq!(
            heading.find("LIMIT").unwrap() + 2,
            line.find("80%").unwrap()
        );
    }

    #[test]
    fn a_process_without_a_limit_has_no_budget() {
        let text = |budget_ns, period_ns| {
            let info = ProcessInfo {
                budget_ns,
                period_ns,
                ..ProcessInfo::default()
            };
            Budget(&info).to_string()
        };
        assert_eq!(text(0, 0), "    -");
        assert_eq!(text(0, 10), "    -");
        assert_eq!(text(5, 0), "    -");
        assert_eq!(text(5, 10), "  50%");
    }

    fn shown(record: HandleRecord) -> String {
        let mut out = String::new();
        capabilities_heading(&mut out).unwrap();
        capability(&mut out, &record, 1_000_000_000).unwrap();
        let (heading, line) = two_lines(&out);
        assert_eq!(
            heading.find("KIDS").unwrap() + 5,
            heading.find("BADGE").unwrap()
        );
        line
    }

    #[test]
    fn handles_show_kind_rights_expiry_origin_and_badge() {
        let record = HandleRecord {
            handle: 0x1002,
            kind: 3,
            rights: 2,
            badge: 7,
            object: 1,
            deadline_ns: 31_500_000_000,
            parent_process: 1,
            parent_handle: 0x4a,
            children: 12,
            ..HandleRecord::default()
        };
        assert_eq!(
            shown(record),
            "0x1002    endpoint 1           -w---  30.500 s 1/0x4a       12 0x7"
        );
    }

    #[test]
    fn the_widest_handle_fits() {
        let record = HandleRecord {
            handle: 0xFFFFFFF,
            kind: ObjectKind::SystemInfo as u64,
            rights: 31,
            badge: 1 << 63 | 7,
            state: handle_state::REVOKED,
            parent_process: 99,
            parent_handle: 0xFFFFF,
            children: 4096,
            ..HandleRecord::default()
        };
        let line = shown(record);
        assert!(line.contains(" rwxgv  revoked "), "{line}");
        assert!(line.ends_with(" 4096 8000000000000007"), "{line}");
    }

    #[test]
    fn a_dead_handle_says_why_and_others_how_long_they_work() {
        let validity = |state, deadline_ns| {
            let record = HandleRecord {
                state,
                deadline_ns,
                ..HandleRecord::default()
            };
            Validity(&record, 5_000_000_000).to_string()
        };
        assert_eq!(validity(handle_state::VALID, 0), "never");
        assert_eq!(validity(handle_state::VALID, 7_000_000_000), "2.000 s");
        assert_eq!(validity(handle_state::VALID, 1), "0.000 s");
        assert_eq!(validity(handle_state::REVOKED, 7_000_000_000), "revoked");
        assert_eq!(validity(handle_state::EXPIRED, 1), "expired");
    }

    #[test]
    fn needs_that_were_not_granted_stand_apart() {
        let mut out = String::new();
        needs(&mut out, needs::CONSOLE | needs::POWER, needs::CONSOLE).unwrap();
        assert_eq!(
            out,
            "  may have          console\n  asks for, too     power\n"
        );
    }
}
