//! The keys of all modules: what they are and whose, new ones, other versions, and their end.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use nonos_abi::Name;
use nonos_proto::vault::{kind, uses};
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::{Kind, List, Menu};
use nonos_ui::{Edit, Rect, Ui};

use crate::Manager;
use crate::keeper::{Held, Keeper, age};

/// Widths of the columns behind the name.
const COLUMNS: [i32; 4] = [110, 104, 60, 72];

/// What the page remembers.
#[derive(Default, Debug)]
pub struct Page {
    pub(crate) held: Vec<Held>,
    list: List,
    menu: Menu,
    kind: usize,
    name: Edit,
    asking: bool,
}

fn kind_of(held: &Held) -> &'static str {
    let index = usize::try_from(held.info.kind)
        .ok()
        .and_then(|kind| kind.checked_sub(1));
    let name = index.and_then(|index| kind::NAMES.get(index));
    name.copied().unwrap_or("?")
}

/// The names of what a key can be used for.
fn uses_of(held: &Held) -> String {
    uses::named(held.info.uses).collect::<Vec<_>>().join(", ")
}

fn columns(mut row: Rect) -> (Rect, [Rect; 4]) {
    let mut places = [Rect::default(); 4];
    for (place, width) in places.iter_mut().zip(COLUMNS).rev() {
        *place = row.cut_right(width, 8);
    }
    (row, places)
}

impl<K: Keeper> Manager<K> {
    /// The page.
    pub(crate) fn keys(&mut self, ui: &mut Ui<'_>, mut area: Rect) {
        let mut foot = area.cut_bottom(space::CONTROL, space::MEDIUM);
        let note = area.cut_bottom(20, 4);
        ui.card(area);
        let mut inner = area.inset(1, 0);
        let head = inner.cut_top(30, 0).inset(space::MEDIUM, 0);
        let (name, places) = columns(head);
        ui.note(name, "Key");
        for (place, title) in places.into_iter().zip(["Module", "Kind", "Version", "Age"]) {
            ui.note(place, title);
        }
        ui.separator(inner.cut_top(1, 4));
        inner.cut_bottom(4, 0);
        let now_ns = self.keeper.now_ns();
        let Page {
            held, list, asking, ..
        } = &mut self.keys;
        list.selected = list.selected.filter(|&at| at < held.len());
        ui.list(inner, "keys", list, (held.len(), 30), |ui, row, at, _| {
            let held = &held[at];
            let (name, [module, kind, version, since]) = columns(row);
            ui.label(name, held.info.name.as_str());
            ui.label(module, held.owner.module.as_str());
            ui.label(kind, kind_of(held));
            ui.label(version, &format!("{}", held.info.version));
            let age = age(held.owner.since_ns, now_ns);
            ui.text(since, font::BODY, Align::Left, &age, ui.theme.secondary);
        });
        let chosen = list.selected.and_then(|at| held.get(at)).copied();
        match &chosen {
            Some(held) => ui.note(note, &format!("For: {}", uses_of(held))),
            None => ui.note(note, "Keys are used by their modules, and seen by nobody."),
        }
        if let Some(held) = chosen {
            let destroy = foot.cut_right(ui.button_width("Destroy…"), space::SMALL);
            *asking |= ui.button(destroy, "Destroy…", Kind::Danger);
            let rotate = foot.cut_right(ui.button_width("Rotate"), space::SMALL);
            if ui.button(rotate, "Rotate", Kind::Plain) {
                let done = self.keeper.rotate(&held);
                self.done(ui, done, "It has a new version.");
            }
        }
        self.make(ui, foot);
        if let Some(held) = chosen.filter(|_| self.keys.asking) {
            self.ask_destroy(ui, &held);
        }
    }

    fn make(&mut self, ui: &mut Ui<'_>, mut foot: Rect) {
        let name = foot.cut_left(150, space::SMALL);
        let kind = foot.cut_left(124, space::SMALL);
        let make = foot.cut_left(ui.button_width("Make key"), 0);
        let page = &mut self.keys;
        let entered = ui
            .field(name, "name", &mut page.name, "Name of a new key")
            .entered;
        ui.choose(kind, "kind", &mut page.menu, &kind::NAMES, &mut page.kind);
        if ui.button(make, "Make key", Kind::Plain) || entered {
            let kind = page.kind as u64 + 1;
            let name = Name::new(page.name.text()).filter(|name| *name != Name::NONE);
            if let Some(name) = name {
                page.name.set("");
                let done = self.keeper.create(name, kind);
                self.done(ui, done, "The key is made.");
            } else {
                self.said = "A key has a name of 1 to 32 letters, digits, dots and dashes.".into();
                ui.changed();
            }
        }
    }

    fn ask_destroy(&mut self, ui: &mut Ui<'_>, held: &Held) {
        let (name, module) = (held.info.name, held.owner.module);
        let title = format!("Destroy {} of {}?", name.as_str(), module.as_str());
        let text = "What was encrypted with it is lost for good, and all handles to it are dead.";
        let answers = [("Keep it", Kind::Plain), ("Destroy it", Kind::Danger)];
        let answer = ui.dialog(&title, text, &answers);
        self.keys.asking = answer.is_none();
        if answer == Some(1) {
            let done = self.keeper.destroy(held);
            self.done(ui, done, "The key is destroyed.");
        }
    }
}
