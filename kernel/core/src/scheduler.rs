//! Scheduling: preemptive, fixed priorities, round robin among equals, tickless, on several CPUs.
//!
//! Each CPU has its own ready queues, and only that CPU chooses what runs on it, when it settles at the end of its event. Others
//! put threads on its queues and kick it. A running thread is on no queue; every ready thread is on the queue of its
//! priority at its CPU; bit `p` of `occupied` is set exactly when queue `p` has a thread. The timer of a CPU is armed only for what
//! will really happen: the next thread to be woken there, the next timer object, the end of the time slice when another thread of the same
//! priority is ready, or the end of the reservation.
//!
//! Where a thread goes that was woken is decided at the end of the event, too: to the CPU of this event if that has nothing better
//! to do (so a call stays on the CPU of its caller), else to where it ran last if it can run there at once, else to
//! where the least important thread runs. A CPU without work takes some from the one with the longest queues.
//!
//! Running is charged to an account, the process whose budget it draws on: a thread's own, or while it handles a call its caller's. A
//! CPU has the account of its running thread open, with a reservation of CPU time when that process has a budget. A switch between
//! threads of the same account, as in a call and its answer, goes on with account, reservation and slice and does not read
//! the clock. A thread whose account cannot pay goes on at its own process's cost; when that cannot pay, either, it is
//! throttled until the next period, or until another CPU gives back some of that process's time.
//!
//! A deadline belongs to the CPU on which the thread blocked: that CPU keeps its timer armed also while it is idle.

use crate::arena::{Arena, ProcessId, ThreadId};
use crate::budget::Reservation;
use crate::lineage::NEVER;
use crate::machine::{CPUS_MAX, CpuId, Machine};
use crate::process::Process;
use crate::queue::Timeouts;
use crate::thread::{Thread, ThreadState};

pub(crate) use crate::queue::Queue;

/// Length of a time slice.
pub(crate) const SLICE_NS: u64 = 10_000_000;

/// Number of priorities; the highest is one less.
pub(crate) const PRIORITIES: usize = 32;

pub(crate) type Threads = Arena<ThreadId, Thread>;
pub(crate) type Processes = Arena<ProcessId, Process>;

/// Bit of [`Cpu::occupied`]: there is something to decide.
const STALE: u64 = 1 << 63;

/// Where [`Cpu::occupied`] has the bit of the CPU itself: above those of the queues.
const OWN_BITS: u32 = 32;
const _: () = assert!(PRIORITIES <= OWN_BITS as usize && OWN_BITS as usize + CPUS_MAX < 63);

/// What in [`Cpu::occupied`] keeps a thread from going on at once: something to decide, a thread that is as important, a CPU out of `cpus`
/// (bit n is CPU n).
pub(crate) fn obstacles(priority: u8, cpus: u8) -> u64 {
    let queues = u32::MAX.wrapping_shl(priority.into());
    STALE | u64::from(cpus) << OWN_BITS | u64::from(queues)
}

/// One CPU: what it runs, and what it could.
#[derive(Clone, Copy)]
struct Cpu {
    ready: [Queue; PRIORITIES],
    /// Bit `p` when queue `p` has a thread, [`STALE`], and always a bit for the CPU: one look tells whether a thread can go on here.
    occupied: u64,
    /// Threads on the ready queues.
    ready_count: u16,
    /// Threads to be woken by this CPU's timer.
    timeouts: Timeouts,
    /// When the first timer object of this CPU is due.
    alarm_ns: Option<u64>,
    running: Option<ThreadId>,
    /// Who pays for what runs here.
    account: Option<ProcessId>,
    /// What of that process's budget may be used here, when it has one.
    reservation: Option<Reservation>,
    /// Since when it pays.
    since_ns: u64,
    /// When the running thread has used its slice; 0 when the next one starts a new slice in any case.
    slice_end_ns: u64,
    /// What the timer is set to, or [`NEVER`].
    armed_ns: u64,
    /// Whether it was kicked and did not enter the kernel since.
    kicked: bool,
}

impl Cpu {
    const IDLE: Self = Self {
        ready: [Queue::EMPTY; PRIORITIES],
        occupied: 0,
        ready_count: 0,
        timeouts: Timeouts::EMPTY,
        alarm_ns: None,
        running: None,
        account: None,
        reservation: None,
        since_ns: 0,
        slice_end_ns: 0,
        armed_ns: NEVER,
        kicked: false,
    };

    #[inline(always)]
    fn is_stale(&self) -> bool {
        self.occupied & STALE != 0
    }

    /// Bit `p` when queue `p` has a thread.
    #[inline(always)]
    fn queues(&self) -> u32 {
        self.occupied as u32
    }

    /// When the reservation is used up.
    fn reservation_end_ns(&self) -> Option<u64> {
        let reservation = self.reservation?;
        Some(self.since_ns.saturating_add(reservation.ns))
    }

    /// Puts a thread, which is ready here now, on the queue of its priority.
    #[inline(always)]
    fn put(&mut self, threads: &mut Threads, id: ThreadId, end: End) {
        let priority = usize::from(threads[id].priority) % PRIORITIES;
        self.occupied |= 1 << priority;
        self.ready_count += 1;
        let queue = &mut self.ready[priority];
        match end {
            End::Back => queue.push_back(threads, id),
            End::Front => queue.push_front(threads, id),
        }
    }

