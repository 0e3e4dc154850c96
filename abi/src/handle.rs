//! Handles: how a process names an object.

/// A handle: a slot index and the generation of the slot, meaningful in one process's table only.
///
/// The value is no secret and no authority: the kernel looks it up in the caller's own table, and a slot
/// that was closed and filled again has another generation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[repr(transparent)]
pub struct Handle(u32);

impl Handle {
    /// No handle: slot 0 is never filled.
    pub const NONE: Self = Self(0);

    /// Bits of the slot index; the generation takes the rest.
    pub const INDEX_BITS: u32 = 12;

    /// The last generation. A slot that reaches it is not used again, so no handle value ever comes back.
    pub const LAST_GENERATION: u32 = u32::MAX >> Self::INDEX_BITS;

    /// The handle for a slot.
    pub const fn new(index: u16, generation: u32) -> Self {
        Self((index as u32 & ((1 << Self::INDEX_BITS) - 1)) | generation << Self::INDEX_BITS)
    }

    /// The handle with this raw value, as it came in a register.
    pub const fn from_raw(raw: u32) -> Self {
        Self(raw)
    }

    /// The raw value for a register.
    pub const fn raw(self) -> u32 {
        self.0
    }

    /// Slot index.
    pub const fn index(self) -> u16 {
        (self.0 & ((1 << Self::INDEX_BITS) - 1)) as u16
    }

    /// Generation of the slot.
    pub const fn generation(self) -> u32 {
        self.0 >> Self::INDEX_BITS
    }
}

macro_rules! object_kinds {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $text:literal;)+) => {
        /// What a handle refers to.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum ObjectKind { $($(#[$doc])* $name = $value,)+ }

        impl ObjectKind {
            /// The kind with this number.
            pub const fn from_raw(raw: u64) -> Option<Self> {
                match raw { $($value => Some(Self::$name),)+ _ => None }
            }

            /// Its name in words, for a person.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }
    };
}

object_kinds! {
    /// A process: address space, handle table, quota. READ: see its state. WRITE: give it handles, start it. EXECUTE: end it.
    Process = 1, "process";
    /// Pages of memory. READ: map for reading. WRITE: map for writing. Never executable.
    Memory = 2, "memory";
    /// Where calls arrive. READ: receive. WRITE: call. GRANT: make badged copies.
    Endpoint = 3, "endpoint";
    /// The right to answer one call, once.
    Reply = 4, "reply";
    /// 64 signal bits. READ: wait, bind. WRITE: signal.
    Notification = 5, "notification";
    /// One interrupt line. WRITE: bind to a notification, acknowledge.
    Interrupt = 6, "interrupt";
    /// A range of I/O ports. READ: input. WRITE: output.
    IoPorts = 7, "I/O ports";
    /// All devices of the machine: makes Interrupt, IoPorts and device Memory handles. WRITE: make.
    Hardware = 8, "hardware";
    /// A verified module. EXECUTE: make a process of it. READ: see its manifest.
    Module = 9, "module";
    /// The modules that came in the system image. READ: list, admit.
    Archive = 10, "archive";
    /// State of the system. READ: read it.
    SystemInfo = 11, "system information";
    /// Where the kernel lies in memory. READ: read it.
    KernelLayout = 12, "kernel layout";
    /// Power of the machine. WRITE: turn off, restart.
    Power = 13, "power";
    /// The kernel's log. READ: read it. WRITE: add a line.
    Log = 14, "log";
    /// A thread. WRITE: set its priority and CPUs. EXECUTE: end it.
    Thread = 15, "thread";
    /// A timer. WRITE: set it.
    Timer = 16, "timer";
    /// The record of denied system calls. READ: read it.
    Audit = 17, "audit";
}
