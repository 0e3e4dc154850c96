//! The kernel's log: a ring of bytes. The oldest are overwritten; positions count all bytes ever written.

use core::fmt::{self, Write};

use crate::kernel::Kernel;
use crate::machine::Machine;

/// Most bytes of a line.
pub(crate) const LINE_BYTES_MAX: usize = 256;

/// The ring.
pub(crate) struct Log {
    ring: &'static mut [u8],
    written: u64,
}

impl Log {
    /// An empty log.
    pub fn new(ring: &'static mut [u8]) -> Self {
        Self { ring, written: 0 }
    }

    /// Adds bytes.
    pub fn write(&mut self, bytes: &[u8]) {
        let length = self.ring.len() as u64;
        for &byte in bytes.iter().take(if length == 0 { 0 } else { usize::MAX }) {
            self.ring[(self.written % length) as usize] = byte;
            self.written += 1;
        }
    }

    /// Copies what was written from `position` on, or from the oldest byte that is left; returns how many bytes, and the
    /// position after them.
    pub fn read(&self, position: u64, to: &mut [u8]) -> (usize, u64) {
        let length = self.ring.len() as u64;
        let start = position
            .max(self.written.saturating_sub(length))
            .min(self.written);
        let count = ((self.written - start) as usize).min(to.len());
        for (at, byte) in (start..).zip(&mut to[..count]) {
            *byte = self.ring[(at % length) as usize];
        }
        (count, start + count as u64)
    }
}

/// A line being put together; what does not fit is cut off.
struct Line {
    bytes: [u8; LINE_BYTES_MAX],
    used: usize,
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        // The last byte is for the end of the line.
        let free = &mut self.bytes[self.used..LINE_BYTES_MAX - 1];
        let fits = text.floor_char_boundary(free.len());
        free[..fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.used += fits;
        Ok(())
    }
}

/// Text from a program: whatever is no printable ASCII is shown as `?`, so that it cannot forge lines or control a terminal.
pub(crate) struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let printable = |byte: u8| {
            if matches!(byte, b' '..=b'~') {
                byte.into()
            } else {
                '?'
            }
        };
        self.0
            .iter()
            .try_for_each(|&byte| f.write_char(printable(byte)))
    }
}

impl Kernel {
    /// Adds a line to the kernel's log, with the time, and prints it while no driver has the serial port.
    pub fn log(&mut self, text: fmt::Arguments<'_>, machine: &mut impl Machine) {
        let now_us = machine.now_ns() / 1000;
        let mut line = Line {
            bytes: [0; LINE_BYTES_MAX],
            used: 0,
        };
        let (seconds, micros) = (now_us / 1_000_000, now_us % 1_000_000);
        // Writing to a line cannot fail.
        let _ = write!(line, "[{seconds:5}.{micros:06}] {text}");
        line.bytes[line.used] = b'\n';
        let bytes = &line.bytes[..=line.used];
        self.log.write(bytes);
        machine.early_print(core::str::from_utf8(bytes).unwrap_or_default());
    }
}

#[cfg(any(test, feature = "testing"))]
impl Log {
    /// Takes the memory, to use it again.
    pub fn take(&mut self) -> &'static mut [u8] {
        core::mem::take(&mut self.ring)
    }
}
