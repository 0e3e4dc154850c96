//! Budgets: no process uses more CPU time than it was given, alone, on several CPUs, or through a server.

use nonos_abi::{Error, Syscall};

use crate::arena::ProcessId;
use crate::machine::CpuId;
use crate::testing::World;
use crate::thread::ThreadState;

const MS: u64 = 1_000_000;

/// A started process with a CPU budget, and `init`'s handle.
fn limited(world: &mut World, budget_ns: u64, period_ns: u64) -> (ProcessId, u64) {
    let init = world.init();
    let module = world.admit("worker").unwrap();
    let arguments = [module, u64::MAX, u64::MAX, budget_ns, period_ns];
    let handle = world.value(init, Syscall::ProcessCreate, &arguments);
    world.value(init, Syscall::HandleClose, &[module]);
    let worker = world.process_behind(init, handle);
    world.value(init, Syscall::ProcessStart, &[handle, 0, 0]);
    (worker, handle)
}

fn cpu_ns(world: &World, process: ProcessId) -> u64 {
    let now_ns = world.machine.now_ns;
    world.kernel.process_info(process, now_ns).cpu_ns
}

/// Has `init` sleep for ever.
fn leave_alone(world: &mut World) {
    world.begin(world.init(), Syscall::Sleep, &[u64::MAX]);
}

#[test]
fn a_spinning_process_uses_its_budget_in_each_period_and_no_more() {
    let mut world = World::default();
    let (worker, _) = limited(&mut world, 20 * MS, 100 * MS);
    leave_alone(&mut world);
    for period in 1..=10 {
        world.advance(100 * MS);
        assert_eq!(cpu_ns(&world, worker), period * 20 * MS);
    }
    // One event when the budget ends, one when the period does.
    assert!(
        world.machine.timer_sets < 30,
        "{}",
        world.machine.timer_sets
    );
}

#[test]
fn a_spinning_process_of_high_priority_leaves_the_rest_to_others() {
    let mut world = World::default();
    let init = world.init();
    let module = world.admit("worker").unwrap();
    let low = world.value(init, Syscall::ProcessCreate, &[module, 1, 100]);
    let low_process = world.process_behind(init, low);
    world.value(init, Syscall::ProcessStart, &[low, 0, 0]);
    let (spinner, _) = limited(&mut world, 30 * MS, 100 * MS);
    leave_alone(&mut world);
    world.advance(1_000 * MS);
    assert_eq!(cpu_ns(&world, spinner), 300 * MS);
    assert_eq!(cpu_ns(&world, low_process), 700 * MS);
}

#[test]
fn a_process_that_spins_on_two_cpus_uses_its_budget_once() {
    for cpus in [2, 4] {
        let mut world = World::with_cpus(cpus);
        let (worker, _) = limited(&mut world, 30 * MS, 100 * MS);
        let mut threads = std::vec![world.thread(worker)];
        for _ in 1..cpus {
            threads.push(world.spawn(worker, u64::MAX).0);
        }
        leave_alone(&mut world);
        for period in 1..=10 {
            world.advance(100 * MS);
            let used = cpu_ns(&world, worker);
            assert!(used <= period * 30 * MS, "{used} in {period} periods");
            assert!(used >= period * 29 * MS, "{used} in {period} periods");
        }
    }
}

#[test]
fn a_throttled_thread_goes_on_in_the_next_period() {
    let mut world = World::default();
    let (worker, _) = limited(&mut world, 20 * MS, 100 * MS);
    leave_alone(&mut world);
    world.advance(20 * MS);
    assert_eq!(world.state(worker), ThreadState::Throttled);
    assert_eq!(world.running(), None);
    assert_eq!(world.next_timer(), Some((100 * MS, CpuId(0))));
    world.advance(80 * MS);
    assert_eq!(world.running(), Some(worker));
}

#[test]
fn a_throttled_thread_goes_on_when_another_gives_time_back() {
    let mut world = World::with_cpus(2);
    let (worker, _) = limited(&mut world, 10 * MS, 100 * MS);
    let first = world.thread(worker);
    let (second, _) = world.spawn(worker, u64::MAX);
    world.begin_as(second, Syscall::Sleep, &[8 * MS]);
    leave_alone(&mut world);
    // The first one has reserved the rest of the budget until 10 ms.
    world.advance(8 * MS + MS / 2);
    assert_eq!(world.kernel.threads[second].state, ThreadState::Throttled);
    world.begin_as(first, Syscall::Sleep, &[50 * MS]);
    assert_eq!(world.kernel.threads[second].state, ThreadState::Running);
    world.advance(20 * MS);
    assert_eq!(cpu_ns(&world, worker), 10 * MS);
    assert_eq!(world.kernel.threads[second].state, ThreadState::Throttled);
}

#[test]
fn all_threads_of_a_process_get_a_part_of_its_budget() {
    let mut world = World::with_cpus(4);
    let (worker, _) = limited(&mut world, 10 * MS, 100 * MS);
    let more = [(); 2].map(|()| world.spawn(worker, u64::MAX).0);
    leave_alone(&mut world);
    for thread in more.into_iter().chain([world.thread(worker)]) {
        let state = world.kernel.threads[thread].state;
        assert_eq!(state, ThreadState::Running);
    }
}

