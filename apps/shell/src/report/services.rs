//! `services`: one line for each program that the system runs itself.

use core::fmt::{self, Write};

use nonos_proto::init::{ServiceState, service_state};

use super::{HEADING, RESET, Short, Tone};

/// The line above services.
pub fn services_heading(out: &mut impl Write) -> fmt::Result {
    writeln!(
        out,
        "{HEADING}{:<20} {:>5} {:>8}  STATE{RESET}",
        "NAME", "PID", "RESTARTS"
    )
}

/// The line of a service at a time.
pub fn service(out: &mut impl Write, state: &ServiceState, now_ns: u64) -> fmt::Result {
    let ServiceState {
        name,
        process,
        restarts,
        next_start_ns,
        ..
    } = state;
    write!(out, "{name:<20} ")?;
    match state.state {
        service_state::RUNNING => write!(out, "{process:>5}")?,
        _ => write!(out, "{:>5}", "-")?,
    }
    write!(out, " {restarts:>8}  ")?;
    let (tone, text) = match state.state {
        service_state::RUNNING => (Tone::Good, "running"),
        service_state::WAITING => (Tone::Weak, "ended, starts again in "),
        service_state::DOWN => (Tone::Bad, "down: it kept ending or cannot start"),
        service_state::ENDED => (Tone::Plain, "ended, and is not to start again"),
        _ => (Tone::Plain, "?"),
    };
    write!(out, "{}{text}", tone.color())?;
    if state.state == service_state::WAITING {
        write!(out, "{}", Short(next_start_ns.saturating_sub(now_ns)))?;
    }
    writeln!(out, "{}", if tone == Tone::Plain { "" } else { RESET })
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;
    use nonos_abi::Name;

    fn shown(state: u64) -> String {
        let mut out = String::new();
        let service_state = ServiceState {
            name: Name::new("console").unwrap(),
            state,
            process: 12,
            restarts: 3,
            next_start_ns: 3_000_000_000,
        };
        service(&mut out, &service_state, 1_500_000_000).unwrap();
        let text = plain(&out);
        assert!(text.len() < 80, "{text}");
        text
    }

    #[test]
    fn a_service_says_how_it_is_and_when_it_starts() {
        let mut heading = String::new();
        services_heading(&mut heading).unwrap();
        assert_eq!(
            plain(&heading).find("STATE"),
            shown(service_state::RUNNING).find("running")
        );
        assert_eq!(
            shown(service_state::RUNNING),
            "console                 12        3  running\n"
        );
        assert_eq!(
            shown(service_state::WAITING),
            "console                  -        3  ended, starts again in 1.500 s\n"
        );
        assert!(shown(service_state::DOWN).contains("down"));
        assert!(shown(service_state::ENDED).contains("not to start"));
    }
}
