//! Commands for files. Names are those of the shell's own directory and of what is below it, with `/` between: nothing else can be
//! reached from here.

use core::fmt;
use core::hint::black_box;

use nonos_crypto::hash::Blake3;
use nonos_proto::files::{Usage, how, rights};
use nonos_proto::{CallError, Refusal};
use nonos_rt::files::{Entry, File, Place};
use shell::command::FileCommand;
use shell::hex::Hex;
use shell::pipeline::Target;

use crate::output::Sink;
use crate::session::Session;

/// Bytes that are copied at a time.
const PART: usize = 4096;
/// How deep `tree` and `find` go.
const DEPTH: usize = 16;
/// Longest path that `find` shows.
const PATH: usize = 512;

/// What a command did, or why it did not.
pub type Done = Result<(), CallError>;

/// A directory that a name is in: the shell's own, or one that was opened on the way.
enum Directory<'a> {
    Own(&'a File),
    Opened(File),
}

impl Directory<'_> {
    fn file(&self) -> &File {
        match self {
            Self::Own(file) => file,
            Self::Opened(file) => file,
        }
    }
}

/// The directory that a path ends in, and the name there.
fn place<'a, 'b>(home: &'a File, path: &'b str) -> Result<(Directory<'a>, &'b str), CallError> {
    let mut directory = Directory::Own(home);
    let mut rest = path;
    while let Some((first, after)) = rest.split_once('/') {
        let with = rights::ALL | how::DIRECTORY;
        directory = Directory::Opened(directory.file().open(first, with)?);
        rest = after;
    }
    Ok((directory, rest))
}

/// Opens what a path names.
pub fn open(home: &File, path: &str, with: u64) -> Result<File, CallError> {
    let (directory, name) = place(home, path)?;
    directory.file().open(name, with)
}

/// Opens a directory; the shell's own when no path is given.
fn directory<'a>(home: &'a File, path: &str) -> Result<Directory<'a>, CallError> {
    if path.is_empty() {
        return Ok(Directory::Own(home));
    }
    let with = rights::ALL | how::DIRECTORY;
    open(home, path, with).map(Directory::Opened)
}

/// Reads all of a file.
pub fn each_part(file: &File, mut see: impl FnMut(&[u8]) -> Done) -> Done {
    let (mut part, mut at) = ([0; PART], 0);
    let outcome = loop {
        let done = match file.read(at, &mut part) {
            Ok(0) => break Ok(()),
            Ok(count) => {
                at += count as u64;
                see(&part[..count])
            }
            Err(error) => Err(error),
        };
        if done.is_err() {
            break done;
        }
    };
    part.fill(0);
    black_box(&mut part);
    outcome
}

/// The last name of a path.
fn last_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

/// Where something goes that is copied or moved: into the directory of that name, or under that name.
fn target<'a, 'b>(
    home: &'a File,
    from: &'b str,
    to: &'b str,
) -> Result<(Directory<'a>, &'b str), CallError> {
    let (at, name) = place(home, to)?;
    match at.file().open(name, rights::ALL | how::DIRECTORY) {
        Ok(inside) => Ok((Directory::Opened(inside), last_name(from))),
        Err(CallError::Unreachable(error)) => Err(CallError::Unreachable(error)),
        Err(_) => Ok((at, name)),
    }
}

impl Session {
    /// Does something with the shell's own directory, and says what went wrong.
    pub(crate) fn with_home(&mut self, what: impl FnOnce(&mut Self, &File) -> Done) {
        let home = match self.home.take() {
            // After a wipe of the vault there is another one.
            Some(home) if !matches!(home.state(), Err(CallError::Refused(Refusal::Gone))) => {
                Ok(home)
            }
            _ => Place::Documents.open(),
        };
        let outcome = home.and_then(|home| {
            let outcome = what(self, &home);
            self.home = Some(home);
            outcome
        });
        match outcome {
            Ok(()) => {}
            Err(CallError::Unreachable(_)) if self.home.is_some() => {
                self.home = None;
                self.fail(format_args!(
                    "the file system ended: what was stored is gone, as it was in its memory alone"
                ));
            }
            Err(CallError::Refused(Refusal::NoSuchService)) => {
                self.fail(format_args!(
                    "there is no file system: it does not run any more"
                ));
            }
            Err(error) => self.fail(format_args!("{error}")),
        }
    }

    /// Writes what a command shows to a file, from now on. Whether that is possible.
    pub(crate) fn redirect(&mut self, hash: bool, target: Option<Target<'_>>) -> bool {
        let Some(Target { file, append }) = target else {
            self.terminal.redirect(hash, None);
            return true;
        };
        let mut opened = false;
        self.with_home(|session, home| {
            let empty = if append { 0 } else { how::EMPTY };
            let sink = open(home, file, rights::WRITE | how::CREATE | empty)?;
            let at = if append { sink.state()?.size } else { 0 };
            session.terminal.redirect(hash, Some(Sink::new(sink, at)));
            opened = true;
            Ok(())
        });
        opened
    }

