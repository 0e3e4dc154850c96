//! The coarse clock: what a process that has it is told, and when what it waits for comes.

use nonos_abi::info::ProcessInfo;
use nonos_abi::info::process_flags::{COARSE_CLOCK, COARSE_CLOCK_NS};
use nonos_abi::words::Words;
use nonos_abi::{Error, Syscall};

use crate::arena::ProcessId;
use crate::testing::World;

const MS: u64 = COARSE_CLOCK_NS;

/// A process of `worker` with these flags, made by `maker` and started.
fn start(world: &mut World, maker: ProcessId, module: u64, flags: u64) -> (ProcessId, u64) {
    let arguments = [module, u64::MAX, 100, 0, 0, flags];
    let handle = world.value(maker, Syscall::ProcessCreate, &arguments);
    world.value(maker, Syscall::ProcessStart, &[handle, 0, 0]);
    (world.process_behind(maker, handle), handle)
}

/// `init` and a process of it that has the coarse clock.
fn coarse() -> (World, ProcessId, ProcessId) {
    let mut world = World::default();
    let init = world.init();
    let module = world.admit("worker").unwrap();
    let (process, _) = start(&mut world, init, module, COARSE_CLOCK);
    (world, init, process)
}

fn info(world: &mut World, reader: ProcessId, handle: u64) -> ProcessInfo {
    let buffer = world.buffer(reader);
    world.value(reader, Syscall::ProcessRead, &[handle, buffer, 100]);
    ProcessInfo::read_words(&world.peek_words(reader, buffer, ProcessInfo::COUNT)).unwrap()
}

#[test]
fn times_are_told_in_whole_ticks() {
    let (mut world, init, process) = coarse();
    world.machine.now_ns = 7 * MS + 123_456;
    assert_eq!(world.value(process, Syscall::ClockRead, &[]), 7 * MS);
    assert_eq!(world.value(init, Syscall::ClockRead, &[]), 7 * MS + 123_456);
    world.kernel.processes[process].cpu_ns = 3 * MS + 5;
    let own = info(&mut world, process, nonos_abi::start::SELF.raw().into());
    assert_eq!((own.cpu_ns % MS, own.flags), (0, COARSE_CLOCK));
}

#[test]
fn what_is_waited_for_comes_at_ticks() {
    let (mut world, _, process) = coarse();
    world.begin(process, Syscall::Sleep, &[5 * MS - 1]);
    world.advance(5 * MS - 1);
    assert!(world.is_blocked(process));
    world.advance(1);
    assert!(!world.is_blocked(process));
    let timer = world.value(process, Syscall::TimerCreate, &[]);
    let notification = world.value(process, Syscall::NotificationCreate, &[]);
    let odd = [timer, notification, 1, 8 * MS + 1, 2 * MS - 1];
    world.value(process, Syscall::TimerSet, &odd);
    for due in [9, 11, 13] {
        world.begin(process, Syscall::NotificationWait, &[notification]);
        world.advance(due * MS - 1 - world.machine.now_ns);
        assert!(world.is_blocked(process), "before {due} ms");
        world.advance(1);
        assert_eq!(world.result(process).unwrap()[0], 1);
    }
}

#[test]
fn children_have_it_too_and_their_address_spaces_lack_the_counter() {
    let (mut world, init, process) = coarse();
    let module = world.admit("worker").unwrap();
    let (fine, handle) = start(&mut world, init, module, 0);
    assert_eq!(info(&mut world, init, handle).flags, 0);
    let module = world.share(init, module, process);
    let (child, _) = start(&mut world, process, module, 0);
    for (process, coarse) in [(process, true), (child, true), (fine, false)] {
        assert_eq!(world.kernel.processes[process].coarse_clock, coarse);
        let space = world.space(process);
        assert_eq!(world.machine.lacks_counter(space), coarse);
    }
}

#[test]
fn flags_that_do_not_exist_are_refused() {
    let mut world = World::default();
    let init = world.init();
    let module = world.admit("worker").unwrap();
    for flags in [2, 3, 1 << 63, u64::MAX] {
        let arguments = [module, 5, 100, 0, 0, flags];
        let refused = world.call(init, Syscall::ProcessCreate, &arguments);
        assert_eq!(refused, Err(Error::InvalidArgument));
    }
}
