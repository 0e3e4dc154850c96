//! Scheduling: preemptive, fixed priorities, round robin among equals, tickless.
//!
//! The running thread is on no queue; every ready thread is on the ready queue of its priority; bit `p` of `occupied`
//! is set exactly when queue `p` has a thread. The timer is armed only for what will really happen: the next sleeper's
//! deadline, or the end of the time slice when another thread of the same priority is ready.

use crate::arena::{Arena, ThreadId};
use crate::machine::Machine;
use crate::thread::{Links, Thread, ThreadState};

/// Length of a time slice.
pub(crate) const SLICE_NS: u64 = 10_000_000;

/// Number of priorities; the highest is one less.
pub(crate) const PRIORITIES: usize = 32;

pub(crate) type Threads = Arena<ThreadId, Thread>;

/// A list of threads, linked through [`Thread::links`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Queue {
    pub head: Option<ThreadId>,
    tail: Option<ThreadId>,
}

impl Queue {
    /// Without threads.
    pub const EMPTY: Self = Self {
        head: None,
        tail: None,
    };

    /// Adds a thread that is on no queue at the end.
    pub fn push_back(&mut self, threads: &mut Threads, id: ThreadId) {
        threads[id].links = Links {
            previous: self.tail,
            next: None,
        };
        match self.tail.replace(id) {
            Some(tail) => threads[tail].links.next = Some(id),
            None => self.head = Some(id),
        }
    }

    /// Adds a thread that is on no queue at the front.
    pub fn push_front(&mut self, threads: &mut Threads, id: ThreadId) {
        self.insert_before(threads, id, self.head);
    }

    /// Adds a thread that is on no queue before another, or at the end.
    pub fn insert_before(&mut self, threads: &mut Threads, id: ThreadId, next: Option<ThreadId>) {
        let Some(next) = next else {
            return self.push_back(threads, id);
        };
        let previous = threads[next].links.previous.replace(id);
        threads[id].links = Links {
            previous,
            next: Some(next),
        };
        match previous {
            Some(previous) => threads[previous].links.next = Some(id),
            None => self.head = Some(id),
        }
    }

    /// Takes out a thread that is on this queue.
    pub fn remove(&mut self, threads: &mut Threads, id: ThreadId) {
        let Links { previous, next } = core::mem::replace(&mut threads[id].links, Links::NONE);
        match previous {
            Some(previous) => threads[previous].links.next = next,
            None => self.head = next,
        }
        match next {
            Some(next) => threads[next].links.previous = previous,
            None => self.tail = previous,
        }
    }

    /// Takes out the first thread.
    pub fn pop_front(&mut self, threads: &mut Threads) -> Option<ThreadId> {
        let id = self.head?;
        self.remove(threads, id);
        Some(id)
    }

    /// The threads, first to last.
    pub fn iter(self, threads: &Threads) -> impl Iterator<Item = ThreadId> {
        core::iter::successors(self.head, |&id| threads[id].links.next)
    }
}

/// Who runs, and who could.
pub(crate) struct Scheduler {
    ready: [Queue; PRIORITIES],
    occupied: u32,
    /// By deadline, the earliest first.
    sleepers: Queue,
    running: Option<ThreadId>,
    /// Who ran when the scheduler last decided, while its CPU time since then is not accounted.
    accountable: Option<ThreadId>,
    /// When it decided.
    since_ns: u64,
    /// When the running thread has used its slice.
    slice_end_ns: u64,
    /// What the timer is set to.
    armed_ns: Option<u64>,
    /// Whether there is something to decide.
    stale: bool,
}

impl Scheduler {
    /// Nothing to run.
    pub const EMPTY: Self = Self {
        ready: [Queue::EMPTY; PRIORITIES],
        occupied: 0,
        sleepers: Queue::EMPTY,
        running: None,
        accountable: None,
        since_ns: 0,
        slice_end_ns: 0,
        armed_ns: None,
        stale: false,
    };

    /// The running thread.
    pub fn running(&self) -> Option<ThreadId> {
        self.running
    }

    /// Makes a thread that is on no queue ready, with a fresh time slice.
    pub fn wake(&mut self, threads: &mut Threads, id: ThreadId) {
        threads[id].slice_ns = SLICE_NS;
        self.enqueue(threads, id, Queue::push_back);
    }

    fn enqueue(
        &mut self,
        threads: &mut Threads,
        id: ThreadId,
        push: fn(&mut Queue, &mut Threads, ThreadId),
    ) {
        let thread = &mut threads[id];
        thread.state = ThreadState::Ready;
        let priority = usize::from(thread.priority);
        self.occupied |= 1 << priority;
        push(&mut self.ready[priority], threads, id);
        self.stale = true;
    }

    /// Stops the running thread. The caller puts it on the queue that fits `state`.
    pub fn block(&mut self, threads: &mut Threads, state: ThreadState) -> Option<ThreadId> {
        let id = self.running.take()?;
        threads[id].state = state;
        self.stale = true;
        Some(id)
    }

    /// Lets other threads of the same priority run first.
    pub fn yield_now(&mut self, threads: &mut Threads) {
        let Some(id) = self.running else { return };
        if self.ready[usize::from(threads[id].priority)].head.is_some() {
            self.running = None;
            self.wake(threads, id);
        }
    }

