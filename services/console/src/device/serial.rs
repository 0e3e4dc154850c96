//! The first serial port: a 16550 (National Semiconductor PC16550D), 115200 baud, 8N1.
//!
//! Input is driven by interrupts; output waits for the transmitter, but never for long: a port that takes
//! nothing any more is given up until it is ready again.

use core::fmt::{self, Write};

use nonos_proto::CallError;
use nonos_rt::abi::Error;
use nonos_rt::object::{Interrupt, Notification, Ports};
use nonos_rt::{parent, syscall};

/// First port of COM1.
const BASE: u16 = 0x3F8;
/// Receiver buffer (read) and transmitter holding register (write); divisor low byte while DLAB is set.
const DATA: u16 = BASE;
/// Interrupt enable; divisor high byte while DLAB is set.
const INTERRUPT_ENABLE: u16 = BASE + 1;
/// FIFO control (write).
const FIFO_CONTROL: u16 = BASE + 2;
/// Line control.
const LINE_CONTROL: u16 = BASE + 3;
/// Modem control.
const MODEM_CONTROL: u16 = BASE + 4;
/// Line status.
const LINE_STATUS: u16 = BASE + 5;
/// Scratch register.
const SCRATCH: u16 = BASE + 7;

/// Interrupt enable: received data available.
const RECEIVED: u8 = 1;
/// FIFO control: enable both, clear both, interrupt at the first byte.
const FIFO_ON: u8 = 0b0000_0111;
/// Line control: 8 bits, no parity, one stop bit.
const EIGHT_N_ONE: u8 = 0b0000_0011;
/// Line control: divisor latch access.
const DIVISOR_LATCH: u8 = 0x80;
/// Modem control: DTR, RTS, and OUT2, which lets interrupts through on a PC.
const READY: u8 = 0b0000_1011;
/// Line status: there is a byte to read.
const DATA_READY: u8 = 1;
/// Line status: the transmitter's FIFO is empty.
const TRANSMITTER_EMPTY: u8 = 1 << 5;
/// Bytes that an empty FIFO takes.
const FIFO_BYTES: usize = 16;
/// Divisor for 115200 baud.
const DIVISOR: u16 = 1;
/// Longest wait for the transmitter: more than 16 bytes take at 9600 baud.
const PATIENCE_NS: u64 = 40_000_000;
/// Most bytes taken at once, so that a port that always has one cannot hold the console.
const MOST_AT_ONCE: usize = 256;

/// The port.
pub struct Serial {
    ports: Ports,
    interrupt: Interrupt,
    pending: [u8; FIFO_BYTES],
    length: usize,
    stuck: bool,
}

impl Serial {
    /// Sets the port up and has its interrupts signalled.
    pub fn start(signals: &Notification, bits: u64) -> Result<Self, CallError> {
        let (ports, interrupt) = parent::serial()?;
        let serial = Self {
            ports,
            interrupt,
            pending: [0; FIFO_BYTES],
            length: 0,
            stuck: false,
        };
        serial
            .set_up(signals, bits)
            .map_err(CallError::Unreachable)?;
        Ok(serial)
    }

    fn set_up(&self, signals: &Notification, bits: u64) -> Result<(), Error> {
        for pattern in [0x5A, 0xA5] {
            self.ports.write(SCRATCH, pattern)?;
            if self.ports.read(SCRATCH)? != pattern {
                return Err(Error::NotSupported);
            }
        }
        let [low, high] = DIVISOR.to_le_bytes();
        self.ports.write(INTERRUPT_ENABLE, 0)?;
        self.ports.write(LINE_CONTROL, DIVISOR_LATCH)?;
        self.ports.write(DATA, low)?;
        self.ports.write(INTERRUPT_ENABLE, high)?;
        self.ports.write(LINE_CONTROL, EIGHT_N_ONE)?;
        // The FIFO is not cleared of input: what was typed during the boot counts.
        self.ports.write(FIFO_CONTROL, FIFO_ON & !0b10)?;
        self.ports.write(MODEM_CONTROL, READY)?;
        self.interrupt.bind(signals, bits)?;
        self.ports.write(INTERRUPT_ENABLE, RECEIVED)
    }

    /// Takes the bytes that arrived. The line is let through first: an edge that comes while it is masked is lost,
    /// and draining afterwards finds what it stood for.
    pub fn receive(&self, input: &mut impl FnMut(u8)) {
        let _ = self.interrupt.acknowledge();
        for _ in 0..MOST_AT_ONCE {
            match self.ports.read(LINE_STATUS) {
                // All ones: the port is not there any more.
                Ok(status) if status & DATA_READY != 0 && status != 0xFF => {}
                _ => return,
            }
            let Ok(byte) = self.ports.read(DATA) else {
                return;
            };
            input(byte);
        }
    }

    /// Sends what was gathered.
    pub fn flush(&mut self) {
        if self.length > 0 && self.wait() {
            for &byte in &self.pending[..self.length] {
                let _ = self.ports.write(DATA, byte);
            }
        }
        self.length = 0;
    }

    /// Waits until the transmitter takes a FIFO's worth of bytes; false when it does not.
    fn wait(&mut self) -> bool {
        let ready = |ports: &Ports| {
            ports
                .read(LINE_STATUS)
                .is_ok_and(|status| status & TRANSMITTER_EMPTY != 0)
        };
        if ready(&self.ports) {
            self.stuck = false;
            return true;
        }
        if self.stuck {
            return false;
        }
        let deadline_ns = syscall::clock_ns() + PATIENCE_NS;
        while !ready(&self.ports) {
            if syscall::clock_ns() > deadline_ns {
                self.stuck = true;
                return false;
            }
            syscall::yield_now();
        }
        true
    }
}

/// Gathers bytes and sends them when the FIFO's worth is there, or at [`Serial::flush`].
impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.pending[self.length] = byte;
            self.length += 1;
            if self.length == FIFO_BYTES {
                self.flush();
            }
        }
        Ok(())
    }
}
