//! Modules of the system image: verified once, then a source of executable memory.
//!
//! The payload is the kernel's own read-only memory, so a module that was verified stays what it was. Its text and
//! constants are copied to frames when its first process is made, shared by all its processes, and freed when no handle
//! and no process refers to it. [`Admitted`] is made only from a [`VerifiedModule`]: what was not verified
//! cannot be mapped.
//!
//! Each module of the archive has an entry from boot on, with one reference of its own.

use nonos_abi::info::{ModuleInfo, module_state};
use nonos_abi::{Error, Name};
use nonos_image::anchors::Anchors;
use nonos_image::archive::Archive;
use nonos_image::elf::{self, Executable};
use nonos_image::module::{self, Manifest, Refusal, VerifiedModule};

use crate::arena::{Empty, ModuleId};
use crate::frame::FrameList;
use crate::kernel::Kernel;
use crate::machine::Machine;

/// References of a module that nobody uses.
const UNUSED: u32 = 1;

/// One module of the archive.
pub struct Module {
    pub(crate) name: Name,
    /// Its signed file in the payload.
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
    /// Not looked at.
    Unverified,
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
            state: State::Unverified,
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
            State::Unverified => Err(Error::NotFound),
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
            State::Unverified => ModuleInfo {
                state: module_state::UNVERIFIED,
                ..stored
            },
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

/// Why a module is not admitted, in detail for the log.
enum Rejection {
    Signed(Refusal),
    Name(Name),
    Elf(elf::Refusal),
}

impl Rejection {
    fn error(&self) -> Error {
        match self {
            Self::Signed(Refusal::Publisher { .. }) => Error::ModulePublisher,
            Self::Signed(Refusal::Ed25519) => Error::ModuleEd25519,
            Self::Signed(Refusal::MlDsa) => Error::ModuleMlDsa,
            Self::Signed(Refusal::Hash { .. }) => Error::ModuleHash,
            Self::Signed(_) | Self::Name(_) | Self::Elf(_) => Error::ModuleFormat,
        }
    }
}

impl core::fmt::Display for Rejection {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Signed(refusal) => write!(f, "{refusal}"),
            Self::Name(name) => write!(f, "its manifest is that of {name}"),
            Self::Elf(refusal) => write!(f, "{refusal}"),
        }
    }
}

fn check(name: Name, stored: &'static [u8], anchors: &Anchors<'_>) -> Result<Admitted, Rejection> {
    let verified = module::verify(stored, anchors).map_err(Rejection::Signed)?;
    Admitted::new(name, &verified)
}

impl Admitted {
    fn new(name: Name, verified: &VerifiedModule<'static>) -> Result<Self, Rejection> {
        let manifest = *verified.manifest();
        if manifest.name != name {
            return Err(Rejection::Name(manifest.name));
        }
        let executable = Executable::parse(verified.elf()).map_err(Rejection::Elf)?;
        Ok(Self {
            manifest,
            executable,
        })
    }
}

impl Kernel {
    /// Makes an entry for each module of the archive; says how many there was no room for.
    pub(crate) fn list_modules(&mut self, archive: &Archive<'static>) -> usize {
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
        left_out
    }

    /// Verifies a module of the archive, when that was not done before.
    pub(crate) fn admit_module(
        &mut self,
        name: Name,
        machine: &mut impl Machine,
    ) -> Result<ModuleId, Error> {
        let found = self.modules.iter().find(|(_, module)| module.name == name);
        let (id, module) = found.ok_or(Error::NotFound)?;
        if matches!(module.state, State::Unverified) {
            let state = match check(name, module.stored, &self.anchors) {
                Ok(admitted) => State::Admitted(admitted),
                Err(rejection) => {
                    self.log(format_args!("module {name} refused: {rejection}"), machine);
                    State::Refused(rejection.error())
                }
            };
            self.modules[id].state = state;
        }
        self.modules[id].admitted()?;
        Ok(id)
    }

    /// Drops a reference; when nobody uses the module any more, frees its frames.
    pub(crate) fn release_module(&mut self, id: ModuleId, machine: &mut impl Machine) {
        if self.modules.release(id) == UNUSED {
            let shared = core::mem::replace(&mut self.modules[id].shared, FrameList::EMPTY);
            self.frames.free(shared, machine);
        }
    }
}
