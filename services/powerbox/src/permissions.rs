//! What the user gave: to which program, until when, and what takes it back.

use alloc::vec::Vec;

use nonos_abi::Name;
use nonos_proto::Refusal;

use crate::ask::{Ask, Thing};

/// Most permissions at a time: the file system keeps no more open for the power box.
pub const MOST: usize = 28;
/// Most of one program.
const EACH: usize = 16;
/// Most directories that are given at a time: through each more can be open.
const DIRECTORIES: usize = 2;

/// Something that was given.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Permission<H> {
    /// What it is known by.
    pub number: u64,
    /// The program, by its badge; nothing for what a module gets again without a question.
    pub program: Option<u64>,
    /// The program's module.
    pub module: Name,
    /// Bits of `nonos_proto::files::rights`; for a key, of `nonos_proto::vault::uses`.
    pub rights: u64,
    /// What was given.
    pub thing: Thing,
    /// When it ends, nanoseconds; 0 with the program.
    pub until_ns: u64,
    /// What it is taken back with; nothing when there is no program that has it.
    pub handle: Option<H>,
}

/// All of them, the oldest first.
#[derive(Debug)]
pub struct Permissions<H> {
    list: Vec<Permission<H>>,
    last: u64,
}

impl<H> Default for Permissions<H> {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            last: 0,
        }
    }
}

