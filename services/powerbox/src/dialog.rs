//! How the user is asked: a list of the documents to pick from, everything by keys, too.

use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::files::rights;
use nonos_proto::{CallError, files};
use nonos_ui::theme::{font, space};
use nonos_ui::ui::Align;
use nonos_ui::widgets::{Kind, List};
use nonos_ui::{App, Edit, Icon, Rect, Ui};

use crate::Question;
use crate::ask::{Chosen, Lasts, Pick, Thing, is_name};

/// Something in a directory.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Entry {
    /// Whether it is none: directories come first.
    pub file: bool,
    /// Its name.
    pub name: String,
    /// Bytes of a file.
    pub size: u64,
}

/// The user's documents.
pub trait Documents {
    /// What is in a directory, by the names that lead to it.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn list(&mut self, path: &[String]) -> Result<Vec<Entry>, CallError>;

    /// Makes a directory there.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn make(&mut self, path: &[String], name: &str) -> Result<(), CallError>;
}

/// The window.
#[derive(Debug)]
pub struct Dialog<D> {
    ask: Pick,
    documents: D,
    path: Vec<String>,
    entries: Vec<Entry>,
    list: List,
    name: Edit,
    /// The name of a directory that is to be made.
    new: Option<Edit>,
    lasts: usize,
    replacing: bool,
    trouble: Option<String>,
    begun: bool,
    answer: Option<Option<Chosen>>,
}

impl<D: Documents> Dialog<D> {
    /// Asks, beginning with what the documents hold.
    pub fn new(ask: Pick, documents: D) -> Self {
        let mut name = Edit::default();
        if let Pick::Save(suggested) = &ask {
            name.set(suggested);
            name.select_all();
        }
        let mut dialog = Self {
            ask,
            documents,
            path: Vec::new(),
            entries: Vec::new(),
            list: List::default(),
            name,
            new: None,
            lasts: 0,
            replacing: false,
            trouble: None,
            begun: false,
            answer: None,
        };
        dialog.read();
        dialog
    }

    /// Reads the directory again.
    fn read(&mut self) {
        self.list = List::default();
        match self.documents.list(&self.path) {
            Ok(entries) => {
                self.entries = entries;
                self.entries.sort_unstable();
                let first = !self.entries.is_empty() && !matches!(self.ask, Pick::Save(_));
                self.list.selected = first.then_some(0);
            }
            Err(error) => {
                self.entries.clear();
                self.say(&error);
            }
        }
    }

    fn say(&mut self, error: &CallError) {
        self.trouble = Some(alloc::format!("{error}"));
    }

    fn go_up(&mut self) {
        if let Some(left) = self.path.pop() {
            self.read();
            self.list.selected = self.entries.iter().position(|entry| entry.name == left);
        }
    }

    fn selected(&self) -> Option<&Entry> {
        self.entries.get(self.list.selected?)
    }

    /// Does what Enter on a row does.
    fn enter(&mut self) {
        match self.selected().cloned() {
            Some(entry) if !entry.file => {
                self.path.push(entry.name);
                self.read();
            }
            Some(entry) => match self.ask {
                Pick::Open(_) => self.choose(Some(entry.name)),
                Pick::Save(_) => self.name.set(&entry.name),
                Pick::Folder(_) => {}
            },
            None => {}
        }
    }

    /// Does what the usual button does.
    fn accept(&mut self) {
        match (&self.ask, self.selected()) {
            (Pick::Open(_), _) => self.enter(),
            // The directory that is shown.
            (Pick::Folder(_), _) => self.choose(None),
            (Pick::Save(_), _) => {
                let name = String::from(self.name.text().trim());
                if !is_name(&name) {
                    self.trouble = Some("Type a name without /.".into());
                    return;
                }
                let there = self.entries.iter().find(|entry| entry.name == name);
                match there.map(|entry| entry.file) {
                    None => self.choose(Some(name)),
                    Some(true) => self.replacing = true,
                    Some(false) => {
                        self.path.push(name);
                        self.read();
                    }
                }
            }
        }
    }

    fn choose(&mut self, name: Option<String>) {
        self.answer = Some(Some(Chosen {
            thing: Thing::Document {
                path: self.path.clone(),
                name,
            },
            lasts: Lasts::ALL[self.lasts.min(2)],
        }));
    }