    /// Charges what runs from now on to an account without a limit, in place of another.
    #[inline(always)]
    fn charge_to(&mut self, processes: &mut Processes, account: Option<ProcessId>, now_ns: u64) {
        if self.account != account {
            if let Some(paid) = self.account {
                processes[paid].charge(now_ns.saturating_sub(self.since_ns));
            }
            self.account = account;
            self.since_ns = now_ns;
        }
    }

    /// The first of the most important ready threads.
    #[inline(always)]
    fn first_ready(&self) -> Option<ThreadId> {
        let highest = self.queues().checked_ilog2()?;
        self.ready[highest as usize % PRIORITIES].head
    }

    /// Takes [`Self::first_ready`] off its queue.
    #[inline(always)]
    fn take_first_ready(&mut self, first: &mut Thread) {
        let priority = usize::from(first.priority) % PRIORITIES;
        let queue = &mut self.ready[priority];
        queue.remove_first(first);
        self.occupied &= !(u64::from(queue.head.is_none()) << priority);
        self.ready_count -= 1;
    }

    /// The highest priority that runs or is ready here, plus one; 0 when there is none.
    #[inline]
    fn level(&self, threads: &Threads) -> u32 {
        let running = self.running.map_or(0, |id| level(&threads[id]));
        running.max(u32::BITS - self.queues().leading_zeros())
    }
}

/// Where a thread is put on a queue.
#[derive(Clone, Copy)]
enum End {
    Front,
    Back,
}

/// The level of a CPU that runs this thread.
fn level(thread: &Thread) -> u32 {
    u32::from(thread.priority) + 1
}

/// The slice of a thread that is put back with so much left of the last, and where on its queue it goes.
#[inline(always)]
fn rest_of_slice(left_ns: u64) -> (u64, End) {
    match left_ns {
        0 => (SLICE_NS, End::Back),
        left_ns => (left_ns, End::Front),
    }
}

/// Who runs, and who could.
pub(crate) struct Scheduler {
    cpus: [Cpu; CPUS_MAX],
    /// CPUs that run.
    count: usize,
    /// The CPU of this event.
    here: usize,
    /// Woken in this event, and on no CPU's queue yet. Empty between events.
    woken: Queue,
    /// CPUs to be kicked at the end of this event, one bit each.
    kicks: u8,
}

impl Scheduler {
    /// Nothing to run.
    pub fn new() -> Self {
        Self {
            cpus: core::array::from_fn(|at| Cpu {
                occupied: 1 << OWN_BITS << at,
                ..Cpu::IDLE
            }),
            count: 1,
            here: 0,
            woken: Queue::EMPTY,
            kicks: 0,
        }
    }

    /// How many CPUs there are to run threads.
    pub fn set_count(&mut self, count: usize) {
        self.count = count.clamp(1, CPUS_MAX);
    }

    /// This CPU entered the kernel: all that follows happens there.
    #[inline(always)]
    pub fn enter(&mut self, cpu: CpuId) {
        self.here = usize::from(cpu.0) % CPUS_MAX;
        self.cpus[self.here].kicked = false;
    }

    #[inline(always)]
    fn here(&mut self) -> &mut Cpu {
        &mut self.cpus[self.here % CPUS_MAX]
    }

    /// The running thread of the CPU of this event.
    #[inline(always)]
    pub fn running(&self) -> Option<ThreadId> {
        self.cpus[self.here % CPUS_MAX].running
    }

    /// The running thread of a CPU.
    #[inline(always)]
    pub fn running_at(&self, cpu: CpuId) -> Option<ThreadId> {
        self.cpus[usize::from(cpu.0) % CPUS_MAX].running
    }

    /// The running thread of a CPU, when there is nothing to decide there, so that it goes on after its system call.
    #[inline(always)]
    pub fn undisturbed_at(&self, cpu: CpuId) -> Option<ThreadId> {
        let here = &self.cpus[usize::from(cpu.0) % CPUS_MAX];
        if here.is_stale() { None } else { here.running }
    }

    /// The other CPU that a thread runs on. It is stopped before the thread is ended.
    pub fn runs_elsewhere(&self, threads: &Threads, id: ThreadId) -> Option<CpuId> {
        let thread = &threads[id];
        let elsewhere = usize::from(thread.cpu.0) != self.here;
        (thread.state == ThreadState::Running && elsewhere).then_some(thread.cpu)
    }

    /// Makes a thread that is on no queue ready, with a fresh time slice. It is not woken by its deadline any more.
    pub fn wake(&mut self, threads: &mut Threads, id: ThreadId) {
        if threads[id].deadline_ns.is_some() {
            self.clear_timeout(threads, id);
        }
        let thread = &mut threads[id];
        thread.slice_ns = SLICE_NS;
        thread.state = ThreadState::Woken;
        self.woken.push_back(threads, id);
        self.here().occupied |= STALE;
    }

