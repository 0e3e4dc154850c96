//! What the referee and its partners agree on.
//!
//! A partner is started with its role and a parameter, finds a page shared with the referee in [`SHARED`] and
//! what its role is about in [`THING`], and talks through the words of that page alone.

use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

use nonos_abi::{Error, Handle};

use crate::calls::{self, READ_WRITE, Result};

/// The shared page: memory, READ and WRITE.
pub const SHARED: Handle = Handle::new(2, 0);
/// What the role is about.
pub const THING: Handle = Handle::new(3, 0);
/// A second thing.
pub const OTHER: Handle = Handle::new(4, 0);

/// What a partner does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Role {
    /// Ends at once.
    Idle,
    /// Signals [`THING`] from a thread on each CPU until it is denied; counts what succeeds after [`Word::Flag`] was set.
    Signal,
    /// Maps [`THING`] and reads it for ever on each CPU; what it reads must be [`OLD`].
    Read,
    /// Spins in a thread on each CPU.
    Spin,
    /// As [`Role::Spin`], and yields all the time.
    Yield,
    /// As [`Role::Spin`], and makes and ends threads all the time.
    Threads,
    /// As [`Role::Spin`], and sleeps for an instant again and again.
    Sleep,
    /// As [`Role::Spin`], after it had [`THING`], a module, run [`Role::Spin`] without a limit, and sent that process to
    /// [`OTHER`], an endpoint.
    Parent,
    /// Waits for [`THING`], a notification.
    Wait,
    /// Calls [`THING`], an endpoint.
    Call,
    /// Uses the parameter as a handle.
    Foreign,
    /// Copies [`THING`], then sends it through [`OTHER`], an endpoint.
    PassOn,
    /// Calls [`THING`], an endpoint, for ever.
    Flood,
    /// Reads [`THING`] through a mapping until long after the time in the parameter.
    Outlive,
    /// Looks how fine the clock is ([`Word::First`]: most nanoseconds past a millisecond), then reads the time-stamp counter
    /// ([`Word::Second`]).
    Clocks,
}

impl Role {
    const ALL: [Self; 15] = [
        Self::Idle,
        Self::Signal,
        Self::Read,
        Self::Spin,
        Self::Yield,
        Self::Threads,
        Self::Sleep,
        Self::Parent,
        Self::Wait,
        Self::Call,
        Self::Foreign,
        Self::PassOn,
        Self::Flood,
        Self::Outlive,
        Self::Clocks,
    ];

    /// The role with this number.
    pub fn from_raw(raw: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|&role| role as u64 == raw)
    }
}

/// What memory holds while it is lent, and what it holds for whoever has it next.
pub const OLD: u64 = 0x0101_0101_0101_0101;
/// As [`OLD`].
pub const NEW: u64 = 0x2323_2323_2323_2323;

/// Words of the shared page.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(usize)]
pub enum Word {
    /// 1 when the role has begun.
    Ready,
    /// Set by the referee.
    Flag,
    /// What must not have happened.
    Breaches,
    /// Number of an error, plus 1; 1 for success.
    First,
    /// The same for a second try.
    Second,
    /// CPUs.
    Cpus,
    /// Counters, one for each thread; the last word.
    Counters,
}

/// The shared page.
#[derive(Clone, Copy)]
pub struct Shared(u64);

impl Shared {
    /// Maps it.
    pub fn map(memory: Handle) -> Result<Self> {
        calls::map(memory, READ_WRITE).map(Self)
    }

    /// The page, where [`Self::map`] mapped it.
    pub fn at_address(address: u64) -> Self {
        Self(address)
    }

    /// Where it is mapped.
    pub fn address(self) -> u64 {
        self.0
    }

    fn at(self, index: usize) -> &'static AtomicU64 {
        let word = core::ptr::with_exposed_provenance::<AtomicU64>(self.0 as usize + index * 8);
        // SAFETY: the page is mapped as long as the value is used: partners never unmap it, and the referee only after
        // its last use. Every bit pattern is a number, and all sides use atomics.
        unsafe { &*word }
    }

    /// A word.
    pub fn get(self, word: Word) -> u64 {
        self.at(word as usize).load(SeqCst)
    }

    /// Sets a word.
    pub fn set(self, word: Word, value: u64) {
        self.at(word as usize).store(value, SeqCst);
    }

    /// Adds to a word.
    pub fn add(self, word: Word, value: u64) {
        self.at(word as usize).fetch_add(value, SeqCst);
    }

    /// Counts in a thread's counter.
    pub fn count(self, thread: usize) {
        self.at(Word::Counters as usize + thread)
            .fetch_add(1, SeqCst);
    }

    /// A thread's counter.
    pub fn counter(self, thread: usize) -> u64 {
        self.at(Word::Counters as usize + thread).load(SeqCst)
    }

    /// Keeps what a call came to.
    pub fn keep<T>(self, word: Word, result: Result<T>) {
        self.set(word, 1 + result.err().map_or(0, Error::raw));
    }

    /// What was kept; `None` when nothing was.
    pub fn kept(self, word: Word) -> Option<Result<()>> {
        match self.get(word) {
            0 => None,
            1 => Some(Ok(())),
            error => Some(Err(
                Error::from_raw(error - 1).unwrap_or(Error::NotSupported)
            )),
        }
    }
}
