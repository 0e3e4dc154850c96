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
}

impl Refusal {
    /// Labels below are numbers of [`Error`].
    const FIRST_OWN_LABEL: u16 = 0x100;

    const OWN: [Self; 14] = [
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
