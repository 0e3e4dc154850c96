//! What the window shows, and its keys.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::display::modifiers;
use nonos_ui::input::usage;
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::Kind;
use nonos_ui::{Icon, Rect, Ui};

use crate::folder::{self, Item};
use crate::{By, Command, Desk, Files, ROOT, Renaming, Taken};

/// Heights of the bars, and of a row.
const TOOLS: i32 = 48;
const HEAD: i32 = 30;
const STATUS: i32 = 30;
pub const ROW: i32 = 34;
/// Widths of the columns beside the name.
const KIND: i32 = 110;
const SIZE: i32 = 100;
/// Width of the search field.
const SEARCH: i32 = 190;

/// The menu.
const COMMANDS: [(Command, &str); 6] = [
    (Command::Open, "Open"),
    (Command::Rename, "Rename"),
    (Command::Cut, "Cut"),
    (Command::Copy, "Copy"),
    (Command::Paste, "Paste"),
    (Command::Delete, "Delete…"),
];

/// The columns of a row: name, kind, size.
fn columns(mut row: Rect) -> [Rect; 3] {
    let size = row.cut_right(SIZE, space::MEDIUM);
    let kind = row.cut_right(KIND, space::MEDIUM);
    [row, kind, size]
}

fn picture(ui: &mut Ui<'_>, place: Rect, item: &Item) {
    let (icon, color) = match folder::kind(item) {
        ("Folder", _) => (Icon::Folder, ui.theme.accent_text),
        ("Picture", _) => (Icon::Image, ui.theme.good),
        _ => (Icon::File, ui.theme.secondary),
    };
    ui.icon(place, icon, 18, color);
}

impl<D: Desk> Files<D> {
    pub(crate) fn window(&mut self, ui: &mut Ui<'_>) {
        let list = ui.id("items");
        if self.renaming.is_none() && !self.asking {
            if !ui.any_focus() {
                ui.focus(list);
            }
            self.keys(ui, ui.has_focus(list));
        }
        let mut rest = ui.size();
        let tools = rest.cut_top(TOOLS, 0);
        self.tools(ui, tools);
        let status = rest.cut_bottom(STATUS, 0);
        ui.fill(rest, ui.theme.surface);
        let head = rest.cut_top(HEAD, 0);
        self.head(ui, head);
        self.items(ui, rest);
        self.status(ui, status);
    }

    fn keys(&mut self, ui: &mut Ui<'_>, in_list: bool) {
        if let Some(key) = ui.take_key(|key| matches!(key.shortcut(), Some('n' | 'f'))) {
            if key.shortcut() == Some('n') {
                self.new_folder();
            } else {
                let search = ui.id("search");
                ui.focus(search);
            }
        }
        let alt = |usage: u8| {
            move |key: &nonos_ui::input::Key| {
                key.usage == usage && key.modifiers & modifiers::ALT != 0
            }
        };
        if ui.take_key(alt(usage::LEFT)).is_some() {
            self.go_back();
        }
        if ui.take_key(alt(usage::UP)).is_some()
            || in_list && ui.take_key(|key| key.usage == usage::BACKSPACE).is_some()
        {
            self.go_up();
        }
        if !in_list {
            return;
        }
        if ui.take_paste().is_some() {
            self.run(Command::Paste);
        }
        let command = ui.key().and_then(|key| match (key.usage, key.shortcut()) {
            (usage::F2, _) => Some(Command::Rename),
            (usage::DELETE, _) => Some(Command::Delete),
            (_, Some('c')) => Some(Command::Copy),
            (_, Some('x')) => Some(Command::Cut),
            _ => None,
        });
        if let Some(command) = command {
            ui.take_key(|_| true);
            self.run(command);
        }
        let letter = ui
            .key()
            .and_then(|key| key.text())
            .filter(|letter| *letter != ' ');
        if let Some(letter) = letter {
            ui.take_key(|_| true);
            self.select_letter(letter);
        }
    }