    /// Puts the threads that were woken in this event on the queues of CPUs.
    #[inline(never)]
    fn place_woken(&mut self, threads: &mut Threads) {
        while let Some(id) = self.woken.pop_front(threads) {
            let cpu = self.place(threads, id);
            self.enqueue(threads, id, cpu, End::Back);
        }
    }

    /// The CPU where a thread runs soonest.
    fn place(&self, threads: &Threads, id: ThreadId) -> usize {
        if self.count == 1 {
            return self.here;
        }
        let thread = &threads[id];
        let runs_at_once =
            |cpu: usize| thread.may_run_on(cpu) && self.cpus[cpu].level(threads) < level(thread);
        if self.running().is_none() && runs_at_once(self.here) {
            return self.here;
        }
        let last = usize::from(thread.cpu.0);
        if runs_at_once(last) {
            return last;
        }
        let allowed = (0..self.count).filter(|&cpu| thread.may_run_on(cpu));
        let least = allowed.min_by_key(|&cpu| self.cpus[cpu].level(threads));
        match least {
            Some(least) if runs_at_once(least) || !thread.may_run_on(last) => least,
            _ => last,
        }
    }

    fn enqueue(&mut self, threads: &mut Threads, id: ThreadId, cpu: usize, end: End) {
        let cpu = cpu % CPUS_MAX;
        let thread = &mut threads[id];
        thread.state = ThreadState::Ready;
        thread.cpu = CpuId(cpu as u8);
        let priority = thread.priority;
        let target = &mut self.cpus[cpu];
        target.put(threads, id, end);
        // An equal matters, too: it ends the time slice of the one that runs.
        let running = target.running.map(|id| threads[id].priority);
        if running.is_none_or(|running| running <= priority) {
            self.reconsider(cpu);
        }
    }

    /// Has a CPU arm its timer anew when it runs this thread.
    pub fn rearm(&mut self, threads: &Threads, id: ThreadId) {
        if threads[id].state == ThreadState::Running {
            self.reconsider(usize::from(threads[id].cpu.0));
        }
    }

    /// Has a CPU decide anew what it runs.
    #[inline(always)]
    fn reconsider(&mut self, cpu: usize) {
        let cpu = cpu % CPUS_MAX;
        self.cpus[cpu].occupied |= STALE;
        if cpu != self.here && !self.cpus[cpu].kicked {
            self.kicks |= 1 << cpu;
            self.here().occupied |= STALE;
        }
    }

    /// The CPUs that exist, one bit each.
    pub fn all_cpus(&self) -> u8 {
        u8::MAX >> (CPUS_MAX - self.count)
    }

    /// Sets a thread's priority and the CPUs that it may run on. A CPU that runs it changes what it runs when it settles: the
    /// thread may be about to make a system call, which must not be lost.
    pub fn reschedule(&mut self, threads: &mut Threads, id: ThreadId, priority: u8, affinity: u8) {
        let state = threads[id].state;
        if state == ThreadState::Ready {
            self.dequeue(threads, id);
            self.here().occupied |= STALE;
        }
        threads[id].priority = priority;
        threads[id].affinity = affinity;
        threads[id].note_held();
        match state {
            ThreadState::Ready => self.put_back(threads, id, End::Back),
            ThreadState::Running => self.reconsider(threads[id].cpu.0.into()),
            _ => {}
        }
    }

    /// Puts a thread that is on no queue where it runs soonest, with what is left of its slice.
    fn put_back(&mut self, threads: &mut Threads, id: ThreadId, end: End) {
        if self.count == 1 {
            threads[id].state = ThreadState::Ready;
            return self.here().put(threads, id, end);
        }
        let cpu = self.place(threads, id);
        self.enqueue(threads, id, cpu, end);
    }

    /// Stops the running thread. The caller puts it on the queue that fits `state`.
    pub fn block(&mut self, threads: &mut Threads, state: ThreadState) -> Option<ThreadId> {
        let here = self.here();
        let id = here.running.take()?;
        here.occupied |= STALE;
        threads[id].state = state;
        Some(id)
    }

    /// Lets other threads of the same priority run first.
    pub fn yield_now(&mut self, threads: &mut Threads) {
        let here = &mut self.cpus[self.here % CPUS_MAX];
        let Some(id) = here.running else { return };
        let thread = &mut threads[id];
        if here.ready[usize::from(thread.priority) % PRIORITIES]
            .head
            .is_none()
        {
            return;
        }
        here.running = None;
        here.slice_end_ns = 0;
        if !thread.may_run_on(self.here) {
            return self.wake(threads, id);
        }
        thread.slice_ns = SLICE_NS;
        thread.state = ThreadState::Ready;
        here.put(threads, id, End::Back);
        here.occupied |= STALE;
    }

    /// Has the running thread sleep.
    pub fn sleep(&mut self, threads: &mut Threads, deadline_ns: u64) {
        if let Some(id) = self.block(threads, ThreadState::Sleeping) {
            self.set_timeout(threads, id, deadline_ns);
        }
    }

    /// Has a thread that just blocked on this CPU found by [`Self::due`] at a time, unless it is woken before.
    pub fn set_timeout(&mut self, threads: &mut Threads, id: ThreadId, deadline_ns: u64) {
        let timeouts = &mut self.cpus[self.here].timeouts;
        threads[id].deadline_ns = Some(deadline_ns);
        threads[id].note_held();
        let is_later = |other: &Thread| other.deadline_ns > Some(deadline_ns);
        timeouts.insert_sorted(threads, id, is_later);
    }

