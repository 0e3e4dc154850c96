//! The 8042 controller and how its keyboard and mouse are turned on (IBM PS/2 Hardware Interface Technical Reference, keyboard and
//! auxiliary device controller; mouse: the same, and Microsoft's IntelliMouse protocol).

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

/// The controller.
#[derive(Debug)]
pub struct Controller<B>(B);

impl<B: Bus> Controller<B> {
    /// Sets the controller up, with its interrupts on, both devices still silent. Tells whether it translates to scan code set 1.
    ///
    /// # Errors
    /// When there is none or it does not answer.
    pub fn start(bus: B, with_mouse: bool) -> Result<(Self, bool), Fault> {
        use configuration::*;
        let controller = Self(bus);
        if controller.0.status() == NOTHING {
            return Err(Fault::Absent);
        }
        controller.command(command::DISABLE_KEYBOARD)?;
        controller.command(command::DISABLE_MOUSE)?;
        controller.drop_output();
        controller.command(command::READ_CONFIGURATION)?;
        let before = controller.read()? & !(MOUSE_INTERRUPT | KEYBOARD_OFF | MOUSE_OFF);
        let mouse = if with_mouse {
            MOUSE_INTERRUPT
        } else {
            MOUSE_OFF
        };
        controller.command(command::WRITE_CONFIGURATION)?;
        controller.give(before | KEYBOARD_INTERRUPT | TRANSLATE | mouse)?;
        controller.command(command::READ_CONFIGURATION)?;
        let translates = controller.read()? & TRANSLATE != 0;
        controller.command(command::ENABLE_KEYBOARD)?;
        if with_mouse {
            controller.command(command::ENABLE_MOUSE)?;
        }
        Ok((controller, translates))
    }

    /// Has the keyboard send what is typed.
    pub fn enable_keyboard(&self) {
        // Its acknowledgement is no scan code. Without a keyboard there is none.
        if self.give(device::ENABLE).is_ok() {
            let _ = self.read();
        }
        // What came meanwhile is dropped, so that the next byte makes an interrupt.
        self.drop_output();
    }

    /// Has the mouse send what it does. Tells whether it has a wheel.
    ///
    /// # Errors
    /// When there is none or it does not answer.
    pub fn enable_mouse(&self) -> Result<bool, Fault> {
        // The keyboard keeps to itself what is typed meanwhile.
        self.command(command::DISABLE_KEYBOARD)?;
        let wheel = self.set_mouse_up();
        self.drop_output();
        self.command(command::ENABLE_KEYBOARD)?;
        wheel
    }

    fn set_mouse_up(&self) -> Result<bool, Fault> {
        self.drop_output();
        self.tell_mouse(device::SET_DEFAULTS)?;
        for rate in device::WHEEL_ON {
            self.tell_mouse(device::SAMPLE_RATE)?;
            self.tell_mouse(rate)?;
        }
        self.tell_mouse(device::IDENTIFY)?;
        let wheel = self.read()? == device::WHEEL;
        self.tell_mouse(device::ENABLE)?;
        Ok(wheel)
    }

    /// Gives the mouse a byte, which it must acknowledge.
    fn tell_mouse(&self, byte: u8) -> Result<(), Fault> {
        self.command(command::TO_MOUSE)?;
        self.give(byte)?;
        match self.read()? {
            device::ACKNOWLEDGED => Ok(()),
            _ => Err(Fault::Silent),
        }
    }

    /// The next byte that waits.
    pub fn next(&self) -> Option<Arrived> {
        let status = self.0.status();
        if status & OUTPUT_FULL == 0 || status == NOTHING {
            return None;
        }
        let byte = self.0.take();
        let mouse = status & FROM_MOUSE != 0;
        Some(match mouse {
            _ if status & BAD != 0 => Arrived::Damaged(mouse),
            true => Arrived::Mouse(byte),
            false => Arrived::Keyboard(byte),
        })
    }

    /// Waits until bits of the status are as wanted.
    fn wait(&self, mask: u8, wanted: u8) -> Result<(), Fault> {
        let deadline_ns = self.0.now_ns().saturating_add(PATIENCE_NS);
        while self.0.status() & mask != wanted {
            if self.0.now_ns() > deadline_ns {
                return Err(Fault::Silent);
            }
            self.0.pause();
        }
        Ok(())
    }

    fn command(&self, command: u8) -> Result<(), Fault> {
        self.wait(INPUT_FULL, 0)?;
        self.0.command(command);
        Ok(())
    }

    fn give(&self, byte: u8) -> Result<(), Fault> {
        self.wait(INPUT_FULL, 0)?;
        self.0.give(byte);
        Ok(())
    }

    fn read(&self) -> Result<u8, Fault> {
        self.wait(OUTPUT_FULL, OUTPUT_FULL)?;
        Ok(self.0.take())
    }

    /// Drops what the controller still holds.
    fn drop_output(&self) {
        for _ in 0..MOST_DROPPED {
            if self.next().is_none() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests;
