//! The editor, with files and a user that are made up.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use nonos_proto::display::modifiers::{CONTROL, SHIFT};
use nonos_proto::display::theme::{DARK, HIGH_CONTRAST, LIGHT};
use nonos_proto::{CallError, Refusal};
use nonos_ui::App;
use nonos_ui::host::Stage;
use nonos_ui::input::{Input, usage};
use nonos_ui::widgets::Note;

use crate::Editor;
use crate::store::{self, File, Given, Unread, User};

const FULL: CallError = CallError::Refused(Refusal::Full);

#[derive(Default)]
struct State {
    files: BTreeMap<String, Vec<u8>>,
    /// What the user answers next: a name, or no.
    answer: Option<Option<&'static str>>,
    suggested: String,
    requests: u64,
    /// Writing fails from this byte on.
    room: Option<usize>,
    /// What was written since it was begun.
    begun: Vec<u8>,
    read_only: bool,
}

type Shared = Rc<RefCell<State>>;

struct Stored(Shared, String);

impl File for Stored {
    fn size(&self) -> Result<u64, CallError> {
        Ok(self.0.borrow().files[&self.1].len() as u64)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<usize, CallError> {
        let state = self.0.borrow();
        let rest = &state.files[&self.1][at as usize..];
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), CallError> {
        let mut state = self.0.borrow_mut();
        let end = at as usize + bytes.len();
        if state.room.is_some_and(|room| end > room) {
            return Err(FULL);
        }
        assert_eq!(state.begun.len(), at as usize);
        state.begun.extend_from_slice(bytes);
        Ok(())
    }

    fn begin(&self) -> Result<(), CallError> {
        self.0.borrow_mut().begun.clear();
        Ok(())
    }

    fn commit(&self) -> Result<(), CallError> {
        let mut state = self.0.borrow_mut();
        let written = std::mem::take(&mut state.begun);
        state.files.insert(self.1.clone(), written);
        Ok(())
    }
}

struct Pretended(Shared);

impl User for Pretended {
    type File = Stored;

    fn ask_open(&mut self) -> Result<u64, CallError> {
        let mut state = self.0.borrow_mut();
        state.requests += 1;
        Ok(state.requests)
    }

    fn ask_save(&mut self, name: &str) -> Result<u64, CallError> {
        self.0.borrow_mut().suggested = name.to_owned();
        self.ask_open()
    }

    fn answer(&mut self, request: u64) -> Result<Option<Given<Stored>>, CallError> {
        let mut state = self.0.borrow_mut();
        assert_eq!(request, state.requests);
        let Some(answer) = state.answer.take() else {
            return Ok(None);
        };
        let name = answer.ok_or(CallError::Refused(Refusal::Declined))?;
        state.files.entry(name.to_owned()).or_default();
        Ok(Some(Given {
            file: Stored(self.0.clone(), name.to_owned()),
            name: name.to_owned(),
            writable: !state.read_only,
        }))
    }

    fn opened_with(&mut self) -> Result<Option<Given<Stored>>, CallError> {
        if self.0.borrow().answer.is_none() {
            return Ok(None);
        }
        self.0.borrow_mut().requests = 0;
        self.answer(0)
    }

