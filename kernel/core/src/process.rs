//! Processes: an address space, a handle table, a quota, and threads.
//!
//! A process lives until it exits, faults or is killed. Then, before the kernel goes back to user space, all it had is
//! freed: handles, mappings, frames, page tables, its threads. The record stays while anyone refers to it: a handle, or an object
//! that is charged to it. Its references are: one while it is alive, one per handle, one per object charged.
//!
//! A process that was never started ends when nobody can start it any more: when the last handle outside is closed, or
//! when the process that made it ends.

use nonos_abi::info::{ProcessInfo, exit_kind, process_flags, process_state};
use nonos_abi::{Error, Name};

use crate::arena::{Empty, ModuleId, ProcessId, ThreadId, WatchId};
use crate::budget::Budget;
use crate::frame::FrameList;
use crate::handle::{Found, NO_SLOT, REPLY_SLOTS};
use crate::kernel::Kernel;
use crate::lineage::{Derived, NEVER, Side};
use crate::machine::{AddressSpace, Fault, Machine};
use crate::notification::Signal;
use crate::queue::{Queue, ThreadList};
use crate::region::{Backing, Region};
use crate::thread::ThreadState;

/// Reasons of denials: handle does not exist, kind, revoked, expired, rights. They are the first error numbers.
const DENIALS: usize = Error::MissingRight as usize;

/// A process. Its slots and regions lie in their own arenas, at its position.
pub struct Process {
    /// Number for people, never used again.
    pub(crate) number: u64,
    pub(crate) name: Name,
    /// Those that have not ended.
    pub(crate) threads: ThreadList,
    pub(crate) thread_count: u16,
    pub(crate) space: Option<AddressSpace>,
    /// The program; holds a reference.
    pub(crate) module: Option<ModuleId>,
    /// Private frames: data and stack.
    pub(crate) frames: FrameList,
    /// The slot of its table that takes the next handle other than a reply handle, by number; 0 for none.
    pub(crate) first_free_slot: u16,
    /// Used regions.
    pub(crate) regions: u16,
    /// The numbers of these, a bit for each.
    pub(crate) region_numbers: u64,
    /// Where its memory objects start.
    pub(crate) memory_base: u64,
    /// Pages charged: private frames, page tables, RAM objects.
    pub(crate) pages: u64,
    /// Of these, page tables.
    pub(crate) table_pages: u64,
    pub(crate) quota_pages: u64,
    /// Kernel objects charged.
    pub(crate) objects: u32,
    pub(crate) priority: u8,
    /// Denied system calls, by reason.
    pub(crate) denials: [u64; DENIALS],
    /// CPU time that was used at its cost.
    pub(crate) cpu_ns: u64,
    pub(crate) budget: Budget,
    /// Has the coarse clock alone (`syscall/time.rs`).
    pub(crate) coarse_clock: bool,
    /// Its threads that wait for budget.
    pub(crate) throttled: Queue,
    /// Who wants to know when it ends.
    pub(crate) watches: Option<WatchId>,
    /// How it ended.
    pub(crate) exit: Option<Exit>,
    /// Next on the list of those that have ended and are not cleaned up.
    pub(crate) next_ended: Option<ProcessId>,
}

/// How a process ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Exit {
    /// It called `Exit`.
    Code(u64),
    /// It caused an exception.
    Fault(Fault),
    /// It was ended by a holder of its handle.
    Killed,
}

impl Empty for Process {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            number: 0,
            name: Name::NONE,
            threads: ThreadList::EMPTY,
            thread_count: 0,
            space: None,
            module: None,
            frames: FrameList::EMPTY,
            first_free_slot: NO_SLOT,
            regions: 0,
            region_numbers: 0,
            memory_base: 0,
            pages: 0,
            table_pages: 0,
            quota_pages: 0,
            objects: 0,
            priority: 0,
            denials: [0; DENIALS],
            cpu_ns: 0,
            budget: Budget::UNLIMITED,
            coarse_clock: false,
            throttled: Queue::EMPTY,
            watches: None,
            exit: None,
            next_ended: None,
        }
    }
}

impl Process {
    /// Charges CPU time.
    #[inline(always)]
    pub(crate) fn charge(&mut self, used_ns: u64) {
        self.cpu_ns = self.cpu_ns.saturating_add(used_ns);
    }

