//! The kernel lock: one CPU at a time runs the kernel. Tested on the host with threads.
//!
//! On a machine of its own the lock is fair: who has to wait draws a number, and while somebody waits nobody overtakes, so a CPU
//! that calls the kernel all the time keeps nobody out. Under a hypervisor the CPU whose turn it is may not run at all, and all
//! others would wait for it to be scheduled; there whoever runs takes the lock.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// [`Lock::state`]: whoever comes may take it.
const FREE: u32 = 0;
/// Somebody has it. Who comes sets this bit and has the lock if it was not set.
const TAKEN: u32 = 1;
/// Free for the one that waits whose turn it is; to all others it looks taken.
const RESERVED: u32 = TAKEN | 2;

/// A spin lock, with tickets for those that wait.
pub struct Lock {
    state: AtomicU32,
    /// What becomes of the state when the lock is released: [`FREE`], or [`RESERVED`] while somebody waits whose turn it is.
    released: AtomicU32,
    /// Whether others may overtake those that wait.
    unfair: AtomicBool,
    next: AtomicU32,
    serving: AtomicU32,
}

impl Lock {
    /// A lock that nobody has, fair.
    pub const fn new() -> Self {
        Self {
            state: AtomicU32::new(FREE),
            released: AtomicU32::new(FREE),
            unfair: AtomicBool::new(false),
            next: AtomicU32::new(0),
            serving: AtomicU32::new(0),
        }
    }

    /// Lets whoever comes take the lock from now on. Called before others use it.
    pub fn make_unfair(&self) {
        self.unfair.store(true, Ordering::Relaxed);
    }

    /// Takes the lock if nobody has it. One instruction and a branch: the one bit tells whether somebody has the lock or it is reserved.
    #[inline(always)]
    pub fn try_take(&self) -> bool {
        self.state.fetch_or(TAKEN, Ordering::Acquire) & TAKEN == 0
    }

    /// Takes the lock after [`Self::try_take`] did not. Calls `waiting` again and again while another has it.
    pub fn wait(&self, waiting: impl Fn()) {
        if self.unfair.load(Ordering::Relaxed) {
            while self.state.load(Ordering::Relaxed) != FREE || !self.try_take() {
                waiting();
                spin_loop();
            }
            return;
        }
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        while self.serving.load(Ordering::Acquire) != ticket {
            waiting();
            spin_loop();
        }
        self.released.store(RESERVED, Ordering::Relaxed);
        // Who has the lock may have looked at `released` before: then it becomes free for all, once.
        while self.state.load(Ordering::Relaxed) == TAKEN
            || self.state.swap(TAKEN, Ordering::Acquire) == TAKEN
        {
            waiting();
            spin_loop();
        }
        // The next in line reserves it again.
        self.released.store(FREE, Ordering::Relaxed);
        self.serving
            .store(ticket.wrapping_add(1), Ordering::Release);
    }

    /// Lets another one have the lock. Only who holds it may call this: another's call lets two in.
    #[inline(always)]
    pub fn release(&self) {
        let state = self.released.load(Ordering::Relaxed);
        self.state.store(state, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::UnsafeCell;
    use std::sync::Arc;

    fn acquire(lock: &Lock, waiting: impl Fn()) {
        if !lock.try_take() {
            lock.wait(waiting);
        }
    }

    struct Counter(UnsafeCell<u64>, Lock);
    // SAFETY: the tests use the cell with the lock held.
    unsafe impl Sync for Counter {}

    fn count_with(lock: Lock) {
        const ROUNDS: u64 = 20_000;
        let counter = Arc::new(Counter(UnsafeCell::new(0), lock));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        acquire(&counter.1, std::thread::yield_now);
                        // SAFETY: the lock is held.
                        unsafe { *counter.0.get() += 1 };
                        counter.1.release();
                    }
                })
            })
            .collect();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        // SAFETY: all threads have ended.
        assert_eq!(unsafe { *counter.0.get() }, 4 * ROUNDS);
    }

    #[test]
    fn one_at_a_time_has_the_lock() {
        count_with(Lock::new());
        let unfair = Lock::new();
        unfair.make_unfair();
        count_with(unfair);
    }

    #[test]
    fn who_comes_while_somebody_waits_draws_a_number() {
        let lock = Lock::new();
        acquire(&lock, || panic!("nobody has it"));
        // Somebody waits whose turn it is.
        lock.released.store(RESERVED, Ordering::Relaxed);
        lock.release();
        assert!(!lock.try_take(), "it is reserved");
        acquire(&lock, || panic!("nobody has it"));
        assert_eq!(lock.serving.load(Ordering::Relaxed), 1, "drew a number");
        lock.release();
        acquire(&lock, || panic!("nobody has it"));
        assert_eq!(lock.serving.load(Ordering::Relaxed), 1);
    }

    #[test]
    fn numbers_wrap_around() {
        let lock = Lock {
            next: AtomicU32::new(u32::MAX),
            serving: AtomicU32::new(u32::MAX),
            ..Lock::new()
        };
        for _ in 0..3 {
            lock.state.store(RESERVED, Ordering::Relaxed);
            acquire(&lock, || panic!("nobody has it"));
        }
        assert_eq!(lock.serving.load(Ordering::Relaxed), 2);
    }
}
