//! The PS/2 keyboard.

use console::keys::Keyboard;
use nonos_input::controller::{Arrived, Controller};
use nonos_input::hardware::Hardware;
use nonos_proto::{CallError, Refusal};
use nonos_rt::object::{Interrupt, Notification};
use nonos_rt::parent;

/// Most bytes taken at once.
const MOST_AT_ONCE: usize = 64;

/// The controller with its keyboard.
pub struct Ps2 {
    controller: Controller<Hardware>,
    interrupt: Interrupt,
    keyboard: Keyboard,
    signals: Notification,
    bits: u64,
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
        let mut controller = Controller::start(Hardware { data, control }, false)
            .map_err(|_| CallError::Refused(Refusal::NoSuchDevice))?;
        let bound = interrupt.bind(signals, bits);
        bound.map_err(CallError::Unreachable)?;
        let set = controller.enable_keyboard();
        Ok(Self {
            controller,
            interrupt,
            keyboard: Keyboard::new(set),
            signals: signals.to_send().map_err(CallError::Unreachable)?,
            bits,
        })
    }

    /// Takes the bytes that arrived and tells what was typed. For the order see `Serial::interrupted`.
    pub fn receive(&mut self, typed: &mut impl FnMut(&[u8])) {
        let _ = self.interrupt.acknowledge();
        for _ in 0..MOST_AT_ONCE {
            match self.controller.take() {
                Some(Arrived::Keyboard(byte)) => {
                    if self.keyboard.feed(byte, typed) {
                        self.keyboard = Keyboard::new(self.controller.enable_keyboard());
                    }
                }
                Some(Arrived::Damaged(_)) => self.keyboard.reset(),
                Some(Arrived::Mouse(_)) => {}
                None => return,
            }
        }
        // An edge comes only after everything was taken.
        let _ = self.signals.signal(self.bits);
    }
}
