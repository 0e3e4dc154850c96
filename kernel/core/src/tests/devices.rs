//! Devices reach the memory that was mapped for them, while both handles hold.

use nonos_abi::{DEVICE_ADDRESS, DEVICE_PAGES, Error, PAGE_BYTES, Rights, Syscall, start};

use crate::arena::ProcessId;
use crate::testing::{FakeDevice, World};

const HARDWARE: u64 = start::HARDWARE.raw() as u64;
const EDU: u64 = 0x20;
const READ: u64 = Rights::READ.bits();
const READ_WRITE: u64 = Rights::READ.or(Rights::WRITE).bits();

/// A device of `init`, and memory of so many pages.
fn device_and_memory(world: &mut World, pages: u64) -> [u64; 2] {
    let init = world.init();
    [
        world.value(init, Syscall::HardwareDevice, &[HARDWARE, EDU]),
        world.value(init, Syscall::MemoryCreate, &[pages]),
    ]
}

fn fake(world: &World) -> Option<&FakeDevice> {
    world.machine.devices.values().next()
}

/// How many frames the device reaches.
fn reached(world: &World) -> usize {
    fake(world).map_or(0, |device| device.reaches.len())
}

#[test]
fn a_device_reaches_what_is_mapped_for_it_until_it_is_unmapped() {
    let mut world = World::default();
    let init = world.init();
    let [device, memory] = device_and_memory(&mut world, 3);
    assert_eq!(reached(&world), 0);
    let mapped = world.call(init, Syscall::DeviceMap, &[device, memory, 5, READ_WRITE]);
    let page = PAGE_BYTES as u64;
    assert_eq!(mapped, Ok([DEVICE_ADDRESS + 5 * page, 3 * page]));
    let pages = &fake(&world).unwrap().pages;
    assert!(pages.keys().eq(&[5, 6, 7]) && pages.values().all(|(_, write)| *write));
    let refused = world.call(init, Syscall::DeviceUnmap, &[device, 6]);
    assert_eq!(refused, Err(Error::BadAddress));
    world
        .call(init, Syscall::DeviceUnmap, &[device, 5])
        .unwrap();
    assert_eq!(reached(&world), 0);
    world
        .call(init, Syscall::DeviceMap, &[device, memory, 5, READ])
        .unwrap();
    assert!(
        fake(&world)
            .unwrap()
            .pages
            .values()
            .all(|(_, write)| !write)
    );
}

#[test]
fn memory_stays_while_a_device_reaches_it_and_is_free_afterwards() {
    let mut world = World::default();
    let init = world.init();
    let [device, memory] = device_and_memory(&mut world, 3);
    world
        .call(init, Syscall::DeviceMap, &[device, memory, 0, READ])
        .unwrap();
    let before = world.kernel.frames.available();
    world.call(init, Syscall::HandleClose, &[memory]).unwrap();
    assert_eq!(
        (world.kernel.frames.available(), reached(&world)),
        (before, 3)
    );
    world
        .call(init, Syscall::DeviceUnmap, &[device, 0])
        .unwrap();
    assert_eq!(
        (world.kernel.frames.available(), reached(&world)),
        (before + 3, 0)
    );
}

#[test]
fn revoking_either_handle_ends_what_was_mapped_through_it() {
    for which in 0..2 {
        let mut world = World::default();
        let init = world.init();
        let handles = device_and_memory(&mut world, 2);
        let copies = handles
            .map(|handle| world.value(init, Syscall::HandleCopy, &[handle, Rights::ALL.bits(), 0]));
        let [device, memory] = copies;
        world
            .call(init, Syscall::DeviceMap, &[device, memory, 0, READ_WRITE])
            .unwrap();
        assert_eq!(reached(&world), 2);
        world
            .call(init, Syscall::HandleRevoke, &[handles[which]])
            .unwrap();
        assert_eq!(reached(&world), 0, "handle {which}");
    }
}

