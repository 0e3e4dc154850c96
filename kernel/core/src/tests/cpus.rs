//! Several CPUs: where threads run, and what one CPU does to what another runs.

use nonos_abi::{Error, Syscall};

use super::scheduling::worker_with;
use crate::arena::ProcessId;
use crate::machine::{CpuId, Event, Fault};
use crate::scheduler::SLICE_NS;
use crate::testing::World;

const FIRST: CpuId = CpuId(0);
const SECOND: CpuId = CpuId(1);

/// What the CPUs run, in order.
fn running(world: &World) -> std::vec::Vec<Option<ProcessId>> {
    world.cpus().map(|cpu| world.running_on(cpu)).collect()
}

#[test]
fn a_thread_that_is_woken_goes_to_an_idle_cpu() {
    let mut world = World::with_cpus(4);
    let init = world.init();
    let (a, _) = world.start_worker();
    let (b, _) = world.start_worker();
    assert_eq!(running(&world), [Some(init), Some(a), Some(b), None]);
    assert_eq!(world.next_timer(), None, "nobody shares a CPU");
}

#[test]
fn a_cpu_without_work_takes_a_ready_thread_of_another() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (a, _) = world.start_worker();
    let (b, _) = world.start_worker();
    assert_eq!(running(&world), [Some(init), Some(a)]);
    assert!(!world.is_blocked(b));
    world.begin(a, Syscall::Sleep, &[1 << 40]);
    assert_eq!(running(&world), [Some(init), Some(b)]);
    world.begin(b, Syscall::Sleep, &[1 << 40]);
    assert_eq!(running(&world), [Some(init), None]);
}

#[test]
fn the_most_important_ready_thread_is_taken_first() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let a = worker_with(&mut world, 5);
    let (low, high) = (worker_with(&mut world, 2), worker_with(&mut world, 4));
    assert_eq!(running(&world), [Some(init), Some(a)]);
    world.begin(a, Syscall::Sleep, &[1 << 40]);
    assert_eq!(running(&world), [Some(init), Some(high)]);
    world.begin(high, Syscall::Sleep, &[1 << 40]);
    assert_eq!(running(&world), [Some(init), Some(low)]);
}

#[test]
fn a_thread_that_is_woken_preempts_the_least_important_one_of_all_cpus() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let waiter = worker_with(&mut world, 6);
    let low = worker_with(&mut world, 2);
    let notification = world.value(init, Syscall::NotificationCreate, &[]);
    let shared = world.share(init, notification, waiter);
    world.begin(waiter, Syscall::NotificationWait, &[shared]);
    assert_eq!(running(&world), [Some(init), Some(low)]);
    world.holds_kicks = true;
    world.value(init, Syscall::NotificationSignal, &[notification, 1]);
    assert_eq!(
        running(&world),
        [Some(init), Some(low)],
        "only a CPU itself changes what it runs"
    );
    assert_eq!(world.waiting_cpus(), [SECOND]);
    world.event_on(SECOND, Event::Spurious);
    assert_eq!(running(&world), [Some(init), Some(waiter)]);
}

#[test]
fn a_thread_that_is_preempted_moves_to_an_idle_cpu() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let low = worker_with(&mut world, 2);
    world.begin(init, Syscall::Sleep, &[1_000]);
    assert_eq!(running(&world), [None, Some(low)]);
    world.begin(low, Syscall::Sleep, &[500]);
    world.machine.now_ns = 600;
    // Both deadlines are found by late timers: the lower one first.
    world.event_on(SECOND, Event::Timer);
    world.machine.now_ns = 1_100;
    world.event_on(FIRST, Event::Timer);
    assert_eq!(running(&world), [Some(init), Some(low)]);
}

#[test]
fn a_call_and_its_answer_stay_on_the_cpu_of_the_caller() {
    let mut world = World::with_cpus(4);
    let init = world.init();
    let (server, _) = world.start_worker();
    let endpoint = world.value(init, Syscall::EndpointCreate, &[]);
    let shared = world.share(init, endpoint, server);
    world.begin(server, Syscall::Receive, &[shared]);
    assert_eq!(running(&world), [Some(init), None, None, None]);
    world.begin(init, Syscall::Call, &[endpoint, 0]);
    assert_eq!(running(&world), [Some(server), None, None, None]);
    let reply: u64 = nonos_abi::MessageInfo(world.context(server).rsi)
        .reply()
        .raw()
        .into();
    world.begin(server, Syscall::ReplyReceive, &[shared | reply << 32, 0]);
    assert_eq!(running(&world), [Some(init), None, None, None]);
}

