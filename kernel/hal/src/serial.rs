//! The first serial port, written directly: the kernel's voice before a driver has the port and after a fault.

use core::fmt;

use crate::cpu;

/// COM1 (16550 data sheet).
const PORT: u16 = 0x3F8;
const INTERRUPTS: u16 = PORT + 1;
const LINE_CONTROL: u16 = PORT + 3;
const LINE_STATUS: u16 = PORT + 5;

const DIVISOR_ACCESS: u8 = 0x80;
const EIGHT_BITS: u8 = 0x03;
const TRANSMIT_READY: u8 = 0x20;
/// What reads from a port that is not there.
const ABSENT: u8 = 0xFF;

/// Most reads of the line status before a byte is dropped: about ten milliseconds, a hundred times what a
/// byte takes.
const WAIT_READS: u32 = 10_000;

/// The port.
pub struct Serial;

impl Serial {
    /// Sets 115,200 baud, 8 bits, no parity, and turns the port's interrupts off.
    pub fn start() -> Self {
        let settings = [
            (INTERRUPTS, 0),
            (LINE_CONTROL, DIVISOR_ACCESS | EIGHT_BITS),
            (PORT, 1),
            (PORT + 1, 0),
            (LINE_CONTROL, EIGHT_BITS),
        ];
        for (port, value) in settings {
            // SAFETY: settings of the serial port touch no memory.
            unsafe { cpu::output_byte(port, value) };
        }
        Self
    }

    fn put(&self, byte: u8) {
        for _ in 0..WAIT_READS {
            // SAFETY: the serial port touches no memory.
            let status = unsafe { cpu::input_byte(LINE_STATUS) };
            if status == ABSENT {
                return;
            }
            if status & TRANSMIT_READY != 0 {
                // SAFETY: as above.
                unsafe { cpu::output_byte(PORT, byte) };
                return;
            }
        }
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.put(b'\r');
            }
            self.put(byte);
        }
        Ok(())
    }
}
