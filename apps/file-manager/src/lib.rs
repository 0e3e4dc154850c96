//! Files: a window with the documents of the user.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod folder;
mod show;
mod sort;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::cmp::Ordering;

use nonos_proto::CallError;
use nonos_ui::search::{Needle, fold, matches};
use nonos_ui::widgets::{Kind, List, Menu, Note};
use nonos_ui::{App, Edit, Ui};

use folder::{Folder, Item, free_name};

/// What is called the first folder.
const ROOT: &str = "Documents";

/// Where the documents are, and what opens them.
pub trait Desk {
    /// A folder.
    type Folder: Folder;

    /// The first folder.
    fn root(&mut self) -> Result<Self::Folder, CallError>;

    /// Opens a document with a program. The path is the names from the first folder on, with `/` between them.
    fn open(&mut self, module: &str, path: &str) -> Result<(), CallError>;
}

/// What the list is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    Name,
    Kind,
    Size,
}

/// What was cut or copied: the folder's path, what of it, and whether it is to be moved.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Taken {
    path: Vec<String>,
    items: Vec<Item>,
    moved: bool,
}

/// What gets another name, and which.
#[derive(Debug)]
struct Renaming {
    name: String,
    edit: Edit,
    /// It is to have the keyboard.
    begins: bool,
}

/// What can be done with what is selected, as the menu shows it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Command {
    Open,
    Rename,
    Cut,
    Copy,
    Paste,
    Delete,
}

/// What several things are called together, and one by its name.
fn named(items: &[Item]) -> String {
    match items {
        [item] => item.name.clone(),
        items => format!("{} items", items.len()),
    }
}

/// The window.
#[derive(Debug)]
pub struct Files<D: Desk> {
    desk: D,
    /// The folder that is shown, and the names that lead to it.
    here: Option<D::Folder>,
    path: Vec<String>,
    back: Vec<Vec<String>>,
    items: Vec<Item>,
    /// Which of them are shown, in their order.
    shown: Vec<usize>,
    by: By,
    reversed: bool,
    search: Edit,
    list: List<true>,
    menu: Menu,
    taken: Option<Taken>,
    /// What gets another name.
    renaming: Option<Renaming>,
    /// Height of the list, points.
    room: i32,
    /// Whether that is to be deleted what is selected.
    asking: bool,
    note: Option<Note>,
    title: String,
}

impl<D: Desk> Files<D> {
    /// Shows the first folder.
    pub fn new(desk: D) -> Self {
        let mut files = Self {
            desk,
            here: None,
            path: Vec::new(),
            back: Vec::new(),
            items: Vec::new(),
            shown: Vec::new(),
            by: By::Name,
            reversed: false,
            search: Edit::default(),
            list: List::default(),
            menu: Menu::default(),
            taken: None,
            renaming: None,
            room: 0,
            asking: false,
            note: None,
            title: String::new(),
        };
        files.go(Vec::new());
        files
    }

    fn failed(&mut self, what: impl ToString, why: impl ToString) {
        self.note = Some(Note::Failed(format!(
            "{}: {}",
            what.to_string(),
            why.to_string()
        )));
    }

    /// The folder that a path leads to.
    fn folder(&mut self, path: &[String]) -> Result<D::Folder, CallError> {
        let root = self.desk.root()?;
        path.iter().try_fold(root, |folder, name| folder.open(name))
    }

    /// Shows another folder.
    fn go(&mut self, path: Vec<String>) {
        match self.folder(&path) {
            Ok(folder) => {
                folder.watch();
                self.here = Some(folder);
                self.path = path;
                self.title = self.path.last().map_or(ROOT, String::as_str).to_string();
                self.search.set("");
                self.list = List::default();
                (self.renaming, self.asking, self.note) = (None, false, None);
                self.reload();
            }
            Err(why) => {
                let name = path.last().map_or(ROOT, String::as_str);
                self.failed(format!("{name} cannot be opened"), why);
            }
        }
    }

    fn go_and_remember(&mut self, path: Vec<String>) {
        let last = self.path.clone();
        self.go(path.clone());
        if self.path == path && last != path {
            self.back.push(last);
        }
    }

    fn go_up(&mut self) {
        let mut path = self.path.clone();
        if let Some(name) = path.pop() {
            self.go_and_remember(path);
            self.select(&name);
        }
    }

    fn go_back(&mut self) {
        if let Some(path) = self.back.pop() {
            let name = self.path.last().cloned();
            self.go(path);
            if let Some(name) = name {
                self.select(&name);
            }
        }
    }

