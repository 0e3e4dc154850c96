//! The 8042 controller and how its keyboard and mouse are turned on (IBM PS/2 Hardware Interface Technical Reference, keyboard and
//! auxiliary device controller; mouse: the same, and Microsoft's IntelliMouse protocol).

use crate::scancode::Set;

/// The controller's two ports.
pub trait Bus {
    /// Reads the status; all ones where nothing answers.
    fn status(&self) -> u8;
    /// Takes the byte that waits.
    fn take(&self) -> u8;
    /// Gives the controller a command.
    fn command(&self, command: u8);
    /// Gives it a byte: for the keyboard, or what the last command needs.
    fn give(&self, byte: u8);
    /// The time, nanoseconds.
    fn now_ns(&self) -> u64;
    /// Lets others run.
    fn pause(&self);
}

/// Why a device cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// There is no controller.
    Absent,
    /// It did not answer in time, or with something else than it must.
    Silent,
}

/// Status: a byte waits.
const OUTPUT_FULL: u8 = 1;
/// Status: the controller has not taken the last byte yet.
const INPUT_FULL: u8 = 1 << 1;
/// Status: the byte that waits is the mouse's.
const FROM_MOUSE: u8 = 1 << 5;
/// Status: the byte that waits came too late, or damaged.
const BAD: u8 = 0b1100_0000;
/// Status where there is no controller.
const NOTHING: u8 = 0xFF;

/// Commands to the controller.
mod command {
    pub const READ_CONFIGURATION: u8 = 0x20;
    pub const WRITE_CONFIGURATION: u8 = 0x60;
    pub const DISABLE_MOUSE: u8 = 0xA7;
    pub const ENABLE_MOUSE: u8 = 0xA8;
    pub const DISABLE_KEYBOARD: u8 = 0xAD;
    pub const ENABLE_KEYBOARD: u8 = 0xAE;
    pub const TO_MOUSE: u8 = 0xD4;
}

/// Configuration of the controller.
mod configuration {
    pub const KEYBOARD_INTERRUPT: u8 = 1;
    pub const MOUSE_INTERRUPT: u8 = 1 << 1;
    pub const KEYBOARD_OFF: u8 = 1 << 4;
    pub const MOUSE_OFF: u8 = 1 << 5;
    pub const TRANSLATE: u8 = 1 << 6;
}

/// Commands to keyboard and mouse.
mod device {
    pub const ENABLE: u8 = 0xF4;
    pub const SET_DEFAULTS: u8 = 0xF6;
    pub const SAMPLE_RATE: u8 = 0xF3;
    pub const IDENTIFY: u8 = 0xF2;
    pub const ACKNOWLEDGED: u8 = 0xFA;
    /// Number of a mouse with a wheel.
    pub const WHEEL: u8 = 3;
    /// Sample rates that turn the wheel on, in this order.
    pub const WHEEL_ON: [u8; 3] = [200, 100, 80];
}

/// Longest wait for the controller or a device.
const PATIENCE_NS: u64 = 20_000_000;
/// Most bytes that are dropped at once.
const MOST_DROPPED: usize = 64;

/// A byte that arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Arrived {
    /// From the keyboard.
    Keyboard(u8),
    /// From the mouse.
    Mouse(u8),
    /// One that is damaged, from the keyboard or (true) the mouse.
    Damaged(bool),
}

/// Most bytes of the keyboard that are kept while the mouse is turned on: it is held back then, but for one that was under way.
const MOST_KEPT: usize = 4;

/// The controller.
#[derive(Debug)]
pub struct Controller<B> {
    bus: B,
    /// What the keyboard sent while the mouse was turned on.
    kept: [u8; MOST_KEPT],
    kept_count: usize,
}

impl<B: Bus> Controller<B> {
    /// Sets the controller up, with its interrupts on, both devices still silent.
    ///
    /// # Errors
    /// When there is none or it does not answer.
    pub fn start(bus: B, with_mouse: bool) -> Result<Self, Fault> {
        use configuration::*;
        let mut controller = Self {
            bus,
            kept: [0; MOST_KEPT],
            kept_count: 0,
        };
        if controller.bus.status() == NOTHING {
            return Err(Fault::Absent);
        }
        controller.command(command::DISABLE_MOUSE)?;
        let before = controller.configuration()? & !(MOUSE_INTERRUPT | KEYBOARD_OFF | MOUSE_OFF);
        let mouse = if with_mouse {
            MOUSE_INTERRUPT
        } else {
            MOUSE_OFF
        };
        controller.command(command::WRITE_CONFIGURATION)?;
        controller.give(before | KEYBOARD_INTERRUPT | TRANSLATE | mouse)?;
        controller.command(command::ENABLE_KEYBOARD)?;
        if with_mouse {
            controller.command(command::ENABLE_MOUSE)?;
        }
        Ok(controller)
    }

