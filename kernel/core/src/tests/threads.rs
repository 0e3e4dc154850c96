//! Threads: several in a process, how they are scheduled, and their end.

use nonos_abi::info::{exit_kind, process_state};
use nonos_abi::{Error, Handle, MessageInfo, ObjectKind, Rights, Syscall, USER_END};

use super::scheduling::worker_with;
use crate::arena::ThreadId;
use crate::machine::{CpuId, Event, Machine};
use crate::testing::{World, WorldOptions};

const NONE: u64 = Handle::NONE.raw() as u64;
const FIRST: CpuId = CpuId(0);
const SECOND: CpuId = CpuId(1);

/// What the CPUs run, in order.
fn running(world: &World) -> std::vec::Vec<Option<ThreadId>> {
    world.cpus().map(|cpu| world.running_thread(cpu)).collect()
}

#[test]
fn a_new_thread_starts_with_its_argument_and_all_other_registers_zero() {
    let mut world = World::default();
    let init = world.init();
    let arguments = [0x1234_5000, 0x7777_0000, 99, u64::MAX];
    let handle = world.value(init, Syscall::ThreadCreate, &arguments);
    let info = world.call(init, Syscall::HandleInfo, &[handle]);
    let expected = [ObjectKind::Thread as u64, Rights::ALL.bits()];
    assert_eq!(info, Ok(expected));
    world.begin(init, Syscall::Yield, &[]);
    let thread = world.running_thread(FIRST).unwrap();
    assert_ne!(thread, world.thread(init));
    let context = &world.kernel.threads[thread].context;
    assert_eq!((context.rip, context.rsp), (0x1234_5000, 0x7777_0000));
    assert_eq!((context.rdi, context.rsi, context.rax), (99, 0, 0));
    assert_eq!(world.kernel.processes[init].thread_count, 2);
}

#[test]
fn an_entry_outside_user_space_is_refused_and_a_bad_one_faults_later() {
    let mut world = World::default();
    let init = world.init();
    for entry in [USER_END, 1 << 63, u64::MAX] {
        let refused = world.call(init, Syscall::ThreadCreate, &[entry, 0, 0, 0]);
        assert_eq!(refused, Err(Error::BadAddress));
    }
    let fine = world.call(init, Syscall::ThreadCreate, &[8, 0, 0, 0]);
    assert!(fine.is_ok());
}

#[test]
fn threads_are_charged_as_objects_until_they_ended_and_their_handles_are_closed() {
    let mut world = World::default();
    let (worker, _) = world.start_worker();
    let objects = |world: &World| world.kernel.processes[worker].objects;
    let (_, handle) = world.spawn(worker, 3);
    assert_eq!(objects(&world), 1);
    world.call(worker, Syscall::ThreadEnd, &[handle]).unwrap();
    assert_eq!(objects(&world), 1, "the record is still there");
    let again = world.call(worker, Syscall::ThreadEnd, &[handle]);
    assert!(again.is_ok(), "it has ended already");
    let late = world.call(worker, Syscall::ThreadSchedule, &[handle, 1, 1]);
    assert_eq!(late, Err(Error::PeerGone));
    world.value(worker, Syscall::HandleClose, &[handle]);
    assert_eq!(objects(&world), 0);
    let limit = world.kernel.objects_per_process;
    for _ in 0..limit {
        world.value(worker, Syscall::ThreadCreate, &[8, 0, 0, 0]);
    }
    let refused = world.call(worker, Syscall::ThreadCreate, &[8, 0, 0, 0]);
    assert_eq!(refused, Err(Error::QuotaExceeded));
}

#[test]
fn running_out_of_threads_still_leaves_one_for_every_new_process() {
    let mut world = World::new(WorldOptions {
        processes: Some(4),
        ..WorldOptions::default()
    });
    let init = world.init();
    let (worker, _) = world.start_worker();
    for _ in 0..3 {
        world.spawn(init, 0);
    }
    let arguments = [8, 0, 0, 0];
    let create = |world: &mut World| world.call(worker, Syscall::ThreadCreate, &arguments);
    while world.kernel.threads.used() < 12 {
        assert!(create(&mut world).is_ok());
    }
    assert_eq!(create(&mut world), Err(Error::OutOfObjects));
    let module = world.admit("worker").unwrap();
    for _ in 0..2 {
        world.value(init, Syscall::ProcessCreate, &[module, 1, 100]);
    }
}

