//! What the locked screen shows: a field for the passphrase, or that none is set.
//!
//! What is typed is kept in one place, shown as dots alone, and wiped when it was tried and when this goes.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::boxed::Box;
use alloc::string::String;

use nonos_proto::usage;
use nonos_proto::vault::LONGEST_PASSPHRASE;
use nonos_ui::input::Key;
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::Kind;
use nonos_ui::{App, Icon, Rect, Ui};
use zeroize::Zeroize;

/// What unlocks.
pub trait Unlock {
    /// Whether it takes a passphrase.
    fn needs_passphrase(&self) -> bool;

    /// Tries a passphrase, empty when none is needed.
    ///
    /// # Errors
    /// Why not, for a person.
    fn unlock(&mut self, passphrase: &[u8]) -> Result<(), String>;
}

/// What was typed, in one place that never moves.
struct Typed {
    bytes: Box<[u8; LONGEST_PASSPHRASE]>,
    length: usize,
}

impl Typed {
    fn new() -> Self {
        let bytes = Box::new([0; LONGEST_PASSPHRASE]);
        Self { bytes, length: 0 }
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// How many letters.
    fn letters(&self) -> usize {
        let begins = |byte: &&u8| **byte & 0xC0 != 0x80;
        self.as_slice().iter().filter(begins).count()
    }

    /// Takes a key; whether it was for this.
    fn key(&mut self, key: &Key) -> bool {
        match (key.usage, key.text()) {
            (usage::BACKSPACE, _) => {
                while let Some(last) = self.length.checked_sub(1) {
                    self.length = last;
                    let byte = core::mem::take(&mut self.bytes[last]);
                    if byte & 0xC0 != 0x80 {
                        break;
                    }
                }
            }
            (_, Some(letter)) => {
                let end = self.length + letter.len_utf8();
                if let Some(room) = self.bytes.get_mut(self.length..end) {
                    letter.encode_utf8(room);
                    self.length = end;
                }
            }
            _ => return false,
        }
        true
    }

    fn wipe(&mut self) {
        self.bytes.zeroize();
        self.length = 0;
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        self.wipe();
    }
}

/// The locked screen's window.
pub struct Locked<U> {
    vault: U,
    typed: Typed,
    trouble: Option<String>,
    /// Whether it is unlocked.
    pub open: bool,
}

impl<U: Unlock> Locked<U> {
    /// Nothing was typed yet.
    pub fn new(vault: U) -> Self {
        Self {
            vault,
            typed: Typed::new(),
            trouble: None,
            open: false,
        }
    }

    fn submit(&mut self) {
        let needs = self.vault.needs_passphrase();
        if needs != self.typed.as_slice().is_empty() {
            match self.vault.unlock(self.typed.as_slice()) {
                Ok(()) => self.open = true,
                Err(trouble) => self.trouble = Some(trouble),
            }
        }
        self.typed.wipe();
    }

    fn field(&self, ui: &mut Ui<'_>, rect: Rect, focused: bool) {
        let theme = ui.theme;
        ui.rounded(rect, space::RADIUS, theme.surface);
        let (line, color) = if focused {
            (2, theme.ring)
        } else {
            (1, theme.border)
        };
        ui.outline(rect, space::RADIUS, line, color);
        let letters = self.typed.letters() as i32;
        if letters == 0 {
            let color = theme.secondary;
            let inner = rect.inset(space::MEDIUM, 0);
            ui.text(inner, font::BODY, Align::Left, "Passphrase", color);
        }
        let (step, size) = (14, 8);
        let room = (rect.width - 2 * space::MEDIUM) / step;
        for index in 0..letters.min(room) {
            let x = rect.x + space::MEDIUM + index * step;
            let dot = Rect::new(x, rect.y + (rect.height - size) / 2, size, size);
            ui.rounded(dot, size / 2, theme.text);
        }
    }
}

impl<U: Unlock> App for Locked<U> {
    fn title(&self) -> &str {
        "Locked"
    }

