//! The serial line of a machine, as a person at a terminal uses it: wait for a text, type a line.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A connection to a serial line on a socket.
pub struct Console {
    stream: UnixStream,
    received: String,
    read: usize,
}

impl Console {
    /// Connects once QEMU listens.
    ///
    /// # Errors
    /// When it does not within `limit`.
    pub fn connect(socket: &Path, limit: Duration) -> Result<Self> {
        let start = Instant::now();
        loop {
            match UnixStream::connect(socket) {
                Ok(stream) => {
                    stream.set_read_timeout(Some(Duration::from_millis(200)))?;
                    return Ok(Self {
                        stream,
                        received: String::new(),
                        read: 0,
                    });
                }
                Err(error) if start.elapsed() > limit => {
                    return Err(error).with_context(|| format!("connect to {}", socket.display()));
                }
                Err(_) => sleep(Duration::from_millis(10)),
            }
        }
    }

    /// Waits for a text and returns what came before it since the last text that was waited for.
    ///
    /// # Errors
    /// When it does not come within `limit`, or the machine ends; the error shows what came last.
    pub fn wait_for(&mut self, text: &str, limit: Duration) -> Result<String> {
        let start = Instant::now();
        loop {
            if let Some(found) = self.received[self.read..].find(text) {
                let before = self.received[self.read..self.read + found].to_owned();
                self.read += found + text.len();
                return Ok(before);
            }
            let mut buffer = [0; 4096];
            match self.stream.read(&mut buffer) {
                Ok(0) => bail!(
                    "the machine ended before {text:?} came; it said last:\n{}",
                    self.tail()
                ),
                Ok(count) => self
                    .received
                    .extend(buffer[..count].iter().map(|&byte| byte as char)),
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(error) => return Err(error).context("read the serial line"),
            }
            if start.elapsed() > limit {
                bail!(
                    "{text:?} did not come within {limit:?}; the machine said last:\n{}",
                    self.tail()
                );
            }
        }
    }

    /// Types a line.
    ///
    /// # Errors
    /// When the machine has ended.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        self.stream.write_all(line.as_bytes())?;
        self.stream
            .write_all(b"\r")
            .context("type on the serial line")
    }

    fn tail(&self) -> String {
        let lines: Vec<_> = self.received.lines().collect();
        lines[lines.len().saturating_sub(15)..].join("\n")
    }
}
