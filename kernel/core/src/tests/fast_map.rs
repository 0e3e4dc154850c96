//! Mapping and unmapping on the fast path mean the same as on the plain one: the same games on two worlds, one without it, end the same
//! after each step.

use std::format;
use std::string::String;
use std::vec::Vec;

use nonos_abi::{Error, Rights, Syscall};

use crate::arena::ProcessId;
use crate::fast_path::Kind;
use crate::lineage::DEPTH_MAX;
use crate::machine::Machine;
use crate::region::Backing;
use crate::testing::player::Dice;
use crate::testing::{World, WorldOptions};
use crate::tests::scheduling::worker_with;

const READ: u64 = Rights::READ.bits();
const READ_WRITE: u64 = Rights::READ.or(Rights::WRITE).bits();

/// Two worlds in which the same happens. The second one is without the fast path.
struct Twins([World; 2]);

impl Twins {
    fn new(options: WorldOptions) -> Self {
        Self([false, true].map(|plain_only| {
            let mut world = World::new(options);
            world.plain_only = plain_only;
            world
        }))
    }

    /// Does the same in both, and returns what both say.
    fn both<T: PartialEq + core::fmt::Debug>(
        &mut self,
        mut step: impl FnMut(&mut World) -> T,
    ) -> T {
        let [first, second] = &mut self.0;
        let (first, second) = (step(first), step(second));
        assert_eq!(first, second);
        first
    }

    /// Makes a system call in both, checks that it comes to the same, and says whether it took the fast path.
    fn call(
        &mut self,
        process: ProcessId,
        call: Syscall,
        arguments: &[u64],
    ) -> (Result<[u64; 2], Error>, bool) {
        let result = self.both(|world| {
            world.begin(process, call, arguments);
            let thread = world.thread(process);
            (
                world.state(process),
                world.kernel.threads[thread].context.rax,
            )
        });
        self.both(state);
        let result = match Error::from_raw(result.1) {
            Some(error) => Err(error),
            None => self.both(|world| world.result(process)),
        };
        let taken = self.0.each_mut().map(|world| {
            let taken = &mut world.kernel.fast_paths;
            let taken =
                [Kind::Map, Kind::Unmap].map(|kind| core::mem::take(&mut taken[kind as usize]));
            taken != [0; 2]
        });
        assert!(!taken[1]);
        (result, taken[0])
    }
}

/// All that mapping and unmapping can change.
fn state(world: &mut World) -> String {
    let World {
        kernel, machine, ..
    } = world;
    let mut text = format!("{:?}", machine.table_frames());
    for (id, process) in kernel.processes.iter() {
        let (pages, tables) = (process.pages, process.table_pages);
        text += &format!("\n{id:?} {pages} {tables} {:b}", process.region_numbers);
        for region in kernel.regions_of(id) {
            let node = kernel.lineage.region(id, region.number);
            let (links, parent) = (kernel.lineage.links(node), kernel.lineage.parent(node));
            let (address, backing) = (region.address, region.backing);
            let (number, expires_ns) = (region.number, region.expires_ns);
            text += &format!("\n{address:x} {} {backing:?} {number}", region.pages);
            text += &format!(" {expires_ns} {links:?} {parent:?}");
        }
        for thread in kernel.threads_of(id) {
            let thread = &kernel.threads[thread];
            text += &format!("\n{:?} {}", thread.state, thread.mapping_expires_ns);
        }
        if let Some(space) = process.space {
            text += &format!("{:?}", machine.mappings(space).collect::<Vec<_>>());
        }
    }
    for (id, memory) in kernel.memories.iter() {
        text += &format!(
            "\n{id:?} {} {}",
            memory.pages,
            kernel.memories.references(id)
        );
    }
    text
}

