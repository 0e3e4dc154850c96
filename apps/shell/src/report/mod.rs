//! Records of the kernel as text: 80 columns, colours only as an addition to words.
//!
//! A row that says that something is missing or off starts with `!`, so that it stands out without colours, too.

use core::fmt::{self, Arguments, Write};

mod audit;
mod dma;
mod ending;
mod mitigations;
mod process;
mod random;
mod services;
mod status;
mod storage;
mod tpm;
mod vault;

pub use audit::{denial, denials_heading};
pub use ending::Ending;
pub use mitigations::mitigations;
pub use process::{all_needs, capabilities_heading, capability, needs, process, processes_heading};
pub use services::{service, services_heading};
pub use status::{Facts, status};
pub use storage::{memory, module};
pub use tpm::{event_log, pcr, tpm};
pub use vault::{event, events_heading, key, keys_heading, vault};

const RESET: &str = "\x1B[0m";
/// Headings.
const HEADING: &str = "\x1B[1;36m";
/// Columns of text.
const COLUMNS: usize = 79;
/// Columns before the values of rows.
const LABEL: usize = 20;

/// How a row is to be read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tone {
    /// A fact.
    Plain,
    /// As it should be.
    Good,
    /// Weaker than it could be.
    Weak,
    /// Missing or off.
    Bad,
}

impl Tone {
    fn color(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Good => "\x1B[32m",
            Self::Weak => "\x1B[33m",
            Self::Bad => "\x1B[31m",
        }
    }
}

/// Writes a heading.
pub fn heading(out: &mut impl Write, text: &str) -> fmt::Result {
    writeln!(out, "{HEADING}{text}{RESET}")
}

/// Writes a row: a label and its value.
pub fn row(out: &mut impl Write, label: &str, tone: Tone, value: Arguments<'_>) -> fmt::Result {
    let mark = match tone {
        Tone::Plain | Tone::Good => ' ',
        Tone::Weak | Tone::Bad => '!',
    };
    let width = LABEL - 3;
    let reset = if tone == Tone::Plain { "" } else { RESET };
    writeln!(out, "{}{mark} {label:<width$} {value}{reset}", tone.color())
}

/// Writes a row whose value is a list of words, over as many lines as it takes.
fn words<'a>(
    out: &mut impl Write,
    label: &str,
    value: impl IntoIterator<Item = &'a str>,
) -> fmt::Result {
    let width = LABEL - 3;
    write!(out, "  {label:<width$}")?;
    let mut column = LABEL - 1;
    let mut empty = true;
    for word in value {
        if column + 1 + word.len() > COLUMNS {
            write!(out, "\n{:1$}", "", LABEL - 1)?;
            column = LABEL - 1;
        }
        write!(out, " {word}")?;
        column += 1 + word.len();
        empty = false;
    }
    out.write_str(if empty { " none\n" } else { "\n" })
}

/// A hash, 64 hexadecimal digits.
struct Hash<'a>(&'a [u64; 4]);

impl fmt::Display for Hash<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|word| write!(f, "{:016x}", word.swap_bytes()))
    }
}

/// A time span: `1 h 02 min 03 s`, `4.005 s`.
pub struct Span(pub u64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0 / 1_000_000;
        let (minutes, seconds) = (milliseconds / 60_000, milliseconds / 1000 % 60);
        match (minutes / 60, minutes % 60) {
            (0, 0) => write!(f, "{seconds}.{:03} s", milliseconds % 1000),
            (0, minutes) => write!(f, "{minutes} min {seconds:02} s"),
            (hours, minutes) => write!(f, "{hours} h {minutes:02} min {seconds:02} s"),
        }
    }
}

/// A time span in at most eight columns: `59.999 s`, `59m 59s`, `99h 59m`.
struct Short(u64);

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let milliseconds = self.0 / 1_000_000;
        let (minutes, seconds) = (milliseconds / 60_000, milliseconds / 1000 % 60);
        match (minutes / 60, minutes % 60) {
            (0, 0) => write!(f, "{seconds}.{:03} s", milliseconds % 1000),
            (0, minutes) => write!(f, "{minutes}m {seconds:02}s"),
            (hours @ 1..100, minutes) => write!(f, "{hours}h {minutes:02}m"),
            (hours, _) => write!(f, "{hours} h"),
        }
    }
}

/// Formats a value, then pads it: for what does not pad itself.
struct Padded<T>(T, usize);

impl<T: fmt::Display> fmt::Display for Padded<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut counted = Counted { out: f, written: 0 };
        write!(counted, "{}", self.0)?;
        let missing = self.1.saturating_sub(counted.written);
        write!(f, "{:missing$}", "")
    }
}

/// Passes text on and counts its characters.
struct Counted<'a, 'b> {
    out: &'a mut fmt::Formatter<'b>,
    written: usize,
}

impl Write for Counted<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.written += text.chars().count();
        self.out.write_str(text)
    }
}

/// The names of the bits that are set, lowest first. Bits without a name are skipped.
fn set_bits<'a>(bits: u64, names: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    names
        .iter()
        .enumerate()
        .filter(move |(bit, _)| bits >> bit & 1 != 0)
        .map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text without colours.
    pub fn plain(text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('\x1B') {
            out += before;
            rest = after.split_once('m').unwrap().1;
        }
        out + rest
    }

    #[test]
    fn spans_are_read_easily() {
        for (ns, text) in [
            (0, "0.000 s"),
            (4_005_999_999, "4.005 s"),
            (61_000_000_000, "1 min 01 s"),
            (3_723_000_000_000, "1 h 02 min 03 s"),
            (u64::MAX, "5124095 h 34 min 33 s"),
        ] {
            assert_eq!(Span(ns).to_string(), text);
        }
    }

    #[test]
    fn short_spans_stay_in_their_columns() {
        for (ns, text) in [
            (0, "0.000 s"),
            (59_999_999_999, "59.999 s"),
            (61_000_000_000, "1m 01s"),
            (3_600_000_000_000, "1h 00m"),
            (359_999_000_000_000, "99h 59m"),
            (360_000_000_000_000, "100 h"),
        ] {
            assert_eq!(Short(ns).to_string(), text);
            assert!(text.len() <= 8);
        }
        assert_eq!(Padded(Short(0), 9).to_string(), "0.000 s  ");
        assert_eq!(Padded(Short(0), 3).to_string(), "0.000 s");
    }

    #[test]
    fn hashes_read_as_their_bytes() {
        let words = [
            u64::from_le_bytes([1, 2, 3, 4, 5, 6, 7, 8]),
            0,
            0,
            0xFF << 56,
        ];
        let text = Hash(&words).to_string();
        assert!(text.starts_with("0102030405060708000000"));
        assert!(text.ends_with("00ff"));
        assert_eq!(text.len(), 64);
    }

    #[test]
    fn long_lists_wrap_within_the_columns() {
        let mut out = String::new();
        words(&mut out, "CR4", std::iter::repeat_n("OSXMMEXCPT", 12)).unwrap();
        assert!(
            out.lines().count() == 3 && out.lines().all(|line| line.len() <= COLUMNS),
            "{out}"
        );
    }
}
