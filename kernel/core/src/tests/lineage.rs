//! Lineage: what is derived from a handle, what revoking it undoes, and when it expires.

use std::vec::Vec;

use nonos_abi::info::handle_state;
use nonos_abi::{Error, MessageInfo, Rights, Syscall, start};

use super::family::{ALL, Family, READ, READ_WRITE};
use crate::arena::{Empty, Id};
use crate::lineage::{DEPTH_MAX, Derived, Lineage, Node, NodeId, Shape, Side};
use crate::machine::{Event, Machine};
use crate::thread::ThreadState;

#[test]
fn every_node_stands_for_one_thing_and_every_thing_has_its_node() {
    let shape = Shape {
        processes: 2,
        handles_per_process: 8,
        regions_per_process: 5,
        interrupts: 3,
        watches: 4,
        timers: 5,
        threads: 6,
        windows: 3,
    };
    let sides = |make: fn(usize, Side) -> Derived, count| {
        (0..count).flat_map(move |at| [Side::Source, Side::Notification].map(|side| make(at, side)))
    };
    let mut things = Vec::new();
    for process in 0..2 {
        things.extend((0..8).map(|index| Derived::Slot(id(process), index)));
    }
    for process in 0..2 {
        things.extend((0..5).map(|number| Derived::Region(id(process), number)));
    }
    things.extend(sides(|at, side| Derived::Interrupt(id(at), side), 3));
    things.extend(sides(|at, side| Derived::Watch(id(at), side), 4));
    things.extend(sides(|at, side| Derived::Timer(id(at), side), 5));
    things.extend((0..6).map(|at| Derived::Bound(id(at))));
    things.extend(sides(|at, side| Derived::Window(at as u16, side), 3));
    assert_eq!(shape.nodes(), things.len());

    let nodes: Vec<Node> = things.iter().map(|_| Node::unused()).collect();
    let lineage = Lineage::new(nodes.leak(), shape);
    for (position, thing) in (0..).zip(things) {
        let node = NodeId::at(position);
        assert_eq!(lineage.derived(node), Some(thing));
        assert_eq!(lineage.node(thing), node, "{thing:?}");
    }
}

fn id<T: Id>(position: usize) -> T {
    T::at(position).expect("a small number")
}

#[test]
fn what_was_derived_from_a_revoked_handle_is_dead_everywhere_and_the_handle_lives() {
    let mut family = Family::default();
    let [init, first, second] = family.processes();
    let root = family.notification(init);
    let child = family.world.share(init, root, first);
    let grandchild = family.world.share(first, child, second);
    let own = family.value(init, Syscall::HandleCopy, &[root, ALL]);
    family.revoke(init, root);
    for (process, handle) in [(first, child), (second, grandchild), (init, own)] {
        for call in [
            Syscall::NotificationSignal,
            Syscall::NotificationWait,
            Syscall::HandleInfo,
            Syscall::HandleCopy,
            Syscall::HandleRevoke,
        ] {
            let error = family.error(process, call, &[handle, 1]);
            assert_eq!(error, Some(Error::Revoked), "{call:?}");
        }
        assert_eq!(
            family.error(process, Syscall::MemoryMap, &[handle, READ]),
            Some(Error::WrongKind),
            "the kind is checked first"
        );
        assert_eq!(family.error(process, Syscall::HandleClose, &[handle]), None);
        assert_eq!(
            family.error(process, Syscall::HandleInfo, &[handle]),
            Some(Error::NoHandle)
        );
    }
    assert_eq!(
        family.error(init, Syscall::NotificationSignal, &[root, 1]),
        None
    );
}

#[test]
fn parents_and_siblings_of_a_revoked_handle_go_on_working() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let root = family.notification(init);
    let one = family.value(init, Syscall::HandleCopy, &[root, ALL]);
    let other = family.value(init, Syscall::HandleCopy, &[root, ALL]);
    let below = family.world.share(init, one, first);
    family.revoke(init, one);
    for handle in [root, one, other] {
        assert_eq!(
            family.error(init, Syscall::NotificationSignal, &[handle, 1]),
            None
        );
    }
    assert_eq!(
        family.error(first, Syscall::NotificationSignal, &[below, 1]),
        Some(Error::Revoked)
    );
}