    /// Has a thread that is blocked found by [`Self::due`] here at this time, if there is one, and at no other.
    #[cold]
    pub fn change_timeout(&mut self, threads: &mut Threads, id: ThreadId, deadline_ns: u64) {
        if threads[id].deadline_ns.is_some() {
            self.clear_timeout(threads, id);
        }
        if deadline_ns != NEVER {
            threads[id].cpu = self.cpu();
            self.set_timeout(threads, id, deadline_ns);
            self.here().occupied |= STALE;
        }
    }

    /// The CPU of this event.
    pub fn cpu(&self) -> CpuId {
        CpuId(self.here as u8)
    }

    /// When the first timer object of a CPU is due. One of another CPU can only go: its hardware timer then goes off for nothing.
    pub fn set_alarm(&mut self, cpu: CpuId, deadline_ns: Option<u64>) {
        self.cpus[usize::from(cpu.0)].alarm_ns = deadline_ns;
        self.here().occupied |= STALE;
    }

    fn clear_timeout(&mut self, threads: &mut Threads, id: ThreadId) {
        threads[id].deadline_ns = None;
        threads[id].note_held();
        let cpu = usize::from(threads[id].cpu.0);
        self.cpus[cpu].timeouts.remove(threads, id);
        // A timer that was set for it alone goes off for nothing: that is cheaper than to kick that CPU.
    }

    /// The first thread of this CPU whose deadline has come; it has none any more.
    pub fn due(&mut self, threads: &mut Threads, now_ns: u64) -> Option<ThreadId> {
        let first = self.here().timeouts.head?;
        if threads[first].deadline_ns > Some(now_ns) {
            return None;
        }
        self.clear_timeout(threads, first);
        Some(first)
    }

    /// Takes a thread off its CPU or its queue here and the timeouts, for good. When it runs on another CPU, that was stopped.
    pub fn forget(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        id: ThreadId,
        now_ns: u64,
    ) {
        let cpu = usize::from(threads[id].cpu.0);
        match threads[id].state {
            ThreadState::Running => {
                self.cpus[cpu].running = None;
                self.close_account(threads, processes, cpu, now_ns);
                self.reconsider(cpu);
            }
            ThreadState::Ready => self.dequeue(threads, id),
            ThreadState::Woken => self.woken.remove(threads, id),
            ThreadState::Throttled => {
                if let Some(process) = threads[id].process {
                    processes[process].throttled.remove(threads, id);
                }
            }
            _ => {}
        }
        if threads[id].deadline_ns.is_some() {
            self.clear_timeout(threads, id);
        }
        self.here().occupied |= STALE;
    }

    #[inline]
    fn dequeue(&mut self, threads: &mut Threads, id: ThreadId) {
        let thread = &threads[id];
        let priority = usize::from(thread.priority) % PRIORITIES;
        let cpu = &mut self.cpus[usize::from(thread.cpu.0) % CPUS_MAX];
        cpu.ready_count -= 1;
        cpu.ready[priority].remove(threads, id);
        if cpu.ready[priority].head.is_none() {
            cpu.occupied &= !(1 << priority);
        }
    }

    /// The timer went off.
    pub fn timer(&mut self) {
        let here = self.here();
        here.armed_ns = NEVER;
        here.occupied |= STALE;
    }

    /// Ends the time slice if it is over.
    pub fn end_slice(&mut self, threads: &mut Threads, now_ns: u64) {
        if self.here().slice_end_ns <= now_ns {
            self.yield_now(threads);
        }
    }

    /// CPU time at a process's cost that is used now and not in its record yet.
    pub fn running_ns(&self, process: ProcessId, now_ns: u64) -> u64 {
        let pays = self.cpus.iter().filter(|cpu| cpu.account == Some(process));
        pays.map(|cpu| now_ns.saturating_sub(cpu.since_ns)).sum()
    }

    /// Whether a thread that waits can go on at a CPU in place of the running one, at the cost of the same account, with nothing else
    /// to decide. A CPU that was kicked has something to decide.
    #[inline(always)]
    pub fn can_hand_over(&self, cpu: CpuId, thread: &Thread) -> bool {
        let at = usize::from(cpu.0) % CPUS_MAX;
        let here = &self.cpus[at];
        here.occupied & thread.held == 0
    }

    /// Who pays for what runs on a CPU: as long as nothing is to be decided, the account of the running thread.
    #[inline(always)]
    pub fn account_at(&self, cpu: CpuId) -> Option<ProcessId> {
        self.cpus[usize::from(cpu.0) % CPUS_MAX].account
    }

    /// Runs a thread in place of the one that ran, which has blocked; see [`Self::can_hand_over`].
    #[inline(always)]
    pub fn hand_over(&mut self, cpu: CpuId, id: Option<ThreadId>) {
        self.cpus[usize::from(cpu.0) % CPUS_MAX].running = id;
    }

