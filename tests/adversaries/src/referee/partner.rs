//! A process that plays a role.

use adversaries::calls::{self, MS, NEVER, Result, clock, make, word};
use adversaries::roles::{Role, SHARED, Shared, Word};
use nonos_abi::info::{ProcessInfo, process_state};
use nonos_abi::words::Words;
use nonos_abi::{Error, Handle, Rights, Syscall};
use nonos_rt::syscall;

/// Its quota: what the manifest allows.
const QUOTA_PAGES: u64 = 256;

/// A process, with the page that it shares with the referee.
pub struct Partner {
    /// Its handle, with all rights.
    pub process: Handle,
    /// The page.
    pub shared: Shared,
    memory: Handle,
}

/// `ProcessCreate`.
pub fn create(module: Handle, priority: u64, budget: u64, period: u64) -> Result<Handle> {
    create_with(module, priority, [budget, period, 0])
}

/// `ProcessCreate` with budget, period and flags.
fn create_with(module: Handle, priority: u64, rest: [u64; 3]) -> Result<Handle> {
    let [budget, period, flags] = rest;
    let arguments = [word(module), priority, QUOTA_PAGES, budget, period, flags];
    let (process, _) = make(Syscall::ProcessCreate, arguments)?;
    Ok(Handle::from_raw(process as u32))
}

/// `ProcessGrant`.
pub fn grant(process: Handle, handle: Handle, rights: Rights, deadline: u64) -> Result<Handle> {
    let arguments = [word(process), word(handle), rights.bits(), deadline];
    let (handle, _) = make(Syscall::ProcessGrant, arguments)?;
    Ok(Handle::from_raw(handle as u32))
}

/// `ProcessStart`.
pub fn start(process: Handle, role: Role, parameter: u64) -> Result<()> {
    make(
        Syscall::ProcessStart,
        [word(process), role as u64, parameter],
    )
    .map(drop)
}

/// `ProcessKill`.
pub fn kill(process: Handle) -> Result<()> {
    make(Syscall::ProcessKill, [word(process)]).map(drop)
}

/// `ProcessRead`.
pub fn info(process: Handle) -> Result<ProcessInfo> {
    let mut words = [0; 32];
    syscall::process_read(process, &mut words[..ProcessInfo::COUNT])?;
    ProcessInfo::read_words(&words).ok_or(Error::InvalidArgument)
}

impl Partner {
    /// A process without a limit on its CPU time, not started.
    pub fn new(module: Handle) -> Result<Self> {
        Self::limited(module, 8, 0, 0)
    }

    /// A process with a priority, a budget and a period, not started.
    pub fn limited(module: Handle, priority: u64, budget: u64, period: u64) -> Result<Self> {
        Self::of(create(module, priority, budget, period)?)
    }

    /// A process with these flags, not started.
    pub fn flagged(module: Handle, flags: u64) -> Result<Self> {
        Self::of(create_with(module, 8, [0, 0, flags])?)
    }

    fn of(process: Handle) -> Result<Self> {
        let memory = calls::memory(1)?;
        let partner = Self {
            process,
            shared: Shared::map(memory)?,
            memory,
        };
        let rights = Rights::READ.or(Rights::WRITE).or(Rights::GRANT);
        if partner.grant(memory, rights, NEVER)? != SHARED {
            return Err(Error::InvalidArgument);
        }
        Ok(partner)
    }

    /// Gives it a copy of a handle.
    pub fn grant(&self, handle: Handle, rights: Rights, deadline: u64) -> Result<Handle> {
        grant(self.process, handle, rights, deadline)
    }

    /// Starts it and waits until its role has begun.
    pub fn start(&self, role: Role, parameter: u64) -> Result<()> {
        start(self.process, role, parameter)?;
        self.until(10_000, |partner| partner.shared.get(Word::Ready) != 0)
    }

    /// Waits for a condition; [`Error::Busy`] when it does not come in so many milliseconds.
    pub fn until(&self, ms: u64, holds: impl Fn(&Self) -> bool) -> Result<()> {
        let end = clock() + ms * MS;
        while !holds(self) {
            if clock() > end {
                return Err(Error::Busy);
            }
            calls::sleep(MS / 4);
        }
        Ok(())
    }

    /// Its state.
    pub fn info(&self) -> Result<ProcessInfo> {
        info(self.process)
    }

    /// Waits for its end: its last state.
    pub fn ended(&self) -> Result<ProcessInfo> {
        self.until(10_000, |partner| {
            partner
                .info()
                .is_ok_and(|info| info.state == process_state::ENDED)
        })?;
        self.info()
    }

    /// Whether every one of so many counters goes on.
    pub fn all_count(&self, counters: usize) -> Result<()> {
        let before: [u64; 16] = core::array::from_fn(|index| self.shared.counter(index));
        self.until(10_000, |partner| {
            (0..counters).all(|index| partner.shared.counter(index) > before[index])
        })
    }

    /// Ends it and gives back what it took.
    pub fn finish(self) -> Result<()> {
        kill(self.process)?;
        calls::close(self.process)?;
        calls::unmap(self.shared.address())?;
        calls::close(self.memory)
    }
}
