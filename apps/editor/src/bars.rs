//! What stands around the text: tools, the search bar, and the status.

use alloc::format;
use alloc::string::{String, ToString};

use nonos_ui::input::usage;
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::Kind;
use nonos_ui::{Icon, Rect, Ui};

use crate::store::User;
use crate::{Editor, Next};

/// Heights of the bars.
pub const TOOLS: i32 = 44;
/// The search bar's, with two rows.
pub const SEARCH: i32 = 84;
/// The status bar's.
pub const STATUS: i32 = 28;

/// Width of the names beside the search bar's fields.
const NAMES: i32 = 64;
/// Longest selection that is searched for when the search bar is opened, bytes.
const WORD: usize = 100;

/// A tool with a picture and a name.
fn tool(ui: &mut Ui<'_>, row: &mut Rect, icon: Icon, name: &str) -> bool {
    let width = ui.text_width(font::BODY, name);
    let rect = row.cut_left(width + 44, 2);
    let (response, ink) = ui.button_ground(rect, name, Kind::Quiet, space::RADIUS);
    let mut inner = rect.inset(10, 0);
    let picture = inner.cut_left(18, 6);
    ui.icon(picture, icon, 16, ui.theme.secondary);
    ui.text(
        Rect::new(inner.x, inner.y, width + 8, inner.height),
        font::BODY,
        Align::Left,
        name,
        ink,
    );
    response.clicked
}

/// A number with its thousands apart.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.char_indices() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

impl<U: User> Editor<U> {
    /// Keys that work wherever the keyboard is in the window.
    pub(crate) fn shortcuts(&mut self, ui: &mut Ui<'_>) {
        const LETTERS: [char; 5] = ['n', 'o', 's', 'f', 'g'];
        if self.search.shown && ui.take_key(|key| key.usage == usage::ESCAPE).is_some() {
            self.close_search(ui);
        }
        let known = |letter| LETTERS.contains(&letter);
        let Some(key) = ui.take_key(|key| key.shortcut().is_some_and(known)) else {
            return;
        };
        match (key.shortcut(), key.shift()) {
            (Some('n'), _) => self.go(Next::New),
            (Some('o'), _) => self.go(Next::Open),
            (Some('s'), false) => self.save(Next::Stay),
            (Some('s'), true) => self.save_as(Next::Stay),
            (Some('f'), _) => self.open_search(ui),
            (_, back) => self.find(!back),
        }
    }

    pub(crate) fn tools(&mut self, ui: &mut Ui<'_>, bar: Rect) {
        ui.separator(Rect::new(bar.x, bar.bottom() - 1, bar.width, 1));
        let mut row = bar.inset(space::SMALL, 6);
        if tool(ui, &mut row, Icon::Plus, "New") {
            self.go(Next::New);
        }
        if tool(ui, &mut row, Icon::Folder, "Open") {
            self.go(Next::Open);
        }
        if tool(ui, &mut row, Icon::Save, "Save") {
            self.save(Next::Stay);
        }
        if tool(ui, &mut row, Icon::Copy, "Save as…") {
            self.save_as(Next::Stay);
        }
        let find = row.cut_right(36, 2);
        let redo = row.cut_right(36, 2);
        let undo = row.cut_right(36, 2);
        if ui.icon_button(undo, Icon::Undo, "Undo", Kind::Quiet) {
            self.area.undo();
        }
        if ui.icon_button(redo, Icon::Redo, "Redo", Kind::Quiet) {
            self.area.redo();
        }
        if ui.icon_button(find, Icon::Search, "Find", Kind::Quiet) {
            if self.search.shown {
                self.close_search(ui);
            } else {
                self.open_search(ui);
            }
        }
    }

    fn open_search(&mut self, ui: &mut Ui<'_>) {
        let selected = self.area.selection();
        if !selected.is_empty() && selected.len() <= WORD {
            let word = self.area.buffer().text(selected);
            if !word.contains('\n') {
                self.search.wanted.set(&word);
            }
        }
        self.search.wanted.select_all();
        self.search.shown = true;
        let needle = self.needle();
        self.area.mark(needle);
        let id = ui.id("find");
        ui.focus(id);
    }

    fn close_search(&mut self, ui: &mut Ui<'_>) {
        self.search.shown = false;
        self.area.mark(nonos_ui::search::Needle::default());
        let id = ui.id("text");
        ui.focus(id);
    }

    pub(crate) fn search_bar(&mut self, ui: &mut Ui<'_>, bar: Rect) {
        ui.fill(bar, ui.theme.sidebar);
        ui.separator(Rect::new(bar.x, bar.bottom() - 1, bar.width, 1));
        let mut rest = bar.inset(space::MEDIUM, 8);
        let mut row = rest.cut_top(space::CONTROL, 4);
        let name = row.cut_left(NAMES, 4);
        ui.note(name, "Find");
        let close = row.cut_right(space::CONTROL, 4);
        let next = row.cut_right(space::CONTROL, 2);
        let last = row.cut_right(space::CONTROL, 8);
        let exact = row.cut_right(108, 4);
        let id = ui.id("find");
        let back = ui.has_focus(id) && ui.take_key(|key| key.is_enter() && key.shift()).is_some();
        let edited = ui.field(
            row,
            "find",
            &mut self.search.wanted,
            "A word, as it is written",
        );
        if ui.toggle(exact.inset(8, 0), "Case", &mut self.search.exact) || edited.changed {
            self.search_changed();
        }
        if ui.icon_button(last, Icon::Up, "Last", Kind::Quiet) || back {
            self.find(false);
        }
        if ui.icon_button(next, Icon::Down, "Next", Kind::Quiet) || edited.entered {
            self.find(true);
        }
        if ui.icon_button(close, Icon::Close, "Close", Kind::Quiet) {
            self.close_search(ui);
        }
        let mut row = rest;
        let name = row.cut_left(NAMES, 4);
        ui.note(name, "Replace");
        let all = row.cut_right(64, 4);
        let one = row.cut_right(88, 8);
        let with = ui.field(row, "with", &mut self.search.with, "Nothing");
        let there = !self.search.wanted.text().is_empty();
        if (ui.button(one, "Replace", Kind::Plain) || with.entered) && there {
            self.replace();
        }
        if ui.button(all, "All", Kind::Plain) && there {
            self.replace_all();
        }
    }

    pub(crate) fn status(&self, ui: &mut Ui<'_>, bar: Rect) {
        let (line, column) = self.area.place();
        let selected = self.area.selection().len();
        let what = if selected > 0 {
            format!("{} bytes selected", grouped(selected))
        } else {
            format!("{} bytes", grouped(self.area.buffer().len()))
        };
        let ends = if self.area.is_crlf() { "CRLF" } else { "LF" };
        let state = format!(
            "Line {}, column {}   ·   {what}   ·   UTF-8   ·   {ends}",
            grouped(line + 1),
            column + 1
        );
        ui.status(bar, self.note.as_ref(), &state);
    }
}
