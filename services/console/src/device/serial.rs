//! The first serial port: a 16550 (National Semiconductor PC16550D), 115200 baud, 8N1.
//!
//! Input and output are driven by interrupts: output waits in a ring for the transmitter, so that a slow line
//! holds nobody. When the ring is full the console waits, but not for ever: a port that takes nothing any
//! more is given up until it is ready again.

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
/// Interrupt identification (read).
const INTERRUPT_IDENTIFICATION: u16 = BASE + 2;
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
/// Interrupt enable: the transmitter's FIFO is empty.
const TRANSMITTED: u8 = 1 << 1;
/// Interrupt identification: there is none.
const NO_INTERRUPT: u8 = 1;
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
/// Bytes that can wait for the transmitter.
const RING_BYTES: usize = 8192;
/// Longest wait for a full ring to move.
const PATIENCE_NS: u64 = 2_000_000_000;
/// Most bytes taken at once, so that a port that always has one cannot hold the console.
const MOST_AT_ONCE: usize = 256;
/// Most causes of one interrupt that are looked at.
const MOST_CAUSES: usize = 16;

/// The port.
pub struct Serial {
    ports: Ports,
    interrupt: Interrupt,
    ring: [u8; RING_BYTES],
    first: usize,
    length: usize,
    /// Whether the interrupt of the transmitter is on.
    waiting: bool,
    stuck: bool,
}

impl Serial {
    /// Sets the port up and has its interrupts signalled.
    pub fn start(signals: &Notification, bits: u64) -> Result<Self, CallError> {
        let (ports, interrupt) = parent::serial()?;
        let ring = [0; RING_BYTES];
        let serial = Self {
            ports,
            interrupt,
            ring,
            first: 0,
            length: 0,
            waiting: false,
            stuck: false,
        };
        serial
            .set_up(signals, bits)
            .map_err(CallError::Unreachable)?;
        Ok(serial)
    }

    fn set_up(&self, signals: &Notification, bits: u64) -> Result<(), Error> {
        // First of all: from here on the kernel writes nothing to the port.
        self.interrupt.bind(signals, bits)?;
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
        self.ports.write(INTERRUPT_ENABLE, RECEIVED)
    }

    /// Does what an interrupt asks for: takes the bytes that arrived, sends more.
    ///
    /// The line is let through first, and left only when the port has no cause any more: an edge that comes while
    /// the line is masked is lost, and a line that stays up has no edges.
    pub fn interrupted(&mut self, input: &mut impl FnMut(u8)) {
        let _ = self.interrupt.acknowledge();
        for _ in 0..MOST_CAUSES {
            self.receive(input);
            self.flush();
            let cause = self.ports.read(INTERRUPT_IDENTIFICATION);
            if cause.is_ok_and(|cause| cause & NO_INTERRUPT != 0) {
                return;
            }
        }
    }

    fn receive(&self, input: &mut impl FnMut(u8)) {
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

    /// Sends as much as the transmitter takes now; an interrupt brings the rest on its way.
    pub fn flush(&mut self) {
        while self.length > 0 && self.ready() {
            for _ in 0..self.length.min(FIFO_BYTES) {
                let _ = self.ports.write(DATA, self.ring[self.first]);
                self.first = (self.first + 1) % RING_BYTES;
                self.length -= 1;
            }
        }
        let waiting = self.length > 0;
        if core::mem::replace(&mut self.waiting, waiting) != waiting {
            let enabled = if waiting {
                RECEIVED | TRANSMITTED
            } else {
                RECEIVED
            };
            let _ = self.ports.write(INTERRUPT_ENABLE, enabled);
        }
    }

    fn ready(&self) -> bool {
        self.ports
            .read(LINE_STATUS)
            .is_ok_and(|status| status & TRANSMITTER_EMPTY != 0)
    }

    /// Makes room in a full ring, by waiting or by dropping what it holds.
    fn make_room(&mut self) {
        let deadline_ns = syscall::clock_ns() + if self.stuck { 0 } else { PATIENCE_NS };
        self.stuck = false;
        while !self.ready() {
            if syscall::clock_ns() > deadline_ns {
                self.stuck = true;
                self.length = 0;
                return;
            }
            syscall::yield_now();
        }
        self.flush();
    }
}

/// Puts text into the ring; [`Serial::flush`] sends it.
impl Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if self.length == RING_BYTES {
                self.make_room();
            }
            self.ring[(self.first + self.length) % RING_BYTES] = byte;
            self.length += 1;
        }
        Ok(())
    }
}