#[test]
fn revoking_the_hardware_takes_the_device_away() {
    let mut world = World::default();
    let init = world.init();
    let [device, memory] = device_and_memory(&mut world, 2);
    world
        .call(init, Syscall::DeviceMap, &[device, memory, 0, READ_WRITE])
        .unwrap();
    world
        .call(init, Syscall::HandleRevoke, &[HARDWARE])
        .unwrap();
    assert_eq!(reached(&world), 0);
    let refused = world.call(init, Syscall::DeviceUnmap, &[device, 0]);
    assert_eq!(refused, Err(Error::Revoked));
}

#[test]
fn the_end_of_a_process_ends_what_it_mapped_for_a_device_that_others_hold() {
    let mut world = World::default();
    let init = world.init();
    let [device, memory] = device_and_memory(&mut world, 2);
    let (worker, _) = world.start_worker();
    let [my_device, my_memory] = [device, memory].map(|handle| world.share(init, handle, worker));
    let map = |world: &mut World, process: ProcessId, handles: [u64; 2], page| {
        let [device, memory] = handles;
        let arguments = [device, memory, page, READ_WRITE];
        world.call(process, Syscall::DeviceMap, &arguments).unwrap();
    };
    map(&mut world, init, [device, memory], 0);
    map(&mut world, worker, [my_device, my_memory], 2);
    assert_eq!(fake(&world).unwrap().pages.len(), 4);
    world.kill(worker);
    assert!(fake(&world).unwrap().pages.keys().eq(&[0, 1]));
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut world = World::default();
    let init = world.init();
    let [device, memory] = device_and_memory(&mut world, 2);
    let screen = world.value(init, Syscall::HardwareMemory, &[HARDWARE, 0xF000_0000, 1]);
    let read = world.value(init, Syscall::HandleCopy, &[memory, READ, 0]);
    let far = world.machine.now_ns + 1_000_000_000;
    let short = world.value(
        init,
        Syscall::HandleCopy,
        &[memory, Rights::ALL.bits(), far],
    );
    for (memory, page, access, error) in [
        (memory, DEVICE_PAGES - 1, READ, Error::InvalidArgument),
        (memory, DEVICE_PAGES, READ, Error::InvalidArgument),
        (memory, u64::MAX, READ, Error::InvalidArgument),
        (memory, 0, 2, Error::InvalidArgument),
        (read, 0, READ_WRITE, Error::MissingRight),
        (screen, 0, READ, Error::InvalidArgument),
        (short, 0, READ, Error::InvalidArgument),
    ] {
        let refused = world.call(init, Syscall::DeviceMap, &[device, memory, page, access]);
        assert_eq!(refused, Err(error), "{memory:#x} {page} {access}");
    }
    world
        .call(init, Syscall::DeviceMap, &[device, memory, 3, READ])
        .unwrap();
    for page in [2, 3, 4] {
        let over = world.call(init, Syscall::DeviceMap, &[device, memory, page, READ]);
        assert_eq!(over, Err(Error::Busy), "{page}");
    }
    let none = world.call(init, Syscall::HardwareDevice, &[HARDWARE, 1 << 16]);
    assert_eq!(none, Err(Error::InvalidArgument));
}

#[test]
fn windows_are_charged_and_bounded_and_so_are_devices() {
    let mut world = World::default();
    let init = world.init();
    let objects = |world: &World| world.kernel.processes[init].objects;
    let [device, memory] = device_and_memory(&mut world, 1);
    let before = objects(&world);
    let mut page = 0;
    let refused = loop {
        match world.call(init, Syscall::DeviceMap, &[device, memory, page, READ]) {
            Ok(_) => page += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(
        refused,
        Error::OutOfObjects | Error::QuotaExceeded
    ));
    assert_eq!(u64::from(objects(&world) - before), page);
    for page in 0..page {
        let arguments = [device, page];
        world.call(init, Syscall::DeviceUnmap, &arguments).unwrap();
    }
    assert_eq!(objects(&world), before);
    for number in 1..15 {
        let device = world.value(init, Syscall::HardwareDevice, &[HARDWARE, number]);
        let arguments = [device, memory, 0, READ];
        world.call(init, Syscall::DeviceMap, &arguments).unwrap();
    }
    let another = world.value(init, Syscall::HardwareDevice, &[HARDWARE, 15]);
    let refused = world.call(init, Syscall::DeviceMap, &[another, memory, 0, READ]);
    assert_eq!(refused, Err(Error::NotSupported));
}
