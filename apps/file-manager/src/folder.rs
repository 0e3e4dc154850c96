//! Folders, and what is done with what is in them: for a folder, with all that is in it.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use nonos_proto::{CallError, Refusal};

/// How deep folders are copied and removed.
const DEPTH: usize = 32;

/// What is in a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Item {
    /// Its name.
    pub name: String,
    /// A folder; a file otherwise.
    pub is_folder: bool,
    /// Bytes of a file, items of a folder.
    pub size: u64,
}

/// A folder.
pub trait Folder: Sized {
    /// What is in it.
    fn items(&self) -> Result<Vec<Item>, CallError>;

    /// Opens a folder in it.
    fn open(&self, name: &str) -> Result<Self, CallError>;

    /// Makes a folder in it, which must not be there.
    fn make(&self, name: &str) -> Result<Self, CallError>;

    /// Removes a file or an empty folder.
    fn remove(&self, name: &str) -> Result<(), CallError>;

    /// Moves something to a folder, where nothing has this name.
    fn rename(&self, name: &str, to: &Self, new: &str) -> Result<(), CallError>;

    /// Copies a file to a folder, where nothing has this name.
    fn copy(&self, name: &str, to: &Self, new: &str) -> Result<(), CallError>;

    /// The program hears of changes in it from now on.
    fn watch(&self);
}

/// Removes a file, or a folder and all that is in it.
pub fn remove<F: Folder>(folder: &F, item: &Item) -> Result<(), CallError> {
    remove_within(folder, item, DEPTH)
}

fn remove_within<F: Folder>(folder: &F, item: &Item, depth: usize) -> Result<(), CallError> {
    if item.is_folder {
        let depth = deeper(depth)?;
        let inner = folder.open(&item.name)?;
        for item in inner.items()? {
            remove_within(&inner, &item, depth)?;
        }
    }
    folder.remove(&item.name)
}

/// Copies a file, or a folder and all that is in it. The folder must not be within itself.
pub fn copy<F: Folder>(from: &F, item: &Item, to: &F, new: &str) -> Result<(), CallError> {
    copy_within(from, item, (to, new), DEPTH)
}

fn copy_within<F: Folder>(
    from: &F,
    item: &Item,
    (to, new): (&F, &str),
    depth: usize,
) -> Result<(), CallError> {
    if !item.is_folder {
        return from.copy(&item.name, to, new);
    }
    let depth = deeper(depth)?;
    let (inner, copy) = (from.open(&item.name)?, to.make(new)?);
    for item in inner.items()? {
        copy_within(&inner, &item, (&copy, &item.name), depth)?;
    }
    Ok(())
}

fn deeper(depth: usize) -> Result<usize, CallError> {
    depth
        .checked_sub(1)
        .ok_or(CallError::Refused(Refusal::TooLong))
}

/// A name that nothing has: this one, or with a number before its ending.
pub fn free_name(items: &[Item], name: &str) -> String {
    let taken = |name: &str| items.iter().any(|item| item.name == name);
    if !taken(name) {
        return name.to_string();
    }
    let (stem, ending) = match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name, ""),
    };
    let numbered = (2_u32..).map(|number| format!("{stem} {number}{ending}"));
    let mut free = numbered.filter(|name| !taken(name));
    free.next().unwrap_or_default()
}

/// How large something is, for a person.
pub fn size_text(item: &Item) -> String {
    match (item.is_folder, item.size) {
        (true, 0) => "empty".to_string(),
        (true, 1) => "1 item".to_string(),
        (true, count) => format!("{count} items"),
        (false, bytes) => bytes_text(bytes),
    }
}

/// Bytes, for a person.
pub fn bytes_text(bytes: u64) -> String {
    let (unit, shift) = match bytes {
        0..1024 => return format!("{bytes} bytes"),
        1024..0x10_0000 => ("KB", 10),
        _ => ("MB", 20),
    };
    let tenths = (u128::from(bytes) * 10) >> shift;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// What a file is by the ending of its name: for a person, and the module that opens it.
pub fn kind(item: &Item) -> (&'static str, &'static str) {
    if item.is_folder {
        return ("Folder", "");
    }
    let ending = item.name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let is = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(ending));
    if is(&["png", "jpg", "jpeg", "qoi"]) {
        ("Picture", "viewer")
    } else if is(&["txt", "md", "log", "toml", "csv", "json"]) {
        ("Text", "editor")
    } else {
        ("Document", "editor")
    }
}
