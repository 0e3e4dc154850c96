//! Processes: their life, their end, and that nothing of them is left.

use nonos_abi::info::{ProcessInfo, exit_kind, process_state};
use nonos_abi::words::Words;
use nonos_abi::{Error, PAGE_BYTES, Rights, Syscall, start};

use crate::machine::{Event, Fault, Machine};
use crate::testing::{MODULE_PRIORITY, MODULE_QUOTA_PAGES, World};

fn read(world: &mut World, handle: u64) -> ProcessInfo {
    let init = world.init();
    let buffer = world.buffer(init);
    let words = ProcessInfo::COUNT;
    world
        .call(init, Syscall::ProcessRead, &[handle, buffer, words as u64])
        .unwrap();
    ProcessInfo::read_words(&world.peek_words(init, buffer, words)).unwrap()
}

fn fault(vector: u8, error: u64, address: u64) -> Event {
    Event::Fault(Fault {
        vector,
        error,
        address,
        instruction: 0x5555,
    })
}

#[test]
fn the_manifest_is_a_maximum_for_priority_and_quota() {
    let mut world = World::default();
    let init = world.init();
    let module = world.admit("worker").unwrap();
    for (priority, quota, expected) in [
        (3, 100, (3, 100)),
        (255, 1000, (MODULE_PRIORITY.into(), MODULE_QUOTA_PAGES)),
        (
            u64::MAX,
            u64::MAX,
            (MODULE_PRIORITY.into(), MODULE_QUOTA_PAGES),
        ),
    ] {
        let handle = world.value(init, Syscall::ProcessCreate, &[module, priority, quota]);
        let info = read(&mut world, handle);
        assert_eq!((info.priority, info.quota_pages), expected);
    }
}

#[test]
fn a_process_goes_from_new_to_ready_to_ended() {
    let mut world = World::default();
    let init = world.init();
    let (worker, handle) = world.create_worker();
    assert_eq!(read(&mut world, handle).state, process_state::NEW);
    world.value(init, Syscall::ProcessStart, &[handle, 0, 0]);
    assert_eq!(read(&mut world, handle).state, process_state::READY);
    let again = world.call(init, Syscall::ProcessStart, &[handle, 0, 0]);
    assert_eq!(again, Err(Error::Busy));
    world.begin(worker, Syscall::Sleep, &[1_000_000]);
    assert_eq!(read(&mut world, handle).state, process_state::BLOCKED);
    world.advance(2_000_000);
    world.begin(worker, Syscall::Exit, &[42]);
    let info = read(&mut world, handle);
    assert_eq!(
        (info.state, info.exit_kind, info.exit_code),
        (process_state::ENDED, exit_kind::EXIT, 42)
    );
    assert_eq!((info.pages, info.handles), (0, 0));
    let after = world.call(init, Syscall::ProcessStart, &[handle, 0, 0]);
    assert_eq!(after, Err(Error::PeerGone));
    assert!(
        world.call(init, Syscall::ProcessKill, &[handle]).is_ok(),
        "it has ended already"
    );
}

#[test]
fn a_fault_ends_the_process_is_recorded_and_logged_in_words() {
    let mut world = World::default();
    let (worker, handle) = world.start_worker();
    world.switch_to(worker);
    world.event(fault(14, 7, 0xDEAD_0000));
    let info = read(&mut world, handle);
    assert_eq!(
        (info.exit_kind, info.exit_code, info.fault_error),
        (exit_kind::FAULT, 14, 7)
    );
    assert_eq!(
        (info.fault_address, info.fault_instruction),
        (0xDEAD_0000, 0x5555)
    );
    let line = "worker (2) ended: page fault writing 0xdead0000 (access not allowed) at instruction 0x5555\n";
    assert!(
        world.machine.printed.contains(line),
        "{}",
        world.machine.printed
    );
    for (vector, error, text) in [
        (14, 4, "page fault reading 0xdead0000 (not mapped)"),
        (
            14,
            0x15,
            "page fault executing 0xdead0000 (access not allowed)",
        ),
        (13, 0x18, "general protection fault, error code 0x18 at"),
        (6, 0, "invalid opcode at"),
        (200, 0, "unknown exception at"),
    ] {
        let (worker, _) = world.start_worker();
        world.switch_to(worker);
        world.event(fault(vector, error, 0xDEAD_0000));
        assert!(
            world.machine.printed.contains(text),
            "{text}: {}",
            world.machine.printed
        );
    }
}

