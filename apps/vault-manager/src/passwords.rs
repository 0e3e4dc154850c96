//! The passwords: the list, one of them, and editing it.

use alloc::format;
use alloc::string::String;

use nonos_proto::CallError;
use nonos_proto::Refusal;
use nonos_ui::input::{Key, usage};
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::{Kind, List};
use nonos_ui::{Edit, Icon, Rect, Ui};

use crate::book::{Book, Entry};
use crate::generator::{LENGTHS, Recipe};
use crate::keeper::Keeper;
use crate::{COPIED_SECONDS, Manager};

/// What the page remembers.
#[derive(Default, Debug)]
pub struct Page {
    list: List,
    search: Edit,
    /// Which entry is shown.
    chosen: Option<usize>,
    shown: bool,
    asking: bool,
    editing: Option<Editing>,
}

/// An entry that is edited.
#[derive(Default, Debug)]
struct Editing {
    /// Which; none for a new one.
    at: Option<usize>,
    name: Edit,
    user: Edit,
    secret: Edit,
    note: Edit,
    shown: bool,
    recipe: Recipe,
}

impl Editing {
    fn of(at: Option<usize>, entry: &Entry) -> Self {
        Self {
            at,
            name: Edit::new(&entry.name),
            user: Edit::new(&entry.user),
            secret: Edit::new(&entry.secret),
            note: Edit::new(&entry.note),
            ..Self::default()
        }
    }

    fn entry(&self) -> Entry {
        Entry {
            name: self.name.text().into(),
            user: self.user.text().into(),
            secret: self.secret.text().into(),
            note: self.note.text().into(),
        }
    }
}

/// Whether a key is this letter with Control.
fn control(letter: char) -> impl Fn(&Key) -> bool {
    move |key| key.shortcut() == Some(letter)
}

