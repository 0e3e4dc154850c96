//! Attempts that are made again and again while another window has the keyboard.

use core::sync::atomic::Ordering;

use desktop_clients::Window;
use nonos_proto::display::Rect;
use nonos_proto::{CallError, Refusal, powerbox};
use nonos_rt::parent;

use crate::{COLOR, Hostile, at_once};

/// What is attempted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Nothing but to listen.
    Listen,
    /// To copy and paste.
    Clipboard,
    /// To get the keyboard back, with new windows and the first one.
    Focus,
    /// To find what others drew in surfaces that are new.
    Pixels,
    /// To take what the user gives another program.
    Answers,
}

/// After so many tries it says how many they were.
const SAID: u64 = 50;

impl Kind {
    /// The kind that a letter stands for.
    pub fn of(letter: char) -> Option<Self> {
        Some(match letter {
            'k' => Self::Listen,
            'c' => Self::Clipboard,
            'f' => Self::Focus,
            'w' => Self::Pixels,
            'g' => Self::Answers,
            _ => return None,
        })
    }
}

impl Hostile {
    /// Tries once.
    pub fn again(&mut self, kind: Kind) -> Result<(), CallError> {
        match kind {
            Kind::Listen => self.desk.present(&self.window)?,
            Kind::Clipboard => self.copy_and_paste(),
            Kind::Focus => self.open_again()?,
            Kind::Pixels => self.look_for_pixels()?,
            Kind::Answers => self.take_answers(),
        }
        self.tries += 1;
        if self.tries.is_multiple_of(SAID) {
            let tries = self.tries;
            self.desk.say(format_args!("hostile: {tries} tries"));
        }
        Ok(())
    }

    /// Says that an attempt succeeded, unless it was refused like this.
    fn expect<T>(&mut self, what: &str, result: Result<T, CallError>, refusal: Refusal) {
        if result.err() != Some(CallError::Refused(refusal)) {
            self.desk.say(format_args!("ATTACK SUCCEEDED: {what}"));
        }
    }

    fn copy_and_paste(&mut self) {
        let mut out = [0; 64];
        let pasted = self.desk.display.paste(&mut out);
        self.expect("pasting", pasted, Refusal::NotAskedByUser);
        let copied = self.desk.display.copy(b"sudo");
        self.expect("copying", copied, Refusal::NotAskedByUser);
    }

    /// A window after another, also as the only one that it has.
    fn open_again(&mut self) -> Result<(), CallError> {
        at_once::to_be_the_desktop(&mut self.desk, self.window.surface.window, false);
        let second = self.desk.open(200, 100, "me", COLOR)?;
        self.desk
            .display
            .title(second.surface.window, b"look at me")?;
        self.desk.display.close(second.surface.window)?;
        self.desk.display.close(self.window.surface.window)?;
        self.window = self.desk.open(240, 120, "hostile", COLOR)?;
        Ok(())
    }

    fn look_for_pixels(&mut self) -> Result<(), CallError> {
        at_once::to_touch_windows_of_others(&mut self.desk, self.window.surface.window);
        let surface = self.desk.display.open(360, 240, b"")?;
        let window = Window::new(surface)?;
        let mut words = window.pixels.words().iter();
        if words.any(|word| word.load(Ordering::Relaxed) != 0) {
            self.desk
                .say(format_args!("ATTACK SUCCEEDED: pixels of another"));
        }
        let beyond = Rect {
            left: u16::MAX,
            top: u16::MAX,
            width: u16::MAX,
            height: u16::MAX,
        };
        let display = &self.desk.display;
        display.present(window.surface.window, beyond.word(), beyond.word())?;
        self.desk.display.close(window.surface.window)
    }

    fn take_answers(&mut self) {
        let Ok(endpoint) = parent::connect("powerbox") else {
            return;
        };
        let power_box = powerbox::Client(endpoint);
        let mut name = [0; 256];
        for request in 0..16 {
            let answer = power_box.answer(request, &mut name);
            self.expect("the answer to another", answer, Refusal::NotStored);
        }
    }
}
