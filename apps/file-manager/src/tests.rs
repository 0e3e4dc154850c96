//! Files, with folders that are made up.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;

use nonos_proto::display::modifiers::{ALT, CONTROL, SHIFT};
use nonos_proto::display::theme::{DARK, HIGH_CONTRAST, LIGHT};
use nonos_proto::{CallError, Refusal};
use nonos_ui::App;
use nonos_ui::host::Stage;
use nonos_ui::input::{Input, usage};
use nonos_ui::widgets::Note;

use crate::folder::{Folder, Item, bytes_text, free_name};
use crate::{Desk, Files};

const NONE: CallError = CallError::Refused(Refusal::Gone);
const FULL: CallError = CallError::Refused(Refusal::Full);

/// A folder's contents by name, or bytes of a file.
enum Node {
    Folder(Pretended),
    File(u64),
}

#[derive(Clone, Default)]
struct Pretended {
    nodes: Rc<RefCell<BTreeMap<String, Node>>>,
    full: Rc<Cell<bool>>,
    /// It was removed, and who had it open hears so.
    gone: Rc<Cell<bool>>,
}

impl Pretended {
    fn with(self, name: &str, size: u64) -> Self {
        self.nodes
            .borrow_mut()
            .insert(name.into(), Node::File(size));
        self
    }

    fn with_folder(self, name: &str, folder: Self) -> Self {
        self.nodes
            .borrow_mut()
            .insert(name.into(), Node::Folder(folder));
        self
    }

    fn names(&self) -> Vec<String> {
        self.nodes.borrow().keys().cloned().collect()
    }
}

impl Folder for Pretended {
    fn items(&self) -> Result<Vec<Item>, CallError> {
        if self.gone.get() {
            return Err(NONE);
        }
        let nodes = self.nodes.borrow();
        let item = |(name, node): (&String, &Node)| Item {
            name: name.clone(),
            is_folder: matches!(node, Node::Folder(_)),
            size: match node {
                Node::Folder(folder) => folder.nodes.borrow().len() as u64,
                Node::File(size) => *size,
            },
        };
        Ok(nodes.iter().map(item).collect())
    }

    fn open(&self, name: &str) -> Result<Self, CallError> {
        match self.nodes.borrow().get(name) {
            Some(Node::Folder(folder)) => Ok(folder.clone()),
            _ => Err(NONE),
        }
    }

    fn make(&self, name: &str) -> Result<Self, CallError> {
        assert!(!self.nodes.borrow().contains_key(name));
        let folder = Self::default();
        self.clone().with_folder(name, folder.clone());
        Ok(folder)
    }

    fn remove(&self, name: &str) -> Result<(), CallError> {
        if let Some(Node::Folder(folder)) = self.nodes.borrow().get(name) {
            assert!(
                folder.nodes.borrow().is_empty(),
                "only empty folders are removed"
            );
        }
        self.nodes.borrow_mut().remove(name).map(drop).ok_or(NONE)
    }

    fn rename(&self, name: &str, to: &Self, new: &str) -> Result<(), CallError> {
        if new.contains('/') {
            return Err(CallError::Refused(Refusal::Malformed));
        }
        let node = self.nodes.borrow_mut().remove(name).ok_or(NONE)?;
        let replaced = to.nodes.borrow_mut().insert(new.into(), node);
        assert!(replaced.is_none(), "nothing is replaced");
        Ok(())
    }

    fn copy(&self, name: &str, to: &Self, new: &str) -> Result<(), CallError> {
        if to.full.get() {
            return Err(FULL);
        }
        let size = match self.nodes.borrow().get(name) {
            Some(Node::File(size)) => *size,
            _ => return Err(NONE),
        };
        let replaced = to.nodes.borrow_mut().insert(new.into(), Node::File(size));
        assert!(replaced.is_none(), "nothing is replaced");
        Ok(())
    }

    fn watch(&self) {}
}

struct Documents {
    root: Pretended,
    opened: Vec<(String, String)>,
}

