//! Timers: once, again and again, disarmed, and gone.

use nonos_abi::{Error, ObjectKind, Rights, Syscall};

use crate::arena::NotificationId;
use crate::machine::CpuId;
use crate::object::Select;
use crate::testing::World;

const MS: u64 = 1_000_000;

/// `init` with a timer and a notification.
fn timer_and_notification(world: &mut World) -> (u64, u64) {
    let init = world.init();
    let timer = world.value(init, Syscall::TimerCreate, &[]);
    (timer, world.value(init, Syscall::NotificationCreate, &[]))
}

/// The bits that are set, without waiting.
fn bits(world: &World, notification: u64) -> u64 {
    let found = world.kernel.find(world.init(), notification).unwrap();
    let id = NotificationId::select(&found.capability.object).unwrap();
    world.kernel.notifications[id].bits
}

fn set(world: &mut World, arguments: [u64; 5]) -> Result<[u64; 2], Error> {
    world.call(world.init(), Syscall::TimerSet, &arguments)
}

#[test]
fn a_timer_signals_once_at_its_time() {
    let mut world = World::default();
    let init = world.init();
    let (timer, notification) = timer_and_notification(&mut world);
    let info = world.call(init, Syscall::HandleInfo, &[timer]);
    assert_eq!(info, Ok([ObjectKind::Timer as u64, Rights::ALL.bits()]));
    set(&mut world, [timer, notification, 6, 5 * MS, 0]).unwrap();
    world.begin(init, Syscall::NotificationWait, &[notification]);
    assert_eq!(world.next_timer(), Some((5 * MS, CpuId(0))));
    world.advance(5 * MS - 1);
    assert!(world.is_blocked(init));
    world.advance(1);
    assert_eq!(world.result(init).unwrap()[0], 6);
    world.advance(100 * MS);
    assert_eq!((bits(&world, notification), world.next_timer()), (0, None));
}

#[test]
fn a_periodic_timer_signals_again_and_skips_what_it_missed() {
    let mut world = World::default();
    let init = world.init();
    let (timer, notification) = timer_and_notification(&mut world);
    set(&mut world, [timer, notification, 1, 2 * MS, MS]).unwrap();
    for due in [2, 3, 4] {
        world.advance(due * MS - world.machine.now_ns);
        assert_eq!(bits(&world, notification), 1, "at {due} ms");
        world.value(init, Syscall::NotificationWait, &[notification]);
    }
    // The CPU was busy for long: one signal, and on with the same rhythm.
    world.machine.now_ns = 9 * MS + 500_000;
    let before = world.machine.timer_sets;
    world.advance(0);
    assert_eq!(
        world.value(init, Syscall::NotificationWait, &[notification]),
        1
    );
    assert_eq!(world.next_timer(), Some((10 * MS, CpuId(0))));
    assert!(world.machine.timer_sets <= before + 2);
}

#[test]
fn setting_a_timer_again_replaces_what_it_was_set_to_and_no_time_disarms_it() {
    let mut world = World::default();
    let (timer, notification) = timer_and_notification(&mut world);
    set(&mut world, [timer, notification, 1, 2 * MS, MS]).unwrap();
    set(&mut world, [timer, notification, 2, 5 * MS, 0]).unwrap();
    world.advance(4 * MS);
    assert_eq!(bits(&world, notification), 0);
    world.advance(MS);
    assert_eq!(bits(&world, notification), 2);
    set(&mut world, [timer, notification, 4, 7 * MS, MS]).unwrap();
    set(&mut world, [timer, notification, 4, 0, MS]).unwrap();
    world.advance(100 * MS);
    assert_eq!((bits(&world, notification), world.next_timer()), (2, None));
}

#[test]
fn a_time_in_the_past_signals_at_once() {
    let mut world = World::default();
    let (timer, notification) = timer_and_notification(&mut world);
    world.advance(10 * MS);
    set(&mut world, [timer, notification, 1, MS, 0]).unwrap();
    world.advance(0);
    assert_eq!(bits(&world, notification), 1);
}

#[test]
fn a_period_at_the_end_of_time_does_no_harm() {
    let mut world = World::default();
    let (timer, notification) = timer_and_notification(&mut world);
    set(&mut world, [timer, notification, 1, MS, u64::MAX]).unwrap();
    world.advance(2 * MS);
    assert_eq!((bits(&world, notification), world.next_timer()), (1, None));
}

