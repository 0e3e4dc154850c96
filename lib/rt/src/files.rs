//! Files and directories, as those who hold them use them.

use nonos_proto::CallError;
use nonos_proto::files::{Client, LISTED_BYTES, Listed, NAME_BYTES, Opened, State, Usage, kind};

use crate::object::{Endpoint, Notification};
use crate::parent;

/// Bytes of the names that one call lists.
const LISTED: usize = 1024;
const _: () = assert!(LISTED >= LISTED_BYTES + NAME_BYTES);

/// A file or directory; closed when it is dropped.
#[derive(Debug)]
pub struct File {
    client: Client<Endpoint>,
    /// One of [`kind`].
    pub kind: u64,
}

/// Where files are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The directory of this program.
    Own,
    /// The user's documents.
    Documents,
}

impl Place {
    /// The directory.
    ///
    /// # Errors
    /// When the program may not have it, or there is no file system.
    pub fn open(self) -> Result<File, CallError> {
        self.connect()?.home().map(File::new)
    }

    /// What is stored in it.
    ///
    /// # Errors
    /// As [`Place::open`].
    pub fn usage(self) -> Result<Usage, CallError> {
        self.connect()?.usage()
    }

    fn connect(self) -> Result<Client<Endpoint>, CallError> {
        let name = match self {
            Self::Own => "files",
            Self::Documents => "documents",
        };
        parent::connect(name).map(Client)
    }
}

/// An entry of a directory.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// One of [`kind`].
    pub kind: u64,
    /// Bytes of a file, entries of a directory.
    pub size: u64,
    /// Its name.
    pub name: &'a str,
}

impl File {
    fn new(opened: Opened) -> Self {
        Self::from_parts(Endpoint::from_handle(opened.handle), opened.kind)
    }

    /// One that somebody gave: its handle and one of [`kind`].
    pub(crate) fn from_parts(handle: Endpoint, kind: u64) -> Self {
        let client = Client(handle);
        Self { client, kind }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        self.kind == kind::DIRECTORY
    }

    /// Opens what is in this directory, `with` bits of [`nonos_proto::files::rights`] and [`nonos_proto::files::how`].
    pub fn open(&self, name: &str, with: u64) -> Result<Self, CallError> {
        self.client.open(with, name.as_bytes()).map(Self::new)
    }

    /// Removes what is in this directory.
    pub fn remove(&self, name: &str) -> Result<(), CallError> {
        self.client.remove(name.as_bytes())
    }

    /// Moves what is in this directory to another, under another name.
    pub fn rename(&self, name: &str, to: &Self, new: &str) -> Result<(), CallError> {
        let offered = self.client.offer(name.as_bytes())?;
        to.client.accept(offered, new.as_bytes())
    }

    /// Tells of the entries of this directory until `see` says no.
    pub fn list(&self, mut see: impl FnMut(Entry<'_>) -> bool) -> Result<(), CallError> {
        let (mut out, mut from) = ([0; LISTED], 0);
        loop {
            let Listed { bytes, next } = self.client.list(from, &mut out)?;
            let mut rest = usize::try_from(bytes)
                .ok()
                .and_then(|bytes| out.get(..bytes))
                .ok_or(CallError::BadReply)?;
            if rest.is_empty() {
                return Ok(());
            }
            while !rest.is_empty() {
                let (entry, after) = entry(rest).ok_or(CallError::BadReply)?;
                if !see(entry) {
                    return Ok(());
                }
                rest = after;
            }
            from = next;
        }
    }

    /// Its state.
    pub fn state(&self) -> Result<State, CallError> {
        self.client.state()
    }

    /// Reads from a place on: how many bytes, fewer only at the end.
    pub fn read(&self, at: u64, out: &mut [u8]) -> Result<usize, CallError> {
        let count = self.client.read(at, out)?;
        let count = usize::try_from(count)
            .ok()
            .filter(|&count| count <= out.len());
        count.ok_or(CallError::BadReply)
    }

    /// Writes at a place.
    pub fn write(&self, at: u64, bytes: &[u8]) -> Result<(), CallError> {
        self.client.write(at, bytes).map(drop)
    }

    /// Writes at the end.
    pub fn append(&self, bytes: &[u8]) -> Result<(), CallError> {
        self.client.append(bytes).map(drop)
    }

    /// Makes it so long.
    pub fn resize(&self, size: u64) -> Result<(), CallError> {
        self.client.resize(size)
    }

    /// From now on what is written goes into another file, which takes the place of this one with [`File::commit`].
    pub fn begin(&self) -> Result<(), CallError> {
        self.client.begin()
    }

    /// Has what was written since [`File::begin`] be the file.
    pub fn commit(&self) -> Result<(), CallError> {
        self.client.commit()
    }

    /// A handle to the same with at most these rights, for another program.
    pub fn share(&self, rights: u64) -> Result<Endpoint, CallError> {
        let shared = self.client.share(rights)?;
        Ok(Endpoint::from_handle(shared.0))
    }

    /// Has bits signalled at each change.
    pub fn watch(&self, notification: &Notification, bits: u64) -> Result<(), CallError> {
        let copy = notification.to_send().map_err(CallError::Unreachable)?;
        self.client.watch(copy.handle(), bits)
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = self.client.close();
    }
}

/// The first entry of what a list holds, and what follows.
fn entry(listed: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let (head, rest) = listed.split_first_chunk::<LISTED_BYTES>()?;
    let (name, rest) = rest.split_at_checked(usize::from(head[1]))?;
    let entry = Entry {
        kind: head[0].into(),
        size: u64::from_le_bytes(head[2..].try_into().ok()?),
        name: core::str::from_utf8(name).ok()?,
    };
    Some((entry, rest))
}
