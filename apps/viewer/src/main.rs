//! The viewer, see the library.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::string::String;
use alloc::vec;

use nonos_picture::FILE_BYTES;
use nonos_proto::CallError;
use nonos_proto::files::rights;
use nonos_rt::object::Notification;
use nonos_rt::powerbox::{self, Asker, PowerBox};
use nonos_ui::app;
use viewer::{Given, User, Viewer};

nonos_rt::entry!(main);

/// The user, asked through the power box.
struct Person<'a> {
    asker: Asker<'a>,
    request: Option<u64>,
}

/// What is in a file.
fn read(given: &powerbox::Given) -> Result<Given, CallError> {
    let size = usize::try_from(given.file.state()?.size).unwrap_or(usize::MAX);
    // One byte too many says that there are more.
    let mut bytes = vec![0; size.min(FILE_BYTES + 1)];
    let length = given.file.read(0, &mut bytes)?;
    bytes.truncate(length);
    Ok(Given {
        name: String::from(given.name()),
        bytes,
    })
}

impl User for Person<'_> {
    fn ask(&mut self) -> Result<(), CallError> {
        if let Some(request) = self.request.take() {
            let _ = self.asker.with(|powerbox| powerbox.withdraw(request));
        }
        self.request = Some(self.asker.with(|powerbox| powerbox.open(rights::READ))?);
        Ok(())
    }

    fn answer(&mut self) -> Result<Option<Given>, CallError> {
        let Some(request) = self.request else {
            return Ok(None);
        };
        let answer = self.asker.with(|powerbox| powerbox.answer(request));
        if !matches!(answer, Ok(None)) {
            self.request = None;
        }
        answer?.as_ref().map(read).transpose()
    }

    fn opened_with(&mut self) -> Result<Option<Given>, CallError> {
        let opened = self.asker.with(PowerBox::opened_with)?;
        opened.as_ref().map(read).transpose()
    }
}

fn main() -> u64 {
    let Ok(signals) = Notification::create() else {
        return 1;
    };
    let person = Person {
        asker: Asker::new(&signals, app::OWN),
        request: None,
    };
    app::run_on(&signals, Viewer::new(person))
}
