//! The kernel as one value: all objects, and what happens at each event.

use nonos_abi::boot::BootInfo;

use crate::arena::{Arena, ThreadId};
use crate::machine::{AddressSpace, Event, Machine, UserContext};
use crate::sizes::Arenas;
use crate::thread::Thread;

/// What the boot loader left for the kernel's logic.
#[derive(Clone, Copy)]
pub struct BootRecord {
    /// The boot loader's record.
    pub info: &'static BootInfo,
    /// The unpacked payload: a `nonos_image::archive`.
    pub payload: &'static [u8],
    /// TSC when the kernel was entered.
    pub tsc_at_kernel_entry: u64,
}

/// Why the kernel cannot start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// The payload is no archive.
    Archive,
    /// The archive has no valid list of trusted publishers.
    Anchors,
    /// The archive has no module `init`, or it was refused or could not be loaded.
    Init(nonos_abi::Error),
}

impl core::fmt::Display for StartError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Archive => f.write_str("the payload of the system image is malformed"),
            Self::Anchors => f.write_str("the list of trusted publishers is missing or malformed"),
            Self::Init(error) => write!(f, "init cannot be started: {error}"),
        }
    }
}

/// All state of the kernel.
pub struct Kernel {
    threads: Arena<ThreadId, Thread>,
    current: Option<ThreadId>,
}

impl Kernel {
    /// A kernel without processes. The arenas are those of [`crate::Sizes::for_boot`], filled with
    /// [`crate::Empty::EMPTY`]. All memory marked usable in the record belongs to the kernel from here on.
    ///
    /// # Errors
    /// When the payload is malformed.
    pub fn new(
        boot: BootRecord,
        arenas: Arenas,
        machine: &mut impl Machine,
    ) -> Result<Self, StartError> {
        let _ = (boot, machine);
        Ok(Self {
            threads: Arena::new(arenas.threads),
            current: None,
        })
    }

    /// Admits the module `init`, makes its process and starts it with the handles of [`nonos_abi::start`].
    ///
    /// # Errors
    /// When the module is missing, refused or cannot be loaded.
    pub fn start_init(&mut self, machine: &mut impl Machine) -> Result<(), StartError> {
        let _ = machine;
        Err(StartError::Init(nonos_abi::Error::NotFound))
    }

    /// The thread to run: its registers and address space. `None` when there is nothing to run until the next event.
    pub fn current(&mut self) -> Option<(&mut UserContext, AddressSpace)> {
        let id = self.current?;
        let _ = &mut self.threads[id].context;
        None
    }

    /// Deals with what ended the last stay in user space or the last idle wait.
    pub fn handle(&mut self, event: Event, machine: &mut impl Machine) {
        let _ = (event, machine);
    }

    /// Adds a line of the machine's to the kernel's log.
    pub fn log(&mut self, text: core::fmt::Arguments<'_>, machine: &mut impl Machine) {
        let _ = (text, machine);
    }
}