#[test]
fn rights_on_both_and_a_period_that_is_not_too_short_are_needed() {
    let mut world = World::default();
    let init = world.init();
    let (timer, notification) = timer_and_notification(&mut world);
    for period in [1, 99_999] {
        let refused = set(&mut world, [timer, notification, 1, MS, period]);
        assert_eq!(refused, Err(Error::InvalidArgument));
    }
    assert!(set(&mut world, [timer, notification, 1, MS, 100_000]).is_ok());
    let read = Rights::READ.bits();
    let bare = world.value(init, Syscall::HandleCopy, &[timer, read]);
    let deaf = world.value(init, Syscall::HandleCopy, &[notification, read]);
    for (timer, notification) in [(bare, notification), (timer, deaf)] {
        let refused = set(&mut world, [timer, notification, 1, MS, 0]);
        assert_eq!(refused, Err(Error::MissingRight));
    }
    let swapped = set(&mut world, [notification, timer, 1, MS, 0]);
    assert_eq!(swapped, Err(Error::WrongKind));
}

#[test]
fn the_periodic_timers_of_a_process_signal_no_more_often_than_one_may() {
    let mut world = World::default();
    let init = world.init();
    let (worker, _) = world.start_worker();
    let make = |world: &mut World, process| {
        let timer = world.value(process, Syscall::TimerCreate, &[]);
        let notification = world.value(process, Syscall::NotificationCreate, &[]);
        (timer, notification)
    };
    let (first, second, other) = (
        make(&mut world, init),
        make(&mut world, init),
        make(&mut world, worker),
    );
    let mut set = |process, (timer, notification), period| {
        let arguments = [timer, notification, 1, MS, period];
        world.call(process, Syscall::TimerSet, &arguments).map(drop)
    };
    assert_eq!(set(init, first, 125_000), Ok(()));
    assert_eq!(set(init, second, 499_999), Err(Error::QuotaExceeded));
    assert_eq!(set(init, second, 500_000), Ok(()), "10,000 in a second");
    assert_eq!(set(init, first, 120_000), Err(Error::QuotaExceeded));
    assert_eq!(set(init, first, 125_000), Ok(()), "it counts once");
    assert_eq!(set(worker, other, 100_000), Ok(()), "another process");
    assert_eq!(set(init, second, 0), Ok(()), "once is no rate");
    assert_eq!(set(init, first, 100_000), Ok(()));
    assert_eq!(set(init, second, u64::MAX), Err(Error::QuotaExceeded));
}

#[test]
fn an_armed_timer_keeps_its_notification_and_goes_with_its_last_handle() {
    let mut world = World::default();
    let init = world.init();
    let (timer, notification) = timer_and_notification(&mut world);
    let copy = world.value(init, Syscall::HandleCopy, &[timer, Rights::ALL.bits()]);
    set(&mut world, [timer, notification, 1, MS, MS]).unwrap();
    world.value(init, Syscall::HandleClose, &[notification]);
    assert_eq!(world.kernel.notifications.used(), 1);
    world.advance(5 * MS);
    world.value(init, Syscall::HandleClose, &[timer]);
    assert!(world.next_timer().is_some());
    world.value(init, Syscall::HandleClose, &[copy]);
    assert_eq!(world.next_timer(), None);
    assert_eq!(
        (
            world.kernel.notifications.used(),
            world.kernel.timers.used()
        ),
        (0, 0)
    );
    assert_eq!(world.kernel.processes[init].objects, 0);
}

#[test]
fn timers_of_a_process_go_when_it_ends() {
    let mut world = World::default();
    let (worker, _) = world.start_worker();
    for _ in 0..3 {
        let timer = world.value(worker, Syscall::TimerCreate, &[]);
        let notification = world.value(worker, Syscall::NotificationCreate, &[]);
        world
            .call(worker, Syscall::TimerSet, &[timer, notification, 1, MS, MS])
            .unwrap();
    }
    world.begin(worker, Syscall::Exit, &[0]);
    assert_eq!((world.kernel.timers.used(), world.next_timer()), (0, None));
}

#[test]
fn a_timer_follows_the_cpu_that_sets_it_and_fires_while_that_is_idle() {
    let mut world = World::with_cpus(2);
    let init = world.init();
    let (worker, _) = world.start_worker();
    let (timer, notification) = timer_and_notification(&mut world);
    set(&mut world, [timer, notification, 1, 5 * MS, 0]).unwrap();
    let shared = [timer, notification].map(|handle| world.share(init, handle, worker));
    let arguments = [shared[0], shared[1], 2, 3 * MS, 0];
    world.call(worker, Syscall::TimerSet, &arguments).unwrap();
    world.begin(init, Syscall::NotificationWait, &[notification]);
    world.begin(worker, Syscall::Sleep, &[1 << 40]);
    world.advance(3 * MS);
    assert_eq!(world.result(init).unwrap()[0], 2);
    world.advance(10 * MS);
    assert_eq!(bits(&world, notification), 0, "it was set anew, not twice");
}