#[test]
fn revoking_needs_the_right() {
    let mut family = Family::default();
    let init = family.init;
    let root = family.notification(init);
    let rights = Rights::ALL.without(Rights::REVOKE).bits();
    let copy = family.value(init, Syscall::HandleCopy, &[root, rights]);
    let below = family.value(init, Syscall::HandleCopy, &[copy, ALL]);
    assert_eq!(
        family.error(init, Syscall::HandleRevoke, &[copy]),
        Some(Error::MissingRight)
    );
    assert_eq!(family.error(init, Syscall::HandleInfo, &[below]), None);
}

#[test]
fn what_was_derived_from_a_closed_handle_belongs_to_its_parent() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let root = family.notification(init);
    let middle = family.value(init, Syscall::HandleCopy, &[root, ALL]);
    let below = family.world.share(init, middle, first);
    family.value(init, Syscall::HandleClose, &[middle]);
    let number = family.world.kernel.processes[init].number;
    let record = family.record(first, below);
    assert_eq!(
        (record.parent_process, record.parent_handle),
        (number, root)
    );
    family.revoke(init, root);
    assert_eq!(
        family.error(first, Syscall::HandleInfo, &[below]),
        Some(Error::Revoked)
    );
    assert_eq!(family.record(first, below).state, handle_state::REVOKED);
}

#[test]
fn what_was_derived_from_an_only_child_stays_below_it_when_its_parent_is_closed() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let root = family.notification(init);
    let child = family.value(init, Syscall::HandleCopy, &[root, ALL]);
    let below = family.world.share(init, child, first);
    assert_eq!(family.error(init, Syscall::HandleClose, &[root]), None);
    family.revoke(init, child);
    let dead = family.error(first, Syscall::NotificationSignal, &[below, 1]);
    assert_eq!(dead, Some(Error::Revoked));
}

#[test]
fn a_copy_has_at_most_the_rights_and_the_time_of_its_parent() {
    let mut family = Family::default();
    let init = family.init;
    let root = family.notification(init);
    let grant = Rights::READ.or(Rights::GRANT).bits();
    let narrow = family.value(init, Syscall::HandleCopy, &[root, grant, 1000]);
    let wide = family.value(init, Syscall::HandleCopy, &[narrow, ALL, 5000]);
    let early = family.value(init, Syscall::HandleCopy, &[narrow, READ, 500]);
    let forever = family.value(init, Syscall::HandleCopy, &[narrow, READ, 0]);
    let [wide, early, forever] = [wide, early, forever].map(|h| family.record(init, h));
    assert_eq!((wide.rights, wide.deadline_ns), (grant, 1000));
    assert_eq!((early.rights, early.deadline_ns), (READ, 500));
    assert_eq!(forever.deadline_ns, 1000);
    assert_eq!(family.record(init, narrow).children, 3);
}

#[test]
fn an_expired_handle_is_denied_before_its_rights_are_looked_at() {
    let mut family = Family::default();
    let init = family.init;
    let root = family.notification(init);
    let copy = family.value(init, Syscall::HandleCopy, &[root, READ, 1_000_000]);
    assert_eq!(
        family.error(init, Syscall::NotificationSignal, &[copy, 1]),
        Some(Error::MissingRight)
    );
    family.world.advance(999_999);
    assert_eq!(family.error(init, Syscall::HandleInfo, &[copy]), None);
    family.world.advance(1);
    for call in [
        Syscall::NotificationSignal,
        Syscall::NotificationWait,
        Syscall::HandleInfo,
        Syscall::HandleCopy,
    ] {
        assert_eq!(
            family.error(init, call, &[copy, 1]),
            Some(Error::Expired),
            "{call:?}"
        );
    }
    assert_eq!(family.record(init, copy).state, handle_state::EXPIRED);
    assert_eq!(family.error(init, Syscall::HandleClose, &[copy]), None);
}

