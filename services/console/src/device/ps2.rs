//! The PS/2 controller (8042) and its keyboard (IBM PS/2 Hardware Interface Technical Reference).

use console::keys::Keyboard;
use nonos_proto::CallError;
use nonos_rt::abi::Error;
use nonos_rt::object::{Interrupt, Notification, Ports};
use nonos_rt::{parent, syscall};

/// Data port.
const DATA: u16 = 0x60;
/// Status (read) and command (write) port.
const CONTROL: u16 = 0x64;

/// Status: there is a byte to read.
const OUTPUT_FULL: u8 = 1;
/// Status: the controller has not taken the last byte yet.
const INPUT_FULL: u8 = 1 << 1;
/// Status: the byte to read is the mouse's.
const FROM_MOUSE: u8 = 1 << 5;

/// Commands.
const READ_CONFIGURATION: u8 = 0x20;
const WRITE_CONFIGURATION: u8 = 0x60;
const DISABLE_MOUSE: u8 = 0xA7;
const DISABLE_KEYBOARD: u8 = 0xAD;
const ENABLE_KEYBOARD: u8 = 0xAE;
/// To the keyboard: send what is typed.
const ENABLE_SCANNING: u8 = 0xF4;

/// Configuration: interrupt of the keyboard.
const KEYBOARD_INTERRUPT: u8 = 1;
/// Configuration: interrupt of the mouse.
const MOUSE_INTERRUPT: u8 = 1 << 1;
/// Configuration: the keyboard's clock is off.
const KEYBOARD_OFF: u8 = 1 << 4;
/// Configuration: the mouse's clock is off.
const MOUSE_OFF: u8 = 1 << 5;
/// Configuration: translate to scan code set 1.
const TRANSLATE: u8 = 1 << 6;

/// Longest wait for the controller.
const PATIENCE_NS: u64 = 20_000_000;
/// Most bytes taken at once.
const MOST_AT_ONCE: usize = 64;

/// The controller with its keyboard.
pub struct Ps2 {
    data: Ports,
    control: Ports,
    interrupt: Interrupt,
    keyboard: Keyboard,
}

impl Ps2 {
    /// Sets controller and keyboard up and has the keyboard's interrupts signalled.
    pub fn start(signals: &Notification, bits: u64) -> Result<Self, CallError> {
        let parent::Ps2 {
            data,
            control,
            keyboard: interrupt,
            ..
        } = parent::ps2()?;
        let ps2 = Self {
            data,
            control,
            interrupt,
            keyboard: Keyboard::new(),
        };
        ps2.set_up(signals, bits).map_err(CallError::Unreachable)?;
        Ok(ps2)
    }

    fn set_up(&self, signals: &Notification, bits: u64) -> Result<(), Error> {
        // A bus without a controller reads as all ones.
        if self.control.read(CONTROL)? == 0xFF {
            return Err(Error::NotSupported);
        }
        self.command(DISABLE_KEYBOARD)?;
        self.command(DISABLE_MOUSE)?;
        self.drop_output()?;
        self.command(READ_CONFIGURATION)?;
        let configuration = self.read()? & !(MOUSE_INTERRUPT | KEYBOARD_OFF);
        let wanted = configuration | KEYBOARD_INTERRUPT | TRANSLATE | MOUSE_OFF;
        self.command(WRITE_CONFIGURATION)?;
        self.send(wanted)?;
        self.command(ENABLE_KEYBOARD)?;
        self.send(ENABLE_SCANNING)?;
        self.interrupt.bind(signals, bits)?;
        // The keyboard's acknowledgement (0xFA) is no scan code and types nothing; reading it here makes
        // sure that the next byte raises an edge.
        let _ = self.read();
        self.drop_output()
    }

    /// Takes the bytes that arrived and tells what was typed. For the order see `Serial::interrupted`.
    pub fn receive(&mut self, typed: &mut impl FnMut(&[u8])) {
        let _ = self.interrupt.acknowledge();
        for _ in 0..MOST_AT_ONCE {
            let Ok(status) = self.control.read(CONTROL) else {
                return;
            };
            if status & OUTPUT_FULL == 0 || status == 0xFF {
                return;
            }
            let Ok(byte) = self.data.read(DATA) else {
                return;
            };
            if status & FROM_MOUSE == 0 {
                self.keyboard.feed(byte, typed);
            }
        }
    }

    /// Waits until bits of the status are as wanted.
    fn wait(&self, mask: u8, wanted: u8) -> Result<(), Error> {
        let deadline_ns = syscall::clock_ns() + PATIENCE_NS;
        while self.control.read(CONTROL)? & mask != wanted {
            if syscall::clock_ns() > deadline_ns {
                return Err(Error::NotSupported);
            }
            syscall::yield_now();
        }
        Ok(())
    }

    fn command(&self, command: u8) -> Result<(), Error> {
        self.wait(INPUT_FULL, 0)?;
        self.control.write(CONTROL, command)
    }

    fn send(&self, byte: u8) -> Result<(), Error> {
        self.wait(INPUT_FULL, 0)?;
        self.data.write(DATA, byte)
    }

    fn read(&self) -> Result<u8, Error> {
        self.wait(OUTPUT_FULL, OUTPUT_FULL)?;
        self.data.read(DATA)
    }

    /// Drops what the controller still holds.
    fn drop_output(&self) -> Result<(), Error> {
        for _ in 0..MOST_AT_ONCE {
            if self.control.read(CONTROL)? & OUTPUT_FULL == 0 {
                break;
            }
            self.data.read(DATA)?;
        }
        Ok(())
    }
}
