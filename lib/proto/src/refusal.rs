//! Why a service refused, and why a call failed.

use core::fmt;

use nonos_abi::Error;

/// Why a service refused a request. Travels as the label of the reply; 0 there means success.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// The kernel refused what the service tried on behalf of the caller.
    Kernel(Error),
    /// Counts or values of the request do not fit the operation.
    Malformed,
    /// The service has no such operation.
    UnknownOperation,
    /// The program's manifest does not ask for this, or the system's policy does not allow it.
    NotGranted,
    /// Nobody serves this name.
    NoSuchService,
    /// The image has no module of this name.
    NoSuchModule,
    /// The module cannot be started by request: the system runs it itself.
    Reserved,
    /// The service has no room for another request of this kind.
    Full,
    /// The machine has no such device.
    NoSuchDevice,
    /// The request is for another version of the interface.
    WrongVersion,
    /// `init` runs no process of this number.
    NoSuchProcess,
    /// There is no need of this name.
    NoSuchNeed,
    /// The program's manifest does not ask for this.
    NotAsked,
    /// Who asks may not have this itself.
    NotHeld,
    /// The program may have this already.
    AlreadyGranted,
    /// There is no key of this name, and the handle is none to a key.
    NoSuchKey,
    /// There is something of this name already.
    NameExists,
    /// What the handle stood for is gone.
    Gone,
    /// The vault is locked.
    Locked,
    /// The vault is open.
    NotLocked,
    /// The passphrase is another.
    WrongPassphrase,
    /// It is the passphrase that opens the vault.
    SamePassphrase,
    /// No passphrase is set, and there is no TPM.
    NoPassphrase,
    /// A passphrase was wrong: the next try has to wait.
    TooSoon,
    /// The TPM allows no try for now, after too many wrong ones.
    LockedOut,
    /// The TPM does not unseal: another boot chain runs than it was sealed to.
    PolicyMismatch,
    /// The device does not answer, or with what makes no sense.
    DeviceFailed,
    /// The key, or the handle to it, is not for this use.
    UseNotAllowed,
    /// Tag or signature do not fit.
    NotAuthentic,
    /// The key has no such version.
    NoSuchVersion,
    /// It is the present one.
    InUse,
    /// The key has encrypted as much as it may.
    KeyUsedUp,
    /// Longer than it may be.
    TooLong,
    /// The memory that was lent is too short.
    TooShort,
    /// The authorisation value is wrong; this was counted.
    WrongAuth,
    /// Nothing was stored yet.
    NotStored,
    /// What should be read is damaged.
    Damaged,
    /// It is a file, and a directory is needed.
    NotADirectory,
    /// It is a directory, and a file is needed.
    IsADirectory,
    /// A directory that holds something is not removed.
    DirectoryNotEmpty,
    /// No name of a file: 1 to 255 bytes of UTF-8 without `/` and control characters, and neither `.` nor `..`.
    BadName,
    /// Larger than the service can store.
    TooLarge,
    /// The program has stored as much as it may.
    StorageFull,
    /// The machine has no memory for more.
    OutOfStorage,
    /// A directory cannot be moved into itself.
    IntoItself,
    /// Moving from one program's storage to another's.
    OtherStorage,
    /// The handle does not have the right for this operation.
    MissingRight,
    /// The program has no window of this number.
    NoSuchWindow,
    /// Only right after the user did something in a window of the program.
    NotAskedByUser,
    /// The user did not answer yet.
    NotAnswered,
    /// The user said no.
    Declined,
}

impl Refusal {
    /// Labels below are numbers of [`Error`].
    const FIRST_OWN_LABEL: u16 = 0x100;

    const OWN: [Self; 50] = [
        Self::Malformed,
        Self::UnknownOperation,
        Self::NotGranted,
        Self::NoSuchService,
        Self::NoSuchModule,
        Self::Reserved,
        Self::Full,
        Self::NoSuchDevice,
        Self::WrongVersion,
        Self::NoSuchProcess,
        Self::NoSuchNeed,
        Self::NotAsked,
        Self::NotHeld,
        Self::AlreadyGranted,
        Self::NoSuchKey,
        Self::NameExists,
        Self::Gone,
        Self::Locked,
        Self::NotLocked,
        Self::WrongPassphrase,
        Self::SamePassphrase,
        Self::NoPassphrase,
        Self::TooSoon,
        Self::LockedOut,
        Self::PolicyMismatch,
        Self::DeviceFailed,
        Self::UseNotAllowed,
        Self::NotAuthentic,
        Self::NoSuchVersion,
        Self::InUse,
        Self::KeyUsedUp,
        Self::TooLong,
        Self::TooShort,
        Self::WrongAuth,
        Self::NotStored,
        Self::Damaged,
        Self::NotADirectory,
        Self::IsADirectory,
        Self::DirectoryNotEmpty,
        Self::BadName,
        Self::TooLarge,
        Self::StorageFull,
        Self::OutOfStorage,
        Self::IntoItself,
        Self::OtherStorage,
        Self::MissingRight,
        Self::NoSuchWindow,
        Self::NotAskedByUser,
        Self::NotAnswered,
        Self::Declined,
    ];

