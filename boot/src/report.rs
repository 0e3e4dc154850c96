//! What the loader says, the same words on serial line and screen.

use core::fmt::{self, Write};

use crate::Refusal;
use crate::screen::{Screen, Tone};
use crate::text::Text;

/// What every line on the serial line starts with.
const PREFIX: &str = "nonos boot: ";

/// Under a refusal on the screen.
const ADVICE: &str = "Nothing of the refused code has run. The machine powers off in 30 seconds, or when a key is pressed.";

/// Longest result in bytes; a refusal with two hashes fits.
const RESULT_BYTES: usize = 256;

/// The two places where the user reads.
pub struct Report<'s> {
    serial: &'s mut dyn Write,
    screen: Option<Screen<'s>>,
}

impl<'s> Report<'s> {
    /// Reports on the serial line, and on a screen where there is one.
    pub fn new(serial: &'s mut dyn Write, screen: Option<Screen<'s>>) -> Self {
        Self { serial, screen }
    }

    /// A check, and its result.
    pub fn line(&mut self, check: &str, tone: Tone, result: fmt::Arguments<'_>) {
        let mut text = Text::<RESULT_BYTES>::new();
        let _ = text.write_fmt(result);
        let _ = write!(self.serial, "{PREFIX}{check} ... {}\r\n", text.as_str());
        if let Some(screen) = &mut self.screen {
            screen.line(check, tone, text.as_str());
        }
    }

    /// A check that is as it should be.
    pub fn good(&mut self, check: &str, result: fmt::Arguments<'_>) {
        self.line(check, Tone::Good, result);
    }

    /// Something that the machine lacks.
    pub fn notice(&mut self, check: &str, result: fmt::Arguments<'_>) {
        self.line(check, Tone::Notice, result);
    }

    /// Why nothing will run.
    pub fn refuse(&mut self, refusal: &Refusal) {
        let mut text = Text::<RESULT_BYTES>::new();
        let _ = write!(text, "REFUSED: {refusal}");
        let _ = write!(self.serial, "{PREFIX}{}\r\n", text.as_str());
        if let Some(screen) = &mut self.screen {
            screen.refuse(text.as_str(), ADVICE);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonos_image::image;

    #[test]
    fn serial_lines_are_whole_and_plain() {
        let mut serial = String::new();
        let mut report = Report::new(&mut serial, None);
        report.good("image signature Ed25519", format_args!("valid"));
        report.refuse(&Refusal::NoKernel);
        assert_eq!(
            serial,
            "nonos boot: image signature Ed25519 ... valid\r\n\
             nonos boot: REFUSED: image payload: found no entry \"kernel\", expected one\r\n"
        );
    }

    #[test]
    fn the_longest_refusal_is_not_cut() {
        let mut serial = String::new();
        let hash = image::Refusal::Hash {
            found: [0xAB; 32],
            expected: [0xCD; 32],
        };
        Report::new(&mut serial, None).refuse(&Refusal::Image(hash));
        assert!(serial.ends_with(&format!("{}\r\n", "cd".repeat(32))));
    }
}