    /// Reads the folder again; what is selected stays so. When the folder is gone, the one above is shown.
    fn reload(&mut self) {
        let name = |row| Some(self.item(row)?.name.clone());
        let ends = [self.list.selected, self.list.anchor].map(name);
        let mut chosen: Vec<String> = self.chosen().map(|item| item.name.clone()).collect();
        chosen.sort_unstable();
        let items = self.here.as_ref().map(Folder::items);
        match items {
            Some(Ok(items)) => self.items = items,
            Some(Err(_)) if !self.path.is_empty() => {
                let mut path = self.path.clone();
                path.pop();
                self.here = None;
                self.go(path);
                return;
            }
            Some(Err(why)) => {
                self.items.clear();
                self.failed("The documents cannot be read", why);
            }
            None => {}
        }
        self.arrange();
        let stays = |at: &usize| chosen.binary_search(&self.items[*at].name).is_ok();
        self.list.chosen = self.shown.iter().map(stays).collect();
        [self.list.selected, self.list.anchor] = ends.map(|name| self.row(&name?));
        self.reveal();
    }

    /// Sorts what is shown: folders first.
    fn arrange(&mut self) {
        let needle = Needle::new(self.search.text(), false);
        let items = &self.items;
        let wanted = |item: &Item| {
            needle.is_empty() || matches(item.name.chars(), &needle, 0).next().is_some()
        };
        let mut shown: Vec<usize> = (0..items.len()).filter(|&at| wanted(&items[at])).collect();
        shown.sort_unstable_by(|&a, &b| {
            let (a, b) = (&items[a], &items[b]);
            let by = match self.by {
                By::Name => Ordering::Equal,
                By::Kind => folder::kind(a).0.cmp(folder::kind(b).0),
                By::Size => b.size.cmp(&a.size),
            };
            let by = by.then_with(|| sort::compare(&a.name, &b.name));
            let by = if self.reversed { by.reverse() } else { by };
            b.is_folder.cmp(&a.is_folder).then(by)
        });
        self.shown = shown;
        self.list.select(None);
    }

    /// What is shown in a row.
    fn item(&self, row: Option<usize>) -> Option<&Item> {
        self.items.get(*self.shown.get(row?)?)
    }

    /// The row that shows what has this name.
    fn row(&self, name: &str) -> Option<usize> {
        let mut shown = self.shown.iter();
        shown.position(|&at| self.items[at].name == name)
    }

    /// Where the keys go on from.
    fn selected(&self) -> Option<&Item> {
        self.item(self.list.selected)
    }

    /// All that is selected.
    fn chosen(&self) -> impl Iterator<Item = &Item> {
        self.list.rows().filter_map(|row| self.item(Some(row)))
    }

    fn select(&mut self, name: &str) {
        self.list.select(self.row(name));
        self.reveal();
    }

    /// Selects the next item that begins with a letter.
    fn select_letter(&mut self, letter: char) {
        let after = self.list.selected.map_or(0, |at| at + 1);
        let count = self.shown.len();
        let begins = |at: &usize| {
            let first = self.items[self.shown[*at]].name.chars().next();
            first.map(fold) == Some(fold(letter))
        };
        let found = (0..count).map(|step| (after + step) % count).find(begins);
        self.list.select(found.or(self.list.selected));
        self.reveal();
    }

    /// Scrolls to what is selected.
    fn reveal(&mut self) {
        if let Some(at) = self.list.selected {
            let top = at as i32 * show::ROW;
            self.list
                .scroll
                .show(top, top + show::ROW, self.room.max(show::ROW));
        }
    }

    // What can be done.

    fn run(&mut self, command: Command) {
        self.note = None;
        match command {
            Command::Open | Command::Rename => match self.selected().cloned() {
                Some(item) if command == Command::Open => self.open(&item),
                Some(item) => self.rename(&item.name),
                None => {}
            },
            Command::Cut | Command::Copy => {
                let moved = command == Command::Cut;
                let what = if moved { "moves" } else { "copies" };
                let items: Vec<Item> = self.chosen().cloned().collect();
                if items.is_empty() {
                    return;
                }
                self.note = Some(Note::Said(format!(
                    "Paste {what} {} to the folder that is shown then",
                    named(&items)
                )));
                let path = self.path.clone();
                self.taken = Some(Taken { path, items, moved });
            }
            Command::Paste => self.paste(),
            Command::Delete => self.asking = true,
        }
    }

    fn open(&mut self, item: &Item) {
        let mut path = self.path.clone();
        path.push(item.name.clone());
        if item.is_folder {
            return self.go_and_remember(path);
        }
        let (_, module) = folder::kind(item);
        if let Err(why) = self.desk.open(module, &path.join("/")) {
            self.failed(format!("{} was not opened", item.name), why);
        }
    }

    fn rename(&mut self, name: &str) {
        let mut edit = Edit::new(name);
        edit.select_all();
        self.renaming = Some(Renaming {
            name: name.to_string(),
            edit,
            begins: true,
        });
        self.reveal();
    }