    /// Whether this CPU can go over from the running thread, which stays ready here, to another, with nothing else to decide.
    #[inline(always)]
    fn can_switch(
        &self,
        threads: &Threads,
        processes: &Processes,
        running: &Thread,
        next: &Thread,
    ) -> bool {
        let here = &self.cpus[self.here % CPUS_MAX];
        let account = next.account;
        !here.is_stale()
            && here.reservation.is_none()
            && account.is_some_and(|account| !processes[account].budget.is_limited())
            && next.mapping_expires_ns == NEVER
            && running.may_run_on(self.here)
            && (self.count == 1 || !self.runs_sooner_elsewhere(threads, running))
    }

    /// Whether another CPU would run a thread at once.
    #[inline(never)]
    fn runs_sooner_elsewhere(&self, threads: &Threads, thread: &Thread) -> bool {
        let others = (0..self.count).filter(|&cpu| cpu != self.here && thread.may_run_on(cpu));
        let mut levels = others.map(|cpu| self.cpus[cpu].level(threads));
        levels.any(|other| other < level(thread))
    }

    /// The thread that runs when the running one yields, if that is all there is to decide; the timer is set early enough for its slice.
    #[inline(always)]
    pub fn next_equal(
        &self,
        threads: &Threads,
        processes: &Processes,
        running: &Thread,
        now_ns: u64,
    ) -> Option<ThreadId> {
        let here = &self.cpus[self.here % CPUS_MAX];
        let id = here.ready[usize::from(running.priority) % PRIORITIES].head?;
        let next = &threads[id];
        let usual = here.armed_ns <= now_ns.saturating_add(next.slice_ns)
            && self.can_switch(threads, processes, running, next);
        usual.then_some(id)
    }

    /// Runs the thread that [`Self::next_equal`] found.
    #[inline(always)]
    pub fn yield_to(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        [running, next]: [ThreadId; 2],
        now_ns: u64,
    ) {
        let here = &mut self.cpus[self.here % CPUS_MAX];
        let thread = &mut threads[next];
        here.charge_to(processes, thread.account, now_ns);
        here.slice_end_ns = now_ns.saturating_add(thread.slice_ns);
        here.running = Some(next);
        thread.state = ThreadState::Running;
        let queue = &mut here.ready[usize::from(thread.priority) % PRIORITIES];
        queue.remove_first(thread);
        queue.push_back(threads, running);
        let before = &mut threads[running];
        before.state = ThreadState::Ready;
        before.slice_ns = SLICE_NS;
    }

    /// Whether a thread that waits runs at once here when it is woken, with nothing else to decide.
    #[inline(always)]
    pub fn takes_over(
        &self,
        threads: &Threads,
        processes: &Processes,
        running: &Thread,
        next: &Thread,
    ) -> bool {
        // Nothing that is ready here is more important than what runs.
        next.priority > running.priority
            && usize::from(next.cpu.0) == self.here
            && next.may_run_on(self.here)
            && next.deadline_ns.is_none()
            && self.can_switch(threads, processes, running, next)
    }

    /// Runs a thread for which [`Self::takes_over`] holds.
    #[inline(always)]
    pub fn take_over(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        [running, next]: [ThreadId; 2],
        now_ns: u64,
    ) {
        let here = &mut self.cpus[self.here % CPUS_MAX];
        let thread = &mut threads[next];
        thread.state = ThreadState::Running;
        thread.slice_ns = SLICE_NS;
        here.running = Some(next);
        here.charge_to(processes, thread.account, now_ns);
        let slice_end_ns = now_ns.saturating_add(SLICE_NS);
        let left_ns = core::mem::replace(&mut here.slice_end_ns, slice_end_ns);
        let before = &mut threads[running];
        before.state = ThreadState::Ready;
        let (slice_ns, end) = rest_of_slice(left_ns.saturating_sub(now_ns));
        before.slice_ns = slice_ns;
        here.put(threads, running, end);
    }

    /// Has a thread that got a call work at the cost of its caller.
    pub fn donate(&mut self, threads: &mut Threads, caller: ThreadId, server: ThreadId) {
        let account = threads[caller].account;
        self.set_account(threads, server, account);
    }

    /// Has a thread work at its own process's cost.
    pub fn end_donation(&mut self, threads: &mut Threads, server: ThreadId) {
        let account = threads[server].process;
        self.set_account(threads, server, account);
    }

    fn set_account(&mut self, threads: &mut Threads, id: ThreadId, account: Option<ProcessId>) {
        let thread = &mut threads[id];
        if thread.account != account {
            thread.account = account;
            if thread.state == ThreadState::Running {
                let cpu = thread.cpu.0.into();
                self.reconsider(cpu);
            }
        }
    }

    /// A process has ended: nothing is charged to it any more.
    pub fn close_process(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        process: ProcessId,
        now_ns: u64,
    ) {
        for cpu in 0..self.count {
            if self.cpus[cpu].account == Some(process) {
                self.close_account(threads, processes, cpu, now_ns);
                self.reconsider(cpu);
            }
        }
        for position in 0..threads.capacity() {
            if let Some(id) = threads.id_at(position)
                && threads[id].account == Some(process)
            {
                threads[id].account = threads[id].process;
            }
        }
    }

