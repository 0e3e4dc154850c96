//! QEMU's monitor (QMP): one JSON object a line, over a Unix socket.
//!
//! The monitor is how the tests look at the machine from outside, and how the bench saves one; nothing it says comes from the
//! guest.

use serde_json::{Value, json};
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Why a command was not done.
#[derive(Debug)]
pub enum QmpError {
    /// The connection broke: QEMU ended, or does not answer.
    Connection(std::io::Error),
    /// QEMU refused the command.
    Refused {
        /// The command.
        command: String,
        /// What QEMU says about it.
        reason: String,
    },
    /// The machine's state was not written or read: what QEMU says of it.
    NotMoved(Value),
}

impl std::fmt::Display for QmpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Connection(error) => write!(f, "the monitor does not answer: {error}"),
            Self::Refused { command, reason } => {
                write!(f, "the monitor refuses {command}: {reason}")
            }
            Self::NotMoved(state) => write!(f, "the machine's state cannot be moved: {state}"),
        }
    }
}

impl std::error::Error for QmpError {}

impl From<std::io::Error> for QmpError {
    fn from(error: std::io::Error) -> Self {
        Self::Connection(error)
    }
}

/// A connection to the monitor.
pub struct Qmp {
    writer: UnixStream,
    reader: BufReader<UnixStream>,
    events: VecDeque<Value>,
}

impl Qmp {
    /// Connects and negotiates.
    ///
    /// # Errors
    /// When nothing listens at `path`, or it does not speak QMP. `limit` ends waiting for a hung QEMU, here and later.
    pub fn connect(path: &Path, limit: Duration) -> Result<Self, QmpError> {
        let writer = UnixStream::connect(path)?;
        writer.set_read_timeout(Some(limit))?;
        let reader = BufReader::new(writer.try_clone()?);
        let mut qmp = Self {
            writer,
            reader,
            events: VecDeque::new(),
        };
        qmp.read()?;
        qmp.run("qmp_capabilities", json!({}))?;
        Ok(qmp)
    }

    /// Runs a command and returns its result.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub fn run(&mut self, command: &str, arguments: Value) -> Result<Value, QmpError> {
        let request = json!({ "execute": command, "arguments": arguments });
        writeln!(self.writer, "{request}")?;
        loop {
            let mut answer = self.read()?;
            if let Some(result) = answer.get_mut("return") {
                return Ok(result.take());
            }
            if let Some(error) = answer.get("error") {
                let reason = error["desc"]
                    .as_str()
                    .unwrap_or("no reason given")
                    .to_owned();
                return Err(QmpError::Refused {
                    command: command.to_owned(),
                    reason,
                });
            }
            self.events.push_back(answer);
        }
    }

    /// Runs a command of the human monitor and returns what it prints.
    ///
    /// # Errors
    /// See [`QmpError`].
    pub fn human(&mut self, line: &str) -> Result<String, QmpError> {
        let result = self.run("human-monitor-command", json!({ "command-line": line }))?;
        Ok(result.as_str().unwrap_or_default().to_owned())
    }

    /// Waits for the next event with this name; earlier events with other names stay.
    ///
    /// # Errors
    /// [`QmpError::Connection`].
    pub fn wait_for_event(&mut self, name: &str) -> Result<Value, QmpError> {
        if let Some(index) = self.events.iter().position(|event| event["event"] == name) {
            return Ok(self.events.remove(index).unwrap_or_default());
        }
        loop {
            let event = self.read()?;
            if event["event"] == name {
                return Ok(event);
            }
            self.events.push_back(event);
        }
    }

    /// Waits until the machine's state is written or read, as was asked for before.
    ///
    /// # Errors
    /// [`QmpError::NotMoved`] when QEMU gives it up, or it takes longer than `limit`.
    pub fn wait_for_migration(&mut self, limit: Duration) -> Result<(), QmpError> {
        let end = Instant::now() + limit;
        loop {
            let state = self.run("query-migrate", json!({}))?;
            match state["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("failed" | "cancelled") => return Err(QmpError::NotMoved(state)),
                _ if Instant::now() > end => return Err(QmpError::NotMoved(state)),
                _ => sleep(Duration::from_millis(5)),
            }
        }
    }

    fn read(&mut self) -> Result<Value, QmpError> {
        let mut line = String::new();
        if self.reader.read_line(&mut line)? == 0 {
            return Err(std::io::Error::from(std::io::ErrorKind::UnexpectedEof).into());
        }
        Ok(serde_json::from_str(&line).map_err(std::io::Error::from)?)
    }
}