#[test]
fn mapping_on_the_fast_path_means_the_same_as_on_the_plain_one() {
    let mut taken = 0;
    for seed in 1..=4 {
        let mut dice = Dice::Seed(seed << 20 | 1);
        let mut twins = Twins::new(WorldOptions::default());
        let init = twins.both(|world| world.init());
        let mut handles = std::vec![0, 3, 0x1234_5003];
        for pages in [1, 1, 1, 3] {
            handles.extend(twins.both(|world| {
                let all = world.value(init, Syscall::MemoryCreate, &[pages]);
                let read = world.value(init, Syscall::HandleCopy, &[all, READ, 0]);
                let write = world.value(init, Syscall::HandleCopy, &[all, READ_WRITE, 0]);
                let late = world.value(init, Syscall::HandleCopy, &[all, READ_WRITE, 1 << 30]);
                [all, all, read, write, late]
            }));
        }
        for _ in 0..700 {
            let addresses = twins.both(|world| {
                let regions = world.kernel.regions_of(init).iter();
                regions.map(|region| region.address).collect::<Vec<_>>()
            });
            let handle = dice.pick(&handles);
            let address = match dice.one_in(12) {
                true => dice.pick(&[0, 1, addresses[0] + 1, 1 << 46, 1 << 63]),
                false => dice.pick(&addresses),
            };
            let (call, first) = match dice.below(20) {
                0 => (Syscall::HandleRevoke, handle),
                1 => (Syscall::HandleClose, handle),
                2 => (Syscall::MemoryCreate, 1),
                3..12 => (Syscall::MemoryMap, handle),
                _ => (Syscall::MemoryUnmap, address),
            };
            let first = first | u64::from(dice.one_in(60)) << 32;
            let second = dice.pick(&[READ, READ_WRITE, READ_WRITE, 0, 7, 1 << 32 | 1]);
            let (result, fast) = twins.call(init, call, &[first, second]);
            taken += u32::from(fast);
            if let (Syscall::MemoryCreate, Ok([made, _])) = (call, result) {
                handles.push(made);
            }
            if dice.one_in(40) {
                let ns = dice.below(1 << 27);
                twins.both(|world| world.advance(ns));
            }
        }
    }
    assert!(taken > 400, "taken: {taken}");
}

/// A process that runs, with a page of memory behind the handle.
fn with_page() -> (Twins, ProcessId, u64) {
    let mut twins = Twins::new(WorldOptions::default());
    let init = twins.both(|world| world.init());
    let memory = twins.both(|world| world.value(init, Syscall::MemoryCreate, &[1]));
    (twins, init, memory)
}

#[test]
fn the_usual_case_is_fast() {
    let (mut twins, init, memory) = with_page();
    for access in [READ, READ_WRITE] {
        let (mapped, fast) = twins.call(init, Syscall::MemoryMap, &[memory, access]);
        assert!(fast);
        let [address, _] = mapped.unwrap();
        assert!(twins.call(init, Syscall::MemoryUnmap, &[address]).1);
    }
}

#[test]
fn the_last_mapping_of_memory_without_handles_frees_it() {
    let (mut twins, init, memory) = with_page();
    let [address, _] = twins
        .call(init, Syscall::MemoryMap, &[memory, READ])
        .0
        .unwrap();
    twins.call(init, Syscall::HandleClose, &[memory]).0.unwrap();
    let (unmapped, fast) = twins.call(init, Syscall::MemoryUnmap, &[address]);
    assert!(unmapped.is_ok() && !fast);
    assert_eq!(twins.both(|world| world.kernel.memories.used()), 0);
}

#[test]
fn too_many_regions_too_many_pages_and_too_few_page_tables_are_left_to_the_plain_path() {
    let (mut twins, init, memory) = with_page();
    let map = [memory, READ];
    let enough = twins.both(|world| {
        let (free, total) = world.machine.table_frames();
        core::mem::replace(&mut world.machine.table_frames, total - free + 2)
    });
    let refused = twins.call(init, Syscall::MemoryMap, &map);
    assert_eq!(refused, (Err(Error::OutOfMemory), false));
    // What is there must be enough for the most that any page can need.
    for (left, is_fast) in [(4, false), (5, true)] {
        twins.both(|world| {
            let (free, _) = world.machine.table_frames();
            world.machine.table_frames = world.machine.table_frames - free + left;
        });
        let (mapped, fast) = twins.call(init, Syscall::MemoryMap, &map);
        let [address, _] = mapped.unwrap();
        assert_eq!(fast, is_fast, "{left}");
        twins
            .call(init, Syscall::MemoryUnmap, &[address])
            .0
            .unwrap();
    }
    twins.both(|world| world.machine.table_frames = enough);

    let quota = twins.both(|world| {
        let process = &mut world.kernel.processes[init];
        core::mem::replace(&mut process.quota_pages, process.pages + 4)
    });
    let refused = twins.call(init, Syscall::MemoryMap, &map);
    assert_eq!(refused, (Err(Error::QuotaExceeded), false));
    twins.both(|world| world.kernel.processes[init].quota_pages += 1);
    assert!(twins.call(init, Syscall::MemoryMap, &map).1);
    twins.both(|world| world.kernel.processes[init].quota_pages = quota);

    while let (Ok(_), fast) = twins.call(init, Syscall::MemoryMap, &map) {
        assert!(fast);
    }
    let refused = twins.call(init, Syscall::MemoryMap, &map);
    assert_eq!(refused, (Err(Error::OutOfObjects), false));
}

