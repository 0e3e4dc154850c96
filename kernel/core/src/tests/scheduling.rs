//! Scheduling: priorities, time slices, sleeping, and a timer that is armed only when something is due.

use nonos_abi::{Syscall, start};

use crate::arena::ProcessId;
use crate::machine::Event;
use crate::scheduler::SLICE_NS;
use crate::testing::World;

/// A started process of this priority.
pub(super) fn worker_with(world: &mut World, priority: u64) -> ProcessId {
    let init = world.init();
    let module = world.admit("worker").unwrap();
    let handle = world.value(init, Syscall::ProcessCreate, &[module, priority, 100]);
    world.value(init, Syscall::HandleClose, &[module]);
    let worker = world.process_behind(init, handle);
    world.value(init, Syscall::ProcessStart, &[handle, 0, 0]);
    worker
}

#[test]
fn equals_take_turns_by_time_slice() {
    let mut world = World::default();
    let init = world.init();
    let (first, _) = world.start_worker();
    let (second, _) = world.start_worker();
    let mut turns = std::vec::Vec::new();
    for _ in 0..6 {
        turns.push(world.running().unwrap());
        world.advance(SLICE_NS);
    }
    assert_eq!(turns, [init, first, second, init, first, second]);
}

#[test]
fn a_lone_thread_is_not_interrupted() {
    let mut world = World::default();
    assert_eq!(world.machine.timer_ns[0], None);
    world.advance(10 * SLICE_NS);
    assert_eq!(world.machine.timer_ns[0], None);
    let sets = world.machine.timer_sets;
    for _ in 0..10 {
        world.value(world.init(), Syscall::ClockRead, &[]);
    }
    assert_eq!(
        world.machine.timer_sets, sets,
        "the timer was set for nothing"
    );
}

#[test]
fn a_lower_priority_runs_only_when_the_higher_ones_wait() {
    let mut world = World::default();
    let init = world.init();
    let low = worker_with(&mut world, 3);
    assert_eq!(world.running(), Some(init));
    assert_eq!(
        world.machine.timer_ns[0], None,
        "a lower priority needs no time slice"
    );
    world.begin(init, Syscall::Yield, &[]);
    assert_eq!(world.running(), Some(init));
    world.begin(init, Syscall::Sleep, &[5_000]);
    assert_eq!(world.running(), Some(low));
    assert_eq!(world.machine.timer_ns[0], Some(5_000));
    world.advance(5_000);
    assert_eq!(
        world.running(),
        Some(init),
        "preempted when the sleep is over"
    );
}

#[test]
fn a_preempted_thread_goes_on_with_the_rest_of_its_slice() {
    let mut world = World::default();
    let init = world.init();
    let (a, b) = (worker_with(&mut world, 3), worker_with(&mut world, 3));
    world.begin(init, Syscall::Sleep, &[SLICE_NS / 2]);
    assert_eq!(world.running(), Some(a));
    world.advance(SLICE_NS / 2);
    assert_eq!(world.running(), Some(init));
    let wake = world.machine.now_ns + 3 * SLICE_NS;
    world.begin(init, Syscall::Sleep, &[wake]);
    assert_eq!(
        world.running(),
        Some(a),
        "it was in the middle of its slice"
    );
    world.advance(SLICE_NS / 2);
    assert_eq!(world.running(), Some(b), "and had half of it left");
}

#[test]
fn a_busy_thread_of_high_priority_cannot_rob_equals_by_being_preempted() {
    let mut world = World::default();
    let init = world.init();
    let (a, b) = (worker_with(&mut world, 3), worker_with(&mut world, 3));
    let mut ran = [0; 2];
    for _ in 0..100 {
        let wake = world.machine.now_ns + SLICE_NS / 4;
        world.begin(init, Syscall::Sleep, &[wake]);
        let running = world.running().unwrap();
        ran[usize::from(running == b)] += 1;
        assert!(running == a || running == b);
        world.advance(SLICE_NS / 4);
    }
    assert!(
        ran.iter().all(|&turns| (40..=60).contains(&turns)),
        "{ran:?}"
    );
}

#[test]
fn sleepers_wake_in_the_order_of_their_deadlines() {
    let mut world = World::default();
    let init = world.init();
    let (first, _) = world.start_worker();
    let (second, _) = world.start_worker();
    world.begin(init, Syscall::Sleep, &[3_000]);
    world.begin(first, Syscall::Sleep, &[1_000]);
    world.begin(second, Syscall::Sleep, &[2_000]);
    assert_eq!(world.running(), None);
    for (process, due) in [(first, 1_000), (second, 2_000), (init, 3_000)] {
        world.advance(due - world.machine.now_ns - 1);
        assert!(world.is_blocked(process));
        world.advance(1);
        assert!(!world.is_blocked(process));
        assert_eq!(world.context(process).rax, 0);
    }
}

#[test]
fn a_deadline_in_the_past_does_not_block_and_one_at_the_end_of_time_does_no_harm() {
    let mut world = World::default();
    let init = world.init();
    world.advance(10_000);
    for deadline in [0, 5_000, 10_000] {
        assert!(world.call(init, Syscall::Sleep, &[deadline]).is_ok());
    }
    world.begin(init, Syscall::Sleep, &[u64::MAX]);
    assert_eq!(world.running(), None);
    world.event(Event::Timer);
    assert!(world.is_blocked(init));
}

#[test]
fn a_thread_woken_at_a_higher_priority_runs_at_once() {
    let mut world = World::default();
    let init = world.init();
    let low = worker_with(&mut world, 3);
    let notification = world.value(init, Syscall::NotificationCreate, &[]);
    let shared = world.share(init, notification, low);
    world.begin(init, Syscall::NotificationWait, &[notification]);
    assert_eq!(world.running(), Some(low));
    world.begin(low, Syscall::NotificationSignal, &[shared, 1]);
    assert_eq!(world.running(), Some(init));
}

#[test]
fn cpu_time_is_accounted_to_the_thread_that_used_it() {
    let mut world = World::default();
    let init = world.init();
    let (worker, _) = world.start_worker();
    world.switch_to(worker);
    let before = cpu_ns(&mut world, worker);
    world.machine.now_ns += 700;
    assert_eq!(cpu_ns(&mut world, worker) - before, 700, "while it runs");
    world.begin(worker, Syscall::Sleep, &[1 << 40]);
    world.machine.now_ns += 5_000;
    assert_eq!(
        cpu_ns(&mut world, worker) - before,
        700,
        "and not while it sleeps"
    );
    assert_eq!(world.running(), Some(init));
}

fn cpu_ns(world: &mut World, process: ProcessId) -> u64 {
    world
        .kernel
        .process_info(process, world.machine.now_ns)
        .cpu_ns
}

#[test]
fn a_null_call_succeeds_and_touches_nothing() {
    let mut world = World::default();
    let init = world.init();
    let before = *world.context(init);
    world.context(init).rax = Syscall::Null as u64;
    world.event(Event::Syscall);
    let after = *world.context(init);
    assert_eq!(
        (after.rax, after.rdi, after.rsi),
        (0, before.rdi, before.rsi)
    );
    let clock = world.call(init, Syscall::ClockRead, &[7, 8]).unwrap();
    assert_eq!(
        clock,
        [world.machine.now_ns, 8],
        "one result leaves rsi alone"
    );
    let nothing = world
        .call(init, Syscall::HandleClose, &[start::LOG.raw().into(), 9])
        .unwrap();
    assert_eq!(nothing, [start::LOG.raw().into(), 9]);
}