    /// Has a keyboard that is new send what is typed. Tells by which set: the controller translates, unless it cannot or was told otherwise
    /// meanwhile.
    pub fn enable_keyboard(&mut self) -> Set {
        // Its acknowledgement is no scan code. Without a keyboard there is none.
        if self.give(device::ENABLE).is_ok() {
            let _ = self.read(false);
        }
        let set = match self.configuration() {
            Ok(now) if now & configuration::TRANSLATE == 0 => Set::Two,
            _ => Set::One,
        };
        // What came meanwhile is dropped, so that the next byte makes an interrupt.
        self.drop_output();
        set
    }

    /// How the controller is set up.
    fn configuration(&mut self) -> Result<u8, Fault> {
        // A scan code would be taken for the answer.
        self.command(command::DISABLE_KEYBOARD)?;
        self.drop_output();
        let answer = self
            .command(command::READ_CONFIGURATION)
            .and_then(|()| self.read(false));
        self.command(command::ENABLE_KEYBOARD)?;
        answer
    }

    /// Has the mouse send what it does. Tells whether it has a wheel.
    ///
    /// # Errors
    /// When there is none or it does not answer.
    pub fn enable_mouse(&mut self) -> Result<bool, Fault> {
        // The keyboard keeps to itself what is typed meanwhile.
        self.command(command::DISABLE_KEYBOARD)?;
        let wheel = self.set_mouse_up();
        self.keep_keys();
        self.command(command::ENABLE_KEYBOARD)?;
        wheel
    }

    fn set_mouse_up(&mut self) -> Result<bool, Fault> {
        self.keep_keys();
        self.tell_mouse(device::SET_DEFAULTS)?;
        for rate in device::WHEEL_ON {
            self.tell_mouse(device::SAMPLE_RATE)?;
            self.tell_mouse(rate)?;
        }
        self.tell_mouse(device::IDENTIFY)?;
        let wheel = self.read(true)? == device::WHEEL;
        self.tell_mouse(device::ENABLE)?;
        Ok(wheel)
    }

    /// Gives the mouse a byte, which it must acknowledge.
    fn tell_mouse(&self, byte: u8) -> Result<(), Fault> {
        self.command(command::TO_MOUSE)?;
        self.give(byte)?;
        match self.read(true)? {
            device::ACKNOWLEDGED => Ok(()),
            _ => Err(Fault::Silent),
        }
    }

    /// The next byte that waits.
    pub fn take(&mut self) -> Option<Arrived> {
        if self.kept_count > 0 {
            self.kept_count -= 1;
            let [first, rest @ ..] = self.kept;
            self.kept[..MOST_KEPT - 1].copy_from_slice(&rest);
            return Some(Arrived::Keyboard(first));
        }
        self.waiting()
    }

    /// The next byte that waits in the controller.
    fn waiting(&self) -> Option<Arrived> {
        let status = self.bus.status();
        if status & OUTPUT_FULL == 0 || status == NOTHING {
            return None;
        }
        let byte = self.bus.take();
        let mouse = status & FROM_MOUSE != 0;
        Some(match mouse {
            _ if status & BAD != 0 => Arrived::Damaged(mouse),
            true => Arrived::Mouse(byte),
            false => Arrived::Keyboard(byte),
        })
    }

    /// Waits until bits of the status are as wanted.
    fn wait(&self, mask: u8, wanted: u8) -> Result<(), Fault> {
        let deadline_ns = self.bus.now_ns().saturating_add(PATIENCE_NS);
        while self.bus.status() & mask != wanted {
            if self.bus.now_ns() > deadline_ns {
                return Err(Fault::Silent);
            }
            self.bus.pause();
        }
        Ok(())
    }

    fn command(&self, command: u8) -> Result<(), Fault> {
        self.wait(INPUT_FULL, 0)?;
        self.bus.command(command);
        Ok(())
    }

    fn give(&self, byte: u8) -> Result<(), Fault> {
        self.wait(INPUT_FULL, 0)?;
        self.bus.give(byte);
        Ok(())
    }

    /// Waits for a byte of the mouse, or of the keyboard or the controller itself. What the other one sends is dropped.
    fn read(&self, of_mouse: bool) -> Result<u8, Fault> {
        for _ in 0..MOST_DROPPED {
            self.wait(OUTPUT_FULL, OUTPUT_FULL)?;
            let from_mouse = self.bus.status() & FROM_MOUSE != 0;
            let byte = self.bus.take();
            if from_mouse == of_mouse {
                return Ok(byte);
            }
        }
        Err(Fault::Silent)
    }

    /// Drops all that was sent.
    fn drop_output(&mut self) {
        self.kept_count = 0;
        for _ in 0..MOST_DROPPED {
            if self.waiting().is_none() {
                break;
            }
        }
    }

    /// Drops what the mouse sent, and keeps what the keyboard did.
    fn keep_keys(&mut self) {
        for _ in 0..MOST_DROPPED {
            match self.waiting() {
                Some(Arrived::Keyboard(byte)) => {
                    if let Some(slot) = self.kept.get_mut(self.kept_count) {
                        *slot = byte;
                        self.kept_count += 1;
                    }
                }
                Some(_) => {}
                None => break,
            }
        }
    }
}

#[cfg(test)]
mod tests;
