//! Settings: how things look, what the keyboard types, how the pointer moves, which time it is where, and what the user gave to programs.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::Zone;
use nonos_proto::settings::ZONES;
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::{Kind, List};
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
    /// How fast the pointer moves: place in [`SPEEDS`].
    pub speed: usize,
    /// In which of [`ZONES`] the clock shows the time.
    pub zone: usize,
    /// What programs were given.
    pub permissions: Vec<Permission>,
}

/// Something that a program was given.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Permission {
    /// What it is known by.
    pub number: u64,
    /// What it is.
    pub what: What,
    /// What it is called.
    pub name: String,
    /// Who has it, and what that can do with it.
    pub who: String,
    /// Until when.
    pub until: String,
}

/// What can be given.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum What {
    /// A file.
    #[default]
    File,
    /// A folder.
    Folder,
    /// The use of a key.
    Key,
    /// What is on the clipboard.
    Clipboard,
}

/// What the user changed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Change {
    /// Theme and scale, as in [`Choices`].
    Look(usize, usize),
    /// The layout.
    Layout(usize),
    /// How fast the pointer moves.
    Speed(usize),
    /// The time zone.
    Zone(usize),
    /// A permission is taken back, by its number.
    Revoke(u64),
}

/// Names of the themes, in the order of their numbers.
const THEMES: [&str; 3] = ["Light", "Dark", "High contrast"];
/// Sizes of a point.
const SCALES: [&str; 2] = ["100 %", "200 %"];