    /// Charges the page tables that were made while the free frames for them became from `before` to `now`, or gives back those that were
    /// freed.
    #[inline(always)]
    pub(crate) fn charge_tables(&mut self, before: u64, now: u64) {
        if now != before {
            self.recharge_tables(before, now);
        }
    }

    #[inline(never)]
    fn recharge_tables(&mut self, before: u64, now: u64) {
        let tables = (self.table_pages + before).saturating_sub(now);
        self.pages = self.pages - self.table_pages + tables;
        self.table_pages = tables;
    }

    /// Counts an error if it is a denial; says whether it is.
    pub fn count_denial(&mut self, error: Error) -> bool {
        let count = self.denials.get_mut(error as usize - 1);
        count
            .map(|count| *count = count.saturating_add(1))
            .is_some()
    }
}

/// A request to be told when a process ends.
pub struct Watch {
    /// Whose end it waits for.
    pub(crate) watched: Option<ProcessId>,
    /// What to signal; holds a reference.
    pub(crate) signal: Option<Signal>,
    /// When one of the handles expires that it was asked for with.
    pub(crate) expires_ns: u64,
    /// The next of the same process.
    pub(crate) next: Option<WatchId>,
}

impl Empty for Watch {
    #[inline(always)]
    fn unused() -> Self {
        Self {
            watched: None,
            signal: None,
            expires_ns: NEVER,
            next: None,
        }
    }
}

impl Kernel {
    /// Checks that a process may use so many pages more.
    pub(crate) fn check_quota(&self, process: ProcessId, pages: u64) -> Result<(), Error> {
        let Some(sum) = self.processes[process].pages.checked_add(pages) else {
            return Err(Error::QuotaExceeded);
        };
        if sum <= self.processes[process].quota_pages {
            Ok(())
        } else {
            Err(Error::QuotaExceeded)
        }
    }

    /// Checks that a process may make another kernel object.
    pub(crate) fn check_object_quota(&self, process: ProcessId) -> Result<(), Error> {
        let allowed = self.processes[process].objects < self.objects_per_process;
        if allowed {
            Ok(())
        } else {
            Err(Error::QuotaExceeded)
        }
    }

    /// Charges a new kernel object.
    pub(crate) fn charge_object(&mut self, process: ProcessId) {
        self.processes[process].objects += 1;
        self.processes.retain(process);
    }

    /// A kernel object is gone: whoever paid for it does not any more.
    pub(crate) fn uncharge_object(&mut self, payer: Option<ProcessId>) {
        if let Some(payer) = payer {
            self.processes[payer].objects -= 1;
            self.release_process(payer);
        }
    }

    /// Drops a reference to a process; with the last one, its record is gone, which can be the last that another waits for.
    pub(crate) fn release_process(&mut self, process: ProcessId) {
        let mut next = Some(process);
        while let Some(id) = next {
            if self.processes.release(id) > 0 {
                return;
            }
            next = self.processes.payer(id);
            self.processes.remove(id);
            if let Some(payer) = next {
                self.processes[payer].objects -= 1;
            }
        }
    }

    /// Starts a process.
    pub(crate) fn start_process(
        &mut self,
        id: ProcessId,
        arguments: [u64; 2],
    ) -> Result<(), Error> {
        let thread = self.processes[id].threads.head.ok_or(Error::PeerGone)?;
        if self.threads[thread].state != ThreadState::New {
            return Err(Error::Busy);
        }
        let context = &mut self.threads[thread].context;
        [context.rdi, context.rsi] = arguments;
        self.scheduler.wake(&mut self.threads, thread);
        Ok(())
    }

    /// The threads of a process.
    pub(crate) fn threads_of(&self, id: ProcessId) -> impl Iterator<Item = ThreadId> {
        self.processes[id].threads.iter(&self.threads)
    }

    /// Whether a process was made and not started.
    pub(crate) fn is_new(&self, id: ProcessId) -> bool {
        let thread = self.processes[id].threads.head;
        thread.is_some_and(|thread| self.threads[thread].state == ThreadState::New)
    }