    fn withdraw(&mut self, _: u64) {}
}

type Window = Stage<Editor<Pretended>>;

fn window(files: &[(&str, &[u8])]) -> (Window, Shared) {
    let state = Shared::default();
    let made = files
        .iter()
        .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
    state.borrow_mut().files = made.collect();
    (
        Stage::new(Editor::new(Pretended(state.clone())), DARK, 1),
        state,
    )
}

fn key(letter: char) -> u8 {
    usage::A + (letter as u8 - b'a')
}

fn answer(window: &mut Window, state: &Shared, name: Option<&'static str>) {
    state.borrow_mut().answer = Some(name);
    window.app.signal(0);
    window.input(Input::None);
}

fn open(window: &mut Window, state: &Shared, name: &'static str) {
    window.press(key('o'), CONTROL);
    answer(window, state, Some(name));
}

fn text(window: &Window) -> String {
    let buffer = window.app.area.buffer();
    buffer.text(0..buffer.len())
}

fn failure(window: &Window) -> &str {
    match &window.app.note {
        Some(Note::Failed(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_new_text_is_saved_where_the_user_says_and_then_in_the_same_file() {
    let (mut window, state) = window(&[]);
    assert_eq!(window.app.title(), "Untitled");
    window.write("grün é");
    assert_eq!(window.app.title(), "• Untitled");
    window.press(key('s'), CONTROL);
    assert_eq!(state.borrow().suggested, "Untitled.txt");
    // Nothing is saved before the user answers, and nothing when the answer is no.
    answer(&mut window, &state, None);
    assert!(window.app.area.buffer().is_changed());
    window.press(key('s'), CONTROL);
    answer(&mut window, &state, Some("note"));
    assert_eq!(
        (window.app.title(), state.borrow().files["note"].as_slice()),
        ("note", "grün é".as_bytes())
    );
    window.press(usage::BACKSPACE, 0);
    window.press(key('s'), CONTROL);
    assert_eq!(
        state.borrow().files["note"],
        "grün ".as_bytes(),
        "and it got shorter"
    );
    assert_eq!(state.borrow().requests, 2);
}

#[test]
fn what_is_no_text_is_refused_and_what_was_there_stays() {
    let long = vec![b'a'; (12 << 20) + 1];
    let cut = ["a".repeat((64 << 10) - 1).as_bytes(), b"\xC3"].concat();
    let split = ["a".repeat((64 << 10) - 1).as_bytes(), "äb".as_bytes()].concat();
    let (mut window, state) = window(&[
        ("bad", b"ab\xFFc"),
        ("long", &long),
        ("cut", &cut),
        ("good", &split),
    ]);
    window.write("mine");
    window.press(key('o'), CONTROL);
    // The question: discard.
    window.press(usage::TAB, SHIFT);
    window.press(usage::ENTER, 0);
    answer(&mut window, &state, Some("bad"));
    assert!(failure(&window).contains("byte 2"), "{}", failure(&window));
    assert_eq!(
        (text(&window).as_str(), window.app.title()),
        ("mine", "• Untitled")
    );
    let read = |name: &str| {
        store::read(&Stored(state.clone(), name.to_owned())).map(|buffer| buffer.len())
    };
    assert_eq!(read("long"), Err(Unread::TooLong((12 << 20) + 1)));
    assert_eq!(read("cut"), Err(Unread::NotText((64 << 10) - 1)));
    assert_eq!(
        read("good"),
        Ok(split.len()),
        "a character across two parts"
    );
}

#[test]
fn files_are_written_back_byte_for_byte() {
    let bytes = "\u{FEFF}one\r\ntwo\nthree\r\n\0 \x1b[0m ä\u{308}\r".as_bytes();
    let (mut window, state) = window(&[("odd", bytes)]);
    open(&mut window, &state, "odd");
    window.press(usage::END, CONTROL);
    window.write("x");
    window.press(usage::BACKSPACE, 0);
    window.press(key('s'), CONTROL);
    assert_eq!(state.borrow().files["odd"], bytes);
    assert_eq!(window.app.title(), "odd");
}

#[test]
fn a_save_that_fails_says_why_and_keeps_the_text_changed() {
    let (mut window, state) = window(&[("note", b"old")]);
    open(&mut window, &state, "note");
    window.write("new ");
    state.borrow_mut().room = Some(3);
    window.press(key('s'), CONTROL);
    assert!(failure(&window).contains("Not saved"));
    assert_eq!(state.borrow().files["note"], b"old");
    assert_eq!(
        (window.app.title(), text(&window).as_str()),
        ("• note", "new old")
    );
    // Closing asks, and saving then does not close when it fails.
    assert!(!window.app.close());
    window.input(Input::None);
    window.press(usage::ENTER, 0);
    assert!(!window.app.is_done() && window.app.asking.is_none());
    state.borrow_mut().room = None;
    assert!(!window.app.close());
    window.input(Input::None);
    window.press(usage::ENTER, 0);
    assert!(window.app.is_done());
    assert_eq!(state.borrow().files["note"], b"new old");
}

#[test]
fn a_save_that_fails_half_way_leaves_what_was_there() {
    let long = [b'a'; 200_000];
    let (mut window, state) = window(&[("note", &long)]);
    open(&mut window, &state, "note");
    window.write("b");
    state.borrow_mut().room = Some(150_000);
    window.press(key('s'), CONTROL);
    assert!(failure(&window).contains("Not saved"));
    assert!(
        state.borrow().begun.len() > 60_000,
        "some of it was written"
    );
    assert_eq!(state.borrow().files["note"], long);
    state.borrow_mut().room = None;
    window.press(usage::ESCAPE, 0);
    window.press(key('s'), CONTROL);
    assert_eq!(state.borrow().files["note"], [&b"b"[..], &long].concat());
}

#[test]
fn changes_are_not_lost_without_a_question() {
    let (mut window, state) = window(&[("note", b"old")]);
    assert!(window.app.close(), "nothing to lose");
    window.app.done = false;
    window.write("a");
    for letter in ['n', 'o'] {
        window.press(key(letter), CONTROL);
        assert!(window.app.asking.is_some());
        window.press(usage::ESCAPE, 0);
        assert!(window.app.asking.is_none());
    }
    assert!(!window.app.close());
    window.input(Input::None);
    window.press(usage::ESCAPE, 0);
    assert_eq!((text(&window).as_str(), state.borrow().requests), ("a", 0));
    // Saving in a new file comes before closing.
    assert!(!window.app.close());
    window.input(Input::None);
    window.press(usage::ENTER, 0);
    assert!(!window.app.is_done());
    answer(&mut window, &state, Some("kept"));
    assert!(window.app.is_done());
    assert_eq!(state.borrow().files["kept"], b"a");
}

#[test]
fn what_may_only_be_read_is_saved_elsewhere() {
    let (mut window, state) = window(&[("fixed", b"old")]);
    state.borrow_mut().read_only = true;
    open(&mut window, &state, "fixed");
    window.write("x");
    window.press(key('s'), CONTROL);
    assert_eq!(
        (state.borrow().requests, state.borrow().suggested.as_str()),
        (2, "fixed")
    );
    assert_eq!(state.borrow().files["fixed"], b"old");
}

#[test]
fn the_program_begins_with_what_it_was_opened_with() {
    let state = Shared::default();
    state
        .borrow_mut()
        .files
        .insert("note".into(), b"text".to_vec());
    state.borrow_mut().answer = Some(Some("note"));
    let stage = Stage::new(Editor::new(Pretended(state)), LIGHT, 1);
    assert_eq!((text(&stage).as_str(), stage.app.title()), ("text", "note"));
}

#[test]
fn words_are_found_and_replaced_by_keys_alone() {
    let (mut window, state) = window(&[("note", "Zug und zug, ZÜGE\nzug".as_bytes())]);
    open(&mut window, &state, "note");
    window.press(key('f'), CONTROL);
    window.write("zug");
    assert_eq!(window.app.area.selection(), 0..3);
    window.press(usage::ENTER, 0);
    assert_eq!(window.app.area.selection(), 8..11);
    window.press(usage::ENTER, SHIFT);
    assert_eq!(window.app.area.selection(), 0..3);
    window.press(key('g'), CONTROL);
    window.press(key('g'), CONTROL | SHIFT);
    assert_eq!(window.app.area.selection(), 0..3);
    // Past "case", the three icons, to what it is replaced with.
    (0..5).for_each(|_| window.press(usage::TAB, 0));
    window.write("Bahn");
    window.press(usage::ENTER, 0);
    assert_eq!(text(&window), "Bahn und zug, ZÜGE\nzug");
    window.press(usage::TAB, 0);
    window.press(usage::TAB, 0);
    window.press(usage::ENTER, 0);
    assert_eq!(text(&window), "Bahn und Bahn, ZÜGE\nBahn");
    window.press(usage::ESCAPE, 0);
    assert!(!window.app.search.shown);
    window.press(key('z'), CONTROL);
    assert_eq!(text(&window), "Bahn und zug, ZÜGE\nzug", "all at once");
}

#[test]
fn pictures() {
    let notes = "Einkauf\n=======\n\n- Äpfel, zwei Kilo\n- Käse und Brot\n- ein Heft, das nicht zu dünn ist, denn in dieses Heft kommt alles, was sonst auf Zetteln steht und verloren geht\n\nAnruf: Chloé, wegen Freitag.\n";
    for (name, theme, scale) in [
        ("light", LIGHT, 1),
        ("dark", DARK, 2),
        ("contrast", HIGH_CONTRAST, 1),
    ] {
        let state = Shared::default();
        state
            .borrow_mut()
            .files
            .insert("notes.txt".into(), notes.repeat(4).into_bytes());
        state.borrow_mut().answer = Some(Some("notes.txt"));
        let mut stage = Stage::new(Editor::new(Pretended(state)), theme, scale);
        stage.press(usage::DOWN, 0);
        stage.shoot(&format!("editor-{name}"));
        stage.press(key('f'), CONTROL);
        stage.write("heft");
        stage.shoot(&format!("editor-{name}-find"));
        stage.press(usage::ESCAPE, 0);
        stage.write("x");
        assert!(!stage.app.close());
        stage.input(Input::None);
        stage.shoot(&format!("editor-{name}-ask"));
    }
}

#[test]
fn keys_reach_every_control_and_all_can_be_read() {
    let count = nonos_ui::access::check(|| {
        let (mut window, _) = window(&[]);
        window.write("a text");
        window
    });
    assert!(count > 3, "{count}");
    // With the bar to find and replace.
    let with_bar = nonos_ui::access::check(|| {
        let (mut window, _) = window(&[]);
        window.write("a text");
        window.press(key('f'), CONTROL);
        window
    });
    assert!(with_bar > count + 3, "{with_bar}");
}