    /// Gives what is being renamed its new name.
    fn end_renaming(&mut self) {
        let Some(Renaming { name, edit, .. }) = self.renaming.take() else {
            return;
        };
        let new = edit.text().trim();
        if new == name || new.is_empty() {
            return;
        }
        if self.items.iter().any(|item| item.name == new) {
            self.failed(
                format!("{name} keeps its name"),
                format!("there is already {new}"),
            );
            return;
        }
        let outcome = self.here.as_ref().map(|here| here.rename(&name, here, new));
        if let Some(Err(why)) = outcome {
            self.failed(format!("{name} keeps its name"), why);
        }
        self.reload();
        self.select(new);
    }

    fn new_folder(&mut self) {
        let name = free_name(&self.items, "New folder");
        let outcome = self.here.as_ref().map(|here| here.make(&name).map(drop));
        if let Some(Err(why)) = outcome {
            self.failed("No folder was made", why);
            return;
        }
        self.search.set("");
        self.reload();
        self.select(&name);
        self.rename(&name);
    }

    /// Puts what was cut or copied into the folder that is shown. What was moved is no longer to be.
    fn paste(&mut self) {
        let Some(Taken { path, items, moved }) = self.taken.take() else {
            return;
        };
        if moved && path == self.path {
            self.taken = Some(Taken { path, items, moved });
            return;
        }
        let mut pasted = String::new();
        for (at, item) in items.iter().enumerate() {
            match self.paste_one(&path, item, moved) {
                Ok(name) => pasted = name,
                Err(why) => {
                    self.reload();
                    self.failed(format!("{} was not pasted", item.name), why);
                    let items = if moved { items[at..].to_vec() } else { items };
                    self.taken = Some(Taken { path, items, moved });
                    return;
                }
            }
        }
        self.reload();
        self.select(&pasted);
        self.taken = Some(Taken { path, items, moved }).filter(|_| !moved);
    }

    /// Puts one thing into the folder that is shown: what it is called there.
    fn paste_one(&mut self, path: &[String], item: &Item, moved: bool) -> Result<String, String> {
        let inside = item.is_folder
            && self.path.starts_with(path)
            && self.path.get(path.len()) == Some(&item.name);
        if inside {
            return Err("a folder cannot be put into itself".to_string());
        }
        let pasted = self.folder(path).and_then(|from| {
            let here = self.here.as_ref().ok_or(CallError::BadReply)?;
            let name = free_name(&here.items()?, &item.name);
            if moved {
                from.rename(&item.name, here, &name)?;
            } else {
                folder::copy(&from, item, here, &name)?;
            }
            Ok(name)
        });
        pasted.map_err(|why| why.to_string())
    }

    fn delete(&mut self) {
        let items: Vec<Item> = self.chosen().cloned().collect();
        let first = self.list.rows().next();
        let Some(here) = &self.here else {
            return;
        };
        let failure = items
            .iter()
            .find_map(|item| Some((item, folder::remove(here, item).err()?)));
        self.reload();
        // What follows is selected, so that keys go on from there.
        if self.chosen().next().is_none() {
            let last = self.shown.len().saturating_sub(1);
            self.list.select(first.map(|at| at.min(last)));
        }
        if let Some((item, why)) = failure {
            self.failed(format!("{} was not deleted", item.name), why);
        }
    }

    fn question(&mut self, ui: &mut Ui<'_>) {
        let items: Vec<Item> = self.chosen().cloned().collect();
        let title = format!("Delete {}?", named(&items));
        let text = match &items[..] {
            [] => {
                self.asking = false;
                return;
            }
            [item] if item.is_folder && item.size > 0 => format!(
                "It and all that is in it ({}) cannot be brought back.",
                folder::size_text(item)
            ),
            [_] => "It cannot be brought back.".to_string(),
            items if items.iter().any(|item| item.is_folder) => {
                "They and all that is in them cannot be brought back.".to_string()
            }
            _ => "They cannot be brought back.".to_string(),
        };
        let answers = [("Keep", Kind::Plain), ("Delete", Kind::Danger)];
        if let Some(answer) = ui.dialog(&title, &text, &answers) {
            self.asking = false;
            if answer == 1 {
                self.delete();
            }
        }
    }
}

impl<D: Desk> App for Files<D> {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (i32, i32) {
        (720, 480)
    }

    fn limits(&self) -> [(i32, i32); 2] {
        [(520, 320), (0, 0)]
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        self.window(ui);
        if self.asking {
            self.question(ui);
        }
    }

    /// Something in the folder changed.
    fn signal(&mut self, _: u64) {
        self.reload();
    }
}