    fn decline(&mut self) {
        self.answer = Some(None);
    }

    /// Where one is, and how to get elsewhere.
    fn head(&mut self, ui: &mut Ui<'_>, mut row: Rect) {
        let up = row.cut_left(space::CONTROL, space::SMALL);
        if ui.icon_button(up, Icon::Up, "up", Kind::Plain) {
            self.go_up();
            ui.changed();
        }
        if let Some(edit) = &mut self.new {
            let place = row.cut_right(ui.button_width("Make"), space::SMALL);
            let id = ui.id("new");
            let entered = ui.field(row, "new", edit, "Name of the new folder").entered;
            if ui.button(place, "Make", Kind::Plain) || entered {
                let name = String::from(edit.text().trim());
                self.make(&name);
                ui.changed();
            } else if !ui.any_focus() {
                ui.focus(id);
            }
            return;
        }
        if !matches!(self.ask, Pick::Open(_)) {
            let place = row.cut_right(ui.button_width("New folder"), space::SMALL);
            if ui.button(place, "New folder", Kind::Plain) {
                self.new = Some(Edit::default());
                let id = ui.id("new");
                ui.focus(id);
                ui.changed();
            }
        }
        let mut place = String::from("Documents");
        for name in &self.path {
            place.push_str(" / ");
            place.push_str(name);
        }
        ui.text(row, font::STRONG, Align::Left, &place, ui.theme.text);
    }

    fn make(&mut self, name: &str) {
        self.new = None;
        match self.documents.make(&self.path, name) {
            Ok(()) => {
                self.path.push(name.into());
                self.read();
            }
            Err(error) => self.say(&error),
        }
    }

    /// What is in the directory.
    fn rows(&mut self, ui: &mut Ui<'_>, rect: Rect) {
        ui.card(rect);
        let Self { list, entries, .. } = self;
        if entries.is_empty() {
            let text = "Nothing here.";
            let color = ui.theme.secondary;
            ui.text(rect, font::BODY, Align::Centre, text, color);
        }
        let count = (entries.len(), space::ROW);
        let picked = ui.list(
            rect.inset(0, 4),
            "entries",
            list,
            count,
            |ui, mut row, at, _| {
                let Some(entry) = entries.get(at) else { return };
                let icon = if entry.file { Icon::File } else { Icon::Folder };
                let color = if entry.file {
                    ui.theme.secondary
                } else {
                    ui.theme.accent_text
                };
                ui.icon(row.cut_left(20, space::SMALL), icon, 18, color);
                if entry.file {
                    let size = size(entry.size);
                    let place = row.cut_right(80, space::SMALL);
                    let color = ui.theme.secondary;
                    ui.text(place, font::CAPTION, Align::Right, &size, color);
                }
                ui.label(row, &entry.name);
            },
        );
        if picked.changed
            && let Some(name) = self.selected().filter(|entry| entry.file)
            && matches!(self.ask, Pick::Save(_))
        {
            let name = name.name.clone();
            self.name.set(&name);
        }
        if picked.entered {
            self.enter();
            ui.changed();
        }
        let id = ui.id("entries");
        if ui.has_focus(id)
            && ui
                .take_key(|key| key.usage == nonos_proto::usage::BACKSPACE)
                .is_some()
        {
            self.go_up();
            ui.changed();
        }
    }
}

/// A size for a person.
fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => alloc::format!("{bytes} B"),
        1024..0x10_0000 => alloc::format!("{} KiB", bytes.div_ceil(1024)),
        _ => alloc::format!("{} MiB", bytes.div_ceil(0x10_0000)),
    }
}

impl<D: Documents> Question for Dialog<D> {
    fn answer(&mut self) -> Option<Option<Chosen>> {
        self.answer.take()
    }
}

impl<D: Documents> App for Dialog<D> {
    fn title(&self) -> &str {
        match self.ask {
            Pick::Open(_) => "Open a file",
            Pick::Save(_) => "Save a file",
            Pick::Folder(_) => "Give a folder",
        }
    }

