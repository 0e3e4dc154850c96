//! The first serial port, written directly: the kernel's voice while no driver has the port, and after a fault.
//!
//! A driver has it while the port's interrupt is bound (`machine.rs`): two that write to one transmitter overrun it, and tear
//! each other's lines.

use core::fmt;

use crate::cpu;

/// COM1 (16550 data sheet).
const PORT: u16 = 0x3F8;
/// Its ISA interrupt.
pub const LINE: u32 = 4;
const INTERRUPTS: u16 = PORT + 1;
const LINE_CONTROL: u16 = PORT + 3;
const LINE_STATUS: u16 = PORT + 5;

const DIVISOR_ACCESS: u8 = 0x80;
const EIGHT_BITS: u8 = 0x03;
const TRANSMIT_READY: u8 = 0x20;
/// What reads from a port that is not there.
const ABSENT: u8 = 0xFF;

/// Most reads of the line status before the rest of a text is dropped: about ten milliseconds, a hundred times what a
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

    /// Fails when the port takes nothing.
    fn put(&self, byte: u8) -> fmt::Result {
        for _ in 0..WAIT_READS {
            // SAFETY: the serial port touches no memory.
            let status = unsafe { cpu::input_byte(LINE_STATUS) };
            if status == ABSENT {
                break;
            }
            if status & TRANSMIT_READY != 0 {
                // SAFETY: as above.
                unsafe { cpu::output_byte(PORT, byte) };
                return Ok(());
            }
        }
        Err(fmt::Error)
    }
}

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            if byte == b'\n' {
                self.put(b'\r')?;
            }
            self.put(byte)?;
        }
        Ok(())
    }
}
