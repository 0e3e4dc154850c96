//! The console service: one terminal on the frame buffer and the serial line, see `nonos_proto::console`.
//!
//! `main` asks `init` for what the machine has and serves; [`service`] answers clients, [`device`] drives
//! the hardware through port system calls and a mapping. A device that the machine lacks or that does not
//! answer is left out, and the log says so.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

mod device;
mod service;

use console::paint::{Painter, text_size};
use nonos_proto::CallError;
use nonos_rt::abi::Error;
use nonos_rt::log;
use nonos_rt::mapping::Private;
use nonos_rt::object::Notification;
use nonos_rt::parent;
use nonos_terminal::grid::Grid;

use crate::device::ps2::Ps2;
use crate::device::screen::Screen;
use crate::device::serial::Serial;
use crate::service::{Service, Terminal};

nonos_rt::entry!(main);

/// Size of the terminal where there is no screen.
const SERIAL_SIZE: (usize, usize) = (80, 25);

/// Bits of the notification.
mod signal {
    /// The serial port has input.
    pub const SERIAL: u64 = 1;
    /// The keyboard has input.
    pub const KEYBOARD: u64 = 2;
}

fn main() -> u64 {
    nonos_rt::service::main(run)
}

fn run() -> Result<Error, CallError> {
    let endpoint = parent::serve("console")?;
    let signals = Notification::create().map_err(CallError::Unreachable)?;
    signals.bind().map_err(CallError::Unreachable)?;
    let serial = found("serial port", Serial::start(&signals, signal::SERIAL));
    let keyboard = found("keyboard", Ps2::start(&signals, signal::KEYBOARD));
    let memory = found("screen", Screen::map());

    let screen = memory.as_ref().map(Screen::new);
    let (columns, rows) = screen.as_ref().map_or(SERIAL_SIZE, text_size);
    let mut cells = Private::new(columns * rows).map_err(CallError::Unreachable)?;
    let mut shown = Private::new(columns * rows).map_err(CallError::Unreachable)?;
    let terminal = Terminal::new(
        Grid::new(cells.as_mut_slice(), columns, rows),
        screen.map(|screen| Painter::new(screen, shown.as_mut_slice())),
        serial,
    );
    Ok(nonos_rt::service::serve(
        &endpoint,
        &mut Service::new(terminal, keyboard),
    ))
}

/// The device, or `None` and a line in the log.
fn found<T>(what: &str, device: Result<T, CallError>) -> Option<T> {
    device.inspect_err(|error| log!("no {what}: {error}")).ok()
}