    /// Charges the time since an account was opened on a CPU, and gives back what is left of the reservation: to threads
    /// that wait for it, if there are any.
    fn close_account(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        cpu: usize,
        now_ns: u64,
    ) {
        let cpu = &mut self.cpus[cpu % CPUS_MAX];
        let Some(account) = cpu.account.take() else {
            return;
        };
        let used_ns = now_ns.saturating_sub(cpu.since_ns);
        let process = &mut processes[account];
        process.charge(used_ns);
        if let Some(reservation) = cpu.reservation.take() {
            process.budget.give_back(reservation, used_ns, now_ns);
            self.wake_throttled(threads, process);
        }
    }

    /// Wakes the threads that wait for a process's CPU time, if there is some.
    #[inline(never)]
    fn wake_throttled(&mut self, threads: &mut Threads, process: &mut Process) {
        if process.budget.has_some() {
            while let Some(id) = process.throttled.pop_front(threads) {
                self.wake(threads, id);
            }
        }
    }

    /// Opens the account of a thread on this CPU, or its own process's when that cannot pay. `false` when that cannot, either.
    #[inline]
    fn open_account(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        id: ThreadId,
        now_ns: u64,
    ) -> bool {
        if let Some(account) = threads[id].account
            && !processes[account].budget.is_limited()
        {
            let here = self.here();
            here.account = Some(account);
            here.reservation = None;
            here.since_ns = now_ns;
            return true;
        }
        self.open_limited_account(threads, processes, id, now_ns)
    }

    #[inline(never)]
    fn open_limited_account(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        id: ThreadId,
        now_ns: u64,
    ) -> bool {
        let thread = &mut threads[id];
        for account in [thread.account, thread.process].into_iter().flatten() {
            let process = &mut processes[account];
            let reservation = if process.budget.is_limited() {
                let most_ns = process.budget.part_ns(process.thread_count);
                let Some(reservation) = process.budget.reserve(most_ns, now_ns) else {
                    continue;
                };
                Some(reservation)
            } else {
                None
            };
            thread.account = Some(account);
            let here = self.here();
            here.account = Some(account);
            here.reservation = reservation;
            here.since_ns = now_ns;
            return true;
        }
        thread.account = thread.process;
        false
    }

    /// A process has got a second thread: the first does not keep all of the budget.
    pub fn share_budget(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        process: ProcessId,
        now_ns: u64,
    ) {
        let here = self.here();
        if here.account == Some(process) && here.reservation.is_some() {
            here.occupied |= STALE;
            self.close_account(threads, processes, self.here, now_ns);
        }
    }

    /// Has a thread that is on no queue wait until its process has CPU time again.
    fn throttle(&mut self, threads: &mut Threads, processes: &mut Processes, id: ThreadId) {
        let Some(process) = threads[id].process else {
            return;
        };
        threads[id].state = ThreadState::Throttled;
        threads[id].cpu = CpuId(self.here as u8);
        let process = &mut processes[process];
        process.throttled.push_back(threads, id);
        self.set_timeout(threads, id, process.budget.period_end_ns());
    }

    /// Ends the wait for the next period.
    pub fn unthrottle(&mut self, threads: &mut Threads, processes: &mut Processes, id: ThreadId) {
        if let Some(process) = threads[id].process {
            processes[process].throttled.remove(threads, id);
        }
        self.wake(threads, id);
    }

    /// Ends the reservation if it is used up: a new one will be made if the thread goes on.
    pub fn end_reservation(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        now_ns: u64,
    ) {
        let end_ns = self.here().reservation_end_ns();
        if end_ns.is_some_and(|end_ns| end_ns <= now_ns) {
            self.close_account(threads, processes, self.here, now_ns);
        }
    }

    /// Decides what this CPU runs, when something changed, arms its timer and kicks the CPUs that have something to decide.
    #[inline(always)]
    pub fn settle(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        machine: &mut impl Machine,
    ) {
        if self.here().is_stale() {
            self.decide(threads, processes, machine);
        }
    }

    fn decide(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        machine: &mut impl Machine,
    ) {
        let mut clock = Clock::new(machine);
        if !self.switch(threads, processes, &mut clock) {
            self.choose(threads, processes, &mut clock);
        }
        if self.count > 1 && self.here().ready_count > 0 {
            self.offer_surplus(threads);
        }
        self.arm(threads, machine);
        self.here().occupied &= !STALE;
        if self.kicks != 0 {
            self.send_kicks(machine);
        }
    }