#[test]
fn handles_can_be_passed_on_only_so_often() {
    let mut family = Family::default();
    let init = family.init;
    let mut handle = family.notification(init);
    for _ in 1..DEPTH_MAX {
        handle = family.value(init, Syscall::HandleCopy, &[handle, ALL]);
    }
    assert_eq!(
        family.error(init, Syscall::HandleCopy, &[handle, ALL]),
        Some(Error::TooDeep)
    );
    assert_eq!(
        family.error(init, Syscall::NotificationBind, &[handle]),
        Some(Error::TooDeep)
    );
}

#[test]
fn ancestors_that_are_gone_do_not_count_and_the_others_do() {
    let mut family = Family::default();
    let init = family.init;
    let mut chain = std::vec![family.notification(init)];
    for _ in 1..DEPTH_MAX {
        let last = *chain.last().expect("a handle");
        chain.push(family.value(init, Syscall::HandleCopy, &[last, ALL]));
    }
    for &gone in &chain[3..6] {
        family.value(init, Syscall::HandleClose, &[gone]);
    }
    for _ in 0..3 {
        let last = *chain.last().expect("a handle");
        chain.push(family.value(init, Syscall::HandleCopy, &[last, ALL]));
    }
    let last = *chain.last().expect("a handle");
    let deeper = family.error(init, Syscall::HandleCopy, &[last, ALL]);
    assert_eq!(deeper, Some(Error::TooDeep));
}

#[test]
fn mappings_go_with_the_handle_they_were_made_through() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let root = family.value(init, Syscall::MemoryCreate, &[3]);
    let through_root = family.value(init, Syscall::MemoryMap, &[root, READ_WRITE]);
    let lent = family.world.share(init, root, first);
    let address = family.value(first, Syscall::MemoryMap, &[lent, READ]);
    assert_eq!(family.record(first, lent).children, 1);
    // Without the handle the mapping stays, and still belongs to the root.
    family.value(first, Syscall::HandleClose, &[lent]);
    assert!(family.is_mapped(first, address));
    let shootdowns = family.world.machine.shootdowns;
    family.revoke(init, root);
    assert!(!family.is_mapped(first, address));
    assert!(
        !family.is_mapped(init, through_root),
        "the revoker's own mapping was derived, too"
    );
    assert!(family.world.machine.shootdowns > shootdowns);
    let again = family.value(init, Syscall::MemoryMap, &[root, READ]);
    assert!(family.is_mapped(init, again));
}

#[test]
fn the_address_of_a_revoked_mapping_is_not_used_again_before_the_program_says_that_it_knows() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let root = family.value(init, Syscall::MemoryCreate, &[1]);
    let lent = family.world.share(init, root, first);
    let address = family.value(first, Syscall::MemoryMap, &[lent, READ_WRITE]);
    family.revoke(init, root);
    let own = family.value(first, Syscall::MemoryCreate, &[1]);
    let others: Vec<_> = (0..8)
        .map(|_| family.value(first, Syscall::MemoryMap, &[own, READ]))
        .collect();
    assert!(!others.contains(&address));
    assert_eq!(family.error(first, Syscall::MemoryUnmap, &[address]), None);
    assert_eq!(
        family.error(first, Syscall::MemoryUnmap, &[address]),
        Some(Error::BadAddress)
    );
    assert!(others.iter().all(|&other| family.is_mapped(first, other)));
}

#[test]
fn threads_that_wait_through_a_revoked_handle_are_told() {
    let mut family = Family::default();
    let [init, first, second] = family.processes();
    // A caller that nobody received, and one that waits for its answer.
    let endpoint = family.value(init, Syscall::EndpointCreate, &[]);
    let door = family.value(init, Syscall::EndpointBadge, &[endpoint, 7, ALL]);
    let doors = [first, second].map(|process| family.world.share(init, door, process));
    family.world.begin(first, Syscall::Call, &[doors[0]]);
    let received = family.world.call(init, Syscall::Receive, &[endpoint]);
    let reply = MessageInfo(received.unwrap()[1]).reply().raw().into();
    family.world.begin(second, Syscall::Call, &[doors[1]]);
    assert!(family.world.is_blocked(first) && family.world.is_blocked(second));
    family.revoke(init, door);
    assert_eq!(family.world.result(first), Err(Error::Revoked));
    assert_eq!(family.world.result(second), Err(Error::Revoked));
    assert_eq!(
        family.error(init, Syscall::Reply, &[reply]),
        Some(Error::PeerGone)
    );

    // A receiver and one that waits for signals.
    let ear = family.value(first, Syscall::EndpointCreate, &[]);
    let ears = family.world.share(first, ear, second);
    let bell = family.notification(init);
    let bells = family.world.share(init, bell, first);
    family.world.begin(second, Syscall::Receive, &[ears]);
    family.revoke(first, ear);
    assert_eq!(family.world.result(second), Err(Error::Revoked));
    family
        .world
        .begin(first, Syscall::NotificationWait, &[bells]);
    family.revoke(init, bell);
    assert_eq!(family.world.result(first), Err(Error::Revoked));
}

