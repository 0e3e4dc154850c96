//! What a person does at the desktop: keys that are seen to do something before the next is pressed, and programs started from the
//! launcher.

use crate::machine::Machine;

/// Pixels that the launcher changes at least.
const LAUNCHER: usize = 100_000;
/// Pixels that a large window changes at least, and the launcher does not.
const WINDOW: usize = 300_000;

impl Machine {
    /// Presses keys together and waits until they changed more than so many pixels of the screen.
    #[track_caller]
    pub fn press_and_see(&mut self, keys: &[&str], pixels: usize) {
        let before = self.picture();
        self.press(keys);
        self.wait_until(&format!("what {keys:?} does to the screen"), |machine| {
            let changed = machine.picture().changed_pixels(&before);
            changed.is_some_and(|changed| changed > pixels)
        });
    }

    /// Types what needs no modifiers. The keyboard controller keeps few keys, so each is seen on the screen before the next.
    #[track_caller]
    pub fn type_text(&mut self, text: &str) {
        for character in text.chars() {
            let mut letter = [0; 4];
            let key = match character {
                ' ' => "spc",
                '\n' => "ret",
                '.' => "dot",
                other => other.encode_utf8(&mut letter),
            };
            self.press_and_see(&[key], 0);
        }
    }

    /// Opens the launcher and has it start what is found by a word.
    #[track_caller]
    pub fn start_program(&mut self, word: &str) {
        self.press_and_see(&["meta_l"], LAUNCHER);
        self.type_text(word);
        self.type_text("\n");
    }

    /// The same for a program whose window is larger than the launcher, and waits until it is there.
    #[track_caller]
    pub fn start_program_and_see(&mut self, word: &str) {
        let before = self.picture();
        self.start_program(word);
        self.wait_until(&format!("the window of {word}"), |machine| {
            let changed = machine.picture().changed_pixels(&before);
            changed.is_some_and(|changed| changed > WINDOW)
        });
    }
}
