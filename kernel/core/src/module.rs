//! Modules of the system image: verified once, then a source of executable memory.
//!
//! The payload is the kernel's own read-only memory, so a module that was verified stays what it was. Its text and
//! constants are copied to frames when its first process is made, shared by all its processes, and freed when no handle
//! and no process refers to it. [`Admitted`] is made only from a [`ListedModule`] and the ELF with its hash: what was not verified
//! cannot be mapped.
//!
//! Each module of the archive has an entry from boot on, with one reference of its own. The publishers' lists are verified then, each once:
//! exactly one of them names a module that may run. The ELF is verified when the module is first asked for.

use core::fmt::Display;

use nonos_abi::info::{ModuleInfo, module_state};
use nonos_abi::{Error, Name};
use nonos_image::anchors::Anchors;
use nonos_image::archive::Archive;
use nonos_image::elf::Executable;
use nonos_image::list;
use nonos_image::module::{ListedModule, Manifest};

use crate::arena::{Empty, ModuleId};
use crate::frame::FrameList;
use crate::kernel::Kernel;
use crate::machine::Machine;

/// References of a module that nobody uses.
const UNUSED: u32 = 1;

/// One module of the archive.
pub struct Module {
    pub(crate) name: Name,
    /// Its ELF in the payload.
    pub(crate) stored: &'static [u8],
    pub(crate) state: State,
    /// Text and constants, while a process uses them.
    pub(crate) shared: FrameList,
}

/// What is known of a module.
#[expect(
    clippy::large_enum_variant,
    reason = "an arena's entries have one size, and there is no heap"
)]
pub(crate) enum State {
    /// No list that was looked at so far names it.
    Unlisted,
    /// One list names it; its ELF was not looked at.
    Listed(ListedModule<'static>),
    /// A check failed.
    Refused(Error),
    /// All checks passed.
    Admitted(Admitted),
}

/// A module that may run.
pub(crate) struct Admitted {
    pub manifest: Manifest,
    pub executable: Executable<'static>,
}

impl Empty for Module {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            name: Name::NONE,
            stored: &[],
            state: State::Unlisted,
            shared: FrameList::EMPTY,
        }
    }
}

impl Module {
    /// The module, when it was verified.
    pub(crate) fn admitted(&self) -> Result<&Admitted, Error> {
        match &self.state {
            State::Admitted(admitted) => Ok(admitted),
            State::Refused(error) => Err(*error),
            State::Unlisted | State::Listed(_) => Err(Error::NotFound),
        }
    }

    /// For `SystemRead`.
    pub(crate) fn info(&self) -> ModuleInfo {
        let stored = ModuleInfo {
            name: self.name,
            stored_bytes: self.stored.len() as u64,
            ..ModuleInfo::default()
        };
        match &self.state {
            State::Unlisted | State::Listed(_) => {
                const { assert!(module_state::UNVERIFIED == 0) };
                stored
            }
            State::Refused(error) => ModuleInfo {
                state: module_state::REFUSED + error.raw(),
                ..stored
            },
            State::Admitted(Admitted { manifest, .. }) => ModuleInfo {
                state: module_state::ADMITTED,
                publisher: manifest.publisher,
                security_version: manifest.security_version,
                elf_hash: hash_words(&manifest.elf_hash),
                priority: manifest.priority.into(),
                quota_pages: manifest.quota_pages,
                needs: manifest.needs,
                ..stored
            },
        }
    }
}

/// A hash as little-endian words.
pub(crate) fn hash_words(hash: &[u8; 32]) -> [u64; 4] {
    let mut words = [0; 4];
    for (word, bytes) in words.iter_mut().zip(hash.as_chunks().0) {
        *word = u64::from_le_bytes(*bytes);
    }
    words
}

impl Kernel {
    /// Makes an entry for each module of the archive, with what the publishers' lists say of it.
    pub(crate) fn list_modules(
        &mut self,
        archive: &Archive<'static>,
        anchors: &Anchors<'_>,
        machine: &mut impl Machine,
    ) {
        let mut left_out = 0;
        for entry in archive.modules() {
            let module = Module {
                name: entry.name,
                stored: entry.contents,
                ..Module::unused()
            };
            if self.modules.insert(module, None).is_none() {
                left_out += 1;
            }
        }
        if left_out > 0 {
            self.log(
                format_args!("{left_out} modules of the image left out"),
                machine,
            );
        }

        // A module that no list names may stand in one that was refused.
        let mut unlisted = Error::ModuleList;
        for entry in archive.lists() {
            match list::verify(entry.name, entry.contents, anchors) {
                Ok(list) => list.iter().for_each(|listed| self.note_listed(listed)),
                Err(refusal) => {
                    self.log_refusal(entry.name, &refusal, machine);
                    unlisted = refusal.into();
                }
            }
        }
        for module in self.modules.values_mut() {
            if matches!(module.state, State::Unlisted) {
                module.state = State::Refused(unlisted);
            }
        }
    }

    /// Notes that a list names a module. One that is named again is nobody's.
    pub(crate) fn note_listed(&mut self, listed: ListedModule<'static>) {
        let mut modules = self.modules.values_mut();
        if let Some(module) = modules.find(|module| listed.is_named(module.name)) {
            module.state = match module.state {
                State::Unlisted => State::Listed(listed),
                _ => State::Refused(Error::ModuleList),
            };
        }
    }

    /// Verifies a module of the archive, when that was not done before.
    pub(crate) fn admit_module(
        &mut self,
        name: Name,
        machine: &mut impl Machine,
    ) -> Result<ModuleId, Error> {
        let found = self.modules.iter().find(|(_, module)| module.name == name);
        let (id, module) = found.ok_or(Error::NotFound)?;
        if let State::Listed(listed) = module.state {
            let verified = listed.verify(module.stored).map_err(|refusal| {
                self.log_refusal(name, &refusal, machine);
                refusal.into()
            });
            let admitted = verified.and_then(|verified| {
                let executable = Executable::parse(verified.elf()).map_err(|refusal| {
                    self.log_refusal(name, &refusal, machine);
                    Error::ModuleFormat
                })?;
                Ok(Admitted {
                    manifest: *verified.manifest(),
                    executable,
                })
            });
            let state = admitted.map_or_else(State::Refused, State::Admitted);
            self.modules[id].state = state;
        }
        self.modules[id].admitted()?;
        Ok(id)
    }

    #[inline(never)]
    fn log_refusal(&mut self, name: Name, why: &dyn Display, machine: &mut impl Machine) {
        self.log(format_args!("{name} refused: {why}"), machine);
    }

    /// Drops a reference; when nobody uses the module any more, frees its frames.
    pub(crate) fn release_module(&mut self, id: ModuleId, machine: &mut impl Machine) {
        if self.modules.release(id) == UNUSED {
            let shared = core::mem::replace(&mut self.modules[id].shared, FrameList::EMPTY);
            self.frames.free(shared, machine);
        }
    }
}