    /// Does a command for files.
    pub(crate) fn file_command(&mut self, command: FileCommand<'_>) {
        self.with_home(|session, home| match command {
            FileCommand::List(path) => session.list(home, path),
            FileCommand::Show(path) => session.show_file(home, path),
            FileCommand::Copy(from, to) => session.copy(home, from, to),
            FileCommand::Move(from, to) => session.move_to(home, from, to),
            FileCommand::Remove(path) => {
                let (directory, name) = place(home, path)?;
                directory.file().remove(name)
            }
            FileCommand::MakeDirectory(path) => {
                let with = how::CREATE | how::NEW | how::DIRECTORY;
                open(home, path, with).map(drop)
            }
            FileCommand::Write(path, text) => {
                let file = open(home, path, rights::WRITE | how::CREATE | how::EMPTY)?;
                file.append(text.as_bytes())?;
                file.append(b"\n")
            }
            FileCommand::Edit(path) => session.edit(home, path),
            FileCommand::Hash(path) => session.hash(home, path),
            FileCommand::Usage => session.usage(),
            FileCommand::Tree(path) => {
                let directory = directory(home, path)?;
                session.tree(directory.file(), 0)
            }
            FileCommand::Find(text) => {
                let mut path = Path {
                    bytes: [0; PATH],
                    length: 0,
                };
                session.find(home, text, &mut path, 0)
            }
        });
    }

    /// `ls`
    fn list(&mut self, home: &File, path: &str) -> Done {
        let directory = directory(home, path)?;
        directory.file().list(|entry| {
            self.print(format_args!("{}\n", Row(entry)));
            true
        })
    }

    /// `cat`, and `<`
    pub(crate) fn show_file(&mut self, home: &File, path: &str) -> Done {
        let file = open(home, path, rights::READ)?;
        each_part(&file, |part| {
            self.terminal.bytes(part);
            Ok(())
        })
    }

    /// `cp`
    fn copy(&mut self, home: &File, from: &str, to: &str) -> Done {
        let source = open(home, from, rights::READ)?;
        let (directory, name) = target(home, from, to)?;
        let new = how::CREATE | how::NEW;
        // What is there is replaced, but never by itself.
        let file = match directory.file().open(name, rights::WRITE | new) {
            Err(CallError::Refused(Refusal::NameExists)) => {
                self.fail(format_args!("{name} is there already: remove it first"));
                return Ok(());
            }
            file => file?,
        };
        let copied = each_part(&source, |part| file.append(part));
        if copied.is_err() {
            let _ = directory.file().remove(name);
        }
        copied
    }

    /// `mv`
    fn move_to(&mut self, home: &File, from: &str, to: &str) -> Done {
        let (source, name) = place(home, from)?;
        let (directory, new) = target(home, from, to)?;
        source.file().rename(name, directory.file(), new)
    }

    /// `hash`
    fn hash(&mut self, home: &File, path: &str) -> Done {
        let file = open(home, path, rights::READ)?;
        let mut hash = Blake3::new();
        each_part(&file, |part| {
            hash.update(part);
            Ok(())
        })?;
        self.print(format_args!("{}  {path}\n", Hex(&hash.finish())));
        Ok(())
    }

    /// `df`
    fn usage(&mut self) -> Done {
        let Usage {
            pages,
            pages_most,
            files,
            files_most,
            memory_pages,
            free_pages,
        } = Place::Documents.usage()?;
        self.print(format_args!(
            "stored  {:>8} KiB of {:>8} KiB\nfiles   {files:>8}     of {files_most:>8}\nmemory  {:>8} KiB of {:>8} KiB, all programs, grows as needed\n",
            pages * 4,
            pages_most * 4,
            (memory_pages - free_pages.min(memory_pages)) * 4,
            memory_pages * 4,
        ));
        Ok(())
    }

    /// `tree`
    fn tree(&mut self, directory: &File, depth: usize) -> Done {
        let mut outcome = Ok(());
        directory.list(|entry| {
            self.print(format_args!("{:1$}{2}\n", "", depth * 2, Row(entry)));
            outcome = self.below(directory, entry, depth, |session, inner| {
                session.tree(inner, depth + 1)
            });
            outcome.is_ok()
        })?;
        outcome
    }

    /// `find`
    fn find(&mut self, directory: &File, text: &str, path: &mut Path, depth: usize) -> Done {
        let mut outcome = Ok(());
        directory.list(|entry| {
            let length = path.length;
            path.push(entry.name);
            if entry.name.contains(text) {
                self.print(format_args!("{path}\n"));
            }
            path.push("/");
            outcome = self.below(directory, entry, depth, |session, inner| {
                session.find(inner, text, path, depth + 1)
            });
            path.length = length;
            outcome.is_ok()
        })?;
        outcome
    }

    /// Goes on in an entry that is a directory.
    fn below(
        &mut self,
        directory: &File,
        entry: Entry<'_>,
        depth: usize,
        go_on: impl FnOnce(&mut Self, &File) -> Done,
    ) -> Done {
        if entry.kind != nonos_proto::files::kind::DIRECTORY {
            return Ok(());
        }
        if depth == DEPTH {
            self.fail(format_args!(
                "what is deeper than {DEPTH} directories is left out"
            ));
            return Ok(());
        }
        let inner = directory.open(entry.name, rights::ALL | how::DIRECTORY)?;
        go_on(self, &inner)
    }
}

/// A line about an entry.
struct Row<'a>(Entry<'a>);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Entry { kind, size, name } = self.0;
        if kind == nonos_proto::files::kind::DIRECTORY {
            write!(f, "{:>10}  {name}/", "directory")
        } else {
            write!(f, "{size:>10}  {name}")
        }
    }
}

/// Names with `/` between; what does not fit is left out.
struct Path {
    bytes: [u8; PATH],
    length: usize,
}

impl Path {
    fn push(&mut self, text: &str) {
        let fits = text.floor_char_boundary(PATH - self.length);
        self.bytes[self.length..self.length + fits].copy_from_slice(&text.as_bytes()[..fits]);
        self.length += fits;
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(core::str::from_utf8(&self.bytes[..self.length]).unwrap_or("?"))
    }
}
