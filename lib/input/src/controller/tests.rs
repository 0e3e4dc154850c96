use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use super::*;

/// A controller with devices, as far as the driver can tell.
#[derive(Default)]
struct Machine {
    output: RefCell<VecDeque<(bool, u8)>>,
    configuration: Cell<u8>,
    awaits: Cell<u8>,
    rates: RefCell<Vec<u8>>,
    told: RefCell<Vec<(bool, u8)>>,
    time: Cell<u64>,
    translates: bool,
    mouse: bool,
    wheel: bool,
    absent: bool,
}

impl Machine {
    fn pc() -> Self {
        Self {
            translates: true,
            mouse: true,
            wheel: true,
            ..Self::default()
        }
    }

    fn answer(&self, mouse: bool, byte: u8) {
        self.output.borrow_mut().push_back((mouse, byte));
    }
}

impl Bus for &Machine {
    fn status(&self) -> u8 {
        if self.absent {
            return NOTHING;
        }
        self.output.borrow().front().map_or(0, |&(mouse, _)| {
            OUTPUT_FULL | if mouse { FROM_MOUSE } else { 0 }
        })
    }

    fn take(&self) -> u8 {
        self.output
            .borrow_mut()
            .pop_front()
            .map_or(0, |(_, byte)| byte)
    }

    fn command(&self, command: u8) {
        match command {
            command::READ_CONFIGURATION => self.answer(false, self.configuration.get()),
            _ => self.awaits.set(command),
        }
    }

    fn give(&self, byte: u8) {
        match self.awaits.replace(0) {
            command::WRITE_CONFIGURATION => {
                let kept = if self.translates {
                    0xFF
                } else {
                    !configuration::TRANSLATE
                };
                self.configuration.set(byte & kept);
            }
            command::TO_MOUSE if !self.mouse => {}
            command::TO_MOUSE => {
                self.told.borrow_mut().push((true, byte));
                self.answer(true, device::ACKNOWLEDGED);
                self.rates.borrow_mut().push(byte);
                if byte == device::IDENTIFY {
                    let knocked = self
                        .rates
                        .borrow()
                        .ends_with(&[0xF3, 200, 0xF3, 100, 0xF3, 80, 0xF2]);
                    self.answer(true, if self.wheel && knocked { 3 } else { 0 });
                }
            }
            _ => {
                self.told.borrow_mut().push((false, byte));
                self.answer(false, device::ACKNOWLEDGED);
            }
        }
    }

    fn now_ns(&self) -> u64 {
        self.time.replace(self.time.get() + 1_000_000)
    }

    fn pause(&self) {}
}

#[test]
fn keyboard_and_mouse_with_wheel_are_turned_on_and_nothing_is_left_over() {
    let machine = Machine::pc();
    machine.answer(false, 0x1E);
    let mut controller = Controller::start(&machine, true).unwrap();
    assert_eq!(controller.enable_keyboard(), Set::One);
    assert_eq!(controller.enable_mouse(), Ok(true));
    assert_eq!(controller.take(), None);
    let configuration = machine.configuration.get();
    assert_eq!(
        configuration & 0b11_0011,
        0b11,
        "both interrupts, both clocks"
    );
    assert!(machine.told.borrow().contains(&(false, device::ENABLE)));
    assert_eq!(machine.told.borrow().last(), Some(&(true, device::ENABLE)));
}

#[test]
fn what_is_missing_is_told() {
    let machine = Machine {
        absent: true,
        ..Machine::pc()
    };
    assert_eq!(Controller::start(&machine, true).err(), Some(Fault::Absent));
    let machine = Machine {
        mouse: false,
        ..Machine::pc()
    };
    let mut controller = Controller::start(&machine, true).unwrap();
    assert_eq!(controller.enable_mouse(), Err(Fault::Silent));
    let machine = Machine {
        wheel: false,
        translates: false,
        ..Machine::pc()
    };
    let mut controller = Controller::start(&machine, true).unwrap();
    assert_eq!(controller.enable_keyboard(), Set::Two);
    assert_eq!(controller.enable_mouse(), Ok(false));
}

#[test]
fn bytes_are_told_apart() {
    let machine = Machine::pc();
    let mut controller = Controller::start(&machine, false).unwrap();
    machine.answer(false, 0x1E);
    machine.answer(true, 0x08);
    assert_eq!(controller.take(), Some(Arrived::Keyboard(0x1E)));
    assert_eq!(controller.take(), Some(Arrived::Mouse(0x08)));
    assert_eq!(controller.take(), None);
}

#[test]
fn the_set_is_that_of_the_controller_when_a_keyboard_is_plugged_in() {
    let machine = Machine::pc();
    let mut controller = Controller::start(&machine, true).unwrap();
    let before = machine.configuration.get();
    machine
        .configuration
        .set(before & !configuration::TRANSLATE);
    // The mouse is no answer of the controller's, and none of the keyboard's.
    machine.answer(true, 0xFF);
    assert_eq!(controller.enable_keyboard(), Set::Two);
    assert_eq!(controller.take(), None);
}

#[test]
fn a_key_that_is_pressed_while_the_mouse_is_turned_on_is_not_lost() {
    let machine = Machine::pc();
    let mut controller = Controller::start(&machine, true).unwrap();
    for byte in [0x1E, 0x9E] {
        machine.answer(false, byte);
    }
    machine.answer(true, 0x08);
    assert_eq!(controller.enable_mouse(), Ok(true));
    assert_eq!(controller.take(), Some(Arrived::Keyboard(0x1E)));
    assert_eq!(controller.take(), Some(Arrived::Keyboard(0x9E)));
    assert_eq!(controller.take(), None);
    // There is room for no more than can come.
    (0..9).for_each(|byte| machine.answer(false, byte));
    assert_eq!(controller.enable_mouse(), Ok(true));
    let kept = core::iter::from_fn(|| controller.take());
    assert!(kept.eq((0..4).map(Arrived::Keyboard)));
}