#[test]
fn threads_that_wait_through_a_handle_that_expires_are_told() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let endpoint = family.value(init, Syscall::EndpointCreate, &[]);
    let door = family.value(init, Syscall::HandleCopy, &[endpoint, ALL, 50_000]);
    let door = family.world.share(init, door, first);
    family.world.begin(first, Syscall::Call, &[door]);
    assert!(family.world.is_blocked(first));
    family.world.advance(49_999);
    assert!(family.world.is_blocked(first));
    family.world.advance(1);
    assert_eq!(family.world.result(first), Err(Error::Expired));

    let now_ns = family.world.machine.now_ns();
    let bell = family.notification(init);
    let bells = family.value(init, Syscall::HandleCopy, &[bell, READ, now_ns + 1000]);
    let bells = family.world.share(init, bells, first);
    family
        .world
        .begin(first, Syscall::NotificationWait, &[bells]);
    family.world.advance(1000);
    assert_eq!(family.world.result(first), Err(Error::Expired));
}

#[test]
fn a_mapping_goes_before_its_process_runs_past_the_deadline() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let root = family.value(init, Syscall::MemoryCreate, &[1]);
    let lent = family.value(init, Syscall::HandleCopy, &[root, READ_WRITE | 8, 70_000]);
    let lent = family.world.share(init, lent, first);
    let address = family.value(first, Syscall::MemoryMap, &[lent, READ_WRITE]);
    family.world.advance(69_999);
    family.world.switch_to(first);
    assert!(family.is_mapped(first, address));
    family.world.advance(1);
    family.world.switch_to(first);
    assert!(!family.is_mapped(first, address));
    assert_eq!(
        family.error(first, Syscall::MemoryMap, &[lent, READ]),
        Some(Error::Expired)
    );
}

#[test]
fn bindings_go_with_either_handle() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let hardware = start::HARDWARE.raw().into();
    for revoke_line in [true, false] {
        let line = family.value(init, Syscall::HardwareInterrupt, &[hardware, 4]);
        let bell = family.notification(init);
        let [my_line, my_bell] = [line, bell].map(|h| family.world.share(init, h, first));
        family.value(first, Syscall::InterruptBind, &[my_line, my_bell, 1]);
        assert!(family.world.machine.enabled_interrupts.contains(&4));
        family.revoke(init, if revoke_line { line } else { bell });
        assert!(!family.world.machine.enabled_interrupts.contains(&4));
        family.world.event(Event::Interrupt(4));
        family.world.begin(init, Syscall::NotificationWait, &[bell]);
        assert!(family.world.is_blocked(init), "no signal came");
        let rest = family.world.share(init, bell, first);
        family.value(first, Syscall::NotificationSignal, &[rest, 2]);
        for handle in [line, bell] {
            family.value(init, Syscall::HandleClose, &[handle]);
        }
        for handle in [my_line, my_bell, rest] {
            family.value(first, Syscall::HandleClose, &[handle]);
        }
    }
}

