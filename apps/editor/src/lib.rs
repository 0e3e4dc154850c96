//! The editor: a text in a window, in a file that the user gave to it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

mod bars;
pub mod store;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::{String, ToString};

use nonos_proto::{CallError, Refusal};
use nonos_ui::area::Refused;
use nonos_ui::buffer::Buffer;
use nonos_ui::search::Needle;
use nonos_ui::widgets::{Kind, Note};
use nonos_ui::{App, Area, Edit, Ui};

use store::{Given, User};

/// What a text is called that was never saved.
const UNTITLED: &str = "Untitled";
/// Longest text that is searched while a word is typed, bytes; longer ones are when Enter is pressed.
const SEARCHED_AT_ONCE: usize = 1 << 20;

/// What is done with the window's text next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Next {
    /// It stays.
    Stay,
    /// The window closes.
    Close,
    /// An empty one takes its place.
    New,
    /// Another one does.
    Open,
}

/// What the user was asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asked {
    Open,
    /// And what is done when it is saved.
    Save(Next),
}

/// The search bar.
#[derive(Default, Debug)]
struct Search {
    shown: bool,
    wanted: Edit,
    with: Edit,
    exact: bool,
}

/// The window.
#[derive(Debug)]
pub struct Editor<U: User> {
    user: U,
    area: Area,
    file: Option<Given<U::File>>,
    title: String,
    asked: Option<(u64, Asked)>,
    /// The question what to do with a text that was changed, and why it is asked.
    asking: Option<Next>,
    search: Search,
    note: Option<Note>,
    done: bool,
}

impl<U: User> Editor<U> {
    /// With the file that the program was opened with, if any.
    pub fn new(user: U) -> Self {
        let mut editor = Self {
            user,
            area: Area::default(),
            file: None,
            title: UNTITLED.to_string(),
            asked: None,
            asking: None,
            search: Search::default(),
            note: None,
            done: false,
        };
        // Without a power box the user cannot have opened it with anything.
        if let Ok(Some(given)) = editor.user.opened_with() {
            editor.read(given);
        }
        editor.set_title();
        editor
    }

    fn name(&self) -> &str {
        self.file.as_ref().map_or(UNTITLED, |file| &file.name)
    }

    fn set_title(&mut self) {
        let mark = if self.area.buffer().is_changed() {
            "• "
        } else {
            ""
        };
        self.title = format!("{mark}{}", self.name());
    }

    fn failed(&mut self, what: &str, why: impl ToString) {
        self.note = Some(Note::Failed(format!("{what}: {}", why.to_string())));
    }

    fn refused(&mut self, why: Refused) {
        self.note = Some(Note::Failed(
            match why {
                Refused::Full => "Not done: the text would be too long, or too much was changed since it was opened",
                Refused::TooLong => "Not copied: the clipboard takes 64 KB",
            }
            .to_string(),
        ));
    }

    // Files.

    /// Shows a file that the user gave. What cannot be shown changes nothing.
    fn read(&mut self, given: Given<U::File>) {
        match store::read(&given.file) {
            Ok(buffer) => {
                self.show(buffer, Some(given));
            }
            Err(why) => self.failed(&format!("{} was not opened", given.name), why),
        }
    }

    fn show(&mut self, buffer: Buffer, file: Option<Given<U::File>>) {
        self.area = Area::new(buffer);
        self.file = file;
        self.note = None;
        self.search.shown = false;
    }

    /// Does what is next, after a question when something would be lost.
    fn go(&mut self, next: Next) {
        if next != Next::Stay && self.area.buffer().is_changed() {
            self.asking = Some(next);
        } else {
            self.do_next(next);
        }
    }

    fn do_next(&mut self, next: Next) {
        match next {
            Next::Stay => {}
            Next::Close => self.done = true,
            Next::New => self.show(Buffer::default(), None),
            Next::Open => {
                let request = self.user.ask_open();
                self.ask(request, Asked::Open);
            }
        }
    }

    /// A question to the user was asked in place of one before.
    fn ask(&mut self, request: Result<u64, CallError>, what: Asked) {
        if let Some((last, _)) = self.asked.take() {
            self.user.withdraw(last);
        }
        match request {
            Ok(request) => self.asked = Some((request, what)),
            Err(why) => self.failed("Files cannot be chosen", why),
        }
    }

    /// Saves the text in its file, or in one that the user is asked for.
    fn save(&mut self, next: Next) {
        match &self.file {
            Some(file) if file.writable => match store::write(&file.file, self.area.buffer()) {
                Ok(()) => self.saved(next),
                Err(why) => self.failed("Not saved, but all of it is still here", why),
            },
            _ => self.save_as(next),
        }
    }

