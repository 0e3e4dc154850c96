//! Handles: what they name, how they are checked, that they do not come back.

use nonos_abi::{Error, Handle, ObjectKind, Rights, Syscall, start};

use crate::arena::ProcessId;
use crate::handle::{Capability, REPLY_SLOTS};
use crate::lineage::NEVER;
use crate::object::Object;
use crate::testing::World;

fn info(world: &mut World, process: ProcessId, handle: u64) -> Result<[u64; 2], Error> {
    world.call(process, Syscall::HandleInfo, &[handle])
}

#[test]
fn init_holds_the_handles_of_the_contract_and_nothing_else() {
    let mut world = World::default();
    let init = world.init();
    let expected = [
        (
            start::SELF,
            ObjectKind::Process,
            Rights::READ.or(Rights::EXECUTE),
        ),
        (start::ARCHIVE, ObjectKind::Archive, Rights::ALL),
        (start::HARDWARE, ObjectKind::Hardware, Rights::ALL),
        (start::SYSTEM_INFO, ObjectKind::SystemInfo, Rights::ALL),
        (start::KERNEL_LAYOUT, ObjectKind::KernelLayout, Rights::ALL),
        (start::POWER, ObjectKind::Power, Rights::ALL),
        (start::LOG, ObjectKind::Log, Rights::ALL),
        (start::AUDIT, ObjectKind::Audit, Rights::ALL),
    ];
    for (handle, kind, rights) in expected {
        let found = info(&mut world, init, handle.raw().into());
        assert_eq!(found, Ok([kind as u64, rights.bits()]), "{handle:?}");
    }
    assert_eq!(world.kernel.handle_count(init), expected.len());
}

#[test]
fn an_index_past_the_table_is_none_of_those_in_it() {
    let mut world = World::default();
    let init = world.init();
    let good = world.value(init, Syscall::NotificationCreate, &[]);
    let slots = world.kernel.handles_per_process as u64;
    for index in (slots..1 << Handle::INDEX_BITS).step_by(slots as usize) {
        let raw = good + index;
        assert_eq!(info(&mut world, init, raw), Err(Error::NoHandle), "{raw}");
        let signal = world.call(init, Syscall::NotificationSignal, &[raw, 1]);
        assert_eq!(signal, Err(Error::NoHandle), "{raw}");
    }
    for raw in [good | 1 << 32, good | 1 << 63] {
        assert_eq!(info(&mut world, init, raw), Err(Error::NoHandle), "{raw}");
        let call = world.call(init, Syscall::Call, &[raw, 0]);
        assert_eq!(call, Err(Error::NoHandle), "{raw}");
    }
}

#[test]
fn a_handle_that_was_closed_never_works_again() {
    let mut world = World::default();
    let init = world.init();
    let old = world.value(init, Syscall::NotificationCreate, &[]);
    assert_eq!(
        world.call(init, Syscall::HandleClose, &[old]).map(drop),
        Ok(())
    );
    let new = world.value(init, Syscall::NotificationCreate, &[]);
    assert_eq!(
        Handle::from_raw(old as u32).index(),
        Handle::from_raw(new as u32).index()
    );
    assert_ne!(old, new);
    for call in [
        Syscall::HandleInfo,
        Syscall::HandleClose,
        Syscall::NotificationWait,
    ] {
        assert_eq!(
            world.call(init, call, &[old]),
            Err(Error::NoHandle),
            "{call:?}"
        );
    }
}

#[test]
fn a_handle_means_nothing_to_another_process() {
    let mut world = World::default();
    let init = world.init();
    let (worker, _) = world.start_worker();
    let handle = world.value(init, Syscall::EndpointCreate, &[]);
    assert_eq!(info(&mut world, worker, handle), Err(Error::NoHandle));
}

#[test]
fn values_that_are_no_handles_are_refused() {
    let mut world = World::default();
    let init = world.init();
    for raw in [
        0,
        200,
        255,
        256,
        4095,
        1 | 1 << 12,
        1 | 1 << 32,
        u64::MAX,
        u32::MAX.into(),
    ] {
        assert_eq!(
            info(&mut world, init, raw),
            Err(Error::NoHandle),
            "{raw:#x}"
        );
    }
}