    /// The usual switches, with what [`Self::choose`] would come to: to the one thread that was woken, which is more important than what
    /// runs and is ready here, or to the first that is ready when none runs. Accounts that are closed and opened have no limit, so nobody is
    /// woken by that and nobody has to wait. `false` when it is anything else: then nothing has changed.
    #[inline(always)]
    fn switch(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        clock: &mut Clock<impl Machine>,
    ) -> bool {
        let at = self.here % CPUS_MAX;
        let here = &mut self.cpus[at];
        let (before, woken) = (here.running, self.woken.head);
        let next = match woken {
            Some(woken) => woken,
            None if before.is_none() => match here.first_ready() {
                Some(first) => first,
                None => return false,
            },
            None => return false,
        };
        let thread = &threads[next];
        if woken.is_some() {
            let alone = thread.links.next.is_none();
            let stays = before.is_none() || usize::from(thread.cpu.0) == at;
            let first = before.is_none_or(|before| threads[before].priority < thread.priority)
                && here.queues() >> (thread.priority % 32) == 0;
            if !(alone && stays && first && thread.may_run_on(at)) {
                return false;
            }
        }
        let account = thread.account;
        let switches = here.account != account;
        if switches {
            let limited = account.is_none_or(|account| processes[account].budget.is_limited());
            if here.reservation.is_some() || limited {
                return false;
            }
        }
        let next_thread = &mut threads[next];
        if woken.is_some() {
            self.woken.remove_first(next_thread);
        } else {
            here.take_first_ready(next_thread);
        }
        next_thread.state = ThreadState::Running;
        next_thread.cpu = CpuId(at as u8);
        here.running = Some(next);
        if !switches && before.is_none() && here.slice_end_ns != 0 {
            return true;
        }
        let now_ns = clock.now_ns();
        here.charge_to(processes, account, now_ns);
        let slice_end_ns = now_ns.saturating_add(next_thread.slice_ns);
        let before_end_ns = core::mem::replace(&mut here.slice_end_ns, slice_end_ns);
        if let Some(before) = before {
            self.put_aside(threads, before, before_end_ns.saturating_sub(now_ns));
        }
        true
    }

    /// Decides what this CPU runs, whatever has happened.
    #[inline(never)]
    fn choose(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        clock: &mut Clock<impl Machine>,
    ) {
        if self.woken.head.is_some() {
            self.place_woken(threads);
        }
        if let Some(id) = self.running() {
            self.check_running(threads, processes, id, clock);
        }
        if self.running().is_none() {
            self.start_next(threads, processes, clock);
        }
    }

    /// Takes the running thread off the CPU when nobody can pay for it, or when it is not the one to run any more.
    fn check_running(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        id: ThreadId,
        clock: &mut Clock<impl Machine>,
    ) {
        if self.here().account != threads[id].account {
            let now_ns = clock.now_ns();
            self.close_account(threads, processes, self.here, now_ns);
            if !self.open_account(threads, processes, id, now_ns) {
                self.here().running = None;
                self.throttle(threads, processes, id);
                return;
            }
            self.place_woken(threads);
        }
        let highest = self.here().queues().checked_ilog2();
        let thread = &threads[id];
        if highest > Some(thread.priority.into()) || !thread.may_run_on(self.here) {
            self.preempt(threads, id, clock.now_ns());
        }
    }

    /// Puts the running thread back.
    fn preempt(&mut self, threads: &mut Threads, id: ThreadId, now_ns: u64) {
        let here = self.here();
        here.running = None;
        let left_ns = here.slice_end_ns.saturating_sub(now_ns);
        self.put_aside(threads, id, left_ns);
    }

    /// Puts a thread that ran back, in front with what is left of its slice or at the end when nothing is.
    #[inline(always)]
    fn put_aside(&mut self, threads: &mut Threads, id: ThreadId, left_ns: u64) {
        let (slice_ns, end) = rest_of_slice(left_ns);
        threads[id].slice_ns = slice_ns;
        self.put_back(threads, id, end);
    }

    /// Starts the most important ready thread that somebody can pay for.
    fn start_next(
        &mut self,
        threads: &mut Threads,
        processes: &mut Processes,
        clock: &mut Clock<impl Machine>,
    ) {
        loop {
            let here = self.here();
            let own = here.first_ready();
            let next = match own {
                None if self.count > 1 => self.find_elsewhere(threads),
                own => own,
            };
            let account = next.and_then(|id| threads[id].account);
            let here = self.here();
            if here.account.is_some() && here.account != account {
                // What is given back can wake threads, which may be more important.
                self.close_account(threads, processes, self.here, clock.now_ns());
                self.place_woken(threads);
                continue;
            }
            let Some(id) = next else { return };
            self.dequeue(threads, id);
            let goes_on = self.here().account.is_some();
            if goes_on || self.open_account(threads, processes, id, clock.now_ns()) {
                return self.start(threads, id, clock);
            }
            self.throttle(threads, processes, id);
        }
    }

    /// Runs a thread whose account is open. When the clock need not be read the slice goes on with the account.
    fn start(&mut self, threads: &mut Threads, id: ThreadId, clock: &mut Clock<impl Machine>) {
        let thread = &mut threads[id];
        thread.state = ThreadState::Running;
        thread.cpu = CpuId(self.here as u8);
        let here = self.here();
        here.running = Some(id);
        if clock.was_read() || here.slice_end_ns == 0 {
            here.slice_end_ns = clock.now_ns().saturating_add(thread.slice_ns);
        }
    }

    /// A ready thread of another CPU for this one: the most important that may run here, from the longest queues. A CPU
    /// that will start its only thread itself keeps it.
    fn find_elsewhere(&self, threads: &Threads) -> Option<ThreadId> {
        let mut found = None;
        let mut longest = 0;
        for (at, cpu) in self.cpus[..self.count].iter().enumerate() {
            let spare = cpu.ready_count.saturating_sub(cpu.running.is_none().into());
            if at != self.here && spare > longest {
                let candidate = most_important_for(threads, cpu, self.here);
                if candidate.is_some() {
                    (found, longest) = (candidate, spare);
                }
            }
        }
        found
    }