#[test]
fn a_process_that_runs_on_another_cpu_is_stopped_before_it_is_ended() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (worker, handle) = world.start_worker();
    assert_eq!(running(&world), [Some(init), Some(worker)]);
    world.holds_kicks = true;
    world.value(init, Syscall::ProcessKill, &[handle]);
    assert_eq!(world.machine.stops, [SECOND]);
    assert_eq!(running(&world), [Some(init), None]);
    assert_eq!(world.waiting_cpus(), [SECOND]);
}

#[test]
fn events_of_a_thread_that_was_taken_away_are_dropped_and_those_of_devices_are_not() {
    let divide_error = Fault {
        vector: 0,
        error: 0,
        address: 0,
        instruction: 0,
    };
    for event in [
        Event::Syscall,
        Event::Fault(divide_error),
        Event::Interrupt(5),
    ] {
        let mut world = World::with_cpus(2);
        let init = world.init();
        let hardware = nonos_abi::start::HARDWARE.raw().into();
        let line = world.value(init, Syscall::HardwareInterrupt, &[hardware, 5]);
        let notification = world.value(init, Syscall::NotificationCreate, &[]);
        let arguments = [line, notification, 4];
        world
            .call(init, Syscall::InterruptBind, &arguments)
            .unwrap();
        let (_, handle) = world.start_worker();
        world.holds_kicks = true;
        world.value(init, Syscall::ProcessKill, &[handle]);
        world.event_on(SECOND, event);
        assert_eq!(running(&world), [Some(init), None]);
        world.machine.current_cpu = FIRST;
        world.begin(init, Syscall::NotificationWait, &[notification]);
        let told = !world.is_blocked(init);
        assert_eq!(told, matches!(event, Event::Interrupt(_)), "{event:?}");
    }
}

#[test]
fn a_sleeper_wakes_by_the_timer_of_its_own_cpu_while_that_is_idle() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (worker, _) = world.start_worker();
    world.begin(worker, Syscall::Sleep, &[3_000]);
    assert_eq!(running(&world), [Some(init), None]);
    assert_eq!(world.next_timer(), Some((3_000, SECOND)));
    world.advance(3_000);
    assert_eq!(running(&world), [Some(init), Some(worker)]);
}

#[test]
fn threads_that_share_a_cpu_take_turns_while_others_run_on() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (a, _) = world.start_worker();
    let (b, _) = world.start_worker();
    let alone = if world.kernel.threads[world.thread(b)].cpu == FIRST {
        a
    } else {
        init
    };
    let mut turns = std::collections::BTreeSet::new();
    for _ in 0..6 {
        let now = running(&world);
        assert!(now.contains(&Some(alone)));
        turns.extend(now.into_iter().map(|process| std::format!("{process:?}")));
        world.advance(SLICE_NS);
    }
    assert_eq!(turns.len(), 3, "all have run");
}

#[test]
fn one_kick_is_enough_for_a_cpu() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    world.holds_kicks = true;
    let (a, _) = world.start_worker();
    let (b, handle) = world.start_worker();
    assert_eq!(world.waiting_cpus(), [SECOND]);
    world.value(init, Syscall::ProcessKill, &[handle]);
    assert!(world.kernel.processes[b].exit.is_some());
    world.event_on(SECOND, Event::Spurious);
    assert_eq!(running(&world), [Some(init), Some(a)]);
    assert!(world.waiting_cpus().is_empty());
}

#[test]
fn a_caller_on_another_cpu_learns_that_the_server_was_ended() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (server, handle) = world.start_worker();
    let (client, _) = world.start_worker();
    let endpoint = world.value(server, Syscall::EndpointCreate, &[]);
    let shared = world.share(server, endpoint, client);
    world.begin(client, Syscall::Call, &[shared, 0]);
    world.begin(server, Syscall::Receive, &[endpoint]);
    world.value(init, Syscall::ProcessKill, &[handle]);
    assert_eq!(world.result(client), Err(Error::PeerGone));
}
