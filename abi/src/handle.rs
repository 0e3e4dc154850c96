//! Handles: how a process names an object.

use crate::Rights;

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

    /// The handle for the same slot with the next generation; after the last one comes 0.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.wrapping_add(1 << Self::INDEX_BITS))
    }

    /// Generation of the slot.
    pub const fn generation(self) -> u32 {
        self.0 >> Self::INDEX_BITS
    }
}

macro_rules! object_kinds {
    ($($(#[doc = $doc:literal])* $name:ident = $value:literal, $text:literal $({ $($right:ident: $allows:literal,)+ })?;)+) => {
        /// What a handle refers to.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u8)]
        pub enum ObjectKind { $(
            $(#[doc = $doc])*
            $($(#[doc = concat!(" ", stringify!($right), ": ", $allows, ".")])+)?
            $name = $value,
        )+ }

        impl ObjectKind {
            /// All kinds, by number.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The kind with this number.
            pub const fn from_raw(raw: u64) -> Option<Self> {
                match raw { $($value => Some(Self::$name),)+ _ => None }
            }

            /// Its name in words, for a person.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What such an object is, for a person.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$name => concat!($($doc, "\n"),*),)+ }
            }

            /// What each right allows, for a person. A right that is not listed allows nothing.
            pub const fn rights(self) -> &'static [(Rights, &'static str)] {
                match self { $(Self::$name => &[$($((Rights::$right, $allows)),+)?],)+ }
            }
        }
    };
}

object_kinds! {
    /// A process: address space, handle table, quota.
    Process = 1, "process" {
        READ: "see its state, be told of its end",
        WRITE: "give it handles, start it",
        EXECUTE: "end it",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on",
    };
    /// Pages of memory. Never executable.
    Memory = 2, "memory" {
        READ: "map for reading",
        WRITE: "map for writing, with READ",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on, with all mappings",
    };
    /// Where calls arrive.
    Endpoint = 3, "endpoint" {
        READ: "receive",
        WRITE: "call",
        GRANT: "pass the handle on, make copies with a badge",
        REVOKE: "take back what was passed on, with the calls that wait",
    };
    /// The right to answer one call, once. It carries no rights: whoever has it can answer and use what the caller lent.
    Reply = 4, "reply";
    /// 64 signal bits.
    Notification = 5, "notification" {
        READ: "wait, bind to a thread",
        WRITE: "signal, have it signalled by interrupts, timers and the end of processes",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on, with what was bound",
    };
    /// One interrupt line.
    Interrupt = 6, "interrupt" {
        WRITE: "bind to a notification, acknowledge",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on, with what was bound",
    };
    /// A range of I/O ports.
    IoPorts = 7, "I/O ports" {
        READ: "input",
        WRITE: "output",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on",
    };
    /// All devices of the machine.
    Hardware = 8, "hardware" {
        WRITE: "make interrupts, I/O ports, memory of devices, and devices",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on and what was made",
    };
    /// A verified module.
    Module = 9, "module" {
        READ: "see its manifest",
        EXECUTE: "make a process of it",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on",
    };
    /// The modules that came in the system image.
    Archive = 10, "archive" {
        READ: "list and admit modules",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on and the modules admitted",
    };
    /// State of the system.
    SystemInfo = 11, "system information" {
        READ: "read it",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on",
    };
    /// Where the kernel lies in memory.
    KernelLayout = 12, "kernel layout" {
        READ: "read it",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on",
    };
    /// Power of the machine.
    Power = 13, "power" {
        WRITE: "turn off, restart",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on",
    };
    /// The kernel's log.
    Log = 14, "log" {
        READ: "read it",
        WRITE: "add a line",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on",
    };
    /// A thread.
    Thread = 15, "thread" {
        WRITE: "set its priority and CPUs",
        EXECUTE: "end it",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on",
    };
    /// A timer.
    Timer = 16, "timer" {
        WRITE: "set it",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on, with what was bound",
    };
    /// The record of denied system calls.
    Audit = 17, "audit" {
        READ: "read it",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on",
    };
    /// A device that does DMA, and the memory it reaches.
    Device = 18, "device" {
        WRITE: "map memory for it, with what the memory's handle allows, and unmap it",
        GRANT: "pass the handle on",
        REVOKE: "take back what was passed on, with the memory that is mapped by it",
    };
}
