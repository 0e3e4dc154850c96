//! The table of system calls in `nonos_abi`, line by line: each call checks its first handle as the table says.

use std::vec::Vec;

use nonos_abi::syscall::HandleNeed;
use nonos_abi::{Error, ObjectKind, Rights, Syscall, start};

use crate::arena::ProcessId;
use crate::testing::World;

const HARDWARE: u64 = start::HARDWARE.raw() as u64;

/// A handle of `init` to an object of a kind, with all rights that such an object can have.
fn handle_of(world: &mut World, kind: ObjectKind) -> Option<u64> {
    let init = world.init();
    let make = |world: &mut World, call, arguments: &[u64]| world.value(init, call, arguments);
    Some(match kind {
        ObjectKind::Process => world.create_worker().1,
        ObjectKind::Memory => make(world, Syscall::MemoryCreate, &[1]),
        ObjectKind::Endpoint => make(world, Syscall::EndpointCreate, &[]),
        ObjectKind::Notification => make(world, Syscall::NotificationCreate, &[]),
        ObjectKind::Interrupt => make(world, Syscall::HardwareInterrupt, &[HARDWARE, 5]),
        ObjectKind::Device => make(world, Syscall::HardwareDevice, &[HARDWARE, 0x20]),
        ObjectKind::IoPorts => make(world, Syscall::HardwarePorts, &[HARDWARE, 0x60, 1]),
        ObjectKind::Module => world.admit("worker").expect("worker is good"),
        ObjectKind::Thread => world.spawn(init, 1).1,
        ObjectKind::Hardware => HARDWARE,
        ObjectKind::Archive => start::ARCHIVE.raw().into(),
        ObjectKind::SystemInfo => start::SYSTEM_INFO.raw().into(),
        ObjectKind::KernelLayout => start::KERNEL_LAYOUT.raw().into(),
        ObjectKind::Power => start::POWER.raw().into(),
        ObjectKind::Log => start::LOG.raw().into(),
        ObjectKind::Audit => start::AUDIT.raw().into(),
        ObjectKind::Timer => make(world, Syscall::TimerCreate, &[]),
        ObjectKind::Reply => return None,
    })
}

/// Calls whose first argument is a handle of one kind.
fn calls() -> impl Iterator<Item = (Syscall, ObjectKind, HandleNeed)> {
    Syscall::ALL.iter().filter_map(|&call| {
        let need = call.arguments().first()?.handle?;
        Some((call, need.kind?, need))
    })
}

/// What a call says to a handle. Its other arguments are 1: what `MemoryMap` takes for READ, and else no matter.
fn refused(world: &mut World, call: Syscall, handle: u64) -> Option<Error> {
    let init: ProcessId = world.init();
    world.call(init, call, &[handle, 1, 1, 1, 1]).err()
}

fn copy(world: &mut World, handle: u64, rights: Rights, deadline_ns: u64) -> u64 {
    let init = world.init();
    let arguments = [handle, rights.bits(), deadline_ns];
    world.value(init, Syscall::HandleCopy, &arguments)
}

#[test]
fn every_call_refuses_handles_that_do_not_exist_or_are_of_another_kind() {
    let mut world = World::default();
    let others: Vec<_> = [ObjectKind::Log, ObjectKind::Power]
        .into_iter()
        .map(|kind| (kind, handle_of(&mut world, kind).expect("init has it")))
        .collect();
    for (call, kind, _) in calls() {
        assert_eq!(
            refused(&mut world, call, 999),
            Some(Error::NoHandle),
            "{call:?}"
        );
        let (_, other) = others
            .iter()
            .find(|(other, _)| *other != kind)
            .expect("two kinds");
        // Whatever else is wrong with it: that is what its user mistook.
        let mute = copy(&mut world, *other, Rights::NONE, 0);
        for handle in [*other, mute] {
            let found = refused(&mut world, call, handle);
            assert_eq!(found, Some(Error::WrongKind), "{call:?}");
        }
        world.value(world.init(), Syscall::HandleClose, &[mute]);
    }
}

#[test]
fn every_call_refuses_handles_that_lack_one_of_its_rights() {
    let mut world = World::default();
    for (call, kind, need) in calls() {
        let Some(handle) = handle_of(&mut world, kind) else {
            continue;
        };
        for right in [Rights::READ, Rights::WRITE, Rights::EXECUTE, Rights::GRANT] {
            if !need.rights.contains(right) {
                continue;
            }
            let others = Rights::from_bits(Rights::ALL.bits() & !right.bits());
            let lacking = copy(&mut world, handle, others, 0);
            let found = refused(&mut world, call, lacking);
            assert_eq!(found, Some(Error::MissingRight), "{call:?}");
        }
        close(&mut world, handle, kind);
    }
}

#[test]
fn every_call_refuses_handles_that_were_revoked_or_have_expired() {
    let mut world = World::default();
    for (call, kind, _) in calls() {
        let Some(handle) = handle_of(&mut world, kind) else {
            continue;
        };
        let now_ns = world.machine.now_ns;
        let expiring = copy(&mut world, handle, Rights::ALL, now_ns + 1000);
        let parent = copy(&mut world, handle, Rights::ALL, 0);
        let child = copy(&mut world, parent, Rights::ALL, 0);
        world.value(world.init(), Syscall::HandleRevoke, &[parent]);
        world.advance(1000);
        assert_eq!(
            refused(&mut world, call, child),
            Some(Error::Revoked),
            "{call:?}"
        );
        assert_eq!(
            refused(&mut world, call, expiring),
            Some(Error::Expired),
            "{call:?}"
        );
        close(&mut world, handle, kind);
    }
}

/// Closes what a test made, so that there is room; the handles of the start stay.
fn close(world: &mut World, handle: u64, kind: ObjectKind) {
    let init = world.init();
    if kind == ObjectKind::Thread {
        world.value(init, Syscall::ThreadEnd, &[handle]);
    }
    let slots = world.kernel.slots_of(init).iter();
    let filled = slots.filter(|slot| slot.capability.is_some());
    let handles: Vec<u64> = filled
        .map(|slot| slot.handle)
        .filter(|handle| handle.index() > start::AUDIT.index())
        .map(|handle| handle.raw().into())
        .collect();
    for handle in handles {
        world.value(init, Syscall::HandleClose, &[handle]);
    }
}
