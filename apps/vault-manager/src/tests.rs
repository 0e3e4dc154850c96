//! The program on the host, with a vault that is made up.

use std::cell::RefCell;
use std::rc::Rc;

use nonos_abi::Name;
use nonos_proto::display::modifiers::CONTROL;
use nonos_proto::vault::{KeyInfo, Owner, Status, kind, status};
use nonos_proto::{CallError, Refusal};
use nonos_ui::host::Stage;
use nonos_ui::input::usage;

use crate::Manager;
use crate::book::{Book, Entry, LONGEST};
use crate::keeper::{Held, Keeper, age};

const LOCKED: CallError = CallError::Refused(Refusal::Locked);

/// A vault in memory.
#[derive(Default, Debug)]
struct Fake {
    locked: bool,
    passphrase: String,
    stored: Vec<u8>,
    keys: Vec<Held>,
    auto_lock: u64,
    next: u8,
    full: bool,
}

type Shared = Rc<RefCell<Fake>>;

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn held(module: &str, key: &str) -> Held {
    Held {
        info: KeyInfo {
            name: name(key),
            kind: kind::HKDF,
            uses: 0xD0,
            version: 1,
            versions: 1,
        },
        owner: Owner {
            module: name(module),
            since_ns: 0,
        },
    }
}

impl Keeper for Shared {
    fn status(&self) -> Result<Status, CallError> {
        let fake = self.borrow();
        let locked = if fake.locked { status::LOCKED } else { 0 };
        Ok(Status {
            flags: locked | status::PASSPHRASE,
            keys: fake.keys.len() as u64,
            uses: 0,
            denials: 0,
            wrong: 0,
            wait_ns: 0,
            auto_lock_seconds: fake.auto_lock,
        })
    }

    fn unlock(&mut self, passphrase: &str) -> Result<(), CallError> {
        let mut fake = self.borrow_mut();
        if fake.passphrase != passphrase {
            return Err(CallError::Refused(Refusal::WrongPassphrase));
        }
        fake.locked = false;
        Ok(())
    }

    fn lock(&mut self) -> Result<(), CallError> {
        self.borrow_mut().locked = true;
        Ok(())
    }

    fn set_passphrase(&mut self, passphrase: &str) -> Result<(), CallError> {
        self.borrow_mut().passphrase = passphrase.into();
        Ok(())
    }

    fn set_auto_lock(&mut self, seconds: u64) -> Result<(), CallError> {
        self.borrow_mut().auto_lock = seconds;
        Ok(())
    }

    fn keys(&self) -> Result<Vec<Held>, CallError> {
        Ok(self.borrow().keys.clone())
    }

    fn create(&mut self, key: Name, kind: u64) -> Result<(), CallError> {
        let mut made = held("vault-manager", key.as_str());
        made.info.kind = kind;
        self.borrow_mut().keys.push(made);
        Ok(())
    }

    fn rotate(&mut self, key: &Held) -> Result<(), CallError> {
        let mut fake = self.borrow_mut();
        let found = fake.keys.iter_mut().find(|other| *other == key).unwrap();
        found.info.version += 1;
        Ok(())
    }

    fn destroy(&mut self, key: &Held) -> Result<(), CallError> {
        self.borrow_mut().keys.retain(|other| other != key);
        Ok(())
    }

    fn load(&mut self) -> Result<Vec<u8>, CallError> {
        match self.borrow().locked {
            true => Err(LOCKED),
            false => Ok(self.borrow().stored.clone()),
        }
    }

    fn save(&mut self, bytes: Vec<u8>) -> Result<(), CallError> {
        let mut fake = self.borrow_mut();
        if fake.locked || fake.full {
            return Err(LOCKED);
        }
        fake.stored = bytes;
        Ok(())
    }

    fn random(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            let mut fake = self.borrow_mut();
            fake.next = fake.next.wrapping_add(17);
            *byte = fake.next;
        }
    }

    fn now_ns(&self) -> u64 {
        0
    }
}

fn entry(name: &str, secret: &str) -> Entry {
    Entry {
        name: name.into(),
        secret: secret.into(),
        user: "me".into(),
        note: String::new(),
    }
}

fn stage(fake: Fake) -> (Stage<Manager<Shared>>, Shared) {
    let shared = Rc::new(RefCell::new(fake));
    (Stage::new(Manager::new(shared.clone()), 0, 1), shared)
}

fn stored(shared: &Shared) -> Book {
    Book::from_bytes(&shared.borrow().stored).unwrap()
}

#[test]
fn a_password_is_made_saved_copied_for_a_while_and_deleted() {
    let (mut stage, shared) = stage(Fake::default());
    stage.press(usage::A + 13, CONTROL); // N
    stage.write("mail");
    stage.press(usage::TAB, 0);
    stage.write("me@here");
    stage.press(usage::A + 6, CONTROL); // G
    stage.shoot("vault-edit");
    stage.press(usage::A + 18, CONTROL); // S
    let book = stored(&shared);
    let [saved] = book.entries() else {
        panic!("one entry");
    };
    assert_eq!(
        (saved.name.as_str(), saved.user.as_str()),
        ("mail", "me@here")
    );
    assert_eq!(saved.secret.len(), 20);
    assert!(
        saved
            .secret
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric())
    );
    stage.press(usage::C, CONTROL);
    let copied = stage.window.copied.take().unwrap();
    assert_eq!(
        (copied.text.as_str(), copied.seconds),
        (saved.secret.as_str(), 30)
    );

    stage.shoot("vault-passwords");
    // What cannot be stored changes nothing.
    shared.borrow_mut().full = true;
    stage.press(usage::A + 13, CONTROL);
    stage.write("other");
    stage.press(usage::ENTER, 0);
    assert_eq!(stage.app.book.as_ref().unwrap().entries().len(), 1);
    assert!(stage.app.said.starts_with("Not done"));
    shared.borrow_mut().full = false;
    stage.press(usage::ENTER, 0);
    assert_eq!(stored(&shared).entries().len(), 2);
}