/// Whether a text has another in it, whose letters of English may be small or large.
fn has(text: &str, wanted: &str) -> bool {
    let mut parts = text.as_bytes().windows(wanted.len().max(1));
    wanted.is_empty() || parts.any(|part| part.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// A row with a name and room for a value.
fn labelled(ui: &mut Ui<'_>, area: &mut Rect, name: &str) -> Rect {
    let mut row = area.cut_top(space::CONTROL, space::SMALL);
    let label = row.cut_left(76, space::SMALL);
    ui.text(label, font::BODY, Align::Left, name, ui.theme.secondary);
    row
}

impl<K: Keeper> Manager<K> {
    /// The page.
    pub(crate) fn passwords(&mut self, ui: &mut Ui<'_>, mut area: Rect) {
        let mut left = area.cut_left(240, space::MARGIN);
        self.choose(ui, &mut left);
        ui.card(area);
        let inside = area.inset(16, 16);
        if self.passwords.editing.is_some() {
            self.edit(ui, inside);
        } else {
            self.show(ui, inside);
        }
        if self.passwords.asking {
            self.ask_delete(ui);
        }
    }

    fn choose(&mut self, ui: &mut Ui<'_>, left: &mut Rect) {
        let mut top = left.cut_top(space::CONTROL, space::MEDIUM);
        let new = top.cut_right(space::CONTROL, space::SMALL);
        let page = &mut self.passwords;
        ui.search(top, "search", &mut page.search, "Search");
        let asked = ui.icon_button(new, Icon::Plus, "new", Kind::Plain);
        if asked || ui.take_key(control('n')).is_some() {
            page.editing = Some(Editing::default());
            let name = ui.id("name");
            ui.focus(name);
            ui.changed();
        }
        ui.card(*left);
        let Some(book) = &self.book else {
            return;
        };
        let wanted = page.search.text().trim();
        let fits = |entry: &Entry| has(&entry.name, wanted) || has(&entry.user, wanted);
        let entries = book.entries();
        let places = (0..entries.len()).filter(|&at| fits(&entries[at]));
        let places: alloc::vec::Vec<usize> = places.collect();
        page.list.selected = places.iter().position(|&at| Some(at) == page.chosen);
        let inner = left.inset(1, 4);
        ui.list(
            inner,
            "entries",
            &mut page.list,
            (places.len(), 46),
            |ui, row, at, _| {
                let entry = &entries[places[at]];
                let mut row = row.inset(0, 4);
                ui.label(row.cut_top(20, 0), &entry.name);
                ui.note(row.cut_top(16, 0), &entry.user);
            },
        );
        if entries.is_empty() {
            ui.text(
                inner,
                font::BODY,
                Align::Centre,
                "No passwords yet",
                ui.theme.secondary,
            );
        }
        let chosen = page.list.selected.and_then(|row| places.get(row)).copied();
        if chosen != page.chosen {
            page.chosen = chosen;
            page.shown = false;
            ui.changed();
        }
    }

    fn show(&mut self, ui: &mut Ui<'_>, mut area: Rect) {
        let theme = ui.theme;
        let page = &mut self.passwords;
        let book = self.book.as_ref();
        let found = page
            .chosen
            .and_then(|at| Some((at, book?.entries().get(at)?)));
        let Some((at, entry)) = found else {
            let text = "Passwords are encrypted with a key of the vault that only this program may use, and kept in files in memory: \
                        they end with the power.";
            let note = area.centred(area.width.min(300), 60);
            ui.paragraph(note, font::BODY, text, theme.secondary, true);
            return;
        };
        let heading = area.cut_top(28, space::MEDIUM);
        ui.text(heading, font::HEADING, Align::Left, &entry.name, theme.text);
        let mut user = labelled(ui, &mut area, "User");
        let copy_user = user.cut_right(space::CONTROL, space::SMALL);
        ui.label(user, &entry.user);
        if ui.icon_button(copy_user, Icon::Copy, "copy user", Kind::Quiet) {
            ui.copy(entry.user.clone());
        }
        let mut secret = labelled(ui, &mut area, "Password");
        let see = secret.cut_right(space::CONTROL, space::SMALL);
        if page.shown {
            ui.text(secret, font::MONO, Align::Left, &entry.secret, theme.text);
        } else {
            // As many for every password.
            ui.label(secret, "••••••••••••");
        }
        if ui.icon_button(see, Icon::Eye, "show", Kind::Quiet) {
            page.shown = !page.shown;
            ui.changed();
        }
        let note = labelled(ui, &mut area, "Note");
        let note = Rect::new(note.x, note.y + 6, note.width, area.height);
        ui.paragraph(note, font::BODY, &entry.note, theme.text, true);

        let mut foot = area.cut_bottom(space::CONTROL, 0);
        let copy = foot.cut_left(ui.button_width("Copy password"), space::SMALL);
        let copies = ui.button(copy, "Copy password", Kind::Primary);
        if copies || ui.take_key(control('c')).is_some() {
            ui.copy_for(entry.secret.clone(), COPIED_SECONDS);
            self.said = format!("The password is on the clipboard for {COPIED_SECONDS} s.");
            ui.changed();
        }
        let edit = foot.cut_left(ui.button_width("Edit"), space::SMALL);
        if ui.button(edit, "Edit", Kind::Plain) {
            page.editing = Some(Editing::of(Some(at), entry));
            ui.changed();
        }
        let delete = foot.cut_right(space::CONTROL, 0);
        page.asking |= ui.icon_button(delete, Icon::Trash, "delete", Kind::Quiet);
    }

    fn edit(&mut self, ui: &mut Ui<'_>, mut area: Rect) {
        let Self {
            passwords, keeper, ..
        } = self;
        let Some(editing) = &mut passwords.editing else {
            return;
        };
        let mut entered = false;
        let place = labelled(ui, &mut area, "Name");
        entered |= ui
            .field(place, "name", &mut editing.name, "What it is for")
            .entered;
        let place = labelled(ui, &mut area, "User");
        entered |= ui.field(place, "user", &mut editing.user, "").entered;
        let mut place = labelled(ui, &mut area, "Password");
        let see = place.cut_right(space::CONTROL, space::SMALL);
        entered |= match editing.shown {
            true => ui.field(place, "secret", &mut editing.secret, "").entered,
            false => {
                ui.secret_field(place, "secret", &mut editing.secret, "")
                    .entered
            }
        };
        if ui.icon_button(see, Icon::Eye, "show", Kind::Quiet) {
            editing.shown = !editing.shown;
            ui.changed();
        }
        let place = labelled(ui, &mut area, "Note");
        entered |= ui.field(place, "note", &mut editing.note, "").entered;

        let recipe = &mut editing.recipe;
        let heading = area.cut_top(24, 4);
        ui.text(
            heading,
            font::STRONG,
            Align::Left,
            "Generate one",
            ui.theme.text,
        );
        let row = area.cut_top(space::CONTROL, space::SMALL);
        let lengths = LENGTHS.map(|length| format!("{length}"));
        let lengths = lengths.each_ref().map(String::as_str);
        ui.segmented(row, "length", &lengths, &mut recipe.length);
        let row = area.cut_top(28, 8);
        let kinds = [
            ("Letters", &mut recipe.letters),
            ("Digits", &mut recipe.digits),
            ("Symbols", &mut recipe.symbols),
        ];
        for (index, (name, on)) in kinds.into_iter().enumerate() {
            ui.toggle(row.cell((3, 1), 20, (index as i32, 0)), name, on);
        }
        let mut row = area.cut_top(space::CONTROL, 0);
        let make = row.cut_left(ui.button_width("Generate"), space::MEDIUM);
        if ui.button(make, "Generate", Kind::Plain) || ui.take_key(control('g')).is_some() {
            if let Some(made) = recipe.make(|bytes| keeper.random(bytes)) {
                editing.secret = Edit::new(&made);
            }
            ui.changed();
        }
        let bits = format!("{} bits to guess", recipe.bits());
        ui.note(row, &bits);

        let mut foot = area.cut_bottom(space::CONTROL, 0);
        let save = foot.cut_right(ui.button_width("Save"), space::SMALL);
        let cancel = foot.cut_right(ui.button_width("Cancel"), 0);
        let saves = ui.button(save, "Save", Kind::Primary);
        if saves || entered || ui.take_key(control('s')).is_some() {
            self.save(ui);
        } else if ui.button(cancel, "Cancel", Kind::Plain)
            || ui.take_key(|key| key.usage == usage::ESCAPE).is_some()
        {
            self.passwords.editing = None;
            ui.changed();
        }
    }

    fn save(&mut self, ui: &mut Ui<'_>) {
        let (Some(editing), Some(mut book)) = (&self.passwords.editing, self.book.clone()) else {
            return;
        };
        if editing.name.text().trim().is_empty() {
            self.said = "An entry needs a name.".into();
            return ui.changed();
        }
        let at = book.put(editing.at, editing.entry());
        if self.store(ui, book, "Saved.") {
            self.passwords.editing = None;
            self.passwords.chosen = Some(at);
            self.passwords.search.set("");
            let list = ui.id("entries");
            ui.focus(list);
        }
    }

    /// Stores a book in place of the one before.
    fn store(&mut self, ui: &mut Ui<'_>, book: Book, said: &str) -> bool {
        let bytes = book.to_bytes().ok_or(CallError::Refused(Refusal::TooLong));
        let done = bytes.and_then(|bytes| self.keeper.save(bytes));
        if done.is_ok() {
            self.book = Some(book);
        }
        self.done(ui, done, said)
    }

    fn ask_delete(&mut self, ui: &mut Ui<'_>) {
        let book = self.book.as_ref();
        let found = self
            .passwords
            .chosen
            .and_then(|at| Some((at, book?.entries().get(at)?)));
        let Some((at, entry)) = found else {
            self.passwords.asking = false;
            return;
        };
        let title = format!("Delete {}?", entry.name);
        let answers = [("Keep it", Kind::Plain), ("Delete it", Kind::Danger)];
        let answer = ui.dialog(&title, "The password is lost for good.", &answers);
        self.passwords.asking = answer.is_none();
        if answer == Some(1)
            && let Some(mut book) = self.book.clone()
        {
            book.remove(at);
            self.passwords.chosen = None;
            self.store(ui, book, "Deleted.");
        }
    }
}
