//! A field for a secret shows as many dots as the secret has characters, and nothing of these.

#![forbid(unsafe_code)]

use nonos_proto::display::modifiers::{CONTROL, SHIFT};
use nonos_ui::host::Stage;
use nonos_ui::input::usage;
use nonos_ui::{App, Edit, Rect, Ui};

struct Asking {
    secret: Edit,
    hidden: bool,
    entered: u32,
}

impl App for Asking {
    fn title(&self) -> &str {
        "Asking"
    }

    fn size(&self) -> (i32, i32) {
        (300, 60)
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let id = ui.id("secret");
        ui.focus(id);
        let place = Rect::new(10, 10, 280, 32);
        let edited = match self.hidden {
            true => ui.secret_field(place, "secret", &mut self.secret, "Passphrase"),
            false => ui.field(place, "secret", &mut self.secret, "Passphrase"),
        };
        self.entered += u32::from(edited.entered);
    }
}

fn stage(hidden: bool) -> Stage<Asking> {
    let app = Asking {
        secret: Edit::default(),
        hidden,
        entered: 0,
    };
    Stage::new(app, 0, 1)
}

#[test]
fn dots_stand_for_the_characters_of_a_secret() {
    let (mut first, mut second, mut dots) = (stage(true), stage(true), stage(false));
    first.write("größer");
    second.write("iiiiii");
    dots.write("••••••");
    assert!(first.window.pixels() == second.window.pixels());
    assert!(first.window.pixels() == dots.window.pixels());
    second.write("i");
    assert!(first.window.pixels() != second.window.pixels());
    let mut plain = stage(false);
    plain.write("größer");
    assert!(first.window.pixels() != plain.window.pixels());
}

#[test]
fn a_secret_is_edited_by_its_characters_and_not_copied() {
    let mut stage = stage(true);
    stage.write("größer");
    for _ in 0..3 {
        stage.press(usage::LEFT, 0);
    }
    stage.press(usage::BACKSPACE, 0);
    assert_eq!(stage.app.secret.text(), "grßer");
    stage.press(usage::A, CONTROL);
    for key in [usage::C, usage::A + 23] {
        stage.press(key, CONTROL);
        assert!(stage.window.copied.is_none());
    }
    // The first that its menu offers is to paste.
    stage.window.offer_to_paste();
    stage.press(usage::MENU, 0);
    stage.press(usage::ENTER, 0);
    assert!(stage.window.asks_to_paste && stage.window.copied.is_none());
    assert_eq!(stage.app.secret.text().chars().count(), 5, "not cut either");
    // The pointer finds characters where their dots are.
    stage.click(12, 26);
    stage.write("x");
    assert!(stage.app.secret.text().starts_with('x'));
    stage.press(usage::HOME, SHIFT);
    stage.press(usage::ENTER, 0);
    assert_eq!(stage.app.entered, 1);
}