    fn size(&self) -> (i32, i32) {
        (360, 260)
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut area = ui.size().inset(space::MARGIN * 2, space::MARGIN + 4);
        let icon = area.cut_top(48, space::SMALL);
        ui.icon(icon, Icon::Lock, 36, ui.theme.accent_text);
        let heading = area.cut_top(28, 2);
        let color = ui.theme.text;
        ui.text(
            heading,
            font::HEADING,
            Align::Centre,
            "NØNOS is locked",
            color,
        );
        let note = area.cut_top(20, space::MEDIUM);
        let needs = self.vault.needs_passphrase();
        let usual = match needs {
            true => "The passphrase of the vault unlocks it.",
            false => "No passphrase is set: Enter unlocks it.",
        };
        let (text, color) = match &self.trouble {
            Some(trouble) => (&**trouble, ui.theme.danger),
            None => (usual, ui.theme.secondary),
        };
        ui.text(note, font::CAPTION, Align::Centre, text, color);
        if needs {
            let rect = area.cut_top(space::CONTROL, space::MEDIUM);
            let id = ui.id("passphrase");
            if !ui.any_focus() {
                ui.focus(id);
            }
            let response = ui.interact(id, rect, true);
            if response.focused
                && let Some(key) = ui.key()
            {
                if key.is_enter() {
                    ui.take_key(Key::is_enter);
                    self.submit();
                    ui.changed();
                } else if self.typed.key(&key) {
                    ui.take_key(|_| true);
                    self.trouble = None;
                    ui.changed();
                }
            }
            self.field(ui, rect, response.focused);
        } else {
            area.cut_top(space::CONTROL, space::MEDIUM);
            let id = ui.id("Unlock");
            if !ui.any_focus() {
                ui.focus(id);
            }
        }
        let width = ui.button_width("Unlock");
        let button = area
            .cut_top(space::CONTROL, 0)
            .centred(width, space::CONTROL);
        if ui.button(button, "Unlock", Kind::Primary) {
            self.submit();
            ui.changed();
        }
    }

    fn close(&mut self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use alloc::vec::Vec;

    use nonos_proto::display::theme::DARK;
    use nonos_ui::host::Stage;

    struct Vault {
        passphrase: &'static str,
        tried: Vec<String>,
    }

    impl Unlock for Vault {
        fn needs_passphrase(&self) -> bool {
            !self.passphrase.is_empty()
        }

        fn unlock(&mut self, passphrase: &[u8]) -> Result<(), String> {
            let tried = core::str::from_utf8(passphrase).unwrap().to_string();
            self.tried.push(tried.clone());
            match tried == self.passphrase {
                true => Ok(()),
                false => Err("Wrong passphrase.".into()),
            }
        }
    }

    fn stage(passphrase: &'static str) -> Stage<Locked<Vault>> {
        let tried = Vec::new();
        Stage::new(Locked::new(Vault { passphrase, tried }), DARK, 1)
    }

    #[test]
    fn the_passphrase_unlocks_and_nothing_else() {
        let mut stage = stage("grün");
        stage.press(usage::ENTER, 0);
        assert!(stage.app.vault.tried.is_empty(), "nothing is no try");
        stage.write("gruen");
        stage.shoot("lock");
        stage.press(usage::ENTER, 0);
        assert!(!stage.app.open && stage.app.trouble.is_some());
        assert_eq!(
            *stage.app.typed.bytes, [0; LONGEST_PASSPHRASE],
            "it was wiped"
        );
        stage.shoot("lock-wrong");
        stage.write("grünx");
        stage.press(usage::BACKSPACE, 0);
        stage.press(usage::ENTER, 0);
        assert!(stage.app.open);
        assert_eq!(stage.app.vault.tried, ["gruen", "grün"]);
    }

    #[test]
    fn what_is_typed_is_not_shown() {
        let mut letters = stage("secret");
        let mut others = stage("secret");
        letters.write("secret");
        others.write("tercse");
        assert_eq!(letters.window.pixels(), others.window.pixels());
    }

    #[test]
    fn a_long_passphrase_is_cut_between_letters_and_never_moves_in_memory() {
        let mut stage = stage("x");
        stage.write("é");
        let place = stage.app.typed.bytes.as_ptr();
        stage.write(&"é".repeat(200));
        assert_eq!(stage.app.typed.as_slice(), "é".repeat(64).as_bytes());
        assert_eq!(stage.app.typed.bytes.as_ptr(), place);
        stage.press(usage::BACKSPACE, 0);
        assert_eq!(stage.app.typed.letters(), 63);
    }

    #[test]
    fn without_a_passphrase_enter_unlocks_and_the_screen_says_so() {
        let mut stage = stage("");
        stage.shoot("lock-none");
        stage.press(usage::ENTER, 0);
        assert!(stage.app.open);
    }

    #[test]
    fn keys_reach_every_control_and_all_can_be_read() {
        let count = nonos_ui::access::check(|| stage("pass"));
        assert!(count > 0, "{count}");
    }
}