    fn save_as(&mut self, next: Next) {
        let name = match self.name() {
            UNTITLED => "Untitled.txt",
            name => name,
        };
        let name = name.to_string();
        let request = self.user.ask_save(&name);
        self.ask(request, Asked::Save(next));
    }

    fn saved(&mut self, next: Next) {
        self.area.set_saved();
        self.note = Some(Note::Said(format!("Saved {}", self.name())));
        self.do_next(next);
    }

    /// The user may have answered.
    fn take_answer(&mut self) {
        let Some((request, what)) = self.asked else {
            return;
        };
        let answer = self.user.answer(request);
        if !matches!(answer, Ok(None)) {
            self.asked = None;
        }
        match (answer, what) {
            (Ok(None), _) | (Err(CallError::Refused(Refusal::Declined)), _) => {}
            (Ok(Some(given)), Asked::Open) => self.read(given),
            (Ok(Some(given)), Asked::Save(next)) => {
                // It is the text's file when the text is in it.
                match store::write(&given.file, self.area.buffer()) {
                    Ok(()) => {
                        self.file = Some(given);
                        self.saved(next);
                    }
                    Err(why) => self.failed("Not saved, but all of it is still here", why),
                }
            }
            (Err(why), _) => self.failed("No file was chosen", why),
        }
        self.set_title();
    }

    // Searching.

    fn needle(&self) -> Needle {
        Needle::new(self.search.wanted.text(), self.search.exact)
    }

    fn find(&mut self, forward: bool) {
        let needle = self.needle();
        let found = needle.is_empty() || self.area.find(&needle, forward);
        self.note =
            (!found).then(|| Note::Failed(format!("“{}” is not there", self.search.wanted.text())));
    }

    /// Another word is searched for.
    fn search_changed(&mut self) {
        let needle = self.needle();
        self.area.mark(needle);
        self.note = None;
        if self.area.buffer().len() <= SEARCHED_AT_ONCE {
            // The match that the caret is in stays the one.
            let start = self.area.selection().start;
            self.area.move_to(start, false);
            self.find(true);
        }
    }

    fn replace(&mut self) {
        let (needle, with) = (self.needle(), self.search.with.text().to_string());
        match self.area.replace_next(&needle, &with) {
            Ok(true) => self.note = None,
            Ok(false) => self.note = Some(Note::Said("That was the last one".to_string())),
            Err(why) => self.refused(why),
        }
    }

    fn replace_all(&mut self) {
        let (needle, with) = (self.needle(), self.search.with.text().to_string());
        match self.area.replace_all(&needle, &with) {
            Ok(1) => self.note = Some(Note::Said("Replaced once".to_string())),
            Ok(count) => self.note = Some(Note::Said(format!("Replaced {count} times"))),
            Err(why) => self.refused(why),
        }
    }

    // The window.

    fn question(&mut self, ui: &mut Ui<'_>, next: Next) {
        let title = format!("Save {}?", self.name());
        let answers = [
            ("Cancel", Kind::Plain),
            ("Discard", Kind::Danger),
            ("Save", Kind::Primary),
        ];
        match ui.dialog(&title, "Changes that are not saved are lost.", &answers) {
            None => return,
            Some(0) => {}
            Some(1) => self.do_next(next),
            Some(_) => self.save(next),
        }
        self.asking = None;
    }
}

impl<U: User> App for Editor<U> {
    fn title(&self) -> &str {
        &self.title
    }

    fn size(&self) -> (i32, i32) {
        (760, 540)
    }

    fn limits(&self) -> [(i32, i32); 2] {
        [(560, 320), (0, 0)]
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        self.shortcuts(ui);
        let mut rest = ui.size();
        let tools = rest.cut_top(bars::TOOLS, 0);
        self.tools(ui, tools);
        if self.search.shown {
            let bar = rest.cut_top(bars::SEARCH, 0);
            self.search_bar(ui, bar);
        }
        let status = rest.cut_bottom(bars::STATUS, 0);
        let text = ui.id("text");
        if !ui.any_focus() && self.asking.is_none() {
            ui.focus(text);
        }
        let edited = ui.text_area(rest, "text", &mut self.area);
        if edited.changed {
            self.note = None;
        }
        if let Some(why) = edited.refused {
            self.refused(why);
        }
        self.status(ui, status);
        if let Some(next) = self.asking {
            self.question(ui, next);
        }
        self.set_title();
    }

    fn signal(&mut self, _: u64) {
        self.take_answer();
    }

    fn is_done(&self) -> bool {
        self.done
    }

    fn close(&mut self) -> bool {
        self.go(Next::Close);
        self.done
    }
}
