//! `tpm`: what the TPM says of itself, and its PCRs beside the event log.

use core::fmt::{self, Write};

use nonos_proto::tpm::{Replayed, State, interface_kind};

use super::{Tone, row};
use crate::hex::Hex;

/// Writes what the TPM says of itself.
pub fn tpm(out: &mut impl Write, state: &State) -> fmt::Result {
    let interface = match state.interface {
        interface_kind::CRB => "command response buffer",
        interface_kind::FIFO => "FIFO (TIS)",
        _ => "?",
    };
    row(out, "Interface", Tone::Plain, format_args!("{interface}"))?;
    // Four letters; whatever else the TPM says is not shown as it is.
    let maker = (state.manufacturer as u32).to_be_bytes();
    let maker = maker.map(|byte| if byte.is_ascii_graphic() { byte } else { b' ' });
    let maker = core::str::from_utf8(&maker).unwrap_or("?");
    row(out, "Manufacturer", Tone::Plain, format_args!("{maker}"))?;
    let part = |index: u32| state.firmware >> (48 - 16 * index) & 0xFFFF;
    let firmware = format_args!("{}.{}.{}.{}", part(0), part(1), part(2), part(3));
    row(out, "Firmware", Tone::Plain, firmware)?;
    let State {
        failures,
        most_failures,
        forgets_after_s,
        ..
    } = state;
    let counted = format_args!(
        "{failures} of at most {most_failures} wrong tries, one forgotten in {forgets_after_s} s"
    );
    match state.locked_out {
        0 => row(out, "Lockout", Tone::Good, counted),
        _ => row(out, "Lockout", Tone::Bad, format_args!("LOCKED: {counted}")),
    }
}

/// Writes whether the event log fits the PCRs.
pub fn event_log(out: &mut impl Write, replayed: &Replayed) -> fmt::Result {
    let Replayed {
        events,
        extended,
        matching,
    } = replayed;
    let others = extended & !matching;
    if *extended != 0 && others == 0 {
        let text = format_args!("{events} events, all PCRs that they extend fit");
        return row(out, "Event log", Tone::Good, text);
    }
    let text = format_args!("{events} events, PCRs that do NOT FIT: {}", Numbers(others));
    row(out, "Event log", Tone::Bad, text)
}

/// Writes a PCR with its value, and how the event log says it should be.
pub fn pcr(
    out: &mut impl Write,
    number: u64,
    value: &[u8],
    replayed: Option<&Replayed>,
) -> fmt::Result {
    let has = |bits: u64| bits >> number & 1 != 0;
    let (mark, said) = match replayed {
        Some(replayed) if has(replayed.extended) => match has(replayed.matching) {
            true => (' ', "fits"),
            false => ('!', "DIFFERS"),
        },
        _ => (' ', ""),
    };
    writeln!(out, "{mark} {number:>2} {} {said}", Hex(value))
}

/// Numbers of bits that are set.
struct Numbers(u64);

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..u64::BITS)
            .filter(|bit| self.0 >> bit & 1 != 0)
            .try_for_each(|bit| write!(f, "{bit} "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;

    fn state() -> State {
        State {
            interface: interface_kind::FIFO,
            manufacturer: u32::from_be_bytes(*b"IBM\x1B").into(),
            firmware: 0x0001_0002_0003_0004,
            locked_out: 0,
            failures: 1,
            most_failures: 32,
            forgets_after_s: 7200,
        }
    }

    #[test]
    fn a_tpm_is_described_and_a_locked_one_stands_out() {
        let shown = |state: &State| {
            let mut out = String::new();
            tpm(&mut out, state).unwrap();
            plain(&out)
        };
        let text = shown(&state());
        assert!(
            text.contains("FIFO (TIS)") && text.contains("IBM \n"),
            "{text}"
        );
        assert!(
            text.contains("1.2.3.4") && text.contains("1 of at most 32"),
            "{text}"
        );
        assert!(!text.contains('!') && text.lines().all(|line| line.len() < 80));
        let locked = shown(&State {
            locked_out: 1,
            failures: u32::MAX.into(),
            most_failures: u32::MAX.into(),
            ..state()
        });
        assert!(
            locked.contains("! Lockout") && locked.contains("LOCKED"),
            "{locked}"
        );
    }

    #[test]
    fn pcrs_that_do_not_fit_the_log_stand_out() {
        let shown = |matching| {
            let replayed = Replayed {
                events: 30,
                extended: 0x8FF,
                matching,
            };
            let mut out = String::new();
            event_log(&mut out, &replayed).unwrap();
            for number in [7, 11, 12] {
                pcr(&mut out, number, &[0xAB; 32], Some(&replayed)).unwrap();
            }
            pcr(&mut out, 11, &[0xAB; 32], None).unwrap();
            let text = plain(&out);
            assert!(text.lines().all(|line| line.len() < 80), "{text}");
            text
        };
        let good = shown(0x8FF);
        assert!(
            good.contains("30 events, all PCRs") && !good.contains('!'),
            "{good}"
        );
        assert_eq!(good.matches(" fits\n").count(), 2);
        let bad = shown(0x0FE);
        assert!(bad.contains("NOT FIT: 0 11 "), "{bad}");
        assert!(
            bad.contains("! 11 abab") && bad.contains("DIFFERS"),
            "{bad}"
        );
    }
}