    fn tools(&mut self, ui: &mut Ui<'_>, bar: Rect) {
        ui.separator(Rect::new(bar.x, bar.bottom() - 1, bar.width, 1));
        let mut row = bar.inset(space::SMALL, 8);
        if ui.icon_button(
            row.cut_left(space::CONTROL, 2),
            Icon::Left,
            "Back",
            Kind::Quiet,
        ) {
            self.go_back();
        }
        if ui.icon_button(row.cut_left(space::CONTROL, 8), Icon::Up, "Up", Kind::Quiet) {
            self.go_up();
        }
        let menu = row.cut_right(space::CONTROL, 2);
        let new = row.cut_right(space::CONTROL, 8);
        let search = row.cut_right(SEARCH, space::MEDIUM);
        self.crumbs(ui, row);
        if ui
            .search(search, "search", &mut self.search, "Search here")
            .changed
        {
            self.arrange();
            ui.changed();
        }
        if ui.icon_button(new, Icon::Plus, "New folder", Kind::Quiet) {
            self.new_folder();
        }
        let labels = COMMANDS.map(|(_, label)| label);
        if let Some(picked) = ui.menu_button(menu, "More", &mut self.menu, Icon::More, &labels) {
            self.run(COMMANDS[picked].0);
        }
    }

    /// The folders that lead here, each to go to; the last ones when there is no room for all.
    fn crumbs(&mut self, ui: &mut Ui<'_>, mut row: Rect) {
        let names: Vec<String> = core::iter::once(ROOT)
            .chain(self.path.iter().map(String::as_str))
            .map(String::from)
            .collect();
        let width = |ui: &Ui<'_>, name: &str| (ui.text_width(font::STRONG, name) + 16).min(200);
        let mut first = names.len() - 1;
        let mut used = width(ui, &names[first]);
        while first > 0 && used + width(ui, &names[first - 1]) + 20 <= row.width {
            first -= 1;
            used += width(ui, &names[first]) + 20;
        }
        for (index, name) in names.iter().enumerate().skip(first) {
            let place = row.cut_left(width(ui, name), 0);
            let here = index + 1 == names.len();
            let (face, mut ink) = if here {
                (font::STRONG, ui.theme.text)
            } else {
                (font::BODY, ui.theme.secondary)
            };
            if !here {
                let (response, on) = ui.scope("crumb", index, |ui| {
                    ui.button_ground(place, name, Kind::Quiet, space::RADIUS)
                });
                if response.hovered {
                    ink = on;
                }
                if response.clicked {
                    self.go_and_remember(self.path[..index].to_vec());
                    ui.changed();
                }
            }
            ui.text(place.inset(8, 0), face, Align::Left, name, ink);
            if !here {
                let between = row.cut_left(20, 0);
                ui.icon(between, Icon::Right, 12, ui.theme.secondary);
            }
        }
    }

    fn head(&mut self, ui: &mut Ui<'_>, bar: Rect) {
        ui.separator(Rect::new(bar.x, bar.bottom() - 1, bar.width, 1));
        let mut row = bar.inset(space::MEDIUM, 0);
        // As rows are, beside the bar of the list.
        row.width -= if self.shown.len() as i32 * ROW > self.room {
            8
        } else {
            0
        };
        let [name, kind, size] = columns(row);
        let titles = [
            (name, "Name", By::Name, Align::Left),
            (kind, "Kind", By::Kind, Align::Left),
            (size, "Size", By::Size, Align::Right),
        ];
        for (place, title, by, align) in titles {
            let id = ui.id(title);
            let response = ui.pressable(id, place);
            if response.clicked {
                self.reversed = self.by == by && !self.reversed;
                self.by = by;
                let selected = self.selected().map(|item| item.name.clone());
                self.arrange();
                if let Some(name) = selected {
                    self.select(&name);
                }
            }
            let mut text = place;
            if self.by == by {
                let icon = if self.reversed { Icon::Up } else { Icon::Down };
                let width = ui.text_width(font::CAPTION, title);
                let mark = match align {
                    Align::Right => text.cut_right(14, 2),
                    _ => Rect::new(text.x + width + 4, text.y, 14, text.height),
                };
                ui.icon(mark, icon, 12, ui.theme.secondary);
            }
            let ink = if response.hovered {
                ui.theme.text
            } else {
                ui.theme.secondary
            };
            ui.text(text, font::CAPTION, align, title, ink);
            if response.ring {
                ui.ring(place.inset(-2, 6), 4);
            }
        }
    }