    /// Has `signal` sent when a process ends, by the authority of both handles; at once when it has ended.
    pub(crate) fn watch_process(
        &mut self,
        watcher: ProcessId,
        id: ProcessId,
        source: &Found,
        sink: &Found,
        signal: Signal,
        machine: &mut impl Machine,
    ) -> Result<(), Error> {
        if self.processes[id].exit.is_some() {
            self.signal(signal, machine);
            return Ok(());
        }
        self.lineage.check_depth(source.node)?;
        self.lineage.check_depth(sink.node)?;
        self.check_object_quota(watcher)?;
        let watch = Watch {
            watched: Some(id),
            signal: Some(signal),
            expires_ns: source.deadline_ns.min(sink.deadline_ns),
            next: self.processes[id].watches,
        };
        let watch = self
            .watches
            .insert(watch, Some(watcher))
            .ok_or(Error::OutOfObjects)?;
        self.charge_object(watcher);
        self.notifications.retain(signal.notification);
        self.processes[id].watches = Some(watch);
        for (side, handle) in [(Side::Source, source), (Side::Notification, sink)] {
            let node = self.lineage.node(Derived::Watch(watch, side));
            self.lineage.link(node, handle.node);
        }
        Ok(())
    }

    /// Takes a watch, one of whose handles was revoked, off the list of its process, and forgets it.
    pub(crate) fn cancel_watch(&mut self, id: WatchId, machine: &mut impl Machine) {
        let Some(watched) = self.watches[id].watched else {
            return;
        };
        let next = self.watches[id].next;
        if self.processes[watched].watches == Some(id) {
            self.processes[watched].watches = next;
        } else {
            let all = self.processes[watched].watches;
            let mut others = core::iter::successors(all, |&other| self.watches[other].next);
            if let Some(previous) = others.find(|&other| self.watches[other].next == Some(id)) {
                self.watches[previous].next = next;
            }
        }
        self.remove_watch(id, machine);
    }

    /// Frees a watch that is on no list.
    fn remove_watch(&mut self, id: WatchId, machine: &mut impl Machine) {
        for side in [Side::Source, Side::Notification] {
            let node = self.lineage.node(Derived::Watch(id, side));
            self.lineage.unlink(node);
        }
        let signal = self.watches[id].signal;
        let payer = self.watches.payer(id);
        self.watches.remove(id);
        if let Some(signal) = signal {
            self.release_notification(signal.notification, machine);
        }
        self.uncharge_object(payer);
    }

    /// Ends a process. Its threads do not run any more; the rest is cleaned up by [`Self::clean_up`].
    pub(crate) fn end_process(&mut self, id: ProcessId, exit: Exit, machine: &mut impl Machine) {
        if self.processes[id].exit.is_some() {
            return;
        }
        self.processes[id].exit = Some(exit);
        if let Some(creator) = self.processes.payer(id) {
            let part = self.processes[id].budget;
            self.processes[creator].budget.take_back(&part);
        }
        self.processes[id].next_ended = self.ended.replace(id);
        while let Some(thread) = self.processes[id].threads.head {
            self.end_thread(thread, machine);
        }
        let now_ns = machine.now_ns();
        self.scheduler
            .close_process(&mut self.threads, &mut self.processes, id, now_ns);
        let name = self.processes[id].name;
        let number = self.processes[id].number;
        match exit {
            Exit::Fault(fault) => {
                self.log(format_args!("{name} ({number}) ended: {fault}"), machine)
            }
            _ if self.init == Some(id) => self.log(format_args!("init ended"), machine),
            _ => {}
        }
    }

    /// Frees all that ended processes had. Cleaning up one can end others.
    pub(crate) fn clean_up(&mut self, machine: &mut impl Machine) {
        while let Some(id) = self.ended {
            self.ended = self.processes[id].next_ended.take();
            self.end_children(id, machine);
            self.notify_watchers(id, machine);
            self.close_windows(id, machine);
            self.close_all_handles(id, machine);
            self.free_address_space(id, machine);
            self.release_process(id);
        }
    }