    /// The label of a reply; never 0.
    pub fn label(self) -> u16 {
        match self {
            Self::Kernel(error) => error.raw() as u16,
            own => {
                let index = Self::OWN
                    .iter()
                    .position(|&other| other == own)
                    .unwrap_or(0);
                Self::FIRST_OWN_LABEL + index as u16
            }
        }
    }

    /// The refusal with this label; `None` for 0 and labels that name none.
    pub fn from_label(label: u16) -> Option<Self> {
        match label.checked_sub(Self::FIRST_OWN_LABEL) {
            Some(index) => Self::OWN.get(usize::from(index)).copied(),
            None => Error::from_raw(u64::from(label)).map(Self::Kernel),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Kernel(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Kernel(error) => error.text(),
            Self::Malformed => "malformed request",
            Self::UnknownOperation => "the service has no such operation",
            Self::NotGranted => "not granted to this program",
            Self::NoSuchService => "no such service",
            Self::NoSuchModule => "no such module in the system image",
            Self::Reserved => "the system runs this module itself",
            Self::Full => "the service has no room for more",
            Self::NoSuchDevice => "this machine has no such device",
            Self::WrongVersion => "the service speaks another version of its interface",
            Self::NoSuchProcess => "init runs no process of this number",
            Self::NoSuchNeed => "there is no need of this name",
            Self::NotAsked => "the program's manifest does not ask for it",
            Self::NotHeld => "who asks does not hold it either",
            Self::AlreadyGranted => "the program may have it already",
            Self::NoSuchKey => "no such key",
            Self::NameExists => "there is something of this name already",
            Self::Gone => "it was removed or closed",
            Self::Locked => "locked: unlock the vault first",
            Self::NotLocked => "the vault is open already",
            Self::WrongPassphrase => "wrong passphrase",
            Self::SamePassphrase => "that is the passphrase that opens the vault: take another",
            Self::NoPassphrase => "no passphrase is set",
            Self::TooSoon => "too soon after a wrong passphrase: wait",
            Self::LockedOut => "the TPM allows no more tries for now",
            Self::PolicyMismatch => {
                "the TPM does not unseal: other software was booted than it was sealed to"
            }
            Self::DeviceFailed => "the device failed or did not answer",
            Self::UseNotAllowed => "the key is not for this use, or the handle does not allow it",
            Self::NotAuthentic => "not authentic",
            Self::NoSuchVersion => "the key has no such version",
            Self::InUse => "it is in use",
            Self::KeyUsedUp => "the key is used up: rotate it",
            Self::TooLong => "too long",
            Self::TooShort => "the memory for the answer is too short",
            Self::WrongAuth => "wrong authorisation value, which was counted",
            Self::NotStored => "nothing was stored yet",
            Self::Damaged => "what should be read is damaged",
            Self::NotADirectory => "it is a file, not a directory",
            Self::IsADirectory => "it is a directory, not a file",
            Self::DirectoryNotEmpty => "the directory is not empty: remove what is in it first",
            Self::BadName => {
                "not a name: 1 to 255 bytes without / and control characters, not . or .."
            }
            Self::TooLarge => "larger than a file can be",
            Self::StorageFull => "its storage is full: remove files first",
            Self::OutOfStorage => "the system has no memory for more files",
            Self::IntoItself => "a directory cannot be moved into itself",
            Self::OtherStorage => "it cannot be moved to another program's storage: copy it",
            Self::MissingRight => "the handle lacks the right for this",
            Self::NoSuchWindow => "the program has no such window",
            Self::NotAskedByUser => "only right after the user did something in its window",
            Self::NotAnswered => "the user did not answer yet",
            Self::Declined => "the user said no",
        })
    }
}

/// Why a call to a service did not bring a result.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CallError {
    /// The message did not reach the service, or the service ended before it answered.
    Unreachable(Error),
    /// The service refused.
    Refused(Refusal),
    /// The reply does not fit the operation.
    BadReply,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => fmt::Display::fmt(error, f),
            Self::Refused(refusal) => fmt::Display::fmt(refusal, f),
            Self::BadReply => f.pad("the service's reply is malformed"),
        }
    }
}
