//! The user's documents: what is in them, and handles to give.

use alloc::string::String;
use alloc::vec::Vec;

use nonos_proto::files::{Client, how, kind, rights};
use nonos_proto::{CallError, Refusal};
use nonos_rt::abi::{Handle, Rights};
use nonos_rt::files::{File, Place};
use nonos_rt::object::Endpoint;
use powerbox::ask::{Ask, Chosen};
use powerbox::dialog::{Documents, Entry};

/// Most entries of a directory that are shown.
const SHOWN: usize = 2000;

/// The documents.
pub struct UserDocuments;

/// A directory, by the names that lead to it.
fn directory(path: &[String]) -> Result<File, CallError> {
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

/// A file or directory that was given. What its program has is derived from this.
pub struct Given {
    between: Client<Endpoint>,
    /// One of [`kind`].
    pub kind: u64,
}

impl Given {
    /// Opens what was chosen.
    pub fn open(ask: &Ask, chosen: &Chosen) -> Result<Self, CallError> {
        let all = rights::ALL;
        let at = directory(&chosen.path)?;
        let file = match (&chosen.name, ask) {
            (None, _) => at,
            (Some(name), Ask::Save(_)) => at.open(name, all | how::CREATE | how::EMPTY)?,
            (Some(name), _) => at.open(name, ask.rights() | rights::GRANT)?,
        };
        Ok(Self {
            between: Client(file.share(ask.rights())?),
            kind: file.kind,
        })
    }

    /// A handle for the program that works until a time (0: for good), to be moved to it.
    pub fn handle(&self, until_ns: u64) -> Result<Handle, Refusal> {
        let rights = Rights::WRITE.or(Rights::GRANT);
        let handle = self.between.0.copy_until(rights, until_ns)?;
        Ok(handle.into_handle())
    }

    /// Whether the program closed it, or it was removed.
    pub fn is_gone(&self) -> bool {
        matches!(self.between.state(), Err(CallError::Refused(Refusal::Gone)))
    }

    /// Takes it back: the program's handle is dead, and all that was opened through it, when this returns.
    pub fn revoke(self) {
        // An object that is gone leaves nothing to take back.
        let _ = self.between.0.revoke();
        let _ = self.between.revoke();
    }
}
