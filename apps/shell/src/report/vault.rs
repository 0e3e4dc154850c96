//! `vault`: its state, keys, and what was done with them.

use core::fmt::{self, Write};

use nonos_proto::Refusal;
use nonos_proto::vault::{Event, KeyInfo, Status, kind, status, uses};

use super::{HEADING, Padded, RESET, Short, Span, Tone, row};

/// Writes the state.
pub fn vault(out: &mut impl Write, state: &Status) -> fmt::Result {
    let has = |flag: u64| state.flags & flag != 0;
    let mut line = |label, tone, text| row(out, label, tone, format_args!("{text}"));
    match (has(status::LOCKED), has(status::OTHER_BOOT_CHAIN)) {
        (true, true) => line(
            "State",
            Tone::Bad,
            "LOCKED: the TPM does not unseal, other software was booted",
        ),
        (true, false) => line("State", Tone::Plain, "locked"),
        (false, _) => line("State", Tone::Good, "open"),
    }?;
    match (has(status::PASSPHRASE), has(status::TPM)) {
        (true, _) => line("Passphrase", Tone::Good, "set"),
        (false, true) => line("Passphrase", Tone::Weak, "none: whoever is here opens it"),
        (false, false) => line("Passphrase", Tone::Weak, "none: it cannot be locked"),
    }?;
    match has(status::TPM) {
        true => line("TPM", Tone::Good, "when locked, sealed to PCRs 7 and 11"),
        false => line(
            "TPM",
            Tone::Weak,
            "ABSENT or not used: nothing is sealed to it",
        ),
    }?;
    match has(status::KEPT) {
        true => line("Root", Tone::Plain, "kept in the TPM over restarts"),
        false => line("Root", Tone::Plain, "new at each start"),
    }?;
    for (label, count) in [
        ("Keys", state.keys),
        ("Uses", state.uses),
        ("Refused", state.denials),
    ] {
        row(out, label, Tone::Plain, format_args!("{count}"))?;
    }
    match state.auto_lock_seconds {
        0 => row(out, "Locks itself", Tone::Plain, format_args!("never")),
        seconds => row(
            out,
            "Locks itself",
            Tone::Plain,
            format_args!("after {seconds} s without use"),
        ),
    }?;
    if state.wrong != 0 {
        let wait = Span(state.wait_ns);
        let text = format_args!("{} in a row; next try in {wait}", state.wrong);
        row(out, "Wrong tries", Tone::Bad, text)?;
    }
    Ok(())
}

/// The line above keys.
pub fn keys_heading(out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "{HEADING}{:<24} {:<12} {:>7} {:>8}  USES{RESET}",
        "NAME", "KIND", "VERSION", "VERSIONS"
    )
}

/// The line of a key.
pub fn key(out: &mut impl Write, info: &KeyInfo) -> fmt::Result {
    let kind = info.kind.checked_sub(1).map(|index| index as usize);
    let kind = kind.and_then(|index| kind::NAMES.get(index));
    write!(
        out,
        "{:<24} {:<12} {:>7} {:>8} ",
        info.name,
        kind.unwrap_or(&"?"),
        info.version,
        info.versions
    )?;
    for name in uses::named(info.uses) {
        write!(out, " {name}")?;
    }
    writeln!(out)
}

/// The line above events.
pub fn events_heading(out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "{HEADING}{:<8} {:<20} {:<14} OUTCOME{RESET}",
        "TIME", "MODULE", "WHAT"
    )
}

/// The line of an event.
pub fn event(out: &mut impl Write, event: &Event) -> fmt::Result {
    let refused = u16::try_from(event.outcome)
        .ok()
        .and_then(Refusal::from_label);
    write!(
        out,
        "{} {:<20.20} {:<14} ",
        Padded(Short(event.time_ns), 8),
        event.module.as_str(),
        nonos_proto::vault::name_of(event.operation as u8)
    )?;
    match (event.outcome, refused) {
        (0, _) => writeln!(out, "done"),
        (_, Some(refusal)) => writeln!(out, "{}refused: {refusal}{RESET}", Tone::Bad.color()),
        (_, None) => writeln!(out, "?"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;
    use nonos_abi::Name;

    fn shown(flags: u64, wrong: u64) -> String {
        let mut out = String::new();
        let state = Status {
            flags,
            keys: 3,
            uses: 40,
            denials: 5,
            wrong,
            wait_ns: 2_000_000_000,
            auto_lock_seconds: 600,
        };
        vault(&mut out, &state).unwrap();
        let text = plain(&out);
        assert!(text.lines().all(|line| line.len() < 80), "{text}");
        text
    }

    #[test]
    fn the_state_says_what_is_missing() {
        let text = shown(0, 0);
        assert!(
            text.contains("open") && text.contains("it cannot be locked"),
            "{text}"
        );
        assert!(
            text.contains("! TPM") && text.contains("new at each start"),
            "{text}"
        );
        let text = shown(status::LOCKED | status::PASSPHRASE, 2);
        assert!(text.contains("State             locked"), "{text}");
        assert!(text.contains("2 in a row; next try in 2.000 s"), "{text}");
        let other = status::LOCKED | status::TPM | status::KEPT | status::OTHER_BOOT_CHAIN;
        assert!(shown(other, 0).contains("other software was booted"));
    }

    #[test]
    fn events_name_the_operation_and_the_reason() {
        let mut out = String::new();
        let denied = Event {
            sequence: 1,
            time_ns: 1_500_000_000,
            operation: 40,
            outcome: Refusal::UseNotAllowed.label().into(),
            module: Name::new("app").unwrap(),
        };
        event(&mut out, &denied).unwrap();
        let text = plain(&out);
        assert!(text.starts_with("1.500 s  app "), "{text}");
        assert!(text.contains(" export "), "{text}");
        assert!(
            text.contains("refused: the key is not for this use"),
            "{text}"
        );
        out.clear();
        event(
            &mut out,
            &Event {
                operation: 3,
                outcome: 0,
                ..denied
            },
        )
        .unwrap();
        assert!(plain(&out).contains("lock           done"), "{out}");
    }
}
