//! What programs ask for, and what the user says.

use alloc::string::String;
use alloc::vec::Vec;

use nonos_abi::Name;
use nonos_proto::Refusal;
use nonos_proto::files::{NAME_BYTES, rights};
use nonos_proto::vault::uses;

/// What a program asks for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Ask {
    /// Documents.
    Document(Pick),
    /// A key for these uses; the name is suggested.
    Key(u64, String),
    /// What is on the clipboard.
    Paste,
}

/// What a program asks for of the user's documents.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Pick {
    /// A file that is there, with these rights.
    Open(u64),
    /// A file to save in; the name is suggested.
    Save(String),
    /// A directory with all that is in it, with these rights.
    Folder(u64),
}

impl Pick {
    /// For a file with these rights.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when they are not what a program can ask for.
    pub fn open(with: u64) -> Result<Self, Refusal> {
        let known = with & !(rights::READ | rights::WRITE) == 0;
        if known && with & rights::READ != 0 {
            Ok(Self::Open(with))
        } else {
            Err(Refusal::Malformed)
        }
    }

    /// For a directory with these rights.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when they are not what a program can ask for.
    pub fn folder(with: u64) -> Result<Self, Refusal> {
        let least = rights::LIST | rights::READ;
        if with & least == least && with & !(rights::ALL & !rights::GRANT) == 0 {
            Ok(Self::Folder(with))
        } else {
            Err(Refusal::Malformed)
        }
    }

    /// What the program gets.
    pub fn rights(&self) -> u64 {
        match *self {
            Self::Open(rights) | Self::Folder(rights) => rights,
            Self::Save(_) => rights::READ | rights::WRITE,
        }
    }
}

impl Ask {
    /// For a key with these uses.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] when they are not what a program can ask for.
    pub fn key(with: u64, suggested: String) -> Result<Self, Refusal> {
        if with != uses::NONE && with & !uses::LENDABLE == 0 {
            Ok(Self::Key(with, suggested))
        } else {
            Err(Refusal::Malformed)
        }
    }

    /// What the program gets.
    pub fn rights(&self) -> u64 {
        match self {
            Self::Document(pick) => pick.rights(),
            Self::Key(uses, _) => *uses,
            Self::Paste => 0,
        }
    }

    /// Whether it is for a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self, Self::Document(Pick::Folder(_)))
    }
}

/// How long the user gives something.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lasts {
    /// For this time, when nothing is left that could be used again.
    Once,
    /// Until the program ends.
    Program,
    /// For an hour, and no longer than the program runs.
    Hour,
    /// Until the program ends; and the same module gets it again without a question until the system ends.
    Session,
}

impl Lasts {
    /// In the order in which they are offered for what stays.
    pub const ALL: [Self; 3] = [Self::Program, Self::Hour, Self::Session];

    /// The same, as it is said.
    pub const NAMES: [&str; 3] = ["Until it ends", "One hour", "This session"];

    /// In the order in which they are offered for what can be used once.
    pub const USES: [Self; 3] = [Self::Once, Self::Hour, Self::Session];

    /// The same, as it is said.
    pub const USE_NAMES: [&str; 3] = ["Once", "One hour", "This session"];
}

/// Something that the user can give.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Thing {
    /// A document.
    Document {
        /// Names of directories from the documents on; of a directory that is given, its own is the last.
        path: Vec<String>,
        /// Name of the file; nothing for the directory itself.
        name: Option<String>,
    },
    /// A key of the vault.
    Key {
        /// What the vault knows it by.
        number: u64,
        /// Whose it is.
        owner: Name,
        /// What it is called.
        name: Name,
    },
    /// What is on the clipboard.
    Clipboard,
}

impl Thing {
    /// What it is called.
    pub fn label(&self) -> &str {
        match self {
            Self::Document { path, name } => {
                let name = name.as_ref().or(path.last());
                name.map_or("Documents", String::as_str)
            }
            Self::Key { name, .. } => name.as_str(),
            Self::Clipboard => "Clipboard",
        }
    }

    /// Whether it is a directory.
    pub fn is_directory(&self) -> bool {
        matches!(self, Self::Document { name: None, .. })
    }

    /// Whether it is given for a whole session: a file that is given again without a question would be one that nobody picked.
    pub fn is_remembered(&self) -> bool {
        !matches!(self, Self::Document { name: Some(_), .. })
    }

    /// Whether it can be the answer.
    pub fn answers(&self, ask: &Ask) -> bool {
        match (self, ask) {
            (Self::Document { .. }, _) => self.is_directory() && ask.is_directory(),
            (Self::Key { name, .. }, Ask::Key(_, suggested)) => {
                suggested.is_empty() || name.as_str() == suggested
            }
            _ => false,
        }
    }
}

/// What the user chose.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Chosen {
    /// What is given.
    pub thing: Thing,
    /// For how long.
    pub lasts: Lasts,
}

/// Whether the file system takes it as a name.
pub fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len())
        && !matches!(name, "." | "..")
        && !name.chars().any(|c| c == '/' || c.is_control())
}

/// A path as names with `/` between them: directories, and the last name.
///
/// # Errors
/// [`Refusal::BadName`].
pub fn split(path: &str) -> Result<(Vec<String>, String), Refusal> {
    let mut names: Vec<String> = path.split('/').map(String::from).collect();
    if !names.iter().all(|name| is_name(name)) {
        return Err(Refusal::BadName);
    }
    let last = names.pop().ok_or(Refusal::BadName)?;
    Ok((names, last))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_ask_for_rights_that_can_be_given_and_no_others() {
        assert!(Pick::open(rights::READ | rights::WRITE).is_ok());
        for with in [0, rights::WRITE, rights::READ | rights::GRANT, u64::MAX] {
            assert_eq!(Pick::open(with), Err(Refusal::Malformed));
            assert_eq!(Pick::folder(with), Err(Refusal::Malformed));
        }
        let all = rights::ALL & !rights::GRANT;
        assert_eq!(Pick::folder(all), Ok(Pick::Folder(all)));
        for with in [uses::NONE, uses::EXPORT, uses::SIGN | uses::MANAGE, 1 << 9] {
            let asked = Ask::key(with, String::new());
            assert_eq!(asked, Err(Refusal::Malformed), "{with:#x}");
        }
        assert!(Ask::key(uses::LENDABLE, String::new()).is_ok());
    }

    #[test]
    fn a_path_is_names_and_never_leads_up() {
        let (directories, name) = split("a/b c/ö.txt").unwrap();
        assert_eq!((directories.join("|").as_str(), &*name), ("a|b c", "ö.txt"));
        for path in ["", "/a", "a/", "a//b", "../a", "a/..", ".", "a\nb"] {
            assert_eq!(split(path), Err(Refusal::BadName), "{path:?}");
        }
    }
}
