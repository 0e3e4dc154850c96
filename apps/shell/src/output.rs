//! Where commands write: to the terminal, or through a pipe to a file or a hash.
//!
//! What goes through a pipe is plain text: the colours stay behind. It runs through in pieces, so that it may be as long as it likes.

use core::fmt::{self, Write};
use core::hint::black_box;

use nonos_crypto::hash::Blake3;
use nonos_proto::CallError;
use nonos_rt::files::File;
use nonos_rt::terminal::Terminal;
use shell::hex::Hex;

/// Bytes that are gathered before they go to a file.
const GATHERED: usize = 4096;

/// A file that is written.
pub struct Sink {
    file: File,
    at: u64,
    gathered: [u8; GATHERED],
    length: usize,
}

impl Sink {
    /// Writes from a place on.
    pub fn new(file: File, at: u64) -> Self {
        Self {
            file,
            at,
            gathered: [0; GATHERED],
            length: 0,
        }
    }

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), CallError> {
        while !bytes.is_empty() {
            let fits = bytes.len().min(GATHERED - self.length);
            let (now, rest) = bytes.split_at(fits);
            self.gathered[self.length..self.length + fits].copy_from_slice(now);
            self.length += fits;
            bytes = rest;
            if self.length == GATHERED {
                self.flush()?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), CallError> {
        let length = core::mem::take(&mut self.length);
        let gathered = &self.gathered[..length];
        let written = self.file.write(self.at, gathered);
        self.at += length as u64;
        self.gathered.fill(0);
        black_box(&mut self.gathered);
        written
    }
}

/// What text runs through.
struct Pipe {
    hash: Option<Blake3>,
    sink: Option<Sink>,
    /// Within a control sequence.
    escape: bool,
    failure: Option<CallError>,
}

/// The terminal, or a pipe before it.
pub struct Output {
    /// The terminal.
    pub terminal: Terminal,
    pipe: Option<Pipe>,
}

impl Output {
    /// To the terminal.
    pub fn new(terminal: Terminal) -> Self {
        Self {
            terminal,
            pipe: None,
        }
    }

    /// From now on what is written is hashed, or goes to a file, or both.
    pub fn redirect(&mut self, hash: bool, sink: Option<Sink>) {
        self.pipe = Some(Pipe {
            hash: hash.then(Blake3::new),
            sink,
            escape: false,
            failure: None,
        });
    }

    /// To the terminal again, after what is still to be written.
    ///
    /// # Errors
    /// The first failure to write.
    pub fn restore(&mut self) -> Result<(), CallError> {
        if let Some(hash) = self.pipe.as_mut().and_then(|pipe| pipe.hash.take()) {
            // Through what follows the hash.
            let _ = writeln!(self, "{}", Hex(&hash.finish()));
        }
        let Some(pipe) = &mut self.pipe else {
            return Ok(());
        };
        // Where it lies: moving it would leave what is gathered behind.
        let flushed = pipe.sink.as_mut().map_or(Ok(()), Sink::flush);
        let outcome = pipe.failure.map_or(flushed, Err);
        self.pipe = None;
        outcome
    }

    /// Writes bytes that need not be text.
    pub fn bytes(&mut self, bytes: &[u8]) {
        match &mut self.pipe {
            Some(pipe) if pipe.hash.is_some() || pipe.sink.is_some() => pipe.write(bytes),
            _ => {
                for chunk in bytes.utf8_chunks() {
                    let _ = self.terminal.write_str(chunk.valid());
                    if !chunk.invalid().is_empty() {
                        let _ = self.terminal.write_str("?");
                    }
                }
            }
        }
    }
}

impl Pipe {
    fn write(&mut self, bytes: &[u8]) {
        if let Some(hash) = &mut self.hash {
            hash.update(bytes);
        } else if let Some(sink) = &mut self.sink
            && self.failure.is_none()
            && let Err(error) = sink.write(bytes)
        {
            self.failure = Some(error);
        }
    }

    /// Writes text without its control sequences.
    fn text(&mut self, text: &str) {
        let mut rest = text;
        while !rest.is_empty() {
            if self.escape {
                // A sequence ends with a letter.
                let Some(end) = rest.find(|c: char| c.is_ascii_alphabetic()) else {
                    return;
                };
                rest = &rest[end + 1..];
                self.escape = false;
                continue;
            }
            let (plain, after) = rest.split_once('\x1B').unwrap_or((rest, ""));
            self.escape = plain.len() < rest.len();
            self.write(plain.as_bytes());
            rest = after;
        }
    }
}

impl Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        match &mut self.pipe {
            Some(pipe) if pipe.hash.is_some() || pipe.sink.is_some() => {
                pipe.text(text);
                Ok(())
            }
            _ => self.terminal.write_str(text),
        }
    }
}
