//! What must hold whenever user space runs: checked after every event in tests and fuzzing.
//!
//! Each function checks one invariant from scratch, from the objects themselves: reference counts are counted
//! again, queues are walked, page tables are compared with regions. The first one that is broken is returned, in words.

use std::collections::{BTreeMap, BTreeSet};
use std::format;
use std::string::String;
use std::vec::Vec;

use nonos_abi::{Handle, ObjectKind, PAGE_BYTES, Rights};

use crate::arena::{Arena, Empty, Id, MemoryId, ModuleId, ProcessId, ThreadId};
use crate::endpoint::UNKNOWN;
use crate::frame::Owner;
use crate::handle::{Capability, NO_SLOT};
use crate::kernel::Kernel;
use crate::lineage::{DEPTH_MAX, Derived, NEVER, Node, NodeId, Side};
use crate::machine::{Access, CPUS_MAX, CpuId, FrameNumber, Machine, UserPage};
use crate::memory::MemoryKind;
use crate::module::State;
use crate::object::Object;
use crate::region::Backing;
use crate::scheduler::{PRIORITIES, Queue};
use crate::testing::FakeMachine;
use crate::thread::{Thread, ThreadState};

type Checked = Result<(), String>;

macro_rules! ensure {
    ($condition:expr, $($text:tt)+) => {
        if !$condition {
            return Err(format!($($text)+));
        }
    };
}

/// A set of small numbers. The checks run millions of times, and trees are slow.
#[derive(Default)]
struct Flags(Vec<u64>);