    fn items(&mut self, ui: &mut Ui<'_>, rect: Rect) {
        let renamed = ui.scope("rename", 0, |ui| ui.id("name"));
        let place = rect.inset(0, 4);
        self.room = place.height;
        if let Some(renaming) = &mut self.renaming
            && core::mem::take(&mut renaming.begins)
        {
            ui.focus(renamed);
        }
        let Self {
            list,
            items,
            shown,
            renaming,
            taken,
            path,
            ..
        } = self;
        let moving = taken
            .as_ref()
            .filter(|taken| taken.moved && taken.path == *path);
        let mut entered = false;
        let rows = (shown.len(), ROW);
        let picked = ui.list(place, "items", list, rows, |ui, row, at, _| {
            let Some(item) = shown.get(at).and_then(|&at| items.get(at)) else {
                return;
            };
            let [mut name, kind, size] = columns(row);
            let place = name.cut_left(22, space::SMALL);
            picture(ui, place, item);
            match renaming {
                Some(Renaming {
                    name: old, edit, ..
                }) if *old == item.name => {
                    let field = Rect::new(name.x - 8, name.y + 2, name.width + 8, name.height - 4);
                    entered |= ui
                        .scope("rename", 0, |ui| ui.field(field, "name", edit, "Name"))
                        .entered;
                }
                _ => {
                    let cut = |taken: &Taken| taken.items.iter().any(|cut| cut.name == item.name);
                    let dimmed = moving.is_some_and(cut);
                    let ink = if dimmed {
                        ui.theme.secondary
                    } else {
                        ui.theme.text
                    };
                    ui.text(name, font::BODY, Align::Left, &item.name, ink);
                }
            }
            ui.note(kind, folder::kind(item).0);
            let text = folder::size_text(item);
            ui.text(size, font::CAPTION, Align::Right, &text, ui.theme.secondary);
        });
        if self.shown.is_empty() {
            let text = match (&self.here, self.items.is_empty()) {
                (None, _) => "The documents cannot be reached",
                (_, true) => "This folder is empty",
                (_, false) => "Nothing here has this in its name",
            };
            ui.text(rect, font::BODY, Align::Centre, text, ui.theme.secondary);
        }
        if self.renaming.is_some() {
            let given_up = ui.take_key(|key| key.usage == usage::ESCAPE).is_some();
            if given_up {
                self.renaming = None;
            }
            if entered || given_up || !ui.has_focus(renamed) {
                self.end_renaming();
                let id = ui.id("items");
                ui.focus(id);
                ui.changed();
            }
        } else if picked.entered {
            self.run(Command::Open);
            ui.changed();
        }
    }

    fn status(&self, ui: &mut Ui<'_>, bar: Rect) {
        let size = |item: &Item| if item.is_folder { 0 } else { item.size };
        let mut bytes = self.items.iter().map(size).fold(0, u64::saturating_add);
        let count = match (self.shown.len(), self.items.len()) {
            (shown, _) if self.chosen().count() > 1 => {
                bytes = self.chosen().map(size).fold(0, u64::saturating_add);
                format!("{} of {shown} selected", self.chosen().count())
            }
            (1, 1) => String::from("1 item"),
            (shown, all) if shown == all => format!("{all} items"),
            (shown, all) => format!("{shown} of {all} items"),
        };
        let state = format!("{count}   ·   {}", folder::bytes_text(bytes));
        ui.status(bar, self.note.as_ref(), &state);
    }
}