/// Names of the pointer's speeds.
pub const SPEEDS: [&str; 4] = ["Slow", "Normal", "Fast", "Faster"];
/// Pages of the window.
const PAGES: [&str; 3] = ["General", "Time", "Permissions"];
/// How often the permissions are read again, while the window is open.
const AGAIN_NS: u64 = 2_000_000_000;

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
    page: usize,
    zones: List,
    given: List,
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
            page: 0,
            zones: List::default(),
            given: List::default(),
        }
    }

    fn change(&mut self, ui: &mut Ui<'_>, change: Change) {
        (self.set)(change);
        self.choices = (self.read)();
        ui.changed();
    }

    fn general(&mut self, ui: &mut Ui<'_>, mut area: Rect) {
        heading(ui, &mut area, Icon::Palette, "Appearance");
        let mut card = area.cut_top(3 * space::ROW + 4 * space::MEDIUM, space::MARGIN);
        ui.card(card);
        card = card.inset(space::MEDIUM + 4, space::MEDIUM);
        let Choices {
            mut theme,
            mut scale,
            mut speed,
            ..
        } = self.choices;
        let row = card.cut_top(space::ROW, space::MEDIUM);
        let themed = setting(ui, row, "Theme", &THEMES, &mut theme);
        let row = card.cut_top(space::ROW, space::MEDIUM);
        let scaled = setting(ui, row, "Size of everything", &SCALES, &mut scale);
        if themed || scaled {
            self.change(ui, Change::Look(theme, scale));
        }
        let row = card.cut_top(space::ROW, 0);
        if setting(ui, row, "Pointer", &SPEEDS, &mut speed) {
            self.change(ui, Change::Speed(speed));
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

    fn time(&mut self, ui: &mut Ui<'_>, mut area: Rect) {
        heading(ui, &mut area, Icon::Clock, "Time zone");
        let note = area.cut_bottom(20, space::MEDIUM);
        ui.note(
            note,
            "The time is that of the computer’s clock, which was read at the start.",
        );
        ui.card(area);
        let Self { zones, choices, .. } = self;
        zones.selected = Some(choices.zone);
        let rows = (ZONES.len(), space::ROW);
        let inner = area.inset(0, 4);
        ui.list(inner, "zones", zones, rows, |ui, mut row, at, used| {
            let mark = row.cut_right(20, space::SMALL);
            if used {
                ui.icon(mark, Icon::Check, 16, ui.theme.accent_text);
            }
            let Some(zone) = ZONES.get(at) else {
                return;
            };
            let text = offset(zone);
            let place = row.cut_right(190, space::SMALL);
            ui.text(
                place,
                font::CAPTION,
                Align::Right,
                &text,
                ui.theme.secondary,
            );
            ui.label(row, zone.places);
        });
        if let Some(zone) = zones.selected.filter(|&zone| zone != choices.zone) {
            self.change(ui, Change::Zone(zone));
        }
    }

    fn permissions(&mut self, ui: &mut Ui<'_>, mut area: Rect) {
        let mut foot = area.cut_bottom(space::CONTROL, space::MEDIUM);
        ui.card(area);
        let Self { given, choices, .. } = self;
        let permissions = &choices.permissions;
        if permissions.is_empty() {
            let color = ui.theme.secondary;
            let text = "No program was given anything.";
            ui.text(area, font::BODY, Align::Centre, text, color);
        }
        let last = permissions.len().checked_sub(1);
        given.selected = given
            .selected
            .or(Some(0))
            .zip(last)
            .map(|(at, last)| at.min(last));
        let rows = (permissions.len(), 52);
        ui.list(
            area.inset(0, 4),
            "permissions",
            given,
            rows,
            |ui, mut row, at, _| {
                let Some(permission) = permissions.get(at) else {
                    return;
                };
                let icon = match permission.what {
                    What::File => Icon::File,
                    What::Folder => Icon::Folder,
                    What::Key => Icon::Key,
                    What::Clipboard => Icon::Copy,
                };
                ui.icon(
                    row.cut_left(22, space::MEDIUM),
                    icon,
                    20,
                    ui.theme.accent_text,
                );
                let until = row.cut_right(130, space::SMALL);
                let color = ui.theme.secondary;
                ui.text(until, font::CAPTION, Align::Right, &permission.until, color);
                let mut lines = row.inset(0, 7);
                let name = lines.cut_top(20, 0);
                ui.label(name, &permission.name);
                ui.note(lines, &permission.who);
            },
        );
        let chosen = given.selected.and_then(|at| permissions.get(at));
        let number = chosen.map(|permission| permission.number);
        let button = foot.cut_right(ui.button_width("Take back"), space::SMALL);
        ui.note(foot, "What is taken back stops working at once.");
        if let Some(number) = number
            && ui.button(button, "Take back", Kind::Danger)
        {
            self.change(ui, Change::Revoke(number));
        }
    }
}

/// How clocks differ from UTC: `UTC−3:30, in summer −2:30`.
fn offset(zone: &Zone) -> String {
    let standard = zone.standard_minutes();
    let mut text = format!("UTC{}", signed(standard));
    if zone.has_summer_time() {
        text.push_str(", in summer ");
        text.push_str(&signed(standard + 60));
    }
    text
}

/// Minutes as hours: `+1`, `−3:30`, and nothing for none.
fn signed(minutes: i64) -> String {
    let sign = match minutes {
        0 => return String::new(),
        ..0 => '−',
        _ => '+',
    };
    let (hours, minutes) = (minutes.abs() / 60, minutes.abs() % 60);
    match minutes {
        0 => format!("{sign}{hours}"),
        _ => format!("{sign}{hours}:{minutes:02}"),
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
        (540, 564)
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut area = ui.size().inset(space::MARGIN, space::MARGIN);
        let tabs = area.cut_top(space::CONTROL, space::MARGIN);
        if ui.tabs(tabs, "pages", &PAGES, &mut self.page) {
            self.choices = (self.read)();
            ui.changed();
        }
        match self.page {
            0 => self.general(ui, area),
            1 => self.time(ui, area),
            _ => self.permissions(ui, area),
        }
    }

    fn period_ns(&self) -> u64 {
        AGAIN_NS
    }

    fn tick(&mut self) {
        if self.page == 2 {
            self.choices = (self.read)();
        }
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
                Change::Speed(speed) => set.borrow_mut().speed = speed,
                Change::Zone(zone) => set.borrow_mut().zone = zone,
                Change::Revoke(number) => {
                    let mut now = set.borrow_mut();
                    now.permissions.retain(|p| p.number != number);
                }
            },
        );
        let mut stage = Stage::new(app, 0, 1);
        let mut press = |key| {
            stage.press(key, 0);
            stage.app.choices.clone()
        };
        press(usage::TAB);
        press(usage::TAB);
        assert_eq!(press(usage::RIGHT).theme, 1);
        assert_eq!(press(usage::RIGHT).theme, 2);
        press(usage::TAB);
        assert_eq!(press(usage::RIGHT).scale, 1);
        press(usage::TAB);
        assert_eq!(press(usage::RIGHT).speed, 1);
        press(usage::TAB);
        assert_eq!(press(usage::DOWN).layout, 0, "as it was");
        assert_eq!(*now.borrow(), stage.app.choices);
        stage.shoot("settings-general");
    }

    #[test]
    fn the_time_zone_is_chosen_by_keys() {
        let now = Rc::new(RefCell::new(Choices::default()));
        let (read, set) = (now.clone(), now.clone());
        let app = Settings::new(
            move || read.borrow().clone(),
            move |change| {
                let Change::Zone(zone) = change else { panic!() };
                set.borrow_mut().zone = zone;
            },
        );
        let mut stage = Stage::new(app, 0, 1);
        stage.press(usage::TAB, 0);
        stage.press(usage::RIGHT, 0);
        stage.press(usage::TAB, 0);
        let all: Vec<&str> = (1..ZONES.len())
            .map(|_| {
                stage.press(usage::DOWN, 0);
                let Choices { zone, .. } = *now.borrow();
                if zone == 17 {
                    stage.shoot("settings-time");
                }
                ZONES[zone].places
            })
            .collect();
        let expected: Vec<&str> = ZONES[1..].iter().map(|zone| zone.places).collect();
        assert_eq!(all, expected);
        let of = |places: &str| ZONES.iter().find(|zone| zone.places.contains(places));
        for (places, expected) in [
            ("UTC", "UTC"),
            ("London", "UTC, in summer +1"),
            ("Berlin", "UTC+1, in summer +2"),
            ("St. John", "UTC−3:30, in summer −2:30"),
            ("Kathmandu", "UTC+5:45"),
            ("Honolulu", "UTC−10"),
        ] {
            assert_eq!(offset(of(places).unwrap()), expected);
        }
    }

    #[test]
    fn what_was_given_is_seen_and_taken_back_by_keys() {
        let permission = |number: u64| Permission {
            number,
            name: alloc::format!("plan {number}.txt"),
            who: "editor can read and change it".into(),
            until: "until it ends".into(),
            what: match number {
                1 => What::File,
                2 => What::Folder,
                _ => What::Key,
            },
        };
        let now = Rc::new(RefCell::new(Choices::default()));
        let (read, set) = (now.clone(), now.clone());
        let app = Settings::new(
            move || read.borrow().clone(),
            move |change| {
                let Change::Revoke(number) = change else {
                    panic!()
                };
                let mut now = set.borrow_mut();
                now.permissions.retain(|p| p.number != number);
            },
        );
        let mut stage = Stage::new(app, 1, 1);
        stage.press(usage::TAB, 0);
        stage.press(usage::RIGHT, 0);
        stage.press(usage::RIGHT, 0);
        // Given while the page shows.
        now.borrow_mut().permissions = vec![permission(1), permission(2), permission(3)];
        stage.app.tick();
        stage.press(usage::TAB, 0);
        stage.press(usage::DOWN, 0);
        stage.press(usage::TAB, 0);
        stage.shoot("settings-permissions");
        stage.press(usage::ENTER, 0);
        let left: Vec<u64> = stage
            .app
            .choices
            .permissions
            .iter()
            .map(|p| p.number)
            .collect();
        assert_eq!(left, [1, 3]);
        stage.press(usage::ENTER, 0);
        stage.press(usage::ENTER, 0);
        assert!(stage.app.choices.permissions.is_empty());
    }

    #[test]
    fn keys_reach_every_control_and_all_can_be_read() {
        for page in 0..3 {
            let count = nonos_ui::access::check(|| {
                let now = Choices {
                    layouts: vec!["one".into(), "two".into()],
                    ..Choices::default()
                };
                let mut stage = Stage::new(Settings::new(move || now.clone(), drop), 0, 1);
                stage.press(usage::TAB, 0);
                (0..page).for_each(|_| stage.press(usage::RIGHT, 0));
                stage
            });
            assert!(count > 0, "{count}");
        }
    }
}
