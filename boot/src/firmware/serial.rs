//! The serial line at 0x3F8, written directly: the firmware's console mirrors to it with escape sequences and
//! line breaks of its own, and is gone after the end of boot services.
//!
//! The firmware has set the line up wherever there is one; this neither sets it up nor reads from it.

use core::arch::asm;
use core::fmt;

/// First port of the 16550 UART, COM1.
const BASE: u16 = 0x3F8;
/// Line status register; its bit "transmitter holding register empty" (PC16550D data sheet, 8.4).
const LINE_STATUS: u16 = BASE + 5;
const TRANSMITTER_EMPTY: u8 = 1 << 5;
/// Looks at the status before a byte is sent anyway. A line at 9600 bit/s needs a millisecond for a byte, and
/// reading a port takes about one microsecond.
const PATIENCE: usize = 20_000;

/// The serial line.
pub struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.bytes().for_each(send);
        Ok(())
    }
}

fn send(byte: u8) {
    for _ in 0..PATIENCE {
        if status() & TRANSMITTER_EMPTY != 0 {
            break;
        }
    }
    // SAFETY: a byte to the UART's transmitter, or to no device where there is none; no memory is touched.
    unsafe {
        asm!("out dx, al", in("dx") BASE, in("al") byte, options(nomem, nostack, preserves_flags))
    };
}

/// A machine without this UART reads as all ones: ready.
fn status() -> u8 {
    let status: u8;
    // SAFETY: reading the line status changes nothing but error bits that nobody here uses.
    unsafe {
        asm!("in al, dx", in("dx") LINE_STATUS, out("al") status, options(nomem, nostack, preserves_flags))
    };
    status
}