#[test]
fn a_handle_that_is_too_deep_is_left_to_the_plain_path() {
    let (mut twins, init, mut handle) = with_page();
    for depth in 1..DEPTH_MAX {
        let all = Rights::ALL.bits();
        handle = twins
            .call(init, Syscall::HandleCopy, &[handle, all, 0])
            .0
            .unwrap()[0];
        let (mapped, fast) = twins.call(init, Syscall::MemoryMap, &[handle, READ]);
        let may = depth < DEPTH_MAX - 1;
        assert_eq!(
            (mapped.err(), fast),
            ((!may).then_some(Error::TooDeep), may)
        );
        if let Ok([address, _]) = mapped {
            assert!(twins.call(init, Syscall::MemoryUnmap, &[address]).1);
        }
    }
}

#[test]
fn a_mapping_that_expires_is_looked_after_first() {
    for call in [Syscall::MemoryMap, Syscall::MemoryUnmap] {
        let (mut twins, init, memory) = with_page();
        let map = [memory, READ];
        let [other, _] = twins.call(init, Syscall::MemoryMap, &map).0.unwrap();
        let late = [memory, READ, 1 << 30];
        let [late, _] = twins.call(init, Syscall::HandleCopy, &late).0.unwrap();
        let mapped = twins.call(init, Syscall::MemoryMap, &[late, READ]);
        let (Ok([address, _]), false) = mapped else {
            panic!("{mapped:?}");
        };
        // The time has come, the timer is about to go off.
        twins.both(|world| world.machine.now_ns = 1 << 30);
        let first = match call {
            Syscall::MemoryMap => memory,
            _ => other,
        };
        let (result, fast) = twins.call(init, call, &[first, READ]);
        assert!(result.is_ok() && !fast, "{call:?}");
        let gone = twins.both(|world| {
            let mut regions = world.kernel.regions_of(init).iter();
            regions.any(|region| region.address == address && region.backing == Backing::Revoked)
        });
        assert!(gone, "{call:?}");
    }
}

#[test]
fn a_cpu_with_something_to_decide_decides_first() {
    for call in [Syscall::MemoryMap, Syscall::MemoryUnmap] {
        let mut world = World::with_cpus(2);
        let init = world.init();
        let [maps, signals, waits] = [2, 4, 6].map(|priority| worker_with(&mut world, priority));
        world.begin(init, Syscall::Sleep, &[1 << 40]);
        let notification = world.value(waits, Syscall::NotificationCreate, &[]);
        let shared = world.share(waits, notification, signals);
        world.begin(waits, Syscall::NotificationWait, &[notification]);
        let memory = world.value(maps, Syscall::MemoryCreate, &[1]);
        let map = [memory, READ];
        let [address, _] = world.call(maps, Syscall::MemoryMap, &map).unwrap();
        world.holds_kicks = true;
        world.begin(signals, Syscall::NotificationSignal, &[shared, 1]);
        let before = world.kernel.fast_paths;
        let first = match call {
            Syscall::MemoryMap => memory,
            _ => address,
        };
        world.begin(maps, call, &[first, READ]);
        assert_eq!(world.running(), Some(waits), "{call:?}");
        assert!(world.result(maps).is_ok());
        assert_eq!(world.kernel.fast_paths, before);
    }
}
