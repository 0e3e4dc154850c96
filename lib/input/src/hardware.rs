//! The controller's ports on the machine.

use nonos_rt::object::Ports;
use nonos_rt::syscall;

use crate::controller::Bus;

/// Data port.
const DATA: u16 = 0x60;
/// Status (read) and command (write) port.
const CONTROL: u16 = 0x64;

/// The ports. One that cannot be read any more reads as all ones, as where there is no controller.
#[derive(Debug)]
pub struct Hardware {
    /// The data port.
    pub data: Ports,
    /// The port for status and commands.
    pub control: Ports,
}

impl Bus for Hardware {
    fn status(&self) -> u8 {
        self.control.read(CONTROL).unwrap_or(0xFF)
    }

    fn take(&self) -> u8 {
        self.data.read(DATA).unwrap_or(0xFF)
    }

    fn command(&self, command: u8) {
        let _ = self.control.write(CONTROL, command);
    }

    fn give(&self, byte: u8) {
        let _ = self.data.write(DATA, byte);
    }

    fn now_ns(&self) -> u64 {
        syscall::clock_ns()
    }

    fn pause(&self) {
        syscall::yield_now();
    }
}