#[test]
fn closing_its_handle_does_not_end_a_thread() {
    let mut world = World::default();
    let init = world.init();
    let (thread, handle) = world.spawn(init, u64::MAX);
    world.value(init, Syscall::HandleClose, &[handle]);
    assert!(world.call_as(thread, Syscall::ClockRead, &[]).is_ok());
    world.begin_as(thread, Syscall::ThreadEnd, &[NONE]);
    assert_eq!(world.kernel.threads.used(), 1, "nothing is left of it");
}

#[test]
fn a_handle_that_a_thread_waits_through_is_neither_closed_nor_moved() {
    let mut world = World::default();
    let init = world.init();
    let endpoint = world.value(init, Syscall::EndpointCreate, &[]);
    let notification = world.value(init, Syscall::NotificationCreate, &[]);
    let (waiter, _) = world.spawn(init, u64::MAX);
    let (server, _) = world.spawn(init, u64::MAX);
    world.begin_as(server, Syscall::Receive, &[endpoint]);
    world.begin_as(waiter, Syscall::NotificationWait, &[notification]);
    let close = world.call(init, Syscall::HandleClose, &[notification]);
    assert_eq!(close, Err(Error::Busy));
    let info = MessageInfo::new(0, 0, 1).moving(1).0;
    world.switch_to(init);
    world.context(init).rbx = notification;
    let moved = world.call(init, Syscall::Call, &[endpoint, info]);
    assert_eq!(moved, Err(Error::Busy));
    // Nobody waits any more.
    world.value(init, Syscall::NotificationSignal, &[notification, 1]);
    let close = world.call(init, Syscall::HandleClose, &[notification]);
    assert!(close.is_ok());
}

#[test]
fn the_process_ends_with_its_last_thread_whichever_that_is() {
    let mut world = World::default();
    let init = world.init();
    let (worker, handle) = world.start_worker();
    let (second, own) = world.spawn(worker, u64::MAX);
    let first = world.thread(worker);
    world.begin_as(first, Syscall::ThreadEnd, &[NONE]);
    assert!(world.kernel.processes[worker].exit.is_none());
    assert_eq!(world.thread(worker), second);
    world.begin_as(second, Syscall::ThreadEnd, &[own]);
    let info = world.kernel.process_info(worker, 0);
    assert_eq!(
        (info.state, info.exit_kind, info.exit_code, info.threads),
        (process_state::ENDED, exit_kind::EXIT, 0, 0)
    );
    world.value(init, Syscall::HandleClose, &[handle]);
    assert_eq!(world.kernel.threads.used(), 1);
}

#[test]
fn a_thread_is_ended_whatever_it_does() {
    let mut world = World::default();
    let init = world.init();
    let (worker, _) = world.start_worker();
    let endpoint = world.value(init, Syscall::EndpointCreate, &[]);
    let other = world.value(init, Syscall::EndpointCreate, &[]);
    let notification = world.value(init, Syscall::NotificationCreate, &[]);
    let shared = world.share(init, other, worker);
    world.begin(worker, Syscall::Receive, &[shared]);
    for (call, handle) in [
        (Syscall::Call, endpoint),
        (Syscall::Call, other),
        (Syscall::Receive, endpoint),
        (Syscall::NotificationWait, notification),
        (Syscall::Sleep, 1 << 40),
        (Syscall::ClockRead, 0),
    ] {
        let (thread, own) = world.spawn(init, u64::MAX);
        world.begin_as(thread, call, &[handle, 0]);
        world.call(init, Syscall::ThreadEnd, &[own]).unwrap();
        world.value(init, Syscall::HandleClose, &[own]);
        assert_eq!(world.kernel.processes[init].thread_count, 1);
    }
}

