//! Lines for the kernel's log, also from a panic.

use core::fmt::{self, Write};
use core::sync::atomic::{AtomicU32, Ordering};

use nonos_abi::Handle;

use crate::object::Log;
use crate::syscall;

/// The log that panics go to; 0 for none.
static LOG: AtomicU32 = AtomicU32::new(0);

/// Lines go to this log from now on, for as long as the program runs.
pub fn set(log: Log) {
    LOG.store(log.into_handle().raw(), Ordering::Relaxed);
}

/// Adds a line; dropped when there is no log. Longer than [`Line::MOST`] bytes is cut.
pub fn line(text: fmt::Arguments<'_>) {
    let log = Handle::from_raw(LOG.load(Ordering::Relaxed));
    if log == Handle::NONE {
        return;
    }
    let mut line = Line::new();
    let _ = line.write_fmt(text);
    let _ = syscall::log_write(log, line.as_str().as_bytes());
}

/// Adds a formatted line to the kernel's log.
#[macro_export]
macro_rules! log {
    ($($argument:tt)+) => { $crate::log::line(format_args!($($argument)+)) };
}

/// Text of bounded length; what does not fit is cut at a character.
#[derive(Clone, Copy)]
pub struct Line {
    bytes: [u8; Line::MOST],
    length: usize,
}

impl Line {
    /// Most bytes.
    pub const MOST: usize = 240;

    /// No text.
    pub const fn new() -> Self {
        Self {
            bytes: [0; Self::MOST],
            length: 0,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length]).unwrap_or("")
    }
}

impl Default for Line {
    fn default() -> Self {
        Self::new()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let fits = text.floor_char_boundary(Self::MOST - self.length);
        self.bytes[self.length..self.length + fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.length += fits;
        if fits == text.len() {
            Ok(())
        } else {
            Err(fmt::Error)
        }
    }
}