#[test]
fn a_watch_goes_with_either_handle() {
    for revoke_process in [true, false] {
        let mut family = Family::default();
        let [init, first, second] = family.processes();
        let (victim, process) = family.world.start_worker();
        let bell = family.notification(init);
        for watcher in [first, second] {
            let [watched, signalled] =
                [process, bell].map(|handle| family.world.share(init, handle, watcher));
            family.value(watcher, Syscall::ProcessWatch, &[watched, signalled, 1]);
        }
        family.revoke(init, if revoke_process { process } else { bell });
        assert!(family.world.kernel.processes[victim].watches.is_none());
        family.value(init, Syscall::ProcessKill, &[process]);
        family.world.begin(init, Syscall::NotificationWait, &[bell]);
        assert!(family.world.is_blocked(init));
    }
}

#[test]
fn devices_and_modules_go_with_the_handle_they_were_made_from() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let hardware = family
        .world
        .share(init, start::HARDWARE.raw().into(), first);
    let ports = family.value(first, Syscall::HardwarePorts, &[hardware, 0x60, 1]);
    let archive = family.world.share(init, start::ARCHIVE.raw().into(), first);
    let name = family.world.buffer(first);
    family.world.poke(first, name, b"worker");
    let module = family.value(first, Syscall::ModuleAdmit, &[archive, name, 6]);
    family.revoke(init, start::HARDWARE.raw().into());
    family.revoke(init, start::ARCHIVE.raw().into());
    assert_eq!(
        family.error(first, Syscall::PortRead, &[ports, 0x60, 1]),
        Some(Error::Revoked)
    );
    assert_eq!(
        family.error(first, Syscall::ProcessCreate, &[module, 1, 100]),
        Some(Error::Revoked)
    );
}

#[test]
fn a_long_revocation_is_made_in_parts_and_complete_when_it_returns() {
    let mut family = Family::default();
    let [init, first, second] = family.processes();
    let root = family.notification(init);
    family.world.checked = false;
    let mut handles = Vec::new();
    for process in [init, first, second] {
        let top = match process == init {
            true => root,
            false => family.world.share(init, root, process),
        };
        for _ in 0..200 {
            handles.push((
                process,
                family.value(process, Syscall::HandleCopy, &[top, ALL]),
            ));
        }
    }
    let before = family.world.context(init).rip;
    family.world.begin(init, Syscall::HandleRevoke, &[root]);
    let mut rounds = 1;
    while family.world.context(init).rip != before {
        // The instruction is executed again.
        assert_eq!(family.world.context(init).rip, before - 2);
        family.world.context(init).rip = before;
        family.world.switch_to(init);
        family.world.event(Event::Syscall);
        rounds += 1;
    }
    family.world.check();
    assert_eq!(rounds, 3, "602 nodes, 256 at once");
    assert_eq!(family.world.result(init).err(), None);
    for (process, handle) in handles {
        let error = family.error(process, Syscall::HandleInfo, &[handle]);
        assert_eq!(error, Some(Error::Revoked));
    }
}

/// `init` has lent `first` a handle of `root`, which `first` has lent to `second` as `below` and then moved to `init`, where it is `arrived`.
struct Moved {
    family: Family,
    root: u64,
    arrived: u64,
    below: u64,
}

fn move_handle(info: MessageInfo) -> Moved {
    let mut family = Family::default();
    let [init, first, second] = family.processes();
    let (endpoint, door) = family.endpoint();
    let root = family.notification(init);
    let moved = family.world.share(init, root, first);
    let below = family.world.share(first, moved, second);
    family.world.begin(init, Syscall::Receive, &[endpoint]);
    let arrived = family.send_handle(door, info, moved);
    Moved {
        family,
        root,
        arrived,
        below,
    }
}

#[test]
fn a_moved_handle_keeps_its_place_and_its_descendants() {
    let info = MessageInfo::new(0, 0, 1).moving(1);
    let Moved {
        mut family,
        root,
        arrived,
        below,
    } = move_handle(info);
    let [init, _, second] = family.processes();
    let record = family.record(init, arrived);
    assert_eq!(record.parent_handle, root);
    assert_eq!((record.children, record.rights), (1, ALL));
    family.revoke(init, arrived);
    assert_eq!(
        family.error(second, Syscall::HandleInfo, &[below]),
        Some(Error::Revoked)
    );
}