    fn size(&self) -> (i32, i32) {
        (540, 440)
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut area = ui.size().inset(space::MARGIN, space::MARGIN);
        let head = area.cut_top(space::CONTROL, space::MEDIUM);
        let mut buttons = area.cut_bottom(space::CONTROL, space::MEDIUM);
        let note = area.cut_bottom(18, space::MEDIUM);
        let lasts = area.cut_bottom(space::CONTROL, space::SMALL);
        let save = matches!(self.ask, Pick::Save(_));
        let name = save.then(|| area.cut_bottom(space::CONTROL, space::MEDIUM));
        if !self.begun {
            self.begun = true;
            let id = ui.id(if save { "name" } else { "entries" });
            ui.focus(id);
        }
        if let Some(rect) = name
            && ui.field(rect, "name", &mut self.name, "Name").entered
        {
            self.accept();
            ui.changed();
        }
        self.rows(ui, area);
        self.head(ui, head);

        // A file that is given again without a question would be one that nobody picked.
        let offered = if matches!(self.ask, Pick::Folder(_)) {
            3
        } else {
            2
        };
        ui.segmented(lasts, "lasts", &Lasts::NAMES[..offered], &mut self.lasts);
        let changes = self.ask.rights() & !(rights::READ | files::rights::LIST) != 0;
        let text = match (&self.trouble, &self.ask, changes) {
            (Some(trouble), ..) => trouble,
            (None, Pick::Folder(_), true) => "It can read and change all that is in this folder.",
            (None, Pick::Folder(_), false) => "It can read all that is in this folder.",
            (None, _, true) => "It can read and change the file that you pick, and no other.",
            (None, _, false) => "It can read the file that you pick, and no other.",
        };
        let color = match self.trouble {
            Some(_) => ui.theme.danger,
            None => ui.theme.secondary,
        };
        ui.text(note, font::CAPTION, Align::Left, text, color);

        let label = match self.ask {
            Pick::Open(_) => "Open",
            Pick::Save(_) => "Save",
            Pick::Folder(_) => "Give this folder",
        };
        let place = buttons.cut_right(ui.button_width(label), space::SMALL);
        if ui.button(place, label, Kind::Primary) {
            self.accept();
            ui.changed();
        }
        let place = buttons.cut_right(ui.button_width("Cancel"), space::SMALL);
        if ui.button(place, "Cancel", Kind::Plain) {
            self.decline();
        }
        if self.replacing {
            let answers = [("Keep it", Kind::Plain), ("Replace", Kind::Danger)];
            let title = "Replace the file?";
            let text = "There is a file of this name. What is in it will be lost.";
            match ui.dialog(title, text, &answers) {
                Some(1) => self.choose(Some(self.name.text().trim().into())),
                Some(_) => self.replacing = false,
                None => {}
            }
        } else if ui
            .take_key(|key| key.usage == nonos_proto::usage::ESCAPE)
            .is_some()
        {
            match self.new.take() {
                Some(_) => ui.changed(),
                None => self.decline(),
            }
        }
    }

