//! `ps` and `caps`: one line for each process or handle.

use core::fmt::{self, Write};

use nonos_abi::info::{HandleRecord, ProcessInfo, process_state};
use nonos_abi::{ObjectKind, Rights};

use super::{HEADING, RESET, Span};

/// The line above processes.
pub fn processes_heading(out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "{HEADING}{:>5} {:<20} {:<8} {:>3} {:>13} {:>7} {:>6}  CPU{RESET}",
        "PID", "NAME", "STATE", "PRI", "PAGES/QUOTA", "HANDLES", "DENIED"
    )
}

/// The line of a process.
pub fn process(out: &mut impl Write, info: &ProcessInfo) -> fmt::Result {
    let state = match info.state {
        process_state::NEW => "new",
        process_state::READY => "ready",
        process_state::BLOCKED => "waiting",
        process_state::ENDED => "ended",
        _ => "?",
    };
    let ProcessInfo {
        id,
        name,
        priority,
        pages,
        quota_pages,
        handles,
        denials,
        cpu_ns,
        ..
    } = info;
    writeln!(
        out,
        "{id:>5} {name:<20} {state:<8} {priority:>3} {pages:>6}/{quota_pages:<6} {handles:>7} {denials:>6}  {}",
        Span(*cpu_ns)
    )
}

/// The line above handles.
pub fn capabilities_heading(out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "{HEADING}{:<10}  {:<20} {:<6} {:>6}  BADGE{RESET}",
        "HANDLE", "OBJECT", "RIGHTS", "NUMBER"
    )
}

/// The line of a handle.
pub fn capability(out: &mut impl Write, record: &HandleRecord) -> fmt::Result {
    let kind = ObjectKind::from_raw(record.kind).map_or("?", ObjectKind::text);
    let rights = Rights::from_bits(record.rights);
    write!(
        out,
        "{:#010x}  {kind:<20} {rights}  {:>6}",
        record.handle, record.object
    )?;
    match record.badge {
        0 => writeln!(out, "  -"),
        badge => writeln!(out, "  {badge:#x}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonos_abi::Name;

    #[test]
    fn lines_stand_under_their_headings_in_80_columns() {
        let mut out = String::new();
        processes_heading(&mut out).unwrap();
        let info = ProcessInfo {
            id: 12345,
            name: Name::new("adv-execute-constant").unwrap(),
            pages: 65_536,
            quota_pages: 65_536,
            cpu_ns: 59_999_000_000,
            ..ProcessInfo::default()
        };
        process(&mut out, &info).unwrap();
        let text = super::super::tests::plain(&out);
        let [heading, line] = text.lines().collect::<Vec<_>>()[..] else {
            panic!()
        };
        assert_eq!(heading.find("CPU"), line.find("59.999"));
        assert_eq!(heading.find("NAME"), line.find("adv"));
        assert!(line.len() < 80, "{line}");
    }

    #[test]
    fn handles_show_kind_rights_and_badge() {
        let mut out = String::new();
        let record = HandleRecord {
            handle: 0x1002,
            kind: 3,
            rights: 2,
            badge: 7,
            object: 1,
        };
        capability(&mut out, &record).unwrap();
        assert_eq!(out, "0x00001002  endpoint             -w---       1  0x7\n");
    }
}