#[test]
fn rights_are_needed_to_schedule_and_to_end_a_thread() {
    let mut world = World::default();
    let init = world.init();
    let (_, handle) = world.spawn(init, 1);
    let bare = world.value(init, Syscall::HandleCopy, &[handle, Rights::READ.bits()]);
    for (call, arguments) in [
        (Syscall::ThreadSchedule, [bare, 1, 1]),
        (Syscall::ThreadEnd, [bare, 0, 0]),
    ] {
        let refused = world.call(init, call, &arguments);
        assert_eq!(refused, Err(Error::MissingRight), "{call:?}");
    }
}

#[test]
fn the_priority_of_a_thread_is_at_most_that_of_its_process() {
    let mut world = World::default();
    let worker = worker_with(&mut world, 3);
    let (thread, handle) = {
        let init = world.init();
        world.begin(init, Syscall::Sleep, &[1 << 40]);
        world.spawn(worker, 200)
    };
    assert_eq!(world.kernel.threads[thread].priority, 3);
    for (asked, set) in [(2, 2), (3, 3), (4, 3), (u64::MAX, 3)] {
        let arguments = [handle, asked, u64::MAX];
        world
            .call(worker, Syscall::ThreadSchedule, &arguments)
            .unwrap();
        assert_eq!(world.kernel.threads[thread].priority, set);
    }
}

#[test]
fn a_thread_that_is_given_a_lower_priority_makes_way() {
    let mut world = World::default();
    let init = world.init();
    let (low, low_handle) = world.spawn(init, 2);
    assert_eq!(world.running_thread(FIRST), Some(world.thread(init)));
    let (high, _) = world.spawn(init, 3);
    let own = world.thread(init);
    let priority = world.kernel.processes[init].priority.into();
    // Nobody has a handle to the first thread: another raises itself above a third.
    world
        .call(init, Syscall::ThreadSchedule, &[low_handle, priority, 1])
        .unwrap();
    world.begin(init, Syscall::Sleep, &[1 << 40]);
    assert_eq!(world.running_thread(FIRST), Some(low));
    world
        .call_as(low, Syscall::ThreadSchedule, &[low_handle, 1, 1])
        .unwrap();
    assert_eq!(world.running_thread(FIRST), Some(high));
    assert_ne!(own, high);
}

#[test]
fn affinity_is_respected_whatever_a_thread_does() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let own = world.thread(init);
    let (thread, handle) = world.spawn(init, u64::MAX);
    assert_eq!(running(&world), [Some(own), Some(thread)]);
    for (bits, cpu) in [(1, FIRST), (2, SECOND), (1, FIRST)] {
        // While it runs, is ready, and sleeps.
        let arguments = [handle, u64::MAX, bits];
        world
            .call(init, Syscall::ThreadSchedule, &arguments)
            .unwrap();
        assert_eq!(world.kernel.threads[thread].cpu, cpu);
        world.switch_to_thread(thread);
        assert_eq!(world.machine.current_cpu, cpu);
        world.begin_as(thread, Syscall::Sleep, &[world.machine.now_ns + 50]);
        world
            .call(init, Syscall::ThreadSchedule, &[handle, u64::MAX, 3 - bits])
            .unwrap();
        world.advance(60);
        assert_ne!(world.kernel.threads[thread].cpu, cpu);
    }
    for bits in [0, 4, 0xFC, 1 << 32] {
        let refused = world.call(init, Syscall::ThreadSchedule, &[handle, 1, bits]);
        assert_eq!(refused, Err(Error::InvalidArgument), "{bits:#x}");
    }
}

#[test]
fn an_idle_cpu_takes_only_threads_that_may_run_there() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (pinned, handle) = world.spawn(init, u64::MAX);
    let (worker, _) = world.start_worker();
    world
        .call(init, Syscall::ThreadSchedule, &[handle, u64::MAX, 1])
        .unwrap();
    for _ in 0..4 {
        assert_ne!(world.running_thread(SECOND), Some(pinned));
        world.advance(crate::scheduler::SLICE_NS);
    }
    world.begin(worker, Syscall::Sleep, &[1 << 40]);
    world.advance(crate::scheduler::SLICE_NS);
    let both = running(&world);
    assert_eq!(both, [Some(pinned), Some(world.thread(init))]);
}

