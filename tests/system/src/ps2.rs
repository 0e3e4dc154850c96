//! The PS/2 controller from outside: what its devices would send, and devices that are exchanged while the machine runs.
//!
//! The monitor writes and reads the controller's ports while the machine stands still, and only when the controller is free: the driver is
//! not in the midst of anything when the tests have seen what it did last.

use crate::machine::Machine;

const DATA: u16 = 0x60;
const CONTROL: u16 = 0x64;

/// Status: a byte waits to be taken.
const OUTPUT_FULL: u8 = 1;

/// Commands to the controller.
const READ_CONFIGURATION: u8 = 0x20;
const WRITE_CONFIGURATION: u8 = 0x60;
const TO_MOUSE: u8 = 0xD4;

/// Configuration: the controller translates to scan code set 1.
const TRANSLATES: u8 = 1 << 6;

/// Command to a device, and what it answers at once. It then tells that its self-test passed, as one that was just plugged in.
const RESET: u8 = 0xFF;
const ACKNOWLEDGED: u8 = 0xFA;

/// A device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// The keyboard.
    Keyboard,
    /// The mouse.
    Mouse,
}

fn read(machine: &mut Machine, port: u16) -> u8 {
    let text = machine.monitor_text(&format!("i/1b {port:#x}"));
    let value = text.trim().rsplit_once("0x");
    let value = value.and_then(|(_, digits)| u8::from_str_radix(digits, 16).ok());
    value.unwrap_or_else(|| machine.fail(&format!("cannot read a port: {text}")))
}

fn write(machine: &mut Machine, port: u16, value: u8) {
    machine.monitor_text(&format!("o/1b {port:#x} {value:#x}"));
}

/// Stops the machine when no byte waits in the controller.
fn stop_when_free(machine: &mut Machine) {
    machine.wait_until("a controller whose bytes were taken", |machine| {
        machine.stop();
        let free = read(machine, CONTROL) & OUTPUT_FULL == 0;
        if !free {
            machine.go_on();
        }
        free
    });
}

/// Has the driver take bytes as if a device had sent them.
pub fn send(machine: &mut Machine, device: Device, bytes: &[u8]) {
    for &byte in bytes {
        stop_when_free(machine);
        // The byte that follows goes to the driver as the keyboard's, or the mouse's.
        let command = match device {
            Device::Keyboard => 0xD2,
            Device::Mouse => 0xD3,
        };
        write(machine, CONTROL, command);
        write(machine, DATA, byte);
        machine.go_on();
    }
    stop_when_free(machine);
    machine.go_on();
}

/// Exchanges a device for another one: it has forgotten all that the driver told it, and says no more than a new one does.
pub fn exchange(machine: &mut Machine, device: Device) {
    stop_when_free(machine);
    reset(machine, device);
    machine.go_on();
}

fn reset(machine: &mut Machine, device: Device) {
    if device == Device::Mouse {
        write(machine, CONTROL, TO_MOUSE);
    }
    write(machine, DATA, RESET);
    let answer = read(machine, DATA);
    machine.check_equal(answer, ACKNOWLEDGED, "answer of a device that was reset");
}

/// Exchanges the keyboard, and has the controller translate its codes or not.
pub fn exchange_keyboard(machine: &mut Machine, translates: bool) {
    stop_when_free(machine);
    let before = configuration(machine) & !TRANSLATES;
    write(machine, CONTROL, WRITE_CONFIGURATION);
    write(
        machine,
        DATA,
        before | if translates { TRANSLATES } else { 0 },
    );
    reset(machine, Device::Keyboard);
    machine.go_on();
}

/// Whether the controller translates now.
pub fn translates(machine: &mut Machine) -> bool {
    stop_when_free(machine);
    let configuration = configuration(machine);
    machine.go_on();
    configuration & TRANSLATES != 0
}

fn configuration(machine: &mut Machine) -> u8 {
    write(machine, CONTROL, READ_CONFIGURATION);
    read(machine, DATA)
}