#[test]
fn while_the_vault_is_locked_nothing_of_it_is_there_and_the_passphrase_opens_it() {
    let mut book = Book::default();
    book.put(None, entry("mail", "secret"));
    let (mut stage, shared) = stage(Fake {
        stored: book.to_bytes().unwrap(),
        passphrase: "pass".into(),
        ..Fake::default()
    });
    assert_eq!(stage.app.book, Some(book.clone()));
    stage.press(usage::A + 13, CONTROL);
    stage.write("half an entry");
    stage.press(usage::A + 11, CONTROL); // L
    assert!(shared.borrow().locked);
    let nothing = |stage: &Stage<Manager<Shared>>| {
        stage.app.book.is_none() && format!("{:?}", stage.app).find("half").is_none()
    };
    assert!(nothing(&stage));
    stage.write("wrong");
    stage.shoot("vault-locked");
    stage.press(usage::ENTER, 0);
    assert!(nothing(&stage) && stage.app.said.contains("wrong passphrase"));
    stage.write("pass");
    stage.press(usage::ENTER, 0);
    assert_eq!(stage.app.book, Some(book));
    // It is locked by somebody else.
    shared.borrow_mut().locked = true;
    nonos_ui::App::signal(&mut stage.app, 1 << 8);
    assert!(nothing(&stage));
}

#[test]
fn the_lock_page_sets_passphrase_and_time() {
    let (mut stage, shared) = stage(Fake::default());
    stage.press(usage::TAB, 0);
    stage.press(usage::RIGHT, 0);
    stage.press(usage::RIGHT, 0);
    stage.press(usage::TAB, 0);
    stage.press(usage::RIGHT, 0);
    assert_eq!(shared.borrow().auto_lock, 60);
    stage.shoot("vault-lock");
    stage.press(usage::TAB, 0);
    stage.write("one");
    stage.press(usage::TAB, 0);
    stage.write("other");
    stage.press(usage::ENTER, 0);
    assert_eq!(shared.borrow().passphrase, "");
    assert!(stage.app.said.contains("not the same"));
    stage.write("one");
    // Both are empty again.
    for _ in 0..5 {
        stage.press(usage::TAB, 0);
    }
    stage.write("one");
    stage.press(usage::ENTER, 0);
    assert_eq!(shared.borrow().passphrase, "one");
}

#[test]
fn keys_are_made_rotated_and_destroyed_after_a_question() {
    let (mut stage, shared) = stage(Fake {
        keys: vec![held("shell", "mail")],
        ..Fake::default()
    });
    stage.press(usage::TAB, 0);
    stage.press(usage::RIGHT, 0);
    stage.press(usage::TAB, 0);
    stage.press(usage::DOWN, 0);
    // Destroy, rotate: the buttons behind the list.
    stage.press(usage::TAB, 0);
    stage.press(usage::TAB, 0);
    stage.press(usage::ENTER, 0);
    assert_eq!(shared.borrow().keys[0].info.version, 2);
    stage.shoot("vault-keys");
    stage.press(usage::TAB, 0);
    stage.write("new.key");
    stage.press(usage::ENTER, 0);
    assert_eq!(shared.borrow().keys[1], {
        let mut made = held("vault-manager", "new.key");
        made.info.kind = kind::ED25519;
        made
    });
    stage.write("no name");
    stage.press(usage::ENTER, 0);
    assert_eq!(shared.borrow().keys.len(), 2);
    for _ in 0..2 {
        stage.press(usage::TAB, 1);
    }
    stage.press(usage::ENTER, 0);
    assert_eq!(shared.borrow().keys.len(), 2, "it asks");
    stage.press(usage::ENTER, 0);
    assert_eq!(shared.borrow().keys.len(), 1);
}

#[test]
fn what_is_stored_is_read_back_and_what_is_damaged_is_refused() {
    let mut book = Book::default();
    for (name, secret) in [("b", "1"), ("a", "ä"), ("c", "")] {
        book.put(None, entry(name, secret));
    }
    let names: Vec<&str> = book
        .entries()
        .iter()
        .map(|entry| entry.name.as_str())
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(book.put(Some(0), entry("d", "")), 2, "under another name");
    let bytes = book.to_bytes().unwrap();
    assert_eq!(Book::from_bytes(&bytes).as_ref(), Some(&book));
    for length in 1..bytes.len() {
        let part = Book::from_bytes(&bytes[..length]);
        assert!(part.is_none_or(|part| part.entries().len() < 3));
    }
    assert_eq!(Book::from_bytes(&[1, 0, 0xFF, 0, 0, 0, 0, 0, 0]), None);
    book.put(None, entry("long", &"x".repeat(LONGEST)));
    assert_eq!(book.to_bytes(), None);
}

#[test]
fn ages_are_told_by_their_largest_unit() {
    const MINUTE: u64 = 60_000_000_000;
    for (minutes, text) in [
        (0, "just now"),
        (59, "59 min"),
        (61, "1 h"),
        (2881, "2 days"),
    ] {
        assert_eq!(age(5, 5 + minutes * MINUTE), text);
    }
    assert_eq!(age(5, 4), "just now");
}

#[test]
fn keys_reach_every_control_and_all_can_be_read() {
    let count = nonos_ui::access::check(|| stage(Fake::default()).0);
    assert!(count > 1, "{count}");
}