#[test]
fn a_system_call_that_waits_to_enter_survives_a_change_of_affinity() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (thread, handle) = world.spawn(init, u64::MAX);
    assert_eq!(world.running_thread(SECOND), Some(thread));
    world.holds_kicks = true;
    world.kernel.threads[thread].context.rax = Syscall::ClockRead as u64;
    world
        .call(init, Syscall::ThreadSchedule, &[handle, u64::MAX, 1])
        .unwrap();
    world.machine.now_ns += 77;
    world.event_on(SECOND, Event::Syscall);
    let now_ns = world.machine.now_ns();
    assert_eq!(world.kernel.threads[thread].context.rdi, now_ns);
    assert_eq!(world.kernel.threads[thread].cpu, FIRST);
}

#[test]
fn a_process_whose_threads_run_on_two_cpus_is_stopped_on_both() {
    let mut world = World::with_cpus(4);
    let init = world.init();
    let (worker, handle) = world.start_worker();
    let (second, _) = world.spawn(worker, u64::MAX);
    let own = world.thread(worker);
    let init_thread = world.thread(init);
    assert_eq!(
        running(&world),
        [Some(init_thread), Some(own), Some(second), None]
    );
    world.holds_kicks = true;
    world.value(init, Syscall::ProcessKill, &[handle]);
    assert_eq!(world.machine.stops, [SECOND, CpuId(2)]);
    assert_eq!(running(&world), [Some(init_thread), None, None, None]);
    assert_eq!(world.kernel.threads.used(), 1);
}

#[test]
fn a_thread_that_runs_on_another_cpu_is_stopped_before_it_is_ended() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (thread, handle) = world.spawn(init, u64::MAX);
    assert_eq!(world.running_thread(SECOND), Some(thread));
    world.call(init, Syscall::ThreadEnd, &[handle]).unwrap();
    assert_eq!(world.machine.stops, [SECOND]);
    assert_eq!(world.running_thread(SECOND), None);
}

#[test]
fn memory_that_is_unmapped_is_out_of_reach_of_the_threads_on_other_cpus() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (thread, _) = world.spawn(init, u64::MAX);
    assert_eq!(world.running_thread(SECOND), Some(thread));
    let memory = world.value(init, Syscall::MemoryCreate, &[3]);
    let [address, _] = world.call(init, Syscall::MemoryMap, &[memory, 3]).unwrap();
    // The invariants see to it that the second CPU, which was told of the pages, remembers none.
    assert!(world.machine.cpus[1].tlb.len() > 3);
    world.holds_kicks = true;
    world.call(init, Syscall::MemoryUnmap, &[address]).unwrap();
    assert_eq!(world.machine.stops, [SECOND]);
    assert_eq!(world.running_thread(SECOND), Some(thread), "it goes on");
}

#[test]
fn a_process_reports_its_threads_and_limits() {
    let mut world = World::default();
    let init = world.init();
    let (worker, _) = world.start_worker();
    let (thread, _) = world.spawn(worker, u64::MAX);
    let info = world.kernel.process_info(worker, 0);
    assert_eq!((info.threads, info.objects), (2, 1));
    let limit = world.kernel.objects_per_process;
    assert_eq!(
        (info.object_limit, info.handle_limit),
        (limit.into(), 256 - 32 - 1)
    );
    assert_eq!(info.state, process_state::READY);
    world.begin(worker, Syscall::Sleep, &[1 << 40]);
    let info = world.kernel.process_info(worker, 0);
    assert_eq!(info.state, process_state::READY, "one can still run");
    world.begin_as(thread, Syscall::Sleep, &[1 << 40]);
    let info = world.kernel.process_info(worker, 0);
    assert_eq!(info.state, process_state::BLOCKED);
    assert_eq!(world.running(), Some(init));
}