    /// Has idle CPUs take what is ready here and may run there. (Threads that are woken go there at once; this is for those that were
    /// queued at a CPU that was about to run them and was then given something better.)
    fn offer_surplus(&mut self, threads: &Threads) {
        for cpu in 0..self.count {
            let idle = self.cpus[cpu].level(threads) == 0 && !self.cpus[cpu].is_stale();
            let here = &self.cpus[self.here];
            if idle && most_important_for(threads, here, cpu).is_some() {
                self.reconsider(cpu);
            }
        }
    }

    fn arm(&mut self, threads: &Threads, machine: &mut impl Machine) {
        let here = self.here();
        let mut first_ns = here.alarm_ns.unwrap_or(NEVER);
        if let Some(id) = here.timeouts.head {
            first_ns = first_ns.min(threads[id].deadline_ns.unwrap_or(NEVER));
        }
        if let Some(id) = here.running {
            let thread = &threads[id];
            first_ns = first_ns.min(thread.mapping_expires_ns);
            if here.queues() >> (thread.priority % 32) & 1 != 0 {
                first_ns = first_ns.min(here.slice_end_ns);
            }
        }
        if let Some(end_ns) = here.reservation_end_ns() {
            first_ns = first_ns.min(end_ns);
        }
        // A timer that is set too early goes off for nothing, once: that is cheaper than to set it anew at every switch. It is never
        // late, and not set at all when nothing will happen.
        if first_ns < here.armed_ns || (first_ns == NEVER && here.armed_ns != NEVER) {
            here.armed_ns = first_ns;
            machine.set_timer((first_ns != NEVER).then_some(first_ns));
        }
    }

    fn send_kicks(&mut self, machine: &mut impl Machine) {
        let mut kicks = core::mem::take(&mut self.kicks);
        while kicks != 0 {
            let cpu = kicks.trailing_zeros() as usize;
            kicks &= kicks - 1;
            self.cpus[cpu].kicked = true;
            machine.kick(CpuId(cpu as u8));
        }
    }
}

/// The clock, read at most once.
struct Clock<'a, M> {
    machine: &'a M,
    now_ns: Option<u64>,
}

impl<'a, M: Machine> Clock<'a, M> {
    fn new(machine: &'a M) -> Self {
        let now_ns = None;
        Self { machine, now_ns }
    }

    fn now_ns(&mut self) -> u64 {
        *self.now_ns.get_or_insert_with(|| self.machine.now_ns())
    }

    fn was_read(&self) -> bool {
        self.now_ns.is_some()
    }
}

/// The first ready thread of a CPU's highest priority that may run on another.
fn most_important_for(threads: &Threads, cpu: &Cpu, other: usize) -> Option<ThreadId> {
    let mut left = cpu.queues();
    while let Some(highest) = left.checked_ilog2() {
        let mut queue = cpu.ready[highest as usize].iter(threads);
        let found = queue.find(|&id| threads[id].may_run_on(other));
        if found.is_some() {
            return found;
        }
        left &= !(1 << highest);
    }
    None
}

#[cfg(any(test, feature = "testing"))]
impl Scheduler {
    /// The running thread of a CPU.
    pub fn running_on(&self, cpu: CpuId) -> Option<ThreadId> {
        self.cpus[usize::from(cpu.0)].running
    }

    pub fn ready_queue(&self, cpu: CpuId, priority: usize) -> Queue {
        self.cpus[usize::from(cpu.0)].ready[priority]
    }

    pub fn timeouts(&self, cpu: CpuId) -> Timeouts {
        self.cpus[usize::from(cpu.0)].timeouts
    }

    pub fn woken(&self) -> Queue {
        self.woken
    }

    pub fn occupied(&self, cpu: CpuId) -> u32 {
        self.cpus[usize::from(cpu.0)].queues()
    }

    pub fn ready_count(&self, cpu: CpuId) -> usize {
        self.cpus[usize::from(cpu.0)].ready_count.into()
    }

    pub fn slice_end_ns(&self, cpu: CpuId) -> u64 {
        self.cpus[usize::from(cpu.0)].slice_end_ns
    }

    pub fn alarm_ns(&self, cpu: CpuId) -> Option<u64> {
        self.cpus[usize::from(cpu.0)].alarm_ns
    }

    pub fn account(&self, cpu: CpuId) -> Option<ProcessId> {
        self.cpus[usize::from(cpu.0)].account
    }

    pub fn reservation(&self, cpu: CpuId) -> Option<Reservation> {
        self.cpus[usize::from(cpu.0)].reservation
    }

    pub fn reservation_end(&self, cpu: CpuId) -> Option<u64> {
        self.cpus[usize::from(cpu.0)].reservation_end_ns()
    }

    pub fn is_stale(&self, cpu: CpuId) -> bool {
        self.cpus[usize::from(cpu.0)].is_stale()
    }

    pub fn is_kicked(&self, cpu: CpuId) -> bool {
        self.cpus[usize::from(cpu.0)].kicked
    }
}