    fn close(&mut self) -> bool {
        self.decline();
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeMap;
    use alloc::vec;

    use nonos_proto::Refusal;
    use nonos_proto::display::theme::DARK;
    use nonos_proto::usage;
    use nonos_ui::host::Stage;

    /// Directories by their path, with what is in them.
    #[derive(Debug)]
    struct Folders(BTreeMap<String, Vec<Entry>>);

    impl Documents for Folders {
        fn list(&mut self, path: &[String]) -> Result<Vec<Entry>, CallError> {
            let found = self.0.get(&path.join("/"));
            found.cloned().ok_or(CallError::Refused(Refusal::Gone))
        }

        fn make(&mut self, path: &[String], name: &str) -> Result<(), CallError> {
            let mut whole = path.to_vec();
            whole.push(name.into());
            self.0.insert(whole.join("/"), Vec::new());
            Ok(())
        }
    }

    fn entry(file: bool, name: &str) -> Entry {
        let (name, size) = (name.into(), 2000);
        Entry { file, name, size }
    }

    fn stage(ask: Pick) -> Stage<Dialog<Folders>> {
        let folders = Folders(BTreeMap::from([
            (
                String::new(),
                vec![
                    entry(true, "b.txt"),
                    entry(false, "work"),
                    entry(true, "a.txt"),
                ],
            ),
            ("work".into(), vec![entry(true, "plan")]),
        ]));
        Stage::new(Dialog::new(ask, folders), DARK, 1)
    }

    fn chosen(stage: &Stage<Dialog<Folders>>) -> (String, Lasts) {
        let chosen = stage.app.answer.clone().unwrap().unwrap();
        let Thing::Document { mut path, name } = chosen.thing else {
            panic!("a key")
        };
        path.extend(name);
        (path.join("/"), chosen.lasts)
    }

    #[test]
    fn a_file_is_picked_by_keys_alone() {
        let mut stage = stage(Pick::open(rights::READ).unwrap());
        stage.shoot("powerbox-open");
        // Into the directory, up again, and in once more.
        stage.press(usage::ENTER, 0);
        assert_eq!(stage.app.path, ["work"]);
        stage.press(usage::BACKSPACE, 0);
        assert_eq!(
            (stage.app.path.len(), stage.app.list.selected),
            (0, Some(0))
        );
        stage.press(usage::DOWN, 0);
        stage.press(usage::UP, 0);
        stage.press(usage::ENTER, 0);
        assert_eq!(stage.app.answer, None);
        stage.press(usage::ENTER, 0);
        assert_eq!(chosen(&stage), ("work/plan".into(), Lasts::Program));
    }

    #[test]
    fn escape_and_cancel_say_no() {
        for ask in [Pick::Open(1), Pick::Save("x".into()), Pick::Folder(5)] {
            let mut asked = stage(ask);
            asked.press(usage::ESCAPE, 0);
            assert_eq!(asked.app.answer, Some(None));
        }
    }

    #[test]
    fn a_file_is_saved_under_a_name_and_replaced_only_after_a_question() {
        let mut saved = stage(Pick::Save("a.txt".into()));
        saved.shoot("powerbox-save");
        saved.press(usage::ENTER, 0);
        assert_eq!(saved.app.answer, None);
        saved.shoot("powerbox-replace");
        saved.press(usage::ESCAPE, 0);
        assert_eq!(
            (saved.app.answer.clone(), saved.app.replacing),
            (None, false)
        );
        // What was suggested is selected, and typed over.
        saved.write("c.txt");
        saved.press(usage::ENTER, 0);
        assert_eq!(chosen(&saved).0, "c.txt");
        let mut replaced = stage(Pick::Save("a.txt".into()));
        replaced.press(usage::ENTER, 0);
        replaced.press(usage::ENTER, 0);
        assert_eq!(chosen(&replaced).0, "a.txt");
        // The name of a directory leads there, and what is no name nowhere.
        let mut into = stage(Pick::Save("work".into()));
        into.press(usage::ENTER, 0);
        assert_eq!((into.app.path.len(), into.app.answer.clone()), (1, None));
        let mut bad = stage(Pick::Save("a/b".into()));
        bad.press(usage::ENTER, 0);
        assert!(bad.app.answer.is_none() && bad.app.trouble.is_some());
    }

    #[test]
    fn a_folder_is_made_and_given_for_the_session() {
        let mut stage = stage(Pick::folder(rights::LIST | rights::READ).unwrap());
        stage.app.new = Some(Edit::default());
        stage.press(usage::TAB, 0);
        stage.app.new = Some(Edit::new("photos"));
        stage.app.make("photos");
        assert_eq!(stage.app.path, ["photos"]);
        stage.app.lasts = 2;
        stage.app.accept();
        stage.shoot("powerbox-folder");
        assert_eq!(chosen(&stage), ("photos".into(), Lasts::Session));
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let mut stage = stage(Pick::Open(1));
        stage.app.path = vec!["gone".into()];
        stage.app.read();
        assert!(stage.app.trouble.is_some() && stage.app.entries.is_empty());
    }

    #[test]
    fn keys_reach_every_control_and_all_can_be_read() {
        for ask in [
            Pick::open(rights::READ),
            Pick::folder(rights::READ | rights::LIST),
            Ok(Pick::Save("a".into())),
        ] {
            let ask = ask.unwrap();
            let count = nonos_ui::access::check(|| stage(ask.clone()));
            assert!(count > 4, "{count}");
        }
    }
}
