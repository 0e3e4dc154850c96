//! Threads of an attacker: in the same process, so that two can go for one handle at the same time.
//!
//! Each has a slot with a stack, a job and what came of it. A slot is used again only when its thread has ended.

use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nonos_abi::{Error, Handle, Message, Syscall};

use crate::calls::{self, MS, Result, make};

/// Most threads at a time.
pub const MOST: usize = 12;

/// More CPUs than the kernel starts.
pub const CPUS_MAX: usize = 8;

/// Every CPU.
pub const ANYWHERE: u64 = u64::MAX;

/// The highest priority of a process of these modules, which its main thread has.
pub const PRIORITY: u64 = 8;

const STACK_BYTES: usize = 8 * 1024;

#[repr(C, align(4096))]
struct Stack(UnsafeCell<[u8; STACK_BYTES]>);

// SAFETY: only the thread of the slot uses it.
unsafe impl Sync for Stack {}

static STACKS: [Stack; MOST] = [const { Stack(UnsafeCell::new([0; STACK_BYTES])) }; MOST];

/// What a thread does.
#[derive(Clone, Copy)]
pub enum Job {
    /// Runs a function with an argument.
    Run(fn(u64), u64),
    /// Calls; the answer is the outcome.
    Call(Handle, Message),
    /// Receives, and keeps what arrived as the outcome.
    Receive(Handle),
    /// Binds a notification, then receives.
    BindAndReceive(Handle, Handle),
    /// Waits for a notification.
    Wait(Handle),
}

struct Slot {
    job: UnsafeCell<Option<Job>>,
    outcome: UnsafeCell<Result<Message>>,
    done: AtomicBool,
}

// SAFETY: `job` is written before the thread exists and read by it alone; `outcome` is written by the thread before
// `done` is set (release) and read by others only after they saw that (acquire).
unsafe impl Sync for Slot {}

static SLOTS: [Slot; MOST] = [const {
    Slot {
        job: UnsafeCell::new(None),
        outcome: UnsafeCell::new(Err(Error::NotFound)),
        done: AtomicBool::new(false),
    }
}; MOST];

/// A thread.
#[derive(Clone, Copy)]
pub struct Thread {
    slot: usize,
    /// Its handle.
    pub handle: Handle,
}

/// Starts a thread in a slot that no living thread has.
pub fn start(slot: usize, job: Job) -> Result<Thread> {
    start_at(slot, job, PRIORITY)
}

/// As [`start`], with another priority.
pub fn start_at(slot: usize, job: Job, priority: u64) -> Result<Thread> {
    SLOTS[slot].done.store(false, Ordering::Relaxed);
    // SAFETY: no thread uses the slot (the caller keeps to it).
    unsafe { *SLOTS[slot].job.get() = Some(job) };
    // As after a `call`: 16-byte aligned, less a return address (System V ABI, 3.2.2).
    let stack = STACKS[slot].0.get() as u64 + STACK_BYTES as u64 - 8;
    let arguments = [enter as *const () as u64, stack, slot as u64, priority];
    let (handle, _) = make(Syscall::ThreadCreate, arguments)?;
    let handle = Handle::from_raw(handle as u32);
    Ok(Thread { slot, handle })
}

extern "C" fn enter(slot: u64) -> ! {
    let slot = &SLOTS[slot as usize];
    // SAFETY: written before this thread was made.
    let job = unsafe { *slot.job.get() };
    let outcome = match job {
        Some(Job::Run(body, argument)) => {
            body(argument);
            Ok(Message::default())
        }
        Some(Job::Call(endpoint, message)) => calls::call(endpoint, &message),
        Some(Job::Receive(endpoint)) => calls::receive(endpoint).map(|arrived| arrived.message),
        Some(Job::BindAndReceive(notification, endpoint)) => calls::bind(notification)
            .and_then(|()| calls::receive(endpoint))
            .map(|arrived| arrived.message),
        Some(Job::Wait(notification)) => calls::wait(notification).map(|bits| Message {
            words: [bits, 0, 0, 0, 0, 0, 0, 0],
            ..Message::default()
        }),
        None => Err(Error::NotFound),
    };
    // SAFETY: nobody reads it before `done`.
    unsafe { *slot.outcome.get() = outcome };
    slot.done.store(true, Ordering::Release);
    loop {
        let _ = calls::end(Handle::NONE);
    }
}

impl Thread {
    /// What came of its job; `None` while it is at it.
    pub fn outcome(&self) -> Option<Result<Message>> {
        let slot = &SLOTS[self.slot];
        // SAFETY: the thread has written it and does not touch it again.
        slot.done
            .load(Ordering::Acquire)
            .then(|| unsafe { *slot.outcome.get() })
    }

    /// Waits for what comes of its job; `None` when it is still at it after two seconds.
    pub fn wait(&self) -> Option<Result<Message>> {
        self.wait_ms(2000)
    }

    /// As [`Self::wait`], for so many milliseconds.
    pub fn wait_ms(&self, ms: u64) -> Option<Result<Message>> {
        let end = calls::clock() + ms * MS;
        while calls::clock() < end {
            if let Some(outcome) = self.outcome() {
                return Some(outcome);
            }
            calls::sleep(MS);
        }
        self.outcome()
    }

    /// Lets it get as far as it comes: for a job that is to block. Long, as on a busy host the machine's other CPUs can stand
    /// still for a while.
    pub fn settle(&self) {
        calls::sleep(100 * MS);
    }

    /// Has it run on one CPU.
    pub fn pin(&self, cpu: usize) -> Result<()> {
        calls::schedule(self.handle, PRIORITY, 1 << cpu)
    }

    /// Ends it, wherever it is, and closes its handle.
    pub fn end(self) -> Result<()> {
        calls::end(self.handle)?;
        calls::close(self.handle)
    }
}

/// How many CPUs a thread can be sent to: those that run.
pub fn cpus() -> usize {
    static COUNTED: AtomicU64 = AtomicU64::new(0);
    let known = COUNTED.load(Ordering::Relaxed) as usize;
    if known > 0 {
        return known;
    }
    let Ok(probe) = start(0, Job::Run(rest, 0)) else {
        return 1;
    };
    let cpus = (0..CPUS_MAX).take_while(|&cpu| probe.pin(cpu).is_ok());
    let count = cpus.count().max(1);
    let _ = probe.end();
    COUNTED.store(count as u64, Ordering::Relaxed);
    count
}

/// A job that does nothing until it is ended.
pub fn rest(_: u64) {
    loop {
        calls::sleep(1000 * MS);
    }
}

/// A job for a thread that counts as fast as it can, in the counter whose address it is given.
pub fn count(counter: u64) {
    let counter = core::ptr::with_exposed_provenance::<AtomicU64>(counter as usize);
    // SAFETY: callers give the address of an atomic that lives as long as the process.
    let counter = unsafe { &*counter };
    loop {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
