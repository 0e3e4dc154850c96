//! The editor, see the library.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;

use editor::Editor;
use editor::store::{Given, User};
use nonos_proto::CallError;
use nonos_proto::files::rights;
use nonos_rt::files;
use nonos_rt::object::Notification;
use nonos_rt::powerbox::{self, Asker, PowerBox};
use nonos_ui::app;

nonos_rt::entry!(main);

/// A file of the file system.
struct File(files::File);

impl editor::store::File for File {
    fn size(&self) -> Result<u64, CallError> {
        self.0.state().map(|state| state.size)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> Result<usize, CallError> {
        self.0.read(at, out)
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), CallError> {
        self.0.write(at, bytes)
    }

    fn begin(&self) -> Result<(), CallError> {
        self.0.begin()
    }

    fn commit(&self) -> Result<(), CallError> {
        self.0.commit()
    }
}

/// The user, asked through the power box.
struct Person<'a>(Asker<'a>);

fn given(given: powerbox::Given) -> Given<File> {
    Given {
        name: String::from(given.name()),
        writable: given.rights & rights::WRITE != 0,
        file: File(given.file),
    }
}

impl User for Person<'_> {
    type File = File;

    fn ask_open(&mut self) -> Result<u64, CallError> {
        self.0
            .with(|powerbox| powerbox.open(rights::READ | rights::WRITE))
    }

    fn ask_save(&mut self, name: &str) -> Result<u64, CallError> {
        self.0.with(|powerbox| powerbox.save(name))
    }

    fn answer(&mut self, request: u64) -> Result<Option<Given<File>>, CallError> {
        let answer = self.0.with(|powerbox| powerbox.answer(request))?;
        Ok(answer.map(given))
    }

    fn opened_with(&mut self) -> Result<Option<Given<File>>, CallError> {
        let answer = self.0.with(PowerBox::opened_with)?;
        Ok(answer.map(given))
    }

    fn withdraw(&mut self, request: u64) {
        // One that was answered or lost meanwhile needs no more than this.
        let _ = self.0.with(|powerbox| powerbox.withdraw(request));
    }
}

fn main() -> u64 {
    let Ok(signals) = Notification::create() else {
        return 1;
    };
    let person = Person(Asker::new(&signals, app::OWN));
    app::run_on(&signals, Editor::new(person))
}