impl Desk for Documents {
    type Folder = Pretended;

    fn root(&mut self) -> Result<Pretended, CallError> {
        Ok(self.root.clone())
    }

    fn open(&mut self, module: &str, path: &str) -> Result<(), CallError> {
        self.opened.push((module.into(), path.into()));
        Ok(())
    }
}

type Window = Stage<Files<Documents>>;

fn documents() -> Pretended {
    let old = Pretended::default().with("2024.txt", 5).with("2025.txt", 7);
    let letters = Pretended::default()
        .with("bank.txt", 1400)
        .with_folder("old", old);
    Pretended::default()
        .with_folder("Letters", letters)
        .with_folder("empty", Pretended::default())
        .with("notes.txt", 1200)
        .with("Äpfel.md", 12)
        .with("photo.JPG", 3_400_000)
        .with("zebra", 0)
}

fn window_of(root: Pretended, theme: u64, scale: i32) -> Window {
    let opened = Vec::new();
    Stage::new(Files::new(Documents { root, opened }), theme, scale)
}

fn window() -> Window {
    window_of(documents(), DARK, 1)
}

fn shown(window: &Window) -> Vec<&str> {
    let files = &window.app;
    files
        .shown
        .iter()
        .map(|&at| files.items[at].name.as_str())
        .collect()
}

fn selected(window: &Window) -> &str {
    window.app.selected().map_or("", |item| &item.name)
}

fn pick(window: &mut Window, name: &str) {
    window.app.select(name);
    window.input(Input::None);
}

fn key(letter: char) -> u8 {
    usage::A + (letter as u8 - b'a')
}

