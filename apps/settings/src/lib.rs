//! Settings: how things look, and what the keyboard types.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
use alloc::vec::Vec;

use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::List;
use nonos_ui::{App, Icon, Rect, Ui};

/// What the user can choose, and has chosen.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Choices {
    /// One of `nonos_proto::display::theme`.
    pub theme: usize,
    /// Pixels for a point, less one.
    pub scale: usize,
    /// Names of the keyboard's layouts.
    pub layouts: Vec<String>,
    /// Which is used.
    pub layout: usize,
}

/// What the user changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Theme and scale, as in [`Choices`].
    Look(usize, usize),
    /// The layout.
    Layout(usize),
}

/// Names of the themes, in the order of their numbers.
const THEMES: [&str; 3] = ["Light", "Dark", "High contrast"];
/// Sizes of a point.
const SCALES: [&str; 2] = ["100 %", "200 %"];

/// Width of the column with the names of settings, points.
const NAMES: i32 = 150;
/// Height of the list of layouts.
const LAYOUTS: i32 = 5 * space::ROW + 8;

/// The window. `read` asks what is chosen now, `set` has it changed: what that comes to is read again.
#[derive(Debug)]
pub struct Settings<R, S> {
    read: R,
    set: S,
    choices: Choices,
    list: List,
}

impl<R: FnMut() -> Choices, S: FnMut(Change)> Settings<R, S> {
    /// Reads what is chosen.
    pub fn new(mut read: R, set: S) -> Self {
        let choices = read();
        Self {
            read,
            set,
            choices,
            list: List::default(),
        }
    }

    fn change(&mut self, ui: &mut Ui<'_>, change: Change) {
        (self.set)(change);
        self.choices = (self.read)();
        ui.changed();
    }
}

/// Heading of a group, with its picture.
fn heading(ui: &mut Ui<'_>, area: &mut Rect, icon: Icon, text: &str) {
    let mut row = area.cut_top(24, space::MEDIUM);
    let place = row.cut_left(20, space::SMALL);
    ui.icon(place, icon, 18, ui.theme.accent_text);
    ui.text(row, font::HEADING, Align::Left, text, ui.theme.text);
}

impl<R: FnMut() -> Choices, S: FnMut(Change)> App for Settings<R, S> {
    fn title(&self) -> &str {
        "Settings"
    }

    fn size(&self) -> (i32, i32) {
        (520, 464)
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut area = ui.size().inset(space::MARGIN, space::MARGIN);

        heading(ui, &mut area, Icon::Palette, "Appearance");
        let mut card = area.cut_top(2 * space::ROW + 3 * space::MEDIUM, space::MARGIN);
        ui.card(card);
        card = card.inset(space::MEDIUM + 4, space::MEDIUM);
        let Choices {
            mut theme,
            mut scale,
            ..
        } = self.choices;
        let row = card.cut_top(space::ROW, space::MEDIUM);
        let themed = setting(ui, row, "Theme", &THEMES, &mut theme);
        let row = card.cut_top(space::ROW, 0);
        let scaled = setting(ui, row, "Size of everything", &SCALES, &mut scale);
        if themed || scaled {
            self.change(ui, Change::Look(theme, scale));
        }

        heading(ui, &mut area, Icon::Keyboard, "Keyboard");
        let rect = area.cut_top(LAYOUTS, space::MEDIUM);
        ui.card(rect);
        let Self { list, choices, .. } = self;
        list.selected = Some(choices.layout);
        let rows = (choices.layouts.len(), space::ROW);
        let inner = rect.inset(0, 4);
        ui.list(inner, "layouts", list, rows, |ui, mut row, at, used| {
            let mark = row.cut_right(20, space::SMALL);
            if used {
                ui.icon(mark, Icon::Check, 16, ui.theme.accent_text);
            }
            ui.label(row, choices.layouts.get(at).map_or("", String::as_str));
        });
        if let Some(layout) = list.selected.filter(|&layout| layout != choices.layout) {
            self.change(ui, Change::Layout(layout));
        }
        let note = area.cut_top(20, 0);
        ui.note(note, "Super+Space goes to the next layout at any time.");
    }
}

/// A row with a name and a few values, of which one is chosen; whether another was.
fn setting(
    ui: &mut Ui<'_>,
    mut row: Rect,
    name: &str,
    values: &[&str],
    chosen: &mut usize,
) -> bool {
    let label = row.cut_left(NAMES, space::MEDIUM);
    ui.label(label, name);
    ui.segmented(row.centred(row.width, space::CONTROL), name, values, chosen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::rc::Rc;
    use alloc::vec;
    use core::cell::RefCell;

    use nonos_ui::host::Stage;
    use nonos_ui::input::usage;

    #[test]
    fn keys_reach_every_setting_and_what_is_shown_is_what_was_set() {
        let now = Rc::new(RefCell::new(Choices {
            layouts: vec!["one".into(), "two".into()],
            ..Choices::default()
        }));
        let (read, set) = (now.clone(), now.clone());
        let app = Settings::new(
            move || read.borrow().clone(),
            move |change| match change {
                Change::Look(theme, scale) => {
                    let mut now = set.borrow_mut();
                    (now.theme, now.scale) = (theme, scale);
                }
                // The second layout is refused.
                Change::Layout(_) => {}
            },
        );
        let mut stage = Stage::new(app, 0, 1);
        let mut press = |key| {
            stage.press(key, 0);
            stage.app.choices.clone()
        };
        press(usage::TAB);
        assert_eq!(press(usage::RIGHT).theme, 1);
        assert_eq!(press(usage::RIGHT).theme, 2);
        press(usage::TAB);
        assert_eq!(press(usage::RIGHT).scale, 1);
        press(usage::TAB);
        assert_eq!(press(usage::DOWN).layout, 0, "as it was");
        assert_eq!(*now.borrow(), stage.app.choices);
    }
}