#[test]
fn an_invalid_opcode_of_a_check_before_a_call_is_named_as_such() {
    const CHECK: [u8; 14] = [
        0x41, 0xBA, 1, 2, 3, 4, 0x44, 0x03, 0x50, 0xFC, 0x74, 0x02, 0x0F, 0x0B,
    ];
    let words = "(kCFI: called a function of another type) at instruction";
    for (change, expected) in [(0, true), (0x20, false)] {
        let mut world = World::default();
        let (worker, handle) = world.start_worker();
        let code = world.buffer(worker) + 1;
        let mut bytes = CHECK;
        bytes[7] ^= change;
        world.poke(worker, code, &bytes);
        world.switch_to(worker);
        world.event(Event::Fault(Fault {
            vector: 6,
            error: 0,
            address: 0,
            instruction: code + CHECK.len() as u64 - 2,
        }));
        let info = read(&mut world, handle);
        assert_eq!(info.fault_error, u64::from(expected));
        assert_eq!(world.machine.printed.contains(words), expected);
    }
}

#[test]
fn when_a_process_has_ended_everything_it_had_is_free_again() {
    let mut world = World::default();
    let init = world.init();
    let before = (
        world.kernel.frames.available(),
        world.machine.table_frames().0,
    );
    for round in 0..20 {
        let (worker, handle) = world.start_worker();
        let memory = world.value(worker, Syscall::MemoryCreate, &[7]);
        world
            .call(worker, Syscall::MemoryMap, &[memory, 3])
            .unwrap();
        let notification = world.value(worker, Syscall::NotificationCreate, &[]);
        world
            .call(worker, Syscall::NotificationBind, &[notification])
            .unwrap();
        let endpoint = world.value(worker, Syscall::EndpointCreate, &[]);
        match round % 4 {
            0 => world.begin(worker, Syscall::Exit, &[0]),
            1 => {
                world.switch_to(worker);
                world.event(fault(0, 0, 0));
            }
            2 => drop(world.value(init, Syscall::ProcessKill, &[handle])),
            _ => {
                world.begin(worker, Syscall::Receive, &[endpoint]);
                world.value(init, Syscall::ProcessKill, &[handle]);
            }
        }
        world.value(init, Syscall::HandleClose, &[handle]);
        assert_eq!(world.kernel.processes.used(), 1);
        assert_eq!(
            world.kernel.endpoints.used() + world.kernel.notifications.used(),
            0
        );
    }
    let after = (
        world.kernel.frames.available(),
        world.machine.table_frames().0,
    );
    assert_eq!(after, before);
}

#[test]
fn the_record_of_a_process_stays_while_a_handle_exists() {
    let mut world = World::default();
    let init = world.init();
    let (_, handle) = world.start_worker();
    let copy = world.value(init, Syscall::HandleCopy, &[handle, Rights::READ.bits()]);
    world.value(init, Syscall::ProcessKill, &[handle]);
    world.value(init, Syscall::HandleClose, &[handle]);
    assert_eq!(read(&mut world, copy).exit_kind, exit_kind::KILLED);
    world.value(init, Syscall::HandleClose, &[copy]);
    assert_eq!(world.kernel.processes.used(), 1);
}

#[test]
fn numbers_of_processes_are_never_used_again() {
    let mut world = World::default();
    let init = world.init();
    let mut numbers = std::collections::BTreeSet::new();
    for _ in 0..5 {
        let (_, handle) = world.start_worker();
        assert!(numbers.insert(read(&mut world, handle).id));
        world.value(init, Syscall::ProcessKill, &[handle]);
        world.value(init, Syscall::HandleClose, &[handle]);
    }
}