impl<H> Permissions<H> {
    /// Whether a program can be given something more.
    ///
    /// # Errors
    /// [`Refusal::Full`].
    pub fn check(&self, program: u64, directory: bool) -> Result<(), Refusal> {
        let given = || self.list.iter().filter(|p| p.handle.is_some());
        let own = given().filter(|p| p.program == Some(program)).count();
        let directories = given().filter(|p| p.thing.is_directory()).count();
        if self.list.len() + 2 > MOST || own >= EACH || directory && directories >= DIRECTORIES {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Adds one: its number.
    pub fn add(&mut self, mut permission: Permission<H>) -> u64 {
        self.last += 1;
        permission.number = self.last;
        self.list.push(permission);
        self.last
    }

    /// What a module gets without a question, because it was given it with all of these rights.
    pub fn remembered(&self, module: Name, ask: &Ask) -> Option<&Permission<H>> {
        self.list.iter().find(|p| {
            let allowed = ask.rights() & !p.rights == 0;
            p.program.is_none() && p.module == module && p.thing.answers(ask) && allowed
        })
    }

    /// Whether a program may paste without a question.
    pub fn pastes(&self, program: u64, module: Name) -> bool {
        let of = |p: &&Permission<H>| p.program.map_or(p.module == module, |own| own == program);
        self.list
            .iter()
            .filter(of)
            .any(|p| p.thing == Thing::Clipboard)
    }

    /// Permission `index`.
    pub fn get(&self, index: usize) -> Option<&Permission<H>> {
        self.list.get(index)
    }

    /// The permission of this number.
    pub fn find(&self, number: u64) -> Option<&Permission<H>> {
        self.list.iter().find(|p| p.number == number)
    }

    /// Removes those that a program had, which ended.
    pub fn end(&mut self, program: u64) -> Vec<Permission<H>> {
        self.remove(|p| p.program == Some(program))
    }

    /// Removes those whose time is over.
    pub fn expire(&mut self, now_ns: u64) -> Vec<Permission<H>> {
        self.remove(|p| p.until_ns != 0 && p.until_ns <= now_ns)
    }

    /// Removes those for which something is gone.
    pub fn forget(&mut self, gone: impl Fn(&H) -> bool) -> Vec<Permission<H>> {
        self.remove(|p| p.handle.as_ref().is_some_and(&gone))
    }

    /// When the next ends.
    pub fn next_end_ns(&self) -> Option<u64> {
        let ends = self.list.iter().map(|p| p.until_ns);
        ends.filter(|&until_ns| until_ns != 0).min()
    }

    /// Removes one that the user takes back, and with what a module gets without a question what its programs have of it.
    ///
    /// # Errors
    /// [`Refusal::Gone`].
    pub fn revoke(&mut self, number: u64) -> Result<Vec<Permission<H>>, Refusal> {
        let found = self.list.iter().find(|p| p.number == number);
        let found = found.ok_or(Refusal::Gone)?;
        if found.program.is_some() {
            return Ok(self.remove(|p| p.number == number));
        }
        let (module, thing) = (found.module, found.thing.clone());
        Ok(self.remove(|p| p.module == module && p.thing == thing))
    }

    fn remove(&mut self, what: impl Fn(&Permission<H>) -> bool) -> Vec<Permission<H>> {
        self.list.extract_if(.., |p| what(p)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ask::Pick;
    use alloc::vec;

    fn folder(rights: u64) -> Ask {
        Ask::Document(Pick::Folder(rights))
    }

    fn permission(program: Option<u64>, module: &str, until_ns: u64) -> Permission<u64> {
        Permission {
            number: 0,
            program,
            module: Name::new(module).unwrap(),
            rights: 1,
            thing: Thing::Document {
                path: Vec::new(),
                name: program.map(|_| "a".into()),
            },
            until_ns,
            handle: program,
        }
    }

    fn directory(program: Option<u64>, module: &str) -> Permission<u64> {
        Permission {
            handle: program,
            program,
            ..permission(None, module, 0)
        }
    }

    #[test]
    fn permissions_end_with_their_program_and_their_time() {
        let mut all = Permissions::default();
        for (program, until_ns) in [(1, 0), (2, 50), (1, 70), (2, 0)] {
            all.add(permission(Some(program), "a", until_ns));
        }
        assert_eq!(all.next_end_ns(), Some(50));
        assert_eq!(all.expire(49).len(), 0);
        let ended = all.expire(50);
        assert_eq!(ended[0].number, 2);
        assert_eq!((ended.len(), all.next_end_ns()), (1, Some(70)));
        let ended = all.end(1);
        assert_eq!(ended.iter().map(|p| p.number).sum::<u64>(), 1 + 3);
        assert_eq!(all.get(0).unwrap().number, 4);
        assert_eq!(all.forget(|&handle| handle == 2).len(), 1);
        assert_eq!(all.get(0), None);
    }

    #[test]
    fn what_is_remembered_is_for_one_module_and_no_more_rights() {
        let mut all = Permissions::default();
        let number = all.add(permission(None, "editor", 0));
        let editor = Name::new("editor").unwrap();
        assert!(all.remembered(editor, &folder(1)).is_some());
        assert!(all.remembered(editor, &folder(3)).is_none());
        assert!(
            all.remembered(editor, &Ask::Document(Pick::Open(1)))
                .is_none()
        );
        assert!(all.remembered(editor, &Ask::Key(1, "".into())).is_none());
        let other = Name::new("edit").unwrap();
        assert!(all.remembered(other, &folder(1)).is_none());
        all.add(directory(Some(7), "editor"));
        all.add(permission(Some(7), "editor", 0));
        assert_eq!(all.revoke(number).unwrap().len(), 2, "not the file");
        assert_eq!(all.revoke(number), Err(Refusal::Gone));
        assert!(all.remembered(editor, &folder(1)).is_none());
    }

    #[test]
    fn to_paste_is_allowed_to_a_program_or_all_of_a_module_until_that_ends() {
        let name = |name| Name::new(name).unwrap();
        let pasting = |program, until_ns| Permission {
            thing: Thing::Clipboard,
            handle: None,
            ..permission(program, "editor", until_ns)
        };
        let mut all = Permissions::default();
        all.add(permission(None, "editor", 0));
        assert!(!all.pastes(7, name("editor")));
        all.add(pasting(Some(7), 50));
        assert!(all.pastes(7, name("editor")));
        assert!(
            !all.pastes(8, name("editor")),
            "another program of the module"
        );
        assert_eq!(all.expire(50).len(), 1);
        assert!(!all.pastes(7, name("editor")));
        let session = all.add(pasting(None, 0));
        assert!(all.pastes(8, name("editor")) && !all.pastes(8, name("viewer")));
        assert!(
            all.remembered(name("editor"), &folder(0)).is_some(),
            "the folder"
        );
        all.end(8);
        assert!(all.pastes(8, name("editor")));
        assert_eq!(all.revoke(session).unwrap().len(), 1);
        assert!(!all.pastes(8, name("editor")));
    }

    #[test]
    fn a_key_is_remembered_by_its_name_for_the_uses_that_were_allowed() {
        let mut all = Permissions::default();
        let key = |number| Thing::Key {
            number,
            owner: Name::new("shell").unwrap(),
            name: Name::new("mail").unwrap(),
        };
        let of_key = |program, number| Permission {
            thing: key(number),
            ..permission(program, "editor", 0)
        };
        let remembered = all.add(of_key(None, 5));
        all.add(of_key(Some(7), 5));
        // A file, a use of another key, and the use of another module.
        let mut left = vec![
            all.add(permission(Some(7), "editor", 0)),
            all.add(of_key(Some(7), 6)),
        ];
        let mut of_other = of_key(Some(8), 5);
        of_other.module = Name::new("mailer").unwrap();
        left.push(all.add(of_other));
        let editor = Name::new("editor").unwrap();
        for (uses, name, is) in [
            (1, "", true),
            (1, "mail", true),
            (1, "m", false),
            (3, "", false),
        ] {
            let found = all.remembered(editor, &Ask::Key(uses, name.into()));
            assert_eq!(found.is_some(), is, "{uses} {name}");
        }
        assert!(all.remembered(editor, &folder(1)).is_none());
        assert_eq!(all.revoke(remembered).unwrap().len(), 2);
        let numbers: Vec<u64> = (0..).map_while(|at| Some(all.get(at)?.number)).collect();
        assert_eq!(numbers, left);
    }

    #[test]
    fn one_program_cannot_use_up_all() {
        let mut all = Permissions::default();
        while all.check(1, false).is_ok() {
            all.add(permission(Some(1), "a", 0));
        }
        assert!(all.check(2, false).is_ok());
        for program in 2.. {
            let Ok(()) = all.check(program, false) else {
                break;
            };
            all.add(permission(Some(program), "a", 0));
        }
        assert!((0..MOST + 1).filter(|&i| all.get(i).is_some()).count() < MOST);
        let mut directories = Permissions::default();
        while directories.check(1, true).is_ok() {
            directories.add(directory(Some(1), "a"));
        }
        assert!(directories.check(2, true).is_err() && directories.check(1, false).is_ok());
    }
}
