//! The driver of the PS/2 controller: tells the compositor what keyboard and mouse do, see `nonos_proto::input`.
//!
//! All that is known of the devices is in `nonos_input`. Devices that are plugged in later are turned on then. However much they send,
//! the compositor is called once for each key and at most once for each change of buttons.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use nonos_input::controller::{Arrived, Controller};
use nonos_input::hardware::Hardware;
use nonos_input::mouse::{self, Joined, Motion};
use nonos_input::scancode;
use nonos_proto::input::Client;
use nonos_proto::{CallError, Refusal};
use nonos_rt::abi::Error;
use nonos_rt::object::{Endpoint, Interrupt, Notification};
use nonos_rt::{log, parent, syscall};

nonos_rt::entry!(main);

/// The devices have something to say.
const ARRIVED: u64 = 1;

/// When nothing came for so long, what comes next begins something new, nanoseconds: the bytes of a packet or a code follow within
/// milliseconds, and a device that is plugged in tests itself for longer.
const REST_NS: u64 = 400_000_000;

/// Most bytes that are read before the compositor is told of them.
const MOST_AT_ONCE: usize = 256;

fn main() -> u64 {
    nonos_rt::service::main(run)
}

fn run() -> Result<Error, CallError> {
    let ports = parent::ps2()?;
    let input = Client(parent::connect("input")?);
    let signals = Notification::create().map_err(CallError::Unreachable)?;
    let hardware = Hardware {
        data: ports.data,
        control: ports.control,
    };
    let mut controller =
        Controller::start(hardware, true).map_err(|_| CallError::Refused(Refusal::NoSuchDevice))?;
    let interrupts = [ports.keyboard, ports.mouse];
    for interrupt in &interrupts {
        interrupt
            .bind(&signals, ARRIVED)
            .map_err(CallError::Unreachable)?;
    }
    let set = controller.enable_keyboard();
    let mut driver = Driver {
        controller,
        interrupts,
        heard_ns: 0,
        keyboard: scancode::Decoder::new(set),
        mouse: mouse::Decoder::new(false),
        motion: Joined::default(),
        input,
    };
    driver.enable_mouse();
    loop {
        if let Err(error) = signals.wait() {
            return Ok(error);
        }
        if driver.receive()? {
            // An edge comes only after everything was taken.
            signals.signal(ARRIVED).map_err(CallError::Unreachable)?;
        }
    }
}

struct Driver {
    controller: Controller<Hardware>,
    interrupts: [Interrupt; 2],
    /// When a byte came last.
    heard_ns: u64,
    keyboard: scancode::Decoder,
    mouse: mouse::Decoder,
    /// What of the mouse the compositor was not told yet.
    motion: Joined,
    input: Client<Endpoint>,
}

impl Driver {
    fn enable_mouse(&mut self) {
        match self.controller.enable_mouse() {
            Ok(wheel) => self.mouse = mouse::Decoder::new(wheel),
            Err(_) => log!("no mouse"),
        }
    }

    /// Tells the compositor of what arrived. Returns whether there is more.
    ///
    /// The lines are let through first: an edge that comes while a line is masked is lost.
    fn receive(&mut self) -> Result<bool, CallError> {
        for interrupt in &self.interrupts {
            let _ = interrupt.acknowledge();
        }
        let now_ns = syscall::clock_ns();
        if now_ns.saturating_sub(self.heard_ns) > REST_NS {
            self.keyboard.abandon();
            self.mouse.reset();
        }
        for _ in 0..MOST_AT_ONCE {
            match self.controller.take() {
                Some(Arrived::Keyboard(byte)) => self.take_key(byte)?,
                Some(Arrived::Mouse(byte)) => self.take_motion(byte)?,
                Some(Arrived::Damaged(false)) => {
                    self.keyboard.reset();
                    self.input.keyboard_reset()?;
                }
                Some(Arrived::Damaged(true)) => self.mouse.reset(),
                None => {
                    self.tell_rest()?;
                    return Ok(false);
                }
            }
            self.heard_ns = now_ns;
        }
        self.tell_rest()?;
        Ok(true)
    }

    fn take_key(&mut self, byte: u8) -> Result<(), CallError> {
        match self.keyboard.feed(byte) {
            Some(scancode::Event::Key(usage, state)) => {
                // In the order in which the user did it.
                self.tell_rest()?;
                self.input.key(usage.into(), state)
            }
            Some(scancode::Event::Plugged) => {
                self.keyboard = scancode::Decoder::new(self.controller.enable_keyboard());
                self.input.keyboard_reset()
            }
            Some(scancode::Event::Lost) => self.input.keyboard_reset(),
            None => Ok(()),
        }
    }

    fn take_motion(&mut self, byte: u8) -> Result<(), CallError> {
        match self.mouse.feed(byte) {
            Some(mouse::Event::Motion(motion)) => self.tell_in_time(motion),
            Some(mouse::Event::Plugged) => {
                // No button of the one before is down.
                self.tell_in_time(Motion::default())?;
                self.enable_mouse();
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Tells the compositor of a motion, or keeps it for when there is more.
    fn tell_in_time(&mut self, motion: Motion) -> Result<(), CallError> {
        let now = self.motion.add(motion);
        now.into_iter()
            .flatten()
            .try_for_each(|motion| self.tell(motion))
    }

    /// Tells the compositor what of the mouse's motion it was not told yet.
    fn tell_rest(&mut self) -> Result<(), CallError> {
        match self.motion.take() {
            Some(motion) => self.tell(motion),
            None => Ok(()),
        }
    }

    fn tell(&self, motion: Motion) -> Result<(), CallError> {
        let Motion {
            right,
            down,
            wheel,
            buttons,
        } = motion;
        self.input
            .pointer(right as u64, down as u64, wheel as u64, buttons)
    }
}