#[test]
fn rights_are_needed_to_start_kill_read_and_grant() {
    let mut world = World::default();
    let init = world.init();
    let (_, handle) = world.create_worker();
    let bare = world.value(init, Syscall::HandleCopy, &[handle, Rights::GRANT.bits()]);
    let buffer = world.buffer(init);
    let log = start::LOG.raw().into();
    for (call, arguments) in [
        (Syscall::ProcessStart, [bare, 0, 0]),
        (Syscall::ProcessKill, [bare, 0, 0]),
        (Syscall::ProcessRead, [bare, buffer, 14]),
        (Syscall::ProcessGrant, [bare, log, 31]),
    ] {
        assert_eq!(
            world.call(init, call, &arguments),
            Err(Error::MissingRight),
            "{call:?}"
        );
    }
    let own = start::SELF.raw().into();
    let refused = world.call(init, Syscall::ProcessGrant, &[handle, own, 31]);
    assert_eq!(
        refused,
        Err(Error::MissingRight),
        "a handle without GRANT cannot be passed on"
    );
}

#[test]
fn grants_land_in_the_lowest_slots_with_the_rights_given_and_only_before_the_start() {
    let mut world = World::default();
    let init = world.init();
    let (worker, handle) = world.create_worker();
    let endpoint = world.value(init, Syscall::EndpointCreate, &[]);
    let badged = world.value(
        init,
        Syscall::EndpointBadge,
        &[endpoint, 77, Rights::ALL.bits()],
    );
    let write = Rights::WRITE.bits();
    let landed = world.value(init, Syscall::ProcessGrant, &[handle, badged, write]);
    assert_eq!(landed, u64::from(start::PARENT.raw()));
    let capability = world.kernel.find(worker, landed).unwrap().capability;
    assert_eq!((capability.badge, capability.rights), (77, Rights::WRITE));
    world.value(init, Syscall::ProcessStart, &[handle, 0, 0]);
    let late = world.call(init, Syscall::ProcessGrant, &[handle, badged, write]);
    assert_eq!(late, Err(Error::Busy));
    world.value(init, Syscall::ProcessKill, &[handle]);
    let gone = world.call(init, Syscall::ProcessGrant, &[handle, badged, write]);
    assert_eq!(gone, Err(Error::PeerGone));
}

#[test]
fn a_process_can_end_itself_through_its_own_handle() {
    let mut world = World::default();
    let (worker, handle) = world.start_worker();
    world.begin(worker, Syscall::ProcessKill, &[start::SELF.raw().into()]);
    assert_eq!(read(&mut world, handle).exit_kind, exit_kind::KILLED);
}

#[test]
fn a_process_runs_on_when_nobody_holds_its_handle() {
    let mut world = World::default();
    let init = world.init();
    let (worker, handle) = world.start_worker();
    world.value(init, Syscall::HandleClose, &[handle]);
    world.value(worker, Syscall::HandleClose, &[start::SELF.raw().into()]);
    world.value(worker, Syscall::ClockRead, &[]);
    world.begin(worker, Syscall::Exit, &[0]);
    assert_eq!(world.kernel.processes.used(), 1);
}

#[test]
fn a_process_that_can_never_start_ends() {
    let mut world = World::default();
    let init = world.init();
    let (_, handle) = world.create_worker();
    world.value(init, Syscall::HandleClose, &[handle]);
    assert_eq!(world.kernel.processes.used(), 1);

    let (parent, parent_handle) = world.start_worker();
    let module = world.admit("worker").unwrap();
    let module = world.share(init, module, parent);
    let arguments = [module, u64::MAX, u64::MAX];
    let child = world.value(parent, Syscall::ProcessCreate, &arguments);
    let elsewhere = world.share(parent, child, init);
    world.value(init, Syscall::ProcessKill, &[parent_handle]);
    assert_eq!(read(&mut world, elsewhere).exit_kind, exit_kind::KILLED);
}

