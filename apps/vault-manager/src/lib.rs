//! The vault as a person has it: passwords, the keys of all modules, and the lock.
//!
//! What is secret is in this program only while the vault is open: [`book`] is what of it is stored, [`generator`] makes passwords,
//! [`keeper`] is everything outside, [`passwords`] and [`keys`] are pages of the window.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod book;
pub mod generator;
pub mod keeper;
mod keys;
mod lock;
mod passwords;
#[cfg(test)]
mod tests;

use alloc::format;
use alloc::string::String;

use book::Book;
use keeper::Keeper;
use nonos_proto::CallError;
use nonos_proto::vault::{Status, status};
use nonos_ui::theme::space;
use nonos_ui::{App, Ui};

/// How long a secret is on the clipboard, seconds.
const COPIED_SECONDS: u64 = 30;

/// Pages.
const PAGES: [&str; 3] = ["Passwords", "Keys", "Lock"];

/// The window.
#[derive(Debug)]
pub struct Manager<K> {
    keeper: K,
    state: Result<Status, CallError>,
    /// What is stored, while the vault is open.
    book: Option<Book>,
    page: usize,
    passwords: passwords::Page,
    keys: keys::Page,
    lock: lock::Page,
    /// What was done last, or why not.
    said: String,
}

impl<K: Keeper> Manager<K> {
    /// Looks at the vault for the first time.
    pub fn new(keeper: K) -> Self {
        let mut manager = Self {
            state: keeper.status(),
            keeper,
            book: None,
            page: 0,
            passwords: passwords::Page::default(),
            keys: keys::Page::default(),
            lock: lock::Page::default(),
            said: String::new(),
        };
        manager.refresh();
        manager
    }

    fn is_open(&self) -> bool {
        matches!(self.state, Ok(state) if state.flags & status::LOCKED == 0)
    }

    /// Looks at the vault again. What was open is forgotten when it is locked.
    fn refresh(&mut self) {
        self.state = self.keeper.status();
        if !self.is_open() {
            self.book = None;
            self.passwords = passwords::Page::default();
            self.keys = keys::Page::default();
            return;
        }
        if self.book.is_none() {
            let stored = self.keeper.load();
            match stored.map(|bytes| Book::from_bytes(&bytes)) {
                Ok(Some(book)) => self.book = Some(book),
                Ok(None) => self.said = "The stored passwords are damaged.".into(),
                Err(error) => self.said = format!("The passwords: {error}"),
            }
        }
        self.keys.held = self.keeper.keys().unwrap_or_default();
    }

    /// Says what came of something, and looks at the vault again.
    fn done(&mut self, ui: &mut Ui<'_>, done: Result<(), CallError>, said: &str) -> bool {
        self.said = match done {
            Ok(()) => said.into(),
            Err(error) => format!("Not done: {error}"),
        };
        self.refresh();
        ui.changed();
        done.is_ok()
    }
}

impl<K: Keeper> App for Manager<K> {
    fn title(&self) -> &str {
        "Vault"
    }

    fn size(&self) -> (i32, i32) {
        (720, 520)
    }

    fn limits(&self) -> [(i32, i32); 2] {
        [(640, 480), (0, 0)]
    }

    /// The vault may lock itself, or end.
    fn period_ns(&self) -> u64 {
        5_000_000_000
    }

    fn tick(&mut self) {
        self.refresh();
    }

    fn signal(&mut self, _: u64) {
        self.refresh();
    }

    fn view(&mut self, ui: &mut Ui<'_>) {
        let mut area = ui.size().inset(space::MARGIN, 12);
        if !self.is_open() {
            return self.locked(ui, area);
        }
        let tabs = area.cut_top(36, 16);
        ui.tabs(tabs, "pages", &PAGES, &mut self.page);
        let foot = area.cut_bottom(20, space::SMALL);
        match self.page {
            0 => self.passwords(ui, area),
            1 => self.keys(ui, area),
            _ => self.lock(ui, area),
        }
        ui.note(foot, &self.said);
        let locks = |key: &nonos_ui::input::Key| key.shortcut() == Some('l');
        if ui.take_key(locks).is_some() {
            let done = self.keeper.lock();
            self.done(ui, done, "Locked.");
        }
    }
}
