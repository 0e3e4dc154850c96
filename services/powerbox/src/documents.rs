//! The user's documents: what is in them.

use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::files::{how, kind, rights};
use nonos_proto::{CallError, Refusal};
use nonos_rt::files::{File, Place};
use powerbox::dialog::{Documents, Entry};

/// Most entries of a directory that are shown.
const SHOWN: usize = 2000;

/// The documents.
pub struct UserDocuments;

/// A directory, by the names that lead to it.
pub fn directory(path: &[String]) -> Result<File, CallError> {
    let all = rights::ALL | how::DIRECTORY;
    let home = Place::Documents.open()?;
    path.iter().try_fold(home, |at, name| at.open(name, all))
}

impl Documents for UserDocuments {
    fn list(&mut self, path: &[String]) -> Result<Vec<Entry>, CallError> {
        let mut entries = Vec::new();
        directory(path)?.list(|entry| {
            entries.push(Entry {
                file: entry.kind == kind::FILE,
                name: entry.name.into(),
                size: entry.size,
            });
            entries.len() < SHOWN
        })?;
        Ok(entries)
    }

    fn make(&mut self, path: &[String], name: &str) -> Result<(), CallError> {
        let new = rights::ALL | how::DIRECTORY | how::CREATE | how::NEW;
        directory(path)?.open(name, new).map(drop)
    }
}

/// Numbers that a picture's name can have.
const PICTURES: u32 = 1000;

/// Writes a picture of the screen to a new document: its name. `read` gets more of it, from a place on.
pub fn keep_picture(
    mut read: impl FnMut(u64, &mut [u8]) -> Result<u64, CallError>,
) -> Result<String, CallError> {
    let home = Place::Documents.open()?;
    let with = rights::WRITE | how::CREATE | how::NEW;
    let mut names = (1..PICTURES).map(|number| alloc::format!("Screen {number}.qoi"));
    let (name, file) = loop {
        let name = names.next().ok_or(CallError::Refused(Refusal::Full))?;
        match home.open(&name, with) {
            Ok(file) => break (name, file),
            Err(CallError::Refused(Refusal::NameExists)) => {}
            Err(error) => return Err(error),
        }
    };
    let mut part = alloc::vec![0; 32 * 1024];
    let mut at = 0;
    loop {
        let count = read(at, &mut part)?;
        let bytes = part.get(..count as usize).ok_or(CallError::BadReply)?;
        if bytes.is_empty() {
            return Ok(name);
        }
        let written = file.append(bytes);
        if written.is_err() {
            let _ = home.remove(&name);
        }
        written?;
        at += count;
    }
}
