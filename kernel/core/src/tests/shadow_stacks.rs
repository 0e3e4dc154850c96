//! Shadow stacks, on CPUs that have them: one for each thread, read-only for programs, charged, and gone with the thread.

use nonos_abi::{Error, PAGE_BYTES, Syscall};

use crate::arena::{ProcessId, ThreadId};
use crate::machine::{Access, Machine, UserPage};
use crate::shadow_stack::PAGES;
use crate::testing::{World, WorldOptions};

fn world() -> World {
    World::new(WorldOptions {
        shadow_stacks: true,
        ..WorldOptions::default()
    })
}

/// The first and the last page of a thread's shadow stack.
fn pages(world: &World, thread: ThreadId) -> [UserPage; 2] {
    let top = world.kernel.threads[thread].context.control_flow;
    let bytes = PAGE_BYTES as u64;
    [PAGES, 1].map(|below| UserPage::new(top - below * bytes).unwrap())
}

fn access(world: &World, process: ProcessId, page: UserPage) -> Option<Access> {
    let space = world.kernel.processes[process].space.unwrap();
    world
        .machine
        .translate(space, page)
        .map(|(_, access)| access)
}

#[test]
fn every_thread_has_one_of_its_own_between_guard_pages() {
    let mut world = world();
    let init = world.init();
    let first = world.thread(init);
    let (second, _) = world.spawn(init, 3);
    let (a, b) = (pages(&world, first), pages(&world, second));
    assert_ne!(a, b);
    for [low, high] in [a, b] {
        assert_eq!(access(&world, init, low), Some(Access::ShadowStack));
        assert_eq!(access(&world, init, high), Some(Access::ShadowStack));
        let bytes = PAGE_BYTES as u64;
        for guard in [low.address() - bytes, high.address() + bytes] {
            let guard = UserPage::new(guard).unwrap();
            assert_eq!(access(&world, init, guard), None);
        }
    }
}

#[test]
fn a_program_can_neither_unmap_one_nor_have_the_kernel_write_there() {
    let mut world = world();
    let init = world.init();
    let [low, _] = pages(&world, world.thread(init));
    let refused = world.call(init, Syscall::MemoryUnmap, &[low.address()]);
    assert_eq!(refused, Err(Error::BadAddress));
    let call = [
        nonos_abi::start::SYSTEM_INFO.raw().into(),
        0,
        0,
        low.address(),
        8,
    ];
    let refused = world.call(init, Syscall::SystemRead, &call);
    assert_eq!(refused, Err(Error::BadAddress));
    assert_eq!(access(&world, init, low), Some(Access::ShadowStack));
}

#[test]
fn one_is_charged_to_the_process_and_gone_with_its_thread() {
    let mut world = world();
    let (worker, _) = world.start_worker();
    let charged = |world: &World| {
        let process = &world.kernel.processes[worker];
        (process.pages - process.table_pages, process.objects)
    };
    let before = charged(&world);
    let (thread, handle) = world.spawn(worker, 3);
    let [low, high] = pages(&world, thread);
    // The thread itself is an object, too.
    assert_eq!(charged(&world), (before.0 + PAGES, before.1 + 2));
    world.call(worker, Syscall::ThreadEnd, &[handle]).unwrap();
    assert_eq!(charged(&world), (before.0, before.1 + 1));
    for page in [low, high] {
        assert_eq!(access(&world, worker, page), None);
    }
}

#[test]
fn a_thread_without_room_for_one_is_refused_and_leaves_nothing() {
    let mut world = world();
    let (worker, _) = world.start_worker();
    let objects = |world: &World| world.kernel.processes[worker].objects;
    let refused = loop {
        let before = (objects(&world), world.kernel.threads.used());
        if let Err(error) = world.call(worker, Syscall::ThreadCreate, &[8, 0, 0, 0]) {
            assert_eq!((objects(&world), world.kernel.threads.used()), before);
            break error;
        }
    };
    let known = [
        Error::QuotaExceeded,
        Error::OutOfMemory,
        Error::OutOfObjects,
    ];
    assert!(known.contains(&refused), "{refused:?}");
    assert!(objects(&world) <= world.kernel.objects_per_process);
}

#[test]
fn without_them_in_the_cpu_no_thread_has_one() {
    let mut world = World::default();
    let init = world.init();
    let (thread, _) = world.spawn(init, 3);
    assert_eq!(world.kernel.threads[thread].context.control_flow, 0);
}
