//! Files, see the library.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

extern crate alloc;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use file_manager::folder::{self, Item};
use file_manager::{Desk, Files};
use nonos_proto::files::{how, kind, rights};
use nonos_proto::{CallError, Refusal, open_with};
use nonos_rt::abi::Name;
use nonos_rt::files::{File, Place};
use nonos_rt::object::Notification;
use nonos_rt::parent;
use nonos_ui::app;

nonos_rt::entry!(main);

/// Bytes that are copied at a time.
const PART: usize = 64 * 1024;

/// A folder of the file system.
struct Folder {
    file: File,
    signals: Rc<Notification>,
}

impl Folder {
    fn with(&self, file: File) -> Self {
        let signals = self.signals.clone();
        Self { file, signals }
    }
}

impl folder::Folder for Folder {
    fn items(&self) -> Result<Vec<Item>, CallError> {
        let mut items = Vec::new();
        self.file.list(|entry| {
            items.push(Item {
                name: String::from(entry.name),
                is_folder: entry.kind == kind::DIRECTORY,
                size: entry.size,
            });
            true
        })?;
        Ok(items)
    }

    fn open(&self, name: &str) -> Result<Self, CallError> {
        let file = self.file.open(name, rights::ALL | how::DIRECTORY)?;
        Ok(self.with(file))
    }

    fn make(&self, name: &str) -> Result<Self, CallError> {
        let with = rights::ALL | how::DIRECTORY | how::CREATE | how::NEW;
        Ok(self.with(self.file.open(name, with)?))
    }

    fn remove(&self, name: &str) -> Result<(), CallError> {
        self.file.remove(name)
    }

    fn rename(&self, name: &str, to: &Self, new: &str) -> Result<(), CallError> {
        self.file.rename(name, &to.file, new)
    }

    fn copy(&self, name: &str, to: &Self, new: &str) -> Result<(), CallError> {
        let from = self.file.open(name, rights::READ)?;
        let with = rights::WRITE | how::CREATE | how::NEW;
        let copy = to.file.open(new, with)?;
        let mut part = vec![0; PART];
        let mut at = 0;
        let copied = loop {
            match from.read(at, &mut part) {
                Ok(0) => break Ok(()),
                Ok(count) => {
                    if let Err(why) = copy.write(at, &part[..count]) {
                        break Err(why);
                    }
                    at += count as u64;
                }
                Err(why) => break Err(why),
            }
        };
        // A part of a file is no copy.
        copied.inspect_err(|_| {
            let _ = to.file.remove(new);
        })
    }

    fn watch(&self) {
        // Without it the user sees changes when the folder is opened again.
        let _ = self.file.watch(&self.signals, app::OWN);
    }
}

/// The system.
struct System(Rc<Notification>);

impl Desk for System {
    type Folder = Folder;

    fn root(&mut self) -> Result<Folder, CallError> {
        Ok(Folder {
            file: Place::Documents.open()?,
            signals: self.0.clone(),
        })
    }

    fn open(&mut self, module: &str, path: &str) -> Result<(), CallError> {
        // The viewer has nothing to write.
        let with = match module {
            "editor" => rights::READ | rights::WRITE,
            _ => rights::READ,
        };
        let module = Name::new(module).ok_or(CallError::Refused(Refusal::NoSuchModule))?;
        let service = open_with::Client(parent::connect("open-with")?);
        service.open(module, with, path.as_bytes()).map(drop)
    }
}

fn main() -> u64 {
    let Ok(signals) = Notification::create() else {
        return 1;
    };
    let signals = Rc::new(signals);
    app::run_on(&signals, Files::new(System(signals.clone())))
}