    /// Has the running thread sleep.
    pub fn sleep(&mut self, threads: &mut Threads, deadline_ns: u64) {
        let Some(id) = self.block(threads, ThreadState::Sleeping) else {
            return;
        };
        threads[id].deadline_ns = deadline_ns;
        let is_later = |&other: &ThreadId| threads[other].deadline_ns > deadline_ns;
        let later = self.sleepers.iter(threads).find(is_later);
        self.sleepers.insert_before(threads, id, later);
    }

    /// Takes a thread off the CPU, its ready queue or the sleepers, for good, and accounts its last CPU time.
    pub fn forget(&mut self, threads: &mut Threads, id: ThreadId, now_ns: u64) {
        if self.accountable == Some(id) {
            self.account(threads, now_ns);
        }
        match threads[id].state {
            ThreadState::Running => self.running = None,
            ThreadState::Ready => self.dequeue(threads, id),
            ThreadState::Sleeping => self.sleepers.remove(threads, id),
            _ => {}
        }
        self.stale = true;
    }

    fn dequeue(&mut self, threads: &mut Threads, id: ThreadId) {
        let priority = usize::from(threads[id].priority);
        self.ready[priority].remove(threads, id);
        if self.ready[priority].head.is_none() {
            self.occupied &= !(1 << priority);
        }
    }

    /// The timer went off: wakes sleepers, ends the time slice if it is over.
    pub fn timer(&mut self, threads: &mut Threads, now_ns: u64) {
        self.armed_ns = None;
        self.stale = true;
        while let Some(id) = self
            .sleepers
            .head
            .filter(|&id| threads[id].deadline_ns <= now_ns)
        {
            self.sleepers.remove(threads, id);
            threads[id].context.rax = 0;
            self.wake(threads, id);
        }
        if self.running.is_some() && self.slice_end_ns <= now_ns {
            self.yield_now(threads);
        }
    }

    /// CPU time of a thread.
    pub fn cpu_ns(&self, threads: &Threads, id: ThreadId, now_ns: u64) -> u64 {
        let current = self.accountable == Some(id);
        let since = if current {
            now_ns.saturating_sub(self.since_ns)
        } else {
            0
        };
        threads[id].cpu_ns.saturating_add(since)
    }

    /// Adds the CPU time since the last decision to the thread that used it.
    fn account(&mut self, threads: &mut Threads, now_ns: u64) {
        if let Some(id) = self.accountable.take() {
            let used = now_ns.saturating_sub(self.since_ns);
            threads[id].cpu_ns = threads[id].cpu_ns.saturating_add(used);
        }
    }

    /// Decides who runs, when something changed, and arms the timer.
    #[inline(always)]
    pub fn settle(&mut self, threads: &mut Threads, machine: &mut impl Machine) {
        if self.stale {
            self.decide(threads, machine);
        }
    }

    fn decide(&mut self, threads: &mut Threads, machine: &mut impl Machine) {
        let now_ns = machine.now_ns();
        let highest = self.occupied.checked_ilog2();
        if let (Some(id), Some(highest)) = (self.running, highest)
            && highest > threads[id].priority.into()
        {
            self.preempt(threads, id, now_ns);
        }
        if self.running.is_none() {
            self.account(threads, now_ns);
            self.start_highest(threads, now_ns);
        }
        self.arm(threads, machine);
        self.stale = false;
    }

    /// Puts the running thread back, in front with what is left of its slice or at the end when nothing is.
    fn preempt(&mut self, threads: &mut Threads, id: ThreadId, now_ns: u64) {
        self.running = None;
        match self.slice_end_ns.saturating_sub(now_ns) {
            0 => self.wake(threads, id),
            left => {
                threads[id].slice_ns = left;
                self.enqueue(threads, id, Queue::push_front);
            }
        }
    }

    fn start_highest(&mut self, threads: &mut Threads, now_ns: u64) {
        let Some(highest) = self.occupied.checked_ilog2() else {
            return;
        };
        let Some(id) = self.ready[highest as usize].head else {
            return;
        };
        self.dequeue(threads, id);
        threads[id].state = ThreadState::Running;
        self.running = Some(id);
        self.accountable = Some(id);
        self.since_ns = now_ns;
        self.slice_end_ns = now_ns.saturating_add(threads[id].slice_ns);
    }

    fn arm(&mut self, threads: &Threads, machine: &mut impl Machine) {
        let sleeper = self.sleepers.head.map(|id| threads[id].deadline_ns);
        let shared = self
            .running
            .filter(|&id| self.occupied >> threads[id].priority & 1 != 0)
            .is_some();
        let slice = shared.then_some(self.slice_end_ns);
        let deadline = match (sleeper, slice) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (one, other) => one.or(other),
        };
        if deadline != self.armed_ns {
            self.armed_ns = deadline;
            machine.set_timer(deadline);
        }
    }
}

#[cfg(any(test, feature = "testing"))]
impl Queue {
    /// Whether this is the last thread.
    pub fn ends_with(self, id: Option<ThreadId>) -> bool {
        self.tail == id
    }
}

#[cfg(any(test, feature = "testing"))]
impl Scheduler {
    pub fn ready_queue(&self, priority: usize) -> Queue {
        self.ready[priority]
    }

    pub fn sleeper_queue(&self) -> Queue {
        self.sleepers
    }

    pub fn occupied(&self) -> u32 {
        self.occupied
    }

    pub fn slice_end_ns(&self) -> u64 {
        self.slice_end_ns
    }
}
