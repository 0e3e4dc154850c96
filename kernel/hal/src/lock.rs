//! The kernel lock: one CPU at a time runs the kernel. Fair, so no CPU waits for ever. Tested on the host with threads.

use core::hint::spin_loop;
use core::sync::atomic::{AtomicU32, Ordering};

/// A ticket lock: who comes takes the next number and waits until it is served.
pub struct TicketLock {
    next: AtomicU32,
    serving: AtomicU32,
}

impl TicketLock {
    /// A lock that its maker holds.
    pub const fn taken() -> Self {
        Self {
            next: AtomicU32::new(1),
            serving: AtomicU32::new(0),
        }
    }

    /// Takes the lock. Calls `waiting` again and again while another has it.
    #[inline(always)]
    pub fn acquire(&self, waiting: impl Fn()) {
        let ticket = self.next.fetch_add(1, Ordering::Acquire);
        if self.serving.load(Ordering::Acquire) != ticket {
            self.wait(ticket, waiting);
        }
    }

    #[cold]
    #[inline(never)]
    fn wait(&self, ticket: u32, waiting: impl Fn()) {
        while self.serving.load(Ordering::Acquire) != ticket {
            waiting();
            spin_loop();
        }
    }

    /// Lets the next one have the lock. Only who holds it may call this: another's call lets two in.
    #[inline(always)]
    pub fn release(&self) {
        // Nobody else writes it, so this needs no locked instruction.
        let serving = self.serving.load(Ordering::Relaxed);
        self.serving
            .store(serving.wrapping_add(1), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::UnsafeCell;
    use std::sync::Arc;

    struct Counter(UnsafeCell<u64>, TicketLock);
    // SAFETY: the tests use the cell with the lock held.
    unsafe impl Sync for Counter {}

    #[test]
    fn one_at_a_time_has_the_lock() {
        const ROUNDS: u64 = 20_000;
        let counter = Arc::new(Counter(UnsafeCell::new(0), TicketLock::taken()));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || {
                    for _ in 0..ROUNDS {
                        counter.1.acquire(std::thread::yield_now);
                        // SAFETY: the lock is held.
                        unsafe { *counter.0.get() += 1 };
                        counter.1.release();
                    }
                })
            })
            .collect();
        counter.1.release();
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
        // SAFETY: all threads have ended.
        assert_eq!(unsafe { *counter.0.get() }, 4 * ROUNDS);
    }

    #[test]
    fn numbers_wrap_around() {
        let lock = TicketLock {
            next: AtomicU32::new(u32::MAX),
            serving: AtomicU32::new(u32::MAX),
        };
        for _ in 0..3 {
            lock.acquire(|| panic!("nobody has it"));
            lock.release();
        }
    }
}