#[test]
fn watchers_are_told_of_the_end_at_once_when_it_has_come() {
    let mut world = World::default();
    let init = world.init();
    let (worker, handle) = world.start_worker();
    let notification = world.value(init, Syscall::NotificationCreate, &[]);
    for bits in [1, 4] {
        world
            .call(init, Syscall::ProcessWatch, &[handle, notification, bits])
            .unwrap();
    }
    world.begin(init, Syscall::NotificationWait, &[notification]);
    assert!(world.is_blocked(init));
    world.begin(worker, Syscall::Exit, &[0]);
    let [first, _] = world.result(init).unwrap();
    let rest = if first == 5 {
        0
    } else {
        world.value(init, Syscall::NotificationWait, &[notification])
    };
    assert_eq!(first | rest, 5);
    world
        .call(init, Syscall::ProcessWatch, &[handle, notification, 8])
        .unwrap();
    assert_eq!(
        world.value(init, Syscall::NotificationWait, &[notification]),
        8
    );
    assert_eq!(world.kernel.watches.used(), 0);
}

#[test]
fn objects_are_charged_to_their_maker_and_limited() {
    let mut world = World::default();
    let (worker, _) = world.start_worker();
    let limit = world.kernel.objects_per_process;
    let mut last = 0;
    for _ in 0..limit {
        last = world.value(worker, Syscall::NotificationCreate, &[]);
    }
    let refused = world.call(worker, Syscall::NotificationCreate, &[]);
    assert_eq!(refused, Err(Error::QuotaExceeded));
    let init = world.init();
    assert!(
        world.call(init, Syscall::NotificationCreate, &[]).is_ok(),
        "others are not affected"
    );
    world.value(worker, Syscall::HandleClose, &[last]);
    assert!(world.call(worker, Syscall::EndpointCreate, &[]).is_ok());
}

#[test]
fn memory_handed_on_outlives_its_maker_and_is_then_freed() {
    let mut world = World::default();
    let init = world.init();
    let (worker, handle) = world.start_worker();
    let memory = world.value(worker, Syscall::MemoryCreate, &[5]);
    let kept = world.share(worker, memory, init);
    world.begin(worker, Syscall::Exit, &[0]);
    assert_eq!(
        read(&mut world, handle).pages,
        5,
        "still charged to its maker"
    );
    world.value(init, Syscall::HandleClose, &[handle]);
    let [address, _] = world.call(init, Syscall::MemoryMap, &[kept, 3]).unwrap();
    world.poke(init, address, b"alive");
    world.call(init, Syscall::MemoryUnmap, &[address]).unwrap();
    world.value(init, Syscall::HandleClose, &[kept]);
    assert_eq!(
        world.kernel.processes.used(),
        1,
        "the record goes with the last object"
    );
}

#[test]
fn the_end_of_init_is_logged_and_the_rest_goes_on() {
    let mut world = World::default();
    let init = world.init();
    let (worker, _) = world.start_worker();
    world.begin(init, Syscall::Exit, &[0]);
    assert!(world.machine.printed.contains("init ended"));
    world.value(worker, Syscall::ClockRead, &[]);
}

#[test]
fn running_out_of_processes_is_an_error_to_the_caller() {
    let options = crate::testing::WorldOptions {
        processes: Some(4),
        ..Default::default()
    };
    let mut world = World::new(options);
    let init = world.init();
    let module = world.admit("worker").unwrap();
    for _ in 0..3 {
        world.value(init, Syscall::ProcessCreate, &[module, 1, 100]);
    }
    let refused = world.call(init, Syscall::ProcessCreate, &[module, 1, 100]);
    assert_eq!(refused, Err(Error::OutOfObjects));
}

#[test]
fn records_go_only_to_memory_that_the_caller_may_write() {
    let mut world = World::default();
    let init = world.init();
    let own = start::SELF.raw().into();
    let code = world.context(init).rip;
    let top = world.context(init).rsp;
    for address in [
        0,
        code,
        top,
        top - 8,
        top + PAGE_BYTES as u64,
        u64::MAX - 7,
        1 << 47,
    ] {
        let refused = world.call(init, Syscall::ProcessRead, &[own, address, 14]);
        assert_eq!(refused, Err(Error::BadAddress), "{address:#x}");
    }
    assert_eq!(
        world.peek(init, top - 8, 8),
        [0; 8],
        "nothing was written before the bad page"
    );
    assert!(
        world
            .call(init, Syscall::ProcessRead, &[own, top - 8, 1])
            .is_ok()
    );
    assert_eq!(world.peek_words(init, top - 8, 1), [1]);
}