#[test]
fn a_handle_that_loses_rights_on_the_way_leaves_its_descendants_to_its_parent() {
    let info = MessageInfo::new(0, 0, 1).moving(1).for_receiver_only(1);
    let Moved {
        mut family,
        root,
        arrived,
        below,
    } = move_handle(info);
    let [init, _, second] = family.processes();
    let record = family.record(init, arrived);
    assert_eq!((record.parent_handle, record.children), (root, 0));
    assert_eq!(record.rights, Rights::ALL.without(Rights::GRANT).bits());
    family.revoke(init, arrived);
    assert_eq!(family.error(second, Syscall::HandleInfo, &[below]), None);
    family.revoke(init, root);
    assert_eq!(
        family.error(second, Syscall::HandleInfo, &[below]),
        Some(Error::Revoked)
    );
}

#[test]
fn a_copied_handle_can_arrive_without_grant() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let (endpoint, door) = family.endpoint();
    let sent = family.notification(first);
    family.world.begin(init, Syscall::Receive, &[endpoint]);
    let info = MessageInfo::new(0, 0, 2).for_receiver_only(0b10);
    let pair = family.send_handle(door, info, sent | sent << 32);
    let (free, bound) = (pair & 0xFFFF_FFFF, pair >> 32);
    assert_eq!(family.error(init, Syscall::HandleCopy, &[free, ALL]), None);
    assert_eq!(
        family.error(init, Syscall::HandleCopy, &[bound, ALL]),
        Some(Error::MissingRight)
    );
}

#[test]
fn the_handle_that_a_message_goes_through_cannot_be_moved_in_it() {
    let mut family = Family::default();
    let first = family.first;
    let (_, door) = family.endpoint();
    let info = MessageInfo::new(0, 0, 1).moving(1).0;
    family.world.switch_to(first);
    family.world.context(first).rbx = door;
    assert_eq!(
        family.error(first, Syscall::Call, &[door, info]),
        Some(Error::Busy)
    );
    assert_eq!(family.error(first, Syscall::HandleInfo, &[door]), None);
}

#[test]
fn what_a_thread_is_bound_to_goes_with_the_handle() {
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let bell = family.notification(init);
    let mine = family.world.share(init, bell, first);
    family.value(first, Syscall::NotificationBind, &[mine]);
    let ear = family.value(first, Syscall::EndpointCreate, &[]);
    family.world.begin(first, Syscall::Receive, &[ear]);
    family.revoke(init, bell);
    assert!(matches!(
        family.world.state(first),
        ThreadState::Receiving(_)
    ));
    family.value(init, Syscall::NotificationSignal, &[bell, 1]);
    assert!(family.world.is_blocked(first), "no longer bound");
}

#[test]
fn a_timer_goes_with_either_handle_and_with_their_time() {
    for revoke_timer in [true, false] {
        let mut family = Family::default();
        let [init, first, _] = family.processes();
        let timer = family.value(init, Syscall::TimerCreate, &[]);
        let bell = family.notification(init);
        let [mine, my_bell] = [timer, bell].map(|handle| family.world.share(init, handle, first));
        family.value(first, Syscall::TimerSet, &[mine, my_bell, 1, 5000, 0]);
        family.revoke(init, if revoke_timer { timer } else { bell });
        family.world.begin(init, Syscall::NotificationWait, &[bell]);
        family.world.advance(10_000);
        assert!(family.world.is_blocked(init));
    }
    let mut family = Family::default();
    let [init, first, _] = family.processes();
    let timer = family.value(init, Syscall::TimerCreate, &[]);
    let bell = family.notification(init);
    let brief = family.value(init, Syscall::HandleCopy, &[bell, ALL, 250_000]);
    let [mine, my_bell] = [timer, brief].map(|handle| family.world.share(init, handle, first));
    family.value(
        first,
        Syscall::TimerSet,
        &[mine, my_bell, 1, 100_000, 100_000],
    );
    for _ in 0..2 {
        family.world.begin(init, Syscall::NotificationWait, &[bell]);
        family.world.advance(100_000);
        assert!(!family.world.is_blocked(init));
    }
    family.world.begin(init, Syscall::NotificationWait, &[bell]);
    family.world.advance(1_000_000);
    assert!(family.world.is_blocked(init), "the handle has expired");
}