#[test]
fn a_process_that_ran_late_pays_for_it_in_the_next_period() {
    let mut world = World::default();
    let (worker, _) = limited(&mut world, 10 * MS, 100 * MS);
    leave_alone(&mut world);
    // The timer comes 5 ms late.
    world.machine.now_ns = 15 * MS;
    world.advance(0);
    assert_eq!(cpu_ns(&world, worker), 15 * MS);
    world.advance(85 * MS + 50 * MS);
    assert_eq!(cpu_ns(&world, worker), 20 * MS);
}

#[test]
fn a_process_without_a_budget_has_no_limit() {
    let mut world = World::default();
    let (worker, _) = limited(&mut world, 0, 0);
    leave_alone(&mut world);
    world.advance(1_000 * MS);
    assert_eq!(cpu_ns(&world, worker), 1_000 * MS);
    assert_eq!(world.kernel.process_info(worker, 0).budget_ns, 0);
}

#[test]
fn impossible_budgets_are_refused_and_possible_ones_reported() {
    let mut world = World::default();
    let init = world.init();
    let module = world.admit("worker").unwrap();
    for (budget, period) in [(MS, 0), (2 * MS, MS), (99_999, MS), (u64::MAX, MS)] {
        let arguments = [module, 1, 100, budget, period];
        let refused = world.call(init, Syscall::ProcessCreate, &arguments);
        assert_eq!(refused, Err(Error::InvalidArgument), "{budget} in {period}");
    }
    let (worker, _) = limited(&mut world, MS, MS);
    let info = world.kernel.process_info(worker, 0);
    assert_eq!((info.budget_ns, info.period_ns), (MS, MS));
}

/// A server that waits for a call, and the client's handle to call it.
fn server_for(world: &mut World, client: ProcessId, limit: [u64; 2]) -> (ProcessId, u64, u64) {
    let (server, _) = limited(world, limit[0], limit[1]);
    let endpoint = world.value(server, Syscall::EndpointCreate, &[]);
    let shared = world.share(server, endpoint, client);
    world.begin(server, Syscall::Receive, &[endpoint]);
    (server, endpoint, shared)
}

fn reply_handle(world: &mut World, server: ProcessId) -> u64 {
    let info = world.context(server).rsi;
    nonos_abi::MessageInfo(info).reply().raw().into()
}

#[test]
fn a_server_works_at_the_cost_of_its_caller() {
    let mut world = World::default();
    let (client, _) = limited(&mut world, 50 * MS, 100 * MS);
    let (server, endpoint, shared) = server_for(&mut world, client, [MS, 100 * MS]);
    leave_alone(&mut world);
    let before = cpu_ns(&world, server);
    world.begin(client, Syscall::Call, &[shared, 0]);
    assert_eq!(world.running(), Some(server));
    world.advance(30 * MS);
    assert_eq!(
        world.running(),
        Some(server),
        "its own budget is much smaller"
    );
    assert_eq!(
        (cpu_ns(&world, server), cpu_ns(&world, client)),
        (before, 30 * MS)
    );
    let reply = reply_handle(&mut world, server);
    world.begin(server, Syscall::ReplyReceive, &[endpoint | reply << 32, 0]);
    assert_eq!(world.running(), Some(client));
    world.advance(30 * MS);
    assert_eq!(cpu_ns(&world, client), 50 * MS, "both drew on one budget");
    assert_eq!(world.running(), None);
}

#[test]
fn a_server_goes_on_at_its_own_cost_when_its_caller_cannot_pay_any_more() {
    let mut world = World::default();
    let (client, _) = limited(&mut world, 10 * MS, 100 * MS);
    let (server, _, shared) = server_for(&mut world, client, [0, 0]);
    leave_alone(&mut world);
    world.begin(client, Syscall::Call, &[shared, 0]);
    world.advance(25 * MS);
    assert_eq!(world.running(), Some(server));
    assert_eq!(
        (cpu_ns(&world, client), cpu_ns(&world, server)),
        (10 * MS, 15 * MS)
    );
    assert_eq!(world.machine.timer_ns[0], None, "nothing limits it");
}

#[test]
fn a_server_is_throttled_only_when_neither_can_pay() {
    let mut world = World::default();
    let (client, _) = limited(&mut world, 10 * MS, 100 * MS);
    let (server, _, shared) = server_for(&mut world, client, [5 * MS, 100 * MS]);
    leave_alone(&mut world);
    world.begin(client, Syscall::Call, &[shared, 0]);
    world.advance(50 * MS);
    assert_eq!(world.state(server), ThreadState::Throttled);
    assert_eq!(
        (cpu_ns(&world, client), cpu_ns(&world, server)),
        (10 * MS, 5 * MS)
    );
}