impl Flags {
    /// Adds a number and says whether it is new.
    fn insert(&mut self, number: usize) -> bool {
        let (word, bit) = (number / 64, 1 << (number % 64));
        if self.0.len() <= word {
            self.0.resize(word + 8, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }

    fn contains(&self, number: usize) -> bool {
        self.0
            .get(number / 64)
            .is_some_and(|word| word >> (number % 64) & 1 != 0)
    }

    fn len(&self) -> usize {
        self.0.iter().map(|word| word.count_ones() as usize).sum()
    }
}

/// Checks everything. Free frames that were not touched since the last check are not looked at again.
///
/// # Errors
/// The first invariant that does not hold.
pub fn check(kernel: &Kernel, machine: &mut FakeMachine) -> Result<(), String> {
    arenas(kernel)?;
    ended_processes_have_nothing(kernel)?;
    handle_tables(kernel)?;
    references(kernel)?;
    charges(kernel)?;
    frames(kernel, machine)?;
    regions(kernel)?;
    mappings(kernel, machine)?;
    queues(kernel)?;
    replies(kernel)?;
    waiting(kernel)?;
    scheduling(kernel, machine)?;
    timeouts(kernel, machine)?;
    timers(kernel)?;
    budgets(kernel)?;
    translations(kernel, machine)?;
    interrupts(kernel, machine)?;
    devices(kernel, machine)?;
    lineage(kernel)
}

/// Links agree with each other, what is not in use has none, and a child has no more rights and time than its parent.
fn lineage(kernel: &Kernel) -> Checked {
    let lineage = &kernel.lineage;
    let nodes = (0..lineage.shape.nodes() as u32).map(NodeId::at);
    let nodes = nodes.map(|node| (node, lineage.links(node)));
    for (node, links) in nodes.filter(|(_, links)| **links != Node::unused()) {
        let derived = lineage.derived(node);
        let in_use = derived.is_some_and(|derived| is_in_use(kernel, derived));
        ensure!(in_use, "{derived:?} is not in use and has links");
        if let Some(first) = links.first_child {
            let last = lineage.links(first).previous.map(|id| lineage.links(id));
            let leads_back = last.is_some_and(|last| last.is_last && last.next == Some(node));
            ensure!(leads_back, "{derived:?} and its children disagree");
        }
        let (Some(previous), Some(next)) = (links.previous, links.next) else {
            let alone = (links.previous, links.next, links.is_last) == (None, None, false);
            ensure!(alone, "{derived:?} has half of its siblings");
            ensure!(links.depth == 0, "{derived:?} is a root and deep");
            continue;
        };
        let follows = match links.is_last {
            true => lineage.links(next).first_child,
            false => Some(next),
        };
        let back = follows.and_then(|id| lineage.links(id).previous);
        ensure!(
            back == Some(node),
            "{derived:?} and what follows it disagree"
        );
        let before = lineage.links(previous);
        let there = match (before.is_last, before.next) {
            (true, Some(parent)) => lineage.links(parent).first_child,
            (_, next) => next,
        };
        ensure!(
            there == Some(node),
            "{derived:?} and what precedes it disagree"
        );
        let Some(parent) = lineage.parent(node) else {
            continue;
        };
        let ancestors = core::iter::successors(Some(parent), |&node| lineage.parent(node));
        let ancestors = ancestors.take(100).count();
        ensure!(
            ancestors < DEPTH_MAX && ancestors <= links.depth.into(),
            "{derived:?} is too deep"
        );
        let Some(Derived::Slot(process, index)) = lineage.derived(parent) else {
            return Err(format!("{derived:?} was derived from no handle"));
        };
        let slot = &kernel.slots_of(process)[usize::from(index)];
        let Some(granted) = slot.capability else {
            return Err(format!("{derived:?} was derived from an empty slot"));
        };
        if let Some(Derived::Slot(holder, index)) = derived {
            let child = &kernel.slots_of(holder)[usize::from(index)];
            let Some(capability) = child.capability else {
                continue;
            };
            // Devices and modules come with rights of their own.
            let same = capability.object == granted.object;
            ensure!(
                !same || granted.rights.contains(capability.rights),
                "{derived:?} has more rights than what it was derived from"
            );
            ensure!(
                child.deadline_ns <= slot.deadline_ns,
                "{derived:?} lives longer than what it was derived from"
            );
        }
    }
    mapping_deadlines(kernel)
}

/// Threads know when the first mapping of their process expires.
fn mapping_deadlines(kernel: &Kernel) -> Checked {
    for (id, _) in kernel.processes.iter() {
        let deadlines = kernel.regions_of(id).iter().map(|region| region.expires_ns);
        let first = deadlines.min().unwrap_or(NEVER);
        for thread in kernel.threads_of(id) {
            let right = kernel.threads[thread].first_slot == kernel.first_slot(id);
            ensure!(right, "{thread:?} has another's handle table");
            let known = kernel.threads[thread].mapping_expires_ns;
            ensure!(known == first, "{thread:?} knows {known}, not {first}");
            let thread = &kernel.threads[thread];
            let timed = thread.deadline_ns.is_some() || first != NEVER;
            let more_important = u64::from(u32::MAX >> thread.priority << thread.priority);
            let cpus = if timed { u8::MAX } else { !thread.affinity };
            let held = 1 << 63 | u64::from(cpus) << 32 | more_important;
            ensure!(thread.held == held, "a thread goes on too soon or late");
        }
    }
    Ok(())
}

fn is_in_use(kernel: &Kernel, derived: Derived) -> bool {
    match derived {
        Derived::Slot(process, index) => {
            let alive = kernel.processes.id_at(process.position()).is_some();
            let slot = &kernel.slots_of(process)[usize::from(index)];
            let is_tombstone = |capability: Capability| {
                matches!(capability.object, Object::Revoked(_) | Object::Reply(_))
            };
            alive
                && slot
                    .capability
                    .is_some_and(|capability| !is_tombstone(capability))
        }
        Derived::Region(process, number) => {
            let alive = kernel.processes.id_at(process.position()).is_some();
            let mut regions = kernel.regions_of(process).iter();
            let is_mapping = |backing| matches!(backing, Backing::Memory(_));
            alive && regions.any(|region| region.number == number && is_mapping(region.backing))
        }
        Derived::Interrupt(id, _) => {
            let exists = kernel.interrupts.id_at(id.position()).is_some();
            exists && kernel.interrupts[id].signal.is_some()
        }
        Derived::Window(number, _) => kernel.windows[usize::from(number)].is_some(),
        Derived::Watch(id, _) => kernel.watches.id_at(id.position()).is_some(),
        Derived::Timer(id, _) => {
            let exists = kernel.timers.id_at(id.position()).is_some();
            exists && kernel.timers[id].armed.is_some()
        }
        Derived::Bound(id) => {
            let exists = kernel.threads.id_at(id.position()).is_some();
            exists && kernel.threads[id].bound.is_some()
        }
    }
}

fn arenas(kernel: &Kernel) -> Checked {
    kernel.processes.check("processes")?;
    kernel.threads.check("threads")?;
    kernel.memories.check("memories")?;
    kernel.endpoints.check("endpoints")?;
    kernel.notifications.check("notifications")?;
    kernel.interrupts.check("interrupts")?;
    kernel.modules.check("modules")?;
    kernel.watches.check("watches")?;
    kernel.timers.check("timers")
}

/// Between events no process waits to be cleaned up, and of those that ended only the record is left.
fn ended_processes_have_nothing(kernel: &Kernel) -> Checked {
    ensure!(
        kernel.ended.is_none(),
        "a process that ended was not cleaned up"
    );
    for (id, process) in kernel.processes.iter() {
        let alive = process.exit.is_none();
        let mut threads = 0;
        for thread in process.threads.iter(&kernel.threads) {
            ensure!(
                kernel.threads[thread].process == Some(id),
                "{thread:?} is not of {id:?}"
            );
            threads += 1;
        }
        ensure!(
            (threads > 0) == alive && threads == usize::from(process.thread_count),
            "{id:?} alive {alive} has {threads} threads"
        );
        let last = process.threads.iter(&kernel.threads).last();
        ensure!(
            process.threads.ends_with(last),
            "{id:?} has a wrong list of threads"
        );
        ensure!(
            process.space.is_some() == alive,
            "{id:?} alive {alive} has a wrong space"
        );
        ensure!(
            process.module.is_some() == alive,
            "{id:?} alive {alive} has a wrong module"
        );
        ensure!(
            process.next_ended.is_none(),
            "{id:?} is on the list of ended processes"
        );
        let empty = kernel.handle_count(id) == 0 && process.regions == 0;
        let empty = empty && process.frames.count() == 0 && process.watches.is_none();
        ensure!(alive || empty, "{id:?} ended and has something left");
    }
    let live = |(_, thread): &(ThreadId, &Thread)| thread.state != ThreadState::Ended;
    let threads = kernel.threads.iter().filter(live).count();
    let counted = kernel.processes.iter();
    let counted: usize = counted.map(|(_, p)| usize::from(p.thread_count)).sum();
    ensure!(
        threads == counted,
        "{threads} threads, {counted} of processes"
    );
    Ok(())
}

/// Slots are filled or free or retired; reply handles are where they belong; handles name objects that exist.
fn handle_tables(kernel: &Kernel) -> Checked {
    for (id, process) in kernel.processes.iter() {
        if process.exit.is_some() {
            continue;
        }
        let slots = kernel.slots_of(id);
        let lists = kernel.free_slots(id)?;
        let mut free = Flags::default();
        for &index in lists.iter().flatten() {
            ensure!(
                free.insert(index.into()),
                "{id:?}: slot {index} is free twice"
            );
        }
        let first_reply = slots.len() - crate::handle::REPLY_SLOTS;
        let mut kept = Flags::default();
        for thread in kernel.threads_of(id) {
            let thread = &kernel.threads[thread];
            if !matches!(thread.state, ThreadState::Receiving(_)) {
                continue;
            }
            let index = thread.reply.wrapping_sub(thread.first_slot) as usize;
            let is_reply = (first_reply..slots.len()).contains(&index);
            ensure!(
                is_reply && slots[index].capability.is_none(),
                "{id:?}: slot {index} is kept for a reply"
            );
            ensure!(
                kept.insert(index) && !free.contains(index),
                "{id:?}: slot {index} is kept, and also free or kept twice"
            );
        }
        for (index, slot) in slots.iter().enumerate() {
            let Some(capability) = slot.capability else {
                ensure!(!slot.waited, "{id:?}: empty slot {index} is waited through");
                ensure!(
                    slot.lasting_rights == Rights::NONE,
                    "{id:?}: empty slot {index} has rights"
                );
                let retired = slot.handle.generation() == Handle::LAST_GENERATION;
                ensure!(
                    free.contains(index) || kept.contains(index) || retired || index == 0,
                    "{id:?}: slot {index} is neither filled nor free"
                );
                continue;
            };
            ensure!(index != 0, "{id:?}: slot 0 is filled");
            ensure!(
                !free.contains(index),
                "{id:?}: slot {index} is filled and free"
            );
            let is_reply = matches!(capability.object, Object::Reply(_));
            ensure!(
                is_reply == (index >= first_reply),
                "{id:?}: slot {index} of wrong kind"
            );
            ensure!(
                exists(kernel, capability.object),
                "{id:?}: slot {index} names no object"
            );
            let lasting = match slot.deadline_ns {
                NEVER => capability.rights,
                _ => Rights::NONE,
            };
            ensure!(
                slot.lasting_rights == lasting,
                "{id:?}: slot {index} has other rights without a deadline"
            );
            let executable = capability.rights.contains(Rights::EXECUTE);
            let is_memory = matches!(capability.object, Object::Memory(_));
            ensure!(
                !(is_memory && executable),
                "{id:?}: slot {index} is executable memory"
            );
        }
    }
    Ok(())
}

fn exists(kernel: &Kernel, object: Object) -> bool {
    fn in_use<I: Id, T: Empty>(arena: &Arena<I, T>, id: I) -> bool {
        arena.id_at(id.position()).is_some()
    }
    match object {
        Object::Process(id) => in_use(&kernel.processes, id),
        Object::Thread(id) => in_use(&kernel.threads, id),
        Object::Memory(id) => in_use(&kernel.memories, id),
        Object::Endpoint(id) => in_use(&kernel.endpoints, id),
        Object::Reply(Some(id)) => in_use(&kernel.threads, id),
        Object::Notification(id) => in_use(&kernel.notifications, id),
        Object::Timer(id) => in_use(&kernel.timers, id),
        Object::Interrupt(id) => in_use(&kernel.interrupts, id),
        Object::Module(id) => {
            in_use(&kernel.modules, id) && matches!(kernel.modules[id].state, State::Admitted(_))
        }
        _ => true,
    }
}

/// References to one kind of object, by position.
#[derive(Default)]
struct Counts(Vec<u32>);

impl Counts {
    fn add(&mut self, id: impl Id) {
        self.add_if(id, true);
    }

    fn add_if(&mut self, id: impl Id, condition: bool) {
        let position = id.position();
        if self.0.len() <= position {
            self.0.resize(position + 8, 0);
        }
        self.0[position] += u32::from(condition);
    }

    fn of(&self, id: impl Id) -> u32 {
        self.0.get(id.position()).copied().unwrap_or(0)
    }

    fn compare<I: Id + core::fmt::Debug, T: Empty>(&self, arena: &Arena<I, T>) -> Checked {
        for (id, _) in arena.iter() {
            let counted = self.of(id);
            let stored = arena.references(id);
            ensure!(
                stored == counted,
                "{id:?} stores {stored} references and has {counted}"
            );
            ensure!(stored > 0, "{id:?} has no references and exists");
        }
        Ok(())
    }
}

/// Every reference count is what one counts again.
fn references(kernel: &Kernel) -> Checked {
    let mut processes = Counts::default();
    let mut threads = Counts::default();
    let mut memories = Counts::default();
    let mut endpoints = Counts::default();
    let mut notifications = Counts::default();
    let mut interrupts = Counts::default();
    let mut timers = Counts::default();
    let mut modules = Counts::default();
    let mut receiving = Counts::default();

    for (id, process) in kernel.processes.iter() {
        if process.exit.is_none() {
            processes.add(id);
        }
        if let Some(module) = process.module {
            modules.add(module);
        }
        for region in kernel.regions_of(id) {
            if let Backing::Memory(memory) | Backing::ShadowStack(memory) = region.backing {
                memories.add(memory);
            }
        }
        for capability in kernel
            .slots_of(id)
            .iter()
            .filter_map(|slot| slot.capability)
        {
            match capability.object {
                Object::Process(id) => processes.add(id),
                Object::Thread(id) => threads.add(id),
                Object::Memory(id) => memories.add(id),
                Object::Endpoint(id) => {
                    endpoints.add(id);
                    let reads = capability.rights.contains(Rights::READ);
                    receiving.add_if(id, reads);
                }
                Object::Notification(id) => notifications.add(id),
                Object::Timer(id) => timers.add(id),
                Object::Interrupt(id) => interrupts.add(id),
                Object::Module(id) => modules.add(id),
                _ => {}
            }
        }
    }
    for payer in payers(kernel) {
        processes.add(payer);
    }
    for (id, thread) in kernel.threads.iter() {
        if thread.state != ThreadState::Ended {
            threads.add(id);
        }
        thread
            .bound
            .into_iter()
            .for_each(|id| notifications.add(id));
    }
    for (_, interrupt) in kernel.interrupts.iter() {
        interrupt
            .signal
            .into_iter()
            .for_each(|signal| notifications.add(signal.notification));
    }
    for window in kernel.windows.iter().flatten() {
        memories.add(window.memory);
    }
    for (_, timer) in kernel.timers.iter() {
        timer
            .armed
            .into_iter()
            .for_each(|alarm| notifications.add(alarm.signal.notification));
    }
    for (_, watch) in kernel.watches.iter() {
        watch
            .signal
            .into_iter()
            .for_each(|signal| notifications.add(signal.notification));
    }
    for (id, module) in kernel.modules.iter() {
        modules.add(id);
        let unused = kernel.modules.references(id) == 1;
        ensure!(
            !unused || module.shared.count() == 0,
            "{id:?} is unused and keeps frames"
        );
    }
    for (id, endpoint) in kernel.endpoints.iter() {
        let counted = receiving.of(id);
        let stored = endpoint.receiving_handles;
        ensure!(
            stored == counted,
            "{id:?} stores {stored} receiving handles and has {counted}"
        );
    }
    processes.compare(&kernel.processes)?;
    threads.compare(&kernel.threads)?;
    memories.compare(&kernel.memories)?;
    endpoints.compare(&kernel.endpoints)?;
    notifications.compare(&kernel.notifications)?;
    interrupts.compare(&kernel.interrupts)?;
    timers.compare(&kernel.timers)?;
    modules.compare(&kernel.modules)
}

/// Who pays, once for each object.
fn payers(kernel: &Kernel) -> Vec<ProcessId> {
    fn of<I: Id, T: Empty>(arena: &Arena<I, T>) -> Vec<ProcessId> {
        arena.iter().filter_map(|(id, _)| arena.payer(id)).collect()
    }
    [
        of(&kernel.processes),
        of(&kernel.threads),
        of(&kernel.memories),
        of(&kernel.endpoints),
        of(&kernel.notifications),
        of(&kernel.interrupts),
        kernel
            .windows
            .iter()
            .flatten()
            .map(|window| window.owner)
            .collect(),
        of(&kernel.watches),
        of(&kernel.timers),
    ]
    .concat()
}

/// Pages and objects charged are exact sums, within the quotas.
fn charges(kernel: &Kernel) -> Checked {
    let payers = payers(kernel);
    for (id, process) in kernel.processes.iter() {
        let objects = payers.iter().filter(|&&payer| payer == id).count();
        ensure!(
            process.objects as usize == objects,
            "{id:?} is charged {} objects and pays {objects}",
            process.objects
        );
        ensure!(
            process.objects <= kernel.objects_per_process,
            "{id:?} has too many objects"
        );
        let memories = kernel.memories.iter().filter(|&(memory, object)| {
            kernel.memories.payer(memory) == Some(id) && matches!(object.kind, MemoryKind::Ram(_))
        });
        let memories: u64 = memories.map(|(_, object)| u64::from(object.pages)).sum();
        let pages = memories + u64::from(process.frames.count()) + process.table_pages;
        ensure!(
            process.pages == pages,
            "{id:?} is charged {} and has {pages}",
            process.pages
        );
        ensure!(
            pages <= process.quota_pages,
            "{id:?} has {pages} pages, over its quota"
        );
    }
    Ok(())
}

/// Every frame has one owner and is on that owner's list once; free frames are zero.
fn frames(kernel: &Kernel, machine: &mut FakeMachine) -> Checked {
    let frames = &kernel.frames;
    let mut seen = Flags::default();
    let mut lists = Vec::from([(Owner::Free, frames.free_list(), frames.free_list().count())]);
    for (id, process) in kernel.processes.iter() {
        lists.push((Owner::Process(id), &process.frames, process.frames.count()));
    }
    for (id, memory) in kernel.memories.iter() {
        if let MemoryKind::Ram(list) = &memory.kind {
            lists.push((Owner::Memory(id), list, memory.pages));
        }
    }
    for (id, module) in kernel.modules.iter() {
        lists.push((Owner::Module(id), &module.shared, module.shared.count()));
    }
    for (owner, list, count) in lists {
        let mut length = 0;
        for frame in frames.iter(list) {
            ensure!(seen.insert(frame.0 as usize), "{frame:?} is on two lists");
            let stored = frames.raw_owner(frame);
            ensure!(
                stored == Some(owner),
                "{frame:?} of {owner:?} says {stored:?}"
            );
            length += 1;
        }
        ensure!(
            length == count,
            "{owner:?} has {length} frames, not {count}"
        );
        ensure!(
            list.is_closed(frames),
            "{owner:?} has a list with a wrong end"
        );
    }
    ensure!(
        seen.len() as u64 - u64::from(frames.free_list().count())
            == frames.total() - frames.available(),
        "frames in use and free frames do not add up to {}",
        frames.total()
    );
    for frame in core::mem::take(&mut machine.touched) {
        let free = frames.raw_owner(frame) == Some(Owner::Free);
        ensure!(
            !free || machine.is_zero(frame),
            "{frame:?} is free and not zero"
        );
    }
    Ok(())
}

/// Regions are sorted, apart, and as many pages as what lies behind them.
fn regions(kernel: &Kernel) -> Checked {
    for (id, _) in kernel.processes.iter() {
        let regions = kernel.regions_of(id);
        for pair in regions.windows(2) {
            let guard = PAGE_BYTES as u64;
            let apart = pair[0].end() + guard <= pair[1].address;
            ensure!(
                apart,
                "{id:?}: no guard page between {:#x} and the next",
                pair[0].address
            );
        }
        let bits = regions.iter().map(|region| 1_u64 << region.number);
        let numbers = bits.fold(0, |all, bit| all | bit);
        let distinct = numbers.count_ones() as usize == regions.len();
        ensure!(
            distinct && numbers == kernel.processes[id].region_numbers,
            "{id:?}: its regions have the numbers {numbers:#x}"
        );
        for region in regions {
            if let Backing::Memory(memory) | Backing::ShadowStack(memory) = region.backing {
                let pages = kernel.memories[memory].pages;
                ensure!(
                    region.pages == pages,
                    "{id:?}: region of {memory:?} has wrong size"
                );
            }
        }
    }
    Ok(())
}

/// Page tables are what the regions say, nothing else is mapped, and no frame is writable here and executable there.
fn mappings(kernel: &Kernel, machine: &FakeMachine) -> Checked {
    let mut spaces = BTreeSet::new();
    let (mut writable, mut executable) = (Vec::new(), Vec::new());
    for (id, process) in kernel.processes.iter() {
        let Some(space) = process.space else { continue };
        ensure!(spaces.insert(space.0), "{id:?} shares its address space");
        for (_, mapping) in machine.mappings(space) {
            match mapping.access {
                Access::Read | Access::ShadowStack => {}
                Access::ReadWrite => writable.push(mapping.frame),
                Access::ReadExecute => executable.push(mapping.frame),
            }
        }
        // Both are in the order of addresses: a page in no region stops here, and what comes after it is not found.
        let mut mapped = machine.mappings(space).peekable();
        let regions = kernel.regions_of(id).iter();
        for region in regions.filter(|region| region.backing != Backing::Revoked) {
            let expected = region_frames(kernel, region.backing);
            let pages = (region.address..region.end()).step_by(PAGE_BYTES);
            for (at, address) in pages.enumerate() {
                let page = UserPage::new(address).ok_or("a region is not in user space")?;
                let mapping = mapped.next_if(|(mapped, _)| *mapped == page);
                let mapping = mapping.map(|(_, mapping)| mapping);
                let (owner, access) = match mapping {
                    Some(mapping) => (kernel.frames.raw_owner(mapping.frame), mapping.access),
                    None if region.backing == Backing::Image => continue,
                    None => return Err(format!("{id:?}: {page:?} of a region is not mapped")),
                };
                let right = match region.backing {
                    Backing::Image => is_image(owner, access, id, process.module),
                    Backing::Stack => {
                        owner == Some(Owner::Process(id)) && access == Access::ReadWrite
                    }
                    Backing::Memory(_) => {
                        mapping.map(|mapping| mapping.frame) == expected.get(at).copied()
                            && matches!(access, Access::Read | Access::ReadWrite)
                    }
                    Backing::ShadowStack(memory) => {
                        mapping.map(|mapping| mapping.frame) == expected.get(at).copied()
                            && access == Access::ShadowStack
                            && process
                                .threads
                                .iter(&kernel.threads)
                                .any(|thread| kernel.threads[thread].shadow_stack == Some(memory))
                    }
                    Backing::Revoked => false,
                };
                ensure!(
                    right,
                    "{id:?}: {page:?} is mapped {access:?} to a frame of {owner:?}"
                );
            }
        }
        let stray = mapped.next();
        ensure!(
            stray.is_none(),
            "{id:?}: {stray:?} is mapped and in no region"
        );
    }
    let strays: Vec<_> = machine
        .spaces()
        .filter(|space| !spaces.contains(&space.0))
        .collect();
    ensure!(strays.is_empty(), "address spaces of nobody: {strays:?}");
    executable.sort_unstable();
    let is_executable = |frame: &&FrameNumber| executable.binary_search(frame).is_ok();
    let both = writable.iter().find(is_executable);
    ensure!(both.is_none(), "{both:?} is writable and executable");
    Ok(())
}

fn is_image(
    owner: Option<Owner>,
    access: Access,
    process: ProcessId,
    module: Option<ModuleId>,
) -> bool {
    match owner {
        Some(Owner::Process(owner)) => {
            owner == process && matches!(access, Access::Read | Access::ReadWrite)
        }
        Some(Owner::Module(owner)) => {
            Some(owner) == module && matches!(access, Access::Read | Access::ReadExecute)
        }
        _ => false,
    }
}

fn region_frames(kernel: &Kernel, backing: Backing) -> Vec<FrameNumber> {
    let frames_of = |id: MemoryId| match &kernel.memories[id].kind {
        MemoryKind::Ram(list) => kernel.frames.iter(list).collect(),
        &MemoryKind::Device(first, _) => (0..kernel.memories[id].pages)
            .map(|page| FrameNumber(first.0 + page))
            .collect(),
    };
    match backing {
        Backing::Memory(id) | Backing::ShadowStack(id) => frames_of(id),
        Backing::Image | Backing::Stack | Backing::Revoked => Vec::new(),
    }
}

/// Every thread is on exactly the queue that its state names.
fn queues(kernel: &Kernel) -> Checked {
    let mut found = Flags::default();
    let mut walk = |queue: Queue, state: &dyn Fn(ThreadId) -> ThreadState| -> Checked {
        let mut previous = None;
        for id in queue.iter(&kernel.threads) {
            ensure!(
                kernel.threads.id_at(id.position()).is_some(),
                "{id:?} does not exist"
            );
            ensure!(found.insert(id.position()), "{id:?} is on two queues");
            let links = kernel.threads[id].links;
            let links_back = previous.is_none() || links.previous == previous;
            ensure!(links_back, "{id:?} has a wrong link back");
            let (actual, expected) = (kernel.threads[id].state, state(id));
            ensure!(
                actual == expected,
                "{id:?} is {actual:?} on the queue of {expected:?}"
            );
            previous = Some(id);
        }
        ensure!(queue.ends_with(previous), "a queue has a wrong end");
        Ok(())
    };
    for cpu in all_cpus() {
        for priority in 0..PRIORITIES {
            let queue = kernel.scheduler.ready_queue(cpu, priority);
            walk(queue, &|_| ThreadState::Ready)?;
            let misplaced = queue.iter(&kernel.threads).find(|&id| {
                let thread = &kernel.threads[id];
                let here = thread.cpu == cpu && thread.may_run_on(cpu.0.into());
                usize::from(thread.priority) != priority || !here
            });
            ensure!(
                misplaced.is_none(),
                "{misplaced:?} is ready at the wrong priority or CPU"
            );
        }
    }
    ensure!(
        kernel.scheduler.woken().head.is_none(),
        "a thread was woken and is at no CPU"
    );
    for (id, endpoint) in kernel.endpoints.iter() {
        walk(endpoint.callers, &|_| ThreadState::Calling(id))?;
        walk(endpoint.receivers, &|_| ThreadState::Receiving(id))?;
    }
    for (id, notification) in kernel.notifications.iter() {
        walk(notification.waiters, &|_| ThreadState::Waiting(id))?;
    }
    for (id, process) in kernel.processes.iter() {
        walk(process.throttled, &|_| ThreadState::Throttled)?;
        let mut throttled = process.throttled.iter(&kernel.threads);
        let stranger = throttled.find(|&thread| kernel.threads[thread].process != Some(id));
        ensure!(
            stranger.is_none(),
            "{stranger:?} waits for the budget of {id:?}"
        );
    }
    for (id, thread) in kernel.threads.iter() {
        let queued = found.contains(id.position());
        let expected = match thread.state {
            ThreadState::New
            | ThreadState::Sleeping
            | ThreadState::AwaitingReply(_)
            | ThreadState::Ended => false,
            ThreadState::Running => {
                ensure!(
                    kernel.scheduler.running_on(thread.cpu) == Some(id),
                    "{id:?} is not running"
                );
                false
            }
            _ => true,
        };
        ensure!(
            queued == expected,
            "{id:?} is {:?}, on a queue: {queued}",
            thread.state
        );
    }
    Ok(())
}

/// Threads that await a reply and reply handles belong to each other, one to one.
fn replies(kernel: &Kernel) -> Checked {
    let mut handles = BTreeMap::new();
    for (server, _) in kernel.processes.iter() {
        for (slot, entry) in kernel.slots_of(server).iter().enumerate() {
            if let Some(Object::Reply(Some(thread))) = entry.capability.map(|c| c.object) {
                let other = handles.insert(thread.position(), (server, slot as u16));
                ensure!(other.is_none(), "{thread:?} has two reply handles");
            }
        }
    }
    for (id, thread) in kernel.threads.iter() {
        let handle = handles.remove(&id.position());
        let expected = match thread.state {
            ThreadState::AwaitingReply(slot) => match kernel.lineage.derived(slot) {
                Some(Derived::Slot(server, slot)) => Some((server, slot)),
                _ => None,
            },
            _ => None,
        };
        ensure!(
            handle == expected,
            "{id:?} expects a reply from {expected:?}, not {handle:?}"
        );
    }
    ensure!(
        handles.is_empty(),
        "reply handles to threads that do not exist"
    );
    Ok(())
}

/// Nobody waits for what is there, or for what can never come.
fn waiting(kernel: &Kernel) -> Checked {
    for (id, notification) in kernel.notifications.iter() {
        let waits = notification.waiters.head.is_some();
        ensure!(
            !waits || notification.bits == 0,
            "a thread waits for bits that {id:?} has"
        );
        if let Some(bound) = notification.bound {
            let thread = &kernel.threads[bound];
            ensure!(thread.bound == Some(id), "{bound:?} is not bound to {id:?}");
            let receives = matches!(thread.state, ThreadState::Receiving(_));
            ensure!(
                !receives || notification.bits == 0,
                "{bound:?} was not told of {id:?}"
            );
        }
    }
    for (id, thread) in kernel.threads.iter() {
        if let Some(bound) = thread.bound {
            let back = kernel.notifications[bound].bound;
            ensure!(
                back == Some(id),
                "{id:?} is bound to a notification of {back:?}"
            );
        }
        if let Some(node) = thread.through
            && thread.waits_through(node)
        {
            let slot = &kernel.slots[node.position()];
            ensure!(slot.waited, "nobody would find that {id:?} waits");
            let object = slot.capability.map(|capability| capability.object);
            let expected = match thread.state {
                ThreadState::Receiving(endpoint) | ThreadState::Calling(endpoint) => {
                    Some(Object::Endpoint(endpoint))
                }
                ThreadState::Waiting(notification) => Some(Object::Notification(notification)),
                _ => object.filter(|object| matches!(object, Object::Endpoint(_))),
            };
            let its_own = matches!(
                kernel.lineage.derived(node),
                Some(Derived::Slot(process, _)) if Some(process) == thread.process
            );
            ensure!(
                its_own && object.is_some() && object == expected,
                "{id:?} waits for {expected:?} through {object:?}"
            );
        }
    }
    for (id, endpoint) in kernel.endpoints.iter() {
        let (callers, receivers) = (endpoint.callers.head, endpoint.receivers.head);
        let both = callers.is_some() && receivers.is_some();
        ensure!(!both, "callers and receivers wait for each other at {id:?}");
        let hopeless = callers.is_some() && endpoint.receiving_handles == 0;
        ensure!(
            !hopeless,
            "callers wait at {id:?}, which nobody can receive from"
        );
        let slots = kernel
            .processes
            .iter()
            .flat_map(|(id, _)| kernel.slots_of(id));
        let receiving = slots.filter(|slot| {
            let reads = |capability: Capability| capability.rights.contains(Rights::READ);
            slot.capability.is_some_and(|capability| {
                capability.object == Object::Endpoint(id) && reads(capability)
            })
        });
        let deadlines: Vec<u64> = receiving.map(|slot| slot.deadline_ns).collect();
        let until_ns = deadlines.iter().copied().max().unwrap_or(UNKNOWN);
        let noted = endpoint.receivable_until_ns;
        ensure!(
            !endpoint.expires || noted == UNKNOWN || noted == until_ns,
            "{id:?} can be received from until {until_ns}, not {noted}"
        );
        ensure!(
            endpoint.expires || deadlines.iter().all(|&deadline_ns| deadline_ns == NEVER),
            "{id:?} does not know that handles to it expire"
        );
        let mut waits = endpoint
            .callers
            .iter(&kernel.threads)
            .filter_map(|id| kernel.threads[id].deadline_ns);
        ensure!(
            callers.is_none()
                || until_ns == NEVER
                || waits.any(|deadline_ns| deadline_ns <= until_ns),
            "callers wait at {id:?} longer than anybody can receive"
        );
    }
    Ok(())
}

fn all_cpus() -> impl Iterator<Item = CpuId> {
    (0..CPUS_MAX as u8).map(CpuId)
}

/// On every CPU that has settled the running thread has the highest priority, and the timer is armed for what is due and for nothing
/// else. The others were told to settle.
fn scheduling(kernel: &Kernel, machine: &FakeMachine) -> Checked {
    let scheduler = &kernel.scheduler;
    for cpu in all_cpus() {
        let queue = |p| scheduler.ready_queue(cpu, p);
        let occupied = (0..PRIORITIES).filter(|&p| queue(p).head.is_some());
        let highest = occupied.clone().next_back();
        ensure!(
            scheduler.occupied(cpu) == occupied.fold(0, |bits, p| bits | 1u32 << p),
            "{cpu:?}: the bitmap of ready queues is wrong"
        );
        let count: usize = (0..PRIORITIES)
            .map(|p| queue(p).iter(&kernel.threads).count())
            .sum();
        ensure!(
            scheduler.ready_count(cpu) == count,
            "{cpu:?} has {count} ready threads"
        );
        let thread = scheduler.running_on(cpu);
        let misplaced = thread.filter(|&id| {
            let thread = &kernel.threads[id];
            thread.state != ThreadState::Running || thread.cpu != cpu
        });
        ensure!(
            misplaced.is_none(),
            "{cpu:?} runs {misplaced:?}, which runs elsewhere or not"
        );
        let Some(state) = machine.cpus.get(usize::from(cpu.0)) else {
            let nothing = thread.is_none() && count == 0;
            ensure!(nothing, "{cpu:?} does not exist and has threads");
            continue;
        };
        ensure!(
            !scheduler.is_kicked(cpu) || scheduler.is_stale(cpu),
            "{cpu:?} was kicked and has nothing to decide"
        );
        if scheduler.is_stale(cpu) {
            let told = state.kicked || state.stopped;
            ensure!(told, "{cpu:?} was not told to decide");
            continue;
        }
        let running = thread.map(|id| usize::from(kernel.threads[id].priority));
        ensure!(
            running >= highest,
            "{highest:?} is ready on {cpu:?} while {running:?} runs"
        );
        let forbidden = thread.filter(|&id| !kernel.threads[id].may_run_on(cpu.0.into()));
        ensure!(forbidden.is_none(), "{forbidden:?} may not run on {cpu:?}");
        let timeout = scheduler.timeouts(cpu).head;
        let timeout = timeout.and_then(|id| kernel.threads[id].deadline_ns);
        let shared = running.is_some() && running == highest;
        let slice = shared.then(|| scheduler.slice_end_ns(cpu));
        let mapping = thread.map(|id| kernel.threads[id].mapping_expires_ns);
        let mapping = mapping.filter(|&at| at != NEVER);
        let reservation = scheduler.reservation_end(cpu);
        let alarm = kernel.alarms[usize::from(cpu.0)].head;
        let alarm = alarm.and_then(|id| kernel.timers[id].deadline_ns());
        let due = [timeout, alarm, slice, reservation, mapping];
        // The end of time never comes.
        let due = due.into_iter().flatten().min().filter(|&at| at != NEVER);
        let armed = machine.timer_ns[usize::from(cpu.0)];
        // What the timer was set for can be gone: it goes off once for nothing.
        let early = armed.is_some_and(|at| due.is_none_or(|due| at < due));
        ensure!(
            armed == due || early,
            "the timer of {cpu:?} is set to {armed:?}, not {due:?}"
        );
    }
    no_idle_cpu_has_work(kernel, machine)
}

/// No CPU is idle while a thread is ready that may run there, once it and the CPU of that thread have settled.
fn no_idle_cpu_has_work(kernel: &Kernel, machine: &FakeMachine) -> Checked {
    let scheduler = &kernel.scheduler;
    let cpus = all_cpus().take(machine.cpus.len());
    let idle = cpus.filter(|&cpu| scheduler.running_on(cpu).is_none() && !scheduler.is_stale(cpu));
    for cpu in idle {
        for (id, thread) in kernel.threads.iter() {
            let ready = thread.state == ThreadState::Ready && thread.may_run_on(cpu.0.into());
            ensure!(
                !ready || scheduler.is_stale(thread.cpu),
                "{id:?} is ready while {cpu:?} is idle"
            );
        }
    }
    Ok(())
}

/// Every thread with a deadline is on the timeouts of its CPU, in order, and blocked; every thread that sleeps has a deadline.
fn timeouts(kernel: &Kernel, machine: &FakeMachine) -> Checked {
    let mut found = Flags::default();
    for cpu in all_cpus() {
        let list = kernel.scheduler.timeouts(cpu);
        let mut earlier = (None, None);
        for id in list.iter(&kernel.threads) {
            let thread = &kernel.threads[id];
            ensure!(found.insert(id.position()), "{id:?} is on two timeouts");
            ensure!(
                thread.cpu == cpu && usize::from(cpu.0) < machine.cpus.len(),
                "{id:?} is on the timeouts of another CPU"
            );
            ensure!(
                thread.deadline_ns.is_some() && earlier.1 <= thread.deadline_ns,
                "timeouts are not in order"
            );
            ensure!(
                earlier.0.is_none() || thread.timeout_links.previous == earlier.0,
                "{id:?} has a wrong link back"
            );
            earlier = (Some(id), thread.deadline_ns);
        }
        ensure!(list.ends_with(earlier.0), "timeouts have a wrong end");
    }
    for (id, thread) in kernel.threads.iter() {
        let timed = thread.deadline_ns.is_some();
        ensure!(
            timed == found.contains(id.position()),
            "{id:?} has a deadline and no timeout, or the reverse"
        );
        let blocked = !matches!(
            thread.state,
            ThreadState::New | ThreadState::Ready | ThreadState::Running | ThreadState::Ended
        );
        ensure!(
            blocked || !timed,
            "{id:?} is not blocked and has a deadline"
        );
        let needs_one = matches!(thread.state, ThreadState::Sleeping | ThreadState::Throttled);
        ensure!(timed || !needs_one, "{id:?} waits for ever");
    }
    Ok(())
}

/// Every armed timer is on the list of its CPU, in order.
fn timers(kernel: &Kernel) -> Checked {
    let mut found = BTreeSet::new();
    for (cpu, list) in all_cpus().zip(&kernel.alarms) {
        let mut earlier = (None, None);
        for id in list.iter(&kernel.timers) {
            let timer = &kernel.timers[id];
            ensure!(found.insert(id.position()), "{id:?} is on two lists");
            ensure!(timer.cpu == cpu, "{id:?} is on the list of {cpu:?}");
            ensure!(
                timer.armed.is_some() && earlier.1 <= timer.deadline_ns(),
                "timers are not in order"
            );
            ensure!(
                earlier.0.is_none() || timer.links.previous == earlier.0,
                "{id:?} has a wrong link back"
            );
            earlier = (Some(id), timer.deadline_ns());
        }
        ensure!(list.ends_with(earlier.0), "timers have a wrong end");
        let first = list.head.and_then(|id| kernel.timers[id].deadline_ns());
        ensure!(
            kernel.scheduler.alarm_ns(cpu) == first,
            "{cpu:?} does not know its first timer"
        );
    }
    for (id, timer) in kernel.timers.iter() {
        ensure!(
            timer.armed.is_some() == found.contains(&id.position()),
            "{id:?} is armed and on no list, or the reverse"
        );
    }
    Ok(())
}

/// What runs is charged to processes that live, and what is left and reserved of a budget is at most the budget.
fn budgets(kernel: &Kernel) -> Checked {
    let scheduler = &kernel.scheduler;
    let alive = |id: ProcessId| {
        kernel.processes.id_at(id.position()).is_some() && kernel.processes[id].exit.is_none()
    };
    for (id, thread) in kernel.threads.iter() {
        if thread.state != ThreadState::Ended {
            let account = thread.account;
            ensure!(
                account.is_some_and(alive),
                "{id:?} works at the cost of {account:?}, which has ended"
            );
        }
    }
    let mut reserved = BTreeMap::<usize, u64>::new();
    for cpu in all_cpus() {
        let account = scheduler.account(cpu);
        let running = scheduler.running_on(cpu);
        let expected = running.and_then(|id| kernel.threads[id].account);
        ensure!(
            account == expected || scheduler.is_stale(cpu),
            "{cpu:?} charges {account:?}, not {expected:?}"
        );
        let Some(account) = account else { continue };
        ensure!(alive(account), "{cpu:?} charges {account:?}, which ended");
        let budget = &kernel.processes[account].budget;
        let reservation = scheduler.reservation(cpu);
        ensure!(
            reservation.is_some() == budget.is_limited(),
            "{cpu:?} has a reservation of {account:?}, or none"
        );
        if let Some(reservation) = reservation.filter(|&r| budget.is_current(r)) {
            *reserved.entry(account.position()).or_default() += reservation.ns;
        }
    }
    for (id, process) in kernel.processes.iter() {
        let counted = reserved.get(&id.position()).copied().unwrap_or(0);
        let (left, stored) = process.budget.left_and_reserved_ns();
        ensure!(
            process.exit.is_some() || stored == counted,
            "{id:?} has {counted} ns reserved, not {stored}"
        );
        ensure!(
            left + stored <= process.budget.budget_ns,
            "{id:?} has more left than its budget"
        );
    }
    Ok(())
}

/// CPUs run user code only in the space of their running thread, and what they remember of a space is what is mapped there.
fn translations(kernel: &Kernel, machine: &FakeMachine) -> Checked {
    for (cpu, state) in all_cpus().zip(&machine.cpus) {
        let running = kernel.scheduler.running_on(cpu);
        let space = running.map(|id| kernel.threads[id].space);
        ensure!(
            !state.in_user || (space.is_some() && space == state.loaded),
            "{cpu:?} runs user code of nobody"
        );
        let Some(loaded) = state.loaded else { continue };
        for (page, frames) in &state.tlb {
            let frame = machine.translate(loaded, *page).map(|(frame, _)| frame);
            let stale = frames.iter().find(|&&known| Some(known) != frame);
            ensure!(
                stale.is_none(),
                "{cpu:?} reaches {stale:?} through {page:?}, which is unmapped"
            );
        }
    }
    Ok(())
}

/// A device reaches the memory of its windows and nothing else; they are whole memories of RAM, apart, of living processes, and below a
/// handle to the device and one to the memory, unless one was closed that was derived from none.
fn devices(kernel: &Kernel, machine: &FakeMachine) -> Checked {
    let mut pages = BTreeMap::new();
    for (number, window) in (0..).zip(kernel.windows.iter()) {
        let Some(window) = window else { continue };
        let memory = &kernel.memories[window.memory];
        let MemoryKind::Ram(frames) = &memory.kind else {
            return Err(format!("window {number} shows a device"));
        };
        let whole = u32::from(window.pages) == memory.pages;
        ensure!(whole, "window {number} shows a part of a memory");
        let alive = kernel.processes.id_at(window.owner.position()).is_some()
            && kernel.processes[window.owner].exit.is_none();
        ensure!(alive, "window {number} outlives its process");
        for (page, frame) in (window.first..).zip(kernel.frames.iter(frames)) {
            let other = pages.insert((window.device, page), frame);
            ensure!(other.is_none(), "window {number} lies over another");
        }
        for (side, kind) in [
            (Side::Source, ObjectKind::Device),
            (Side::Notification, ObjectKind::Memory),
        ] {
            let node = kernel.lineage.node(Derived::Window(number, side));
            let Some(parent) = kernel.lineage.parent(node) else {
                continue;
            };
            let Some(Derived::Slot(process, index)) = kernel.lineage.derived(parent) else {
                return Err(format!("window {number} is below no handle"));
            };
            let capability = kernel.slots_of(process)[usize::from(index)].capability;
            let found = capability.map(|capability| capability.object.kind());
            let above = [Some(kind), Some(ObjectKind::Hardware)];
            ensure!(above.contains(&found), "window {number} is below {found:?}");
        }
    }
    let mut mapped = BTreeMap::new();
    for (&number, device) in &machine.devices {
        let reaches: BTreeSet<_> = device.pages.values().map(|(frame, _)| *frame).collect();
        ensure!(
            device.reaches == reaches,
            "device {number:#x} reaches what is unmapped"
        );
        let own = device.pages.iter();
        mapped.extend(own.map(|(page, (frame, _))| ((number, *page), *frame)));
    }
    ensure!(
        mapped == pages,
        "devices reach {mapped:?} and may reach {pages:?}"
    );
    Ok(())
}

/// Each line has one object, and only lines that are bound are let through.
fn interrupts(kernel: &Kernel, machine: &FakeMachine) -> Checked {
    let mut lines = BTreeMap::new();
    for (id, interrupt) in kernel.interrupts.iter() {
        let other = lines.insert(interrupt.global, interrupt.signal.is_some());
        ensure!(other.is_none(), "{id:?} shares its line");
    }
    for line in &machine.enabled_interrupts {
        ensure!(
            lines.get(line) == Some(&true),
            "line {line} is enabled and not bound"
        );
    }
    Ok(())
}

impl Kernel {
    /// Free slots of a process, and free reply slots.
    pub(crate) fn free_slots(
        &self,
        process: ProcessId,
    ) -> Result<[std::vec::Vec<u16>; 2], std::string::String> {
        let slots = self.slots_of(process);
        let first_free = self.processes[process].first_free_slot;
        let walk = |first| {
            let mut list = std::vec::Vec::new();
            let mut next: u16 = first;
            while next != NO_SLOT {
                if list.len() > slots.len() {
                    return Err(std::format!("{process:?}: free slots go in a circle"));
                }
                list.push(next);
                next = slots[usize::from(next)].next_free();
            }
            Ok(list)
        };
        Ok([walk(first_free)?, walk(slots[0].next_free())?])
    }
}
