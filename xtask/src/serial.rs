//! The serial line of a machine: everything it said, and waiting for what it says next.
//!
//! The line is the machine's standard input and output, which are pipes: they take 64 KiB before QEMU finds them full. A socket
//! takes some 300 bytes that come one by one, and when the reader of a busy computer is late by more than that, the guest finds
//! its port not ready and drops the rest. A thread reads as long as the machine lives. The transcript only grows: terminal control sequences, carriage returns and backspaces are taken out,
//! and what they would overwrite stays. A cursor separates what was already waited for from what comes next.

use std::fmt;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::process::Child;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// Bytes of the transcript's end that a failure shows.
const TAIL_BYTES: usize = 3000;

/// Why waiting for a text ended without it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missed {
    /// The machine closed the line: it is off.
    Closed,
    /// The time that ends a hung test is over.
    TimeOver,
}

impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the machine went off",
            Self::TimeOver => "it did not come in time",
        })
    }
}

impl std::error::Error for Missed {}

#[derive(Default)]
struct Transcript {
    text: Vec<u8>,
    escape: Escape,
    closed: bool,
}

/// Where the reader stands in a terminal control sequence (ECMA-48).
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Started,
    Control,
    Text,
}

impl Transcript {
    fn push(&mut self, byte: u8) {
        self.escape = match (self.escape, byte) {
            (Escape::None, 0x1B) => Escape::Started,
            (Escape::None, b'\r' | 0 | 7 | 8) => Escape::None,
            (Escape::None, _) => {
                self.text.push(byte);
                Escape::None
            }
            (Escape::Started, b'[') => Escape::Control,
            (Escape::Started, b']') => Escape::Text,
            (Escape::Control, 0x20..=0x3F) => Escape::Control,
            (Escape::Text, 7) | (Escape::Started | Escape::Control, _) => Escape::None,
            (Escape::Text, 0x1B) => Escape::Started,
            (Escape::Text, _) => Escape::Text,
        };
    }
}

struct Shared {
    transcript: Mutex<Transcript>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Transcript> {
        self.transcript
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A serial line.
pub struct Serial {
    input: Box<dyn Write + Send>,
    shared: Arc<Shared>,
    cursor: usize,
}

impl Serial {
    /// The line of a machine ([`crate::qemu::Serial::Pipe`]) whose standard input and output are pipes.
    ///
    /// # Panics
    /// When they are not.
    pub fn of(machine: &mut Child) -> Self {
        let pipes = machine.stdin.take().zip(machine.stdout.take());
        let (input, output) = pipes.expect("QEMU was started with pipes");
        Self::new(input, output)
    }

    /// The line that is written here and read there.
    pub fn new(input: impl Write + Send + 'static, mut output: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Shared {
            transcript: Mutex::default(),
            changed: Condvar::new(),
        });
        let writer = Arc::clone(&shared);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let count = output.read(&mut buffer).unwrap_or(0);
                let mut transcript = writer.lock();
                for byte in &buffer[..count] {
                    transcript.push(*byte);
                }
                transcript.closed = count == 0;
                writer.changed.notify_all();
                if count == 0 {
                    return;
                }
            }
        });
        Self {
            input: Box::new(input),
            shared,
            cursor: 0,
        }
    }

    /// Waits until `text` stands in the transcript after the cursor; returns what came before it and moves the cursor behind it.
    ///
    /// # Errors
    /// When the machine went off or `limit` is over before it came.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<String, Missed> {
        self.wait_for_any(&[text], limit).map(|(_, before)| before)
    }

    /// As [`Self::wait_for`], for whichever of several texts comes first; returns its index, too.
    ///
    /// # Errors
    /// As [`Self::wait_for`].
    pub fn wait_for_any(
        &mut self,
        texts: &[&str],
        limit: Duration,
    ) -> Result<(usize, String), Missed> {
        let end = Instant::now() + limit;
        let mut transcript = self.shared.lock();
        loop {
            let new = &transcript.text[self.cursor..];
            if let Some((found, index)) = first_of(texts, new) {
                let before = String::from_utf8_lossy(&new[..found.start]).into_owned();
                self.cursor += found.end;
                return Ok((index, before));
            }
            if transcript.closed {
                return Err(Missed::Closed);
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Missed::TimeOver);
            }
            transcript = self
                .shared
                .changed
                .wait_timeout(transcript, left)
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .0;
        }
    }

    /// Waits until the machine closes the line.
    ///
    /// # Errors
    /// [`Missed::TimeOver`].
    pub fn wait_for_close(&mut self, limit: Duration) -> Result<(), Missed> {
        let transcript = self.shared.lock();
        let (transcript, _) = self
            .shared
            .changed
            .wait_timeout_while(transcript, limit, |transcript| !transcript.closed)
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if transcript.closed {
            Ok(())
        } else {
            Err(Missed::TimeOver)
        }
    }

    /// Types bytes.
    ///
    /// # Errors
    /// When the machine is off.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.input.write_all(bytes)?;
        self.input.flush()
    }

    /// Everything the machine said so far.
    pub fn transcript(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock().text).into_owned()
    }

    /// What came after the cursor so far; the cursor stays.
    pub fn pending(&self) -> String {
        String::from_utf8_lossy(&self.shared.lock().text[self.cursor..]).into_owned()
    }

    /// The transcript's end, for a failure's message.
    pub fn tail(&self) -> String {
        let transcript = self.shared.lock();
        let start = transcript.text.len().saturating_sub(TAIL_BYTES);
        String::from_utf8_lossy(&transcript.text[start..]).into_owned()
    }

    /// Moves the cursor to the end: what was said before does not count for the next wait.
    pub fn forget(&mut self) {
        self.cursor = self.shared.lock().text.len();
    }
}