fn failure(window: &Window) -> &str {
    match &window.app.note {
        Some(Note::Failed(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn folders_come_first_and_names_are_sorted_as_a_person_does() {
    let mut window = window();
    assert_eq!(
        shown(&window),
        [
            "empty",
            "Letters",
            "Äpfel.md",
            "notes.txt",
            "photo.JPG",
            "zebra"
        ]
    );
    window.app.by = crate::By::Size;
    window.app.arrange();
    assert_eq!(
        shown(&window)[2..],
        ["photo.JPG", "notes.txt", "Äpfel.md", "zebra"]
    );
    window.press(key('f'), CONTROL);
    window.write("äP");
    assert_eq!(shown(&window), ["Äpfel.md"]);
    window.press(usage::ESCAPE, 0);
    assert_eq!(shown(&window).len(), 6);
}

#[test]
fn keys_lead_into_folders_and_back_to_where_one_was() {
    let mut window = window();
    window.write("l");
    assert_eq!(selected(&window), "Letters");
    window.press(usage::ENTER, 0);
    assert_eq!(
        (window.app.title(), shown(&window)),
        ("Letters", vec!["old", "bank.txt"])
    );
    window.press(usage::DOWN, 0);
    window.press(usage::ENTER, 0);
    assert_eq!(window.app.path, ["Letters", "old"]);
    window.press(usage::BACKSPACE, 0);
    assert_eq!((window.app.path.len(), selected(&window)), (1, "old"));
    window.press(usage::LEFT, ALT);
    assert_eq!(window.app.path, ["Letters", "old"]);
    window.press(usage::UP, ALT);
    window.press(usage::UP, ALT);
    window.press(usage::UP, ALT);
    assert_eq!(
        (window.app.title(), selected(&window)),
        ("Documents", "Letters")
    );
}

#[test]
fn documents_are_opened_with_the_program_for_them() {
    let mut window = window();
    for name in ["notes.txt", "photo.JPG", "zebra"] {
        pick(&mut window, name);
        window.press(usage::ENTER, 0);
    }
    pick(&mut window, "Letters");
    window.press(usage::ENTER, 0);
    pick(&mut window, "bank.txt");
    window.press(usage::ENTER, 0);
    let expected = [
        ("editor", "notes.txt"),
        ("viewer", "photo.JPG"),
        ("editor", "zebra"),
        ("editor", "Letters/bank.txt"),
    ];
    let opened = window.app.desk.opened.iter();
    assert!(
        opened
            .map(|(module, path)| (module.as_str(), path.as_str()))
            .eq(expected)
    );
}

#[test]
fn two_clicks_open_a_folder_and_one_does_not() {
    let mut window = window();
    window.click(200, 48 + 30 + 4 + 34 + 10);
    assert_eq!(selected(&window), "Letters");
    window.window.set_time(5_000_000_000);
    window.click(200, 48 + 30 + 4 + 34 + 10);
    assert!(window.app.path.is_empty(), "too late for the second");
    window.click(200, 48 + 30 + 4 + 34 + 10);
    assert_eq!(window.app.path, ["Letters"]);
}

#[test]
fn names_are_changed_in_their_place_and_never_replace_another() {
    let mut window = window();
    pick(&mut window, "notes.txt");
    window.press(usage::F2, 0);
    window.write("plan.txt");
    window.press(usage::ENTER, 0);
    assert_eq!(selected(&window), "plan.txt");
    window.press(usage::F2, 0);
    window.write("zebra");
    window.press(usage::ENTER, 0);
    assert!(failure(&window).contains("already"));
    window.press(usage::F2, 0);
    window.write("gone");
    window.press(usage::ESCAPE, 0);
    window.press(usage::F2, 0);
    window.write("a/b");
    window.press(usage::ENTER, 0);
    assert!(failure(&window).contains("keeps its name"));
    assert_eq!(
        shown(&window)[2..],
        ["Äpfel.md", "photo.JPG", "plan.txt", "zebra"]
    );
}

#[test]
fn a_new_folder_gets_its_name_at_once() {
    let mut window = window();
    window.press(key('n'), CONTROL);
    window.write("Trips");
    window.press(usage::ENTER, 0);
    assert_eq!(selected(&window), "Trips");
    // Left as it is, and then another.
    window.press(key('n'), CONTROL);
    window.press(usage::ENTER, 0);
    window.press(key('n'), CONTROL);
    window.press(usage::ENTER, 0);
    assert_eq!(selected(&window), "New folder 2");
}

#[test]
fn what_is_deleted_is_asked_for_with_all_that_is_in_it() {
    let mut window = window();
    pick(&mut window, "Letters");
    window.press(usage::DELETE, 0);
    window.press(usage::ESCAPE, 0);
    assert!(shown(&window).contains(&"Letters"));
    window.press(usage::DELETE, 0);
    window.press(usage::ENTER, 0);
    assert!(!shown(&window).contains(&"Letters"));
    assert_eq!(selected(&window), "Äpfel.md", "what follows");
}

#[test]
fn files_and_folders_are_copied_and_moved_but_not_into_themselves() {
    let mut window = window();
    let paste = |window: &mut Window| window.input(Input::Paste(String::new()));
    pick(&mut window, "notes.txt");
    window.press(key('c'), CONTROL);
    paste(&mut window);
    paste(&mut window);
    assert!(shown(&window).ends_with(&[
        "Äpfel.md",
        "notes 2.txt",
        "notes 3.txt",
        "notes.txt",
        "photo.JPG",
        "zebra"
    ]));
    pick(&mut window, "Letters");
    window.press(key('x'), CONTROL);
    window.press(usage::ENTER, 0);
    paste(&mut window);
    assert!(failure(&window).contains("into itself"));
    window.press(usage::BACKSPACE, 0);
    pick(&mut window, "empty");
    window.press(usage::ENTER, 0);
    paste(&mut window);
    assert_eq!(shown(&window), ["Letters"]);
    window.press(key('c'), CONTROL);
    window.press(usage::BACKSPACE, 0);
    paste(&mut window);
    assert_eq!(selected(&window), "Letters");
    window.press(usage::ENTER, 0);
    assert_eq!(shown(&window), ["old", "bank.txt"], "all of it");
    // A failure says what was not done.
    let root = window.app.desk.root.clone();
    root.full.set(true);
    window.press(usage::DOWN, 0);
    window.press(usage::DOWN, 0);
    window.press(key('c'), CONTROL);
    window.press(usage::BACKSPACE, 0);
    paste(&mut window);
    assert!(failure(&window).contains("bank.txt was not pasted"));
    assert!(!root.names().contains(&"bank.txt".to_string()));
}

#[test]
fn several_are_selected_and_moved_copied_and_deleted_together() {
    let inner = Pretended::default();
    let root = Pretended::default()
        .with_folder("in", inner.clone())
        .with("a", 1)
        .with("b", 2)
        .with("c", 3)
        .with("d", 4);
    let mut window = window_of(root.clone(), LIGHT, 1);
    let chosen = |window: &Window| {
        let names = window.app.chosen().map(|item| item.name.clone());
        names.collect::<Vec<_>>()
    };
    pick(&mut window, "b");
    window.press(usage::DOWN, SHIFT);
    window.press(usage::DOWN, SHIFT);
    assert_eq!(chosen(&window), ["b", "c", "d"]);
    window.shoot("files-several");
    window.press(usage::UP, SHIFT);
    window.press(usage::UP, SHIFT);
    window.press(usage::UP, SHIFT);
    assert_eq!(chosen(&window), ["a", "b"]);
    window.press(usage::DOWN, 0);
    assert_eq!(chosen(&window), ["b"]);
    window.press(key('a'), CONTROL);
    assert_eq!(chosen(&window), ["in", "a", "b", "c", "d"]);

    // The same with the button: from "b", which is the third row below the tools and the head, to "d".
    let row = |at: i32| 48 + 30 + 4 + at * 34 + 17;
    window.click(100, row(2));
    for down in [SHIFT << 8, SHIFT << 8 | 1, SHIFT << 8] {
        window.input(Input::Pointer(100, row(4), down, 0));
    }
    assert_eq!(chosen(&window), ["b", "c", "d"]);
    window.click(100, row(3));
    assert_eq!(chosen(&window), ["c"]);

    // Any of them: one is added, one taken out, by the button and by keys.
    for at in [4, 2] {
        for down in [CONTROL << 8, CONTROL << 8 | 1, CONTROL << 8] {
            window.input(Input::Pointer(100, row(at), down, 0));
        }
    }
    assert_eq!(chosen(&window), ["b", "c", "d"]);
    window.press(usage::DOWN, CONTROL);
    window.press(usage::SPACE, CONTROL);
    assert_eq!(chosen(&window), ["b", "d"]);
    window.press(usage::HOME, CONTROL);
    assert_eq!((selected(&window), chosen(&window).len()), ("in", 2));
    window.shoot("files-any");
    window.press(key('c'), CONTROL);
    window.press(usage::ENTER, 0);
    window.input(Input::Paste(String::new()));
    assert_eq!(inner.names(), ["b", "d"]);
    window.press(key('a'), CONTROL);
    window.press(usage::DELETE, 0);
    window.press(usage::RIGHT, 0);
    window.press(usage::ENTER, 0);
    assert!(inner.names().is_empty() && chosen(&window).is_empty());
    window.press(usage::DELETE, 0);
    window.press(key('x'), CONTROL);
    assert!(!window.app.asking && window.app.note.is_none(), "nothing");
    window.press(usage::BACKSPACE, 0);

    // Moved together, and once.
    pick(&mut window, "c");
    window.press(usage::UP, SHIFT);
    window.press(key('x'), CONTROL);
    pick(&mut window, "in");
    window.press(usage::ENTER, 0);
    window.input(Input::Paste(String::new()));
    assert_eq!((inner.names().len(), root.names().len()), (2, 3));
    assert_eq!(inner.names(), ["b", "c"]);
    window.input(Input::Paste(String::new()));
    assert_eq!(inner.names().len(), 2, "moved once");

    // Copied together, under free names.
    window.press(key('a'), CONTROL);
    window.press(key('c'), CONTROL);
    window.input(Input::Paste(String::new()));
    assert_eq!(inner.names(), ["b", "b 2", "c", "c 2"]);

    // Others change the folder: what they put between is not selected, and not deleted.
    pick(&mut window, "b 2");
    window.press(usage::DOWN, SHIFT);
    inner.clone().with("b 3", 1).with("a", 1);
    window.app.signal(0);
    assert_eq!(chosen(&window), ["b 2", "c"]);
    window.press(usage::DELETE, 0);
    inner.clone().with("b 4", 1);
    window.app.signal(0);
    assert_eq!(inner.names().len(), 7, "asked first");
    window.press(usage::RIGHT, 0);
    window.press(usage::ENTER, 0);
    assert_eq!(inner.names(), ["a", "b", "b 3", "b 4", "c 2"]);
    assert_eq!(chosen(&window), ["b 3"], "what follows");
    // The range that Shift selects begins where it did.
    inner.clone().with("0", 1);
    window.app.signal(0);
    window.press(usage::UP, SHIFT);
    inner.clone().with("1", 1);
    window.app.signal(0);
    window.press(usage::UP, SHIFT);
    assert_eq!(chosen(&window), ["a", "b", "b 3"]);
}

#[test]
fn changes_by_others_are_seen_and_a_folder_that_is_gone_is_left() {
    let mut window = window();
    pick(&mut window, "notes.txt");
    window.app.desk.root.clone().with("added", 1);
    window.app.signal(0);
    window.input(Input::None);
    assert!(shown(&window).contains(&"added") && selected(&window) == "notes.txt");
    pick(&mut window, "Letters");
    window.press(usage::ENTER, 0);
    let letters = window.app.here.clone().unwrap();
    window.app.desk.root.nodes.borrow_mut().remove("Letters");
    letters.gone.set(true);
    window.app.signal(0);
    window.input(Input::None);
    assert_eq!(
        (window.app.title(), window.app.path.len()),
        ("Documents", 0)
    );
    assert_eq!(free_name(&window.app.items, ".hidden"), ".hidden");
    assert_eq!(free_name(&window.app.items, "added"), "added 2");
    assert_eq!(
        [0, 1023, 1024, 1_572_864].map(bytes_text),
        ["0 bytes", "1023 bytes", "1.0 KB", "1.5 MB"]
    );
}

#[test]
fn ten_thousand_documents_are_shown_and_gone_through() {
    let mut root = Pretended::default();
    for number in 0..10_000 {
        root = root.with(&format!("document {number:05}"), number);
    }
    let mut window = window_of(root, DARK, 1);
    window.press(usage::END, 0);
    assert_eq!(selected(&window), "document 09999");
    // What is selected stays so.
    window.press(key('a'), CONTROL);
    window.app.signal(0);
    assert_eq!(window.app.chosen().count(), 10_000);
    window.press(usage::UP, 0);
    window.press(usage::F2, 0);
    window.write("a");
    window.press(usage::ENTER, 0);
    assert_eq!((selected(&window), window.app.list.scroll.offset), ("a", 0));
}

#[test]
fn pictures() {
    for (name, theme, scale) in [
        ("light", LIGHT, 1),
        ("dark", DARK, 2),
        ("contrast", HIGH_CONTRAST, 1),
    ] {
        let mut stage = window_of(documents(), theme, scale);
        pick(&mut stage, "notes.txt");
        stage.shoot(&format!("files-{name}"));
        stage.press(usage::F2, 0);
        stage.shoot(&format!("files-{name}-rename"));
        stage.press(usage::ESCAPE, 0);
        pick(&mut stage, "Letters");
        stage.press(usage::DELETE, 0);
        stage.shoot(&format!("files-{name}-ask"));
        stage.press(usage::ESCAPE, 0);
        stage.press(usage::ENTER, 0);
        stage.press(usage::DOWN, 0);
        stage.press(usage::ENTER, 0);
        stage.shoot(&format!("files-{name}-deep"));
    }
}

#[test]
fn keys_reach_every_control_and_all_can_be_read() {
    let count = nonos_ui::access::check(window);
    assert!(count > 3, "{count}");
}