    /// Processes that the ended one made and did not start will never start.
    fn end_children(&mut self, id: ProcessId, machine: &mut impl Machine) {
        for position in 0..self.processes.capacity() {
            if let Some(child) = self.processes.id_at(position)
                && self.processes.payer(child) == Some(id)
                && self.is_new(child)
            {
                self.end_process(child, Exit::Killed, machine);
            }
        }
    }

    fn notify_watchers(&mut self, id: ProcessId, machine: &mut impl Machine) {
        let mut next = self.processes[id].watches.take();
        while let Some(watch) = next {
            next = self.watches[watch].next;
            let Watch {
                signal, expires_ns, ..
            } = self.watches[watch];
            let expired = expires_ns != NEVER && machine.now_ns() >= expires_ns;
            if let Some(signal) = signal.filter(|_| !expired) {
                self.signal(signal, machine);
            }
            self.remove_watch(watch, machine);
        }
    }

    fn close_all_handles(&mut self, id: ProcessId, machine: &mut impl Machine) {
        for index in 0..self.handles_per_process as u16 {
            if let Some(capability) = self.take_handle(id, index) {
                self.release(&capability, machine);
            }
        }
    }

    /// Frees address space and private frames, in this order: no frame is freed while it is mapped.
    pub(crate) fn free_address_space(&mut self, id: ProcessId, machine: &mut impl Machine) {
        if let Some(space) = self.processes[id].space.take() {
            machine.space_destroy(space);
        }
        for at in 0..usize::from(self.processes[id].regions) {
            let Region {
                backing, number, ..
            } = self.regions_of(id)[at];
            let node = self.lineage.region(id, number);
            self.lineage.unlink(node);
            if let Backing::Memory(memory) | Backing::ShadowStack(memory) = backing {
                self.release_memory(memory, machine);
            }
        }
        let process = &mut self.processes[id];
        process.regions = 0;
        process.region_numbers = 0;
        let frames = core::mem::replace(&mut process.frames, FrameList::EMPTY);
        process.pages -= u64::from(frames.count()) + process.table_pages;
        process.table_pages = 0;
        let module = process.module.take();
        self.frames.free(frames, machine);
        if let Some(module) = module {
            self.release_module(module, machine);
        }
    }

    /// What a process is and does.
    pub(crate) fn process_info(&self, id: ProcessId, now_ns: u64) -> ProcessInfo {
        let process = &self.processes[id];
        let threads = || process.threads.iter(&self.threads);
        let is_ready = |id| {
            use ThreadState::{Ready, Running, Throttled, Woken};
            let state = self.threads[id].state;
            matches!(state, Woken | Ready | Running | Throttled)
        };
        let state = match process.exit {
            Some(_) => process_state::ENDED,
            None if self.is_new(id) => process_state::NEW,
            None if threads().any(is_ready) => process_state::READY,
            None => process_state::BLOCKED,
        };
        let info = ProcessInfo {
            id: process.number,
            name: process.name,
            state,
            priority: process.priority.into(),
            pages: process.pages,
            quota_pages: process.quota_pages,
            handles: self.handle_count(id) as u64,
            cpu_ns: process.cpu_ns + self.scheduler.running_ns(id, now_ns),
            budget_ns: process.budget.budget_ns,
            period_ns: process.budget.period_ns,
            flags: u64::from(process.coarse_clock) * process_flags::COARSE_CLOCK,
            threads: process.thread_count.into(),
            // Without slot 0, which is never filled.
            handle_limit: (self.handles_per_process - REPLY_SLOTS - 1) as u64,
            objects: process.objects.into(),
            object_limit: self.objects_per_process.into(),
            denials: process
                .denials
                .iter()
                .fold(0, |sum, &count| sum.saturating_add(count)),
            ..ProcessInfo::default()
        };
        match process.exit {
            None => info,
            Some(Exit::Killed) => ProcessInfo {
                exit_kind: exit_kind::KILLED,
                ..info
            },
            Some(Exit::Code(code)) => ProcessInfo {
                exit_kind: exit_kind::EXIT,
                exit_code: code,
                ..info
            },
            Some(Exit::Fault(fault)) => ProcessInfo {
                exit_kind: exit_kind::FAULT,
                exit_code: fault.vector.into(),
                fault_error: fault.error,
                fault_address: fault.address,
                fault_instruction: fault.instruction,
                ..info
            },
        }
    }
}