/// Which of several texts comes first, and where.
fn first_of(texts: &[&str], said: &[u8]) -> Option<(Range<usize>, usize)> {
    let found =
        (0..texts.len()).filter_map(|index| Some((find(said, texts[index].as_bytes())?, index)));
    let (at, index) = found.min()?;
    Some((at..at + texts[index].len(), index))
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line, and where its machine writes.
    fn line() -> (Serial, io::PipeWriter) {
        let (output, machine) = io::pipe().unwrap();
        (Serial::new(io::sink(), output), machine)
    }

    const LIMIT: Duration = Duration::from_secs(60);

    #[test]
    fn control_sequences_are_not_part_of_the_transcript() {
        let (mut serial, mut machine) = line();
        machine
            .write_all(b"\x1b[2J\x1b[01;01Hnon\x1b[1mos\x1b]0;title\x07> \r\nabc\x08\x08d")
            .unwrap();
        drop(machine);
        serial.wait_for_close(LIMIT).unwrap();
        assert_eq!(serial.transcript(), "nonos> \nabcd");
    }

    #[test]
    fn a_machine_may_say_much_before_anybody_listens() {
        let (mut serial, mut machine) = line();
        let said = "x".repeat(60_000);
        for byte in said.bytes() {
            machine.write_all(&[byte]).unwrap();
        }
        machine.write_all(b"end").unwrap();
        assert_eq!(serial.wait_for("end", LIMIT), Ok(said));
    }

    #[test]
    fn the_first_text_of_several_wins_and_is_not_found_twice() {
        let (mut serial, mut machine) = line();
        machine.write_all(b"one two one").unwrap();
        assert_eq!(
            serial.wait_for_any(&["two", "one"], LIMIT),
            Ok((1, String::new()))
        );
        assert_eq!(
            serial.wait_for_any(&["two", "one"], LIMIT),
            Ok((0, " ".into()))
        );
        assert_eq!(serial.wait_for("one", LIMIT), Ok(" ".into()));
        drop(machine);
        assert_eq!(serial.wait_for("one", LIMIT), Err(Missed::Closed));
    }
}
