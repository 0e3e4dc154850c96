//! Why the kernel refused.

macro_rules! errors {
    ($($name:ident = $value:literal, $text:literal;)+) => {
        /// Why a system call was refused. One reason each; the first check that fails decides.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(u16)]
        pub enum Error { $(#[doc = $text] $name = $value,)+ }

        impl Error {
            /// All errors, by number.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// The error with this number; `None` for 0 (success) and numbers that name none.
            pub const fn from_raw(raw: u64) -> Option<Self> {
                match raw { $($value => Some(Self::$name),)+ _ => None }
            }

            /// The number for a register.
            pub const fn raw(self) -> u64 {
                self as u64
            }

            /// What went wrong, for a person.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }
        }

        impl core::fmt::Display for Error {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.pad(self.text())
            }
        }
    };
}

errors! {
    NoHandle = 1, "no such handle";
    WrongKind = 2, "the handle refers to another kind of object";
    Revoked = 3, "the handle was revoked";
    Expired = 4, "the handle has expired";
    MissingRight = 5, "the handle lacks the right";
    UnknownSyscall = 6, "no such system call";
    InvalidArgument = 7, "invalid argument";
    BadAddress = 8, "the address is not mapped for this use";
    OutOfMemory = 9, "out of memory";
    OutOfHandles = 10, "the handle table is full";
    OutOfObjects = 11, "the kernel has no room for another object of this kind";
    QuotaExceeded = 12, "the process's quota is used up";
    NotFound = 13, "not found";
    PeerGone = 14, "the other side is gone";
    Busy = 15, "in use";
    ModuleFormat = 16, "module refused: malformed";
    ModulePublisher = 17, "module refused: publisher is not trusted by this system image";
    ModuleEd25519 = 18, "module refused: Ed25519 signature is invalid";
    ModuleMlDsa = 19, "module refused: ML-DSA-65 signature is invalid";
    ModuleHash = 20, "module refused: BLAKE3 hash does not match the manifest";
    ModuleList = 21, "module refused: named by no valid list of modules, or by two";
    NotSupported = 22, "this machine cannot do that";
    TooDeep = 23, "the handle was passed on too often";
}