#[test]
fn a_donation_goes_on_through_a_server_that_calls_another() {
    let mut world = World::default();
    let (client, _) = limited(&mut world, 50 * MS, 100 * MS);
    let (first, _, to_first) = server_for(&mut world, client, [MS, 100 * MS]);
    let (second, _, to_second) = server_for(&mut world, first, [MS, 100 * MS]);
    leave_alone(&mut world);
    world.begin(client, Syscall::Call, &[to_first, 0]);
    world.begin(first, Syscall::Call, &[to_second, 0]);
    assert_eq!(world.running(), Some(second));
    world.advance(20 * MS);
    assert_eq!(world.running(), Some(second));
    assert_eq!(cpu_ns(&world, client), 20 * MS);
}

#[test]
fn a_server_that_has_answered_or_receives_again_works_at_its_own_cost() {
    let mut world = World::default();
    let (client, _) = limited(&mut world, 50 * MS, 100 * MS);
    let (server, endpoint, shared) = server_for(&mut world, client, [0, 0]);
    let account = |world: &World, process| world.kernel.threads[world.thread(process)].account;
    world.begin(client, Syscall::Call, &[shared, 0]);
    assert_eq!(account(&world, server), Some(client));
    let reply = reply_handle(&mut world, server);
    world.call(server, Syscall::Reply, &[reply, 0]).unwrap();
    assert_eq!(account(&world, server), Some(server));
    world.begin(client, Syscall::Call, &[shared, 0]);
    world.begin(server, Syscall::Receive, &[endpoint]);
    assert_eq!(account(&world, server), Some(client), "the next call");
    world.begin(server, Syscall::Receive, &[endpoint]);
    assert_eq!(account(&world, server), Some(server), "none yet");
}

#[test]
fn a_server_whose_caller_was_ended_works_at_its_own_cost() {
    for cpus in [1, 2] {
        let mut world = World::with_cpus(cpus);
        let init = world.init();
        let (client, handle) = limited(&mut world, 50 * MS, 100 * MS);
        let (server, _, shared) = server_for(&mut world, client, [0, 0]);
        world.begin(client, Syscall::Call, &[shared, 0]);
        world.switch_to(init);
        world.value(init, Syscall::ProcessKill, &[handle]);
        let thread = world.thread(server);
        assert_eq!(world.kernel.threads[thread].account, Some(server));
        let before = cpu_ns(&world, server);
        leave_alone(&mut world);
        world.advance(5 * MS);
        assert_eq!(cpu_ns(&world, server), before + 5 * MS);
    }
}

#[test]
fn a_call_and_its_answer_do_not_read_the_clock() {
    let mut world = World::default();
    let (client, _) = limited(&mut world, 50 * MS, 100 * MS);
    let (server, endpoint, shared) = server_for(&mut world, client, [0, 0]);
    leave_alone(&mut world);
    world.switch_to(client);
    world.checked = false;
    let (reads, sets) = (world.machine.clock_reads.get(), world.machine.timer_sets);
    for _ in 0..5 {
        world.begin(client, Syscall::Call, &[shared, 0]);
        let reply = reply_handle(&mut world, server);
        world.begin(server, Syscall::ReplyReceive, &[endpoint | reply << 32, 0]);
    }
    assert_eq!(world.running(), Some(client));
    assert_eq!(world.machine.clock_reads.get(), reads);
    assert_eq!(world.machine.timer_sets, sets);
}

#[test]
fn a_process_with_throttled_threads_can_be_ended() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (worker, handle) = limited(&mut world, MS, 100 * MS);
    let (thread, own) = world.spawn(worker, u64::MAX);
    let other = world.share(worker, own, init);
    world.advance(5 * MS);
    assert_eq!(world.kernel.threads[thread].state, ThreadState::Throttled);
    world
        .call(init, Syscall::ThreadSchedule, &[other, 1, 1])
        .unwrap();
    world.call(init, Syscall::ThreadEnd, &[other]).unwrap();
    world.value(init, Syscall::ProcessKill, &[handle]);
    for handle in [handle, other] {
        world.value(init, Syscall::HandleClose, &[handle]);
    }
    assert_eq!(world.kernel.threads.used(), 1);
}

#[test]
fn a_server_whose_caller_was_revoked_works_at_its_own_cost() {
    let mut world = World::with_cpus(2);
    let (client, _) = limited(&mut world, 50 * MS, 100 * MS);
    let (server, _, shared) = server_for(&mut world, client, [0, 0]);
    let all = nonos_abi::Rights::ALL.bits();
    let copy = world.value(client, Syscall::HandleCopy, &[shared, all]);
    let (thread, _) = world.spawn(client, u64::MAX);
    world.begin_as(thread, Syscall::Call, &[copy, 0]);
    let working = world.thread(server);
    assert_eq!(world.kernel.threads[working].account, Some(client));
    world
        .call(client, Syscall::HandleRevoke, &[shared])
        .unwrap();
    assert_eq!(world.result_of(thread), Err(Error::Revoked));
    assert_eq!(world.kernel.threads[working].account, Some(server));
}
