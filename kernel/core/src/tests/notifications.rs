//! Notifications: signals, waiting, and the one bound to a thread that receives calls.

use nonos_abi::{Error, MessageInfo, Rights, Syscall};

use crate::testing::World;

#[test]
fn bits_gather_until_they_are_taken_all_at_once() {
    let mut world = World::default();
    let init = world.init();
    let handle = world.value(init, Syscall::NotificationCreate, &[]);
    for bits in [1, 4, 1 << 63] {
        assert!(
            world
                .call(init, Syscall::NotificationSignal, &[handle, bits])
                .is_ok()
        );
    }
    let bits = world.value(init, Syscall::NotificationWait, &[handle]);
    assert_eq!(bits, 5 | 1 << 63);
    world.begin(init, Syscall::NotificationWait, &[handle]);
    assert!(world.is_blocked(init), "they were cleared");
}

#[test]
fn a_signal_wakes_the_first_that_waits() {
    let mut world = World::default();
    let init = world.init();
    let handle = world.value(init, Syscall::NotificationCreate, &[]);
    let (first, _) = world.start_worker();
    let (second, _) = world.start_worker();
    for worker in [first, second] {
        let shared = world.share(init, handle, worker);
        world.begin(worker, Syscall::NotificationWait, &[shared]);
    }
    world
        .call(init, Syscall::NotificationSignal, &[handle, 0])
        .unwrap();
    assert!(
        world.is_blocked(first) && world.is_blocked(second),
        "no bits, no signal"
    );
    world
        .call(init, Syscall::NotificationSignal, &[handle, 2])
        .unwrap();
    assert_eq!(world.result(first).unwrap()[0], 2);
    assert!(world.is_blocked(second));
}

#[test]
fn rights_are_needed_to_signal_and_to_wait() {
    let mut world = World::default();
    let init = world.init();
    let handle = world.value(init, Syscall::NotificationCreate, &[]);
    let read = world.value(init, Syscall::HandleCopy, &[handle, Rights::READ.bits()]);
    let write = world.value(init, Syscall::HandleCopy, &[handle, Rights::WRITE.bits()]);
    let signal = world.call(init, Syscall::NotificationSignal, &[read, 1]);
    assert_eq!(signal, Err(Error::MissingRight));
    for call in [Syscall::NotificationWait, Syscall::NotificationBind] {
        assert_eq!(world.call(init, call, &[write]), Err(Error::MissingRight));
    }
}

#[test]
fn a_bound_notification_ends_a_receive_before_and_while_it_waits() {
    let mut world = World::default();
    let init = world.init();
    let (worker, _) = world.start_worker();
    let endpoint = world.value(init, Syscall::EndpointCreate, &[]);
    let handle = world.value(init, Syscall::NotificationCreate, &[]);
    let shared = world.share(init, handle, worker);
    world
        .call(init, Syscall::NotificationBind, &[handle])
        .unwrap();

    world
        .call(init, Syscall::NotificationSignal, &[handle, 3])
        .unwrap();
    let [bits, info] = world.call(init, Syscall::Receive, &[endpoint]).unwrap();
    assert_eq!((bits, MessageInfo(info)), (3, MessageInfo::NOTIFICATION));

    // Before calls that wait already: what a server is told of holds for those.
    let door = world.share(init, endpoint, worker);
    world.begin(worker, Syscall::Call, &[door]);
    world
        .call(init, Syscall::NotificationSignal, &[handle, 1])
        .unwrap();
    let [bits, info] = world.call(init, Syscall::Receive, &[endpoint]).unwrap();
    assert_eq!((bits, MessageInfo(info)), (1, MessageInfo::NOTIFICATION));
    let [_, info] = world.call(init, Syscall::Receive, &[endpoint]).unwrap();
    let reply = MessageInfo(info).reply();
    world
        .call(init, Syscall::Reply, &[u64::from(reply.raw())])
        .unwrap();

    world.context(init).r12 = 99;
    world.begin(init, Syscall::Receive, &[endpoint]);
    assert!(world.is_blocked(init));
    world
        .call(worker, Syscall::NotificationSignal, &[shared, 8])
        .unwrap();
    let [bits, info] = world.result(init).unwrap();
    assert_eq!((bits, MessageInfo(info)), (8, MessageInfo::NOTIFICATION));
    assert_eq!(world.context(init).r12, 0, "words are zero");
}

#[test]
fn a_notification_is_bound_to_one_thread_and_a_thread_to_the_latest() {
    let mut world = World::default();
    let init = world.init();
    let (worker, process) = world.start_worker();
    let first = world.value(init, Syscall::NotificationCreate, &[]);
    let second = world.value(init, Syscall::NotificationCreate, &[]);
    let shared = world.share(init, first, worker);
    world
        .call(init, Syscall::NotificationBind, &[first])
        .unwrap();
    world
        .call(init, Syscall::NotificationBind, &[first])
        .unwrap();
    let busy = world.call(worker, Syscall::NotificationBind, &[shared]);
    assert_eq!(busy, Err(Error::Busy));
    world
        .call(init, Syscall::NotificationBind, &[second])
        .unwrap();
    assert!(
        world
            .call(worker, Syscall::NotificationBind, &[shared])
            .is_ok()
    );
    world.value(init, Syscall::ProcessKill, &[process]);
    assert!(
        world
            .call(init, Syscall::NotificationBind, &[first])
            .is_ok(),
        "unbound by the end"
    );
}

#[test]
fn a_bound_notification_lives_as_long_as_the_binding() {
    let mut world = World::default();
    let init = world.init();
    let handle = world.value(init, Syscall::NotificationCreate, &[]);
    world
        .call(init, Syscall::NotificationBind, &[handle])
        .unwrap();
    world.value(init, Syscall::HandleClose, &[handle]);
    assert_eq!(world.kernel.notifications.used(), 1);
    world.begin(init, Syscall::Exit, &[0]);
    assert_eq!(world.kernel.notifications.used(), 0);
}