#[test]
fn a_copy_has_at_most_the_rights_asked_for_and_never_more_than_the_original() {
    let mut world = World::default();
    let init = world.init();
    let all = world.value(init, Syscall::EndpointCreate, &[]);
    let asked = Rights::READ.or(Rights::GRANT);
    let some = world.value(init, Syscall::HandleCopy, &[all, asked.bits()]);
    let [_, rights] = info(&mut world, init, some).unwrap();
    assert_eq!(rights, asked.bits());
    let more = world.value(init, Syscall::HandleCopy, &[some, u64::MAX]);
    let [_, rights] = info(&mut world, init, more).unwrap();
    assert_eq!(rights, asked.bits(), "rights grew");
}

#[test]
fn a_handle_without_grant_cannot_be_copied() {
    let mut world = World::default();
    let init = world.init();
    let own = start::SELF.raw().into();
    let refused = world.call(init, Syscall::HandleCopy, &[own, u64::MAX]);
    assert_eq!(refused, Err(Error::MissingRight));
}

#[test]
fn the_kind_is_checked_before_the_rights() {
    let mut world = World::default();
    let init = world.init();
    let bare = Capability::new(Object::Log, Rights::NONE);
    let bare = world.kernel.insert_root(init, bare).unwrap().raw().into();
    assert_eq!(
        world.call(init, Syscall::NotificationWait, &[bare]),
        Err(Error::WrongKind)
    );
    assert_eq!(
        world.call(init, Syscall::LogRead, &[bare, 0, 0, 0]),
        Err(Error::MissingRight)
    );
}

#[test]
fn denials_are_counted_by_reason_and_other_errors_are_not() {
    let mut world = World::default();
    let init = world.init();
    let before = world.kernel.processes[init].denials;
    assert_eq!(before, [0; 5]);
    let _ = info(&mut world, init, 99);
    let _ = world.call(init, Syscall::NotificationWait, &[start::LOG.raw().into()]);
    let _ = world.call(init, Syscall::HandleCopy, &[start::SELF.raw().into(), 31]);
    let _ = world.call(init, Syscall::MemoryCreate, &[0]);
    assert_eq!(world.kernel.processes[init].denials, [1, 1, 0, 0, 1]);
}

#[test]
fn a_full_table_is_an_error_and_leaves_no_object_behind() {
    let mut world = World::default();
    let init = world.init();
    let handle = world.value(init, Syscall::NotificationCreate, &[]);
    while world.call(init, Syscall::HandleCopy, &[handle, 31]).is_ok() {}
    let room = world.kernel.slots_of(init).len() - REPLY_SLOTS - 1;
    assert_eq!(world.kernel.handle_count(init), room);
    let memories = world.kernel.memories.used();
    for (call, argument) in [
        (Syscall::HandleCopy, handle),
        (Syscall::EndpointCreate, 0),
        (Syscall::NotificationCreate, 0),
        (Syscall::MemoryCreate, 1),
    ] {
        let refused = world.call(init, call, &[argument, 31]);
        assert_eq!(refused, Err(Error::OutOfHandles), "{call:?}");
    }
    assert_eq!(world.kernel.memories.used(), memories);
    assert_eq!(
        world.call(init, Syscall::HandleClose, &[handle]).map(drop),
        Ok(())
    );
    assert!(world.call(init, Syscall::EndpointCreate, &[]).is_ok());
}

#[test]
fn a_slot_that_reached_the_last_generation_is_retired() {
    let mut world = World {
        checked: false,
        ..World::default()
    };
    let init = world.init();
    let port = Capability::new(Object::Log, Rights::ALL);
    let first = world.kernel.table(init).insert(port, NEVER).unwrap();
    world.kernel.table(init).take(first.index());
    for generation in 1..=Handle::LAST_GENERATION {
        let handle = world.kernel.table(init).insert(port, NEVER).unwrap();
        assert_eq!(handle, Handle::new(first.index(), generation));
        world.kernel.table(init).take(first.index());
    }
    let other = world.kernel.table(init).insert(port, NEVER).unwrap();
    assert_ne!(other.index(), first.index());
    assert!(world.kernel.find(init, first.raw().into()).is_err());
    world.check();
}
