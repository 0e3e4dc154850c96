//! Drivers: ports, interrupts, device memory.

use nonos_abi::{Error, PAGE_BYTES, Rights, Syscall, start};

use crate::machine::{Caching, Event, PortWidth};
use crate::testing::World;

const HARDWARE: u64 = start::HARDWARE.raw() as u64;

#[test]
fn ports_work_inside_their_range_only() {
    let mut world = World::default();
    let init = world.init();
    let ports = world.value(init, Syscall::HardwarePorts, &[HARDWARE, 0x3F8, 8]);
    assert_eq!(
        world.value(init, Syscall::PortRead, &[ports, 0x3F8, 1]),
        0xF8
    );
    assert_eq!(
        world.value(init, Syscall::PortRead, &[ports, 0x3FC, 4]),
        0xFCFC_FCFC
    );
    world
        .call(init, Syscall::PortWrite, &[ports, 0x3FF, 1, 0x41])
        .unwrap();
    assert_eq!(world.machine.port_writes, [(0x3FF, PortWidth::Byte, 0x41)]);
    for (port, width) in [
        (0x3F7, 1),
        (0x400, 1),
        (0x3FF, 2),
        (0x3FD, 4),
        (1 << 16, 1),
        (u64::MAX, 4),
    ] {
        let refused = world.call(init, Syscall::PortRead, &[ports, port, width]);
        assert_eq!(refused, Err(Error::InvalidArgument), "{port:#x} {width}");
    }
    for width in [0, 3, 8, u64::MAX] {
        let refused = world.call(init, Syscall::PortWrite, &[ports, 0x3F8, width, 0]);
        assert_eq!(refused, Err(Error::InvalidArgument), "{width}");
    }
    assert_eq!(world.machine.port_writes.len(), 1);
}

#[test]
fn ports_that_the_machine_keeps_are_refused() {
    let mut world = World::default();
    let init = world.init();
    for (first, count) in [
        (0x20, 1),
        (0x10, 0x20),
        (0, 1 << 16),
        (0, 0),
        (0xFFFF, 2),
        (u64::MAX, 1),
        (1, u64::MAX),
    ] {
        let refused = world.call(init, Syscall::HardwarePorts, &[HARDWARE, first, count]);
        assert_eq!(refused, Err(Error::InvalidArgument), "{first:#x} {count}");
    }
    assert!(
        world
            .call(init, Syscall::HardwarePorts, &[HARDWARE, 0xFFFF, 1])
            .is_ok()
    );
}

#[test]
fn reading_and_writing_ports_need_their_rights() {
    let mut world = World::default();
    let init = world.init();
    let ports = world.value(init, Syscall::HardwarePorts, &[HARDWARE, 0x60, 1]);
    let read = world.value(init, Syscall::HandleCopy, &[ports, Rights::READ.bits()]);
    let write = world.value(init, Syscall::HandleCopy, &[ports, Rights::WRITE.bits()]);
    let refused = world.call(init, Syscall::PortWrite, &[read, 0x60, 1, 0]);
    assert_eq!(refused, Err(Error::MissingRight));
    let refused = world.call(init, Syscall::PortRead, &[write, 0x60, 1]);
    assert_eq!(refused, Err(Error::MissingRight));
}

#[test]
fn an_interrupt_signals_stays_masked_and_comes_again_after_it_was_acknowledged() {
    let mut world = World::default();
    let init = world.init();
    let line = world.value(init, Syscall::HardwareInterrupt, &[HARDWARE, 4]);
    let notification = world.value(init, Syscall::NotificationCreate, &[]);
    let unbound = world.call(init, Syscall::InterruptAcknowledge, &[line]);
    assert_eq!(unbound, Err(Error::InvalidArgument));
    assert!(world.machine.enabled_interrupts.is_empty());
    world
        .call(init, Syscall::InterruptBind, &[line, notification, 0x10])
        .unwrap();
    assert!(world.machine.enabled_interrupts.remove(&4));
    world.begin(init, Syscall::NotificationWait, &[notification]);
    world.event(Event::Interrupt(4));
    assert_eq!(world.result(init).unwrap()[0], 0x10);
    assert!(world.machine.enabled_interrupts.is_empty());
    world
        .call(init, Syscall::InterruptAcknowledge, &[line])
        .unwrap();
    assert!(world.machine.enabled_interrupts.contains(&4));
}

#[test]
fn a_line_has_one_object_by_whatever_name_it_is_asked_for() {
    let mut world = World::default();
    let init = world.init();
    // The fake machine wires ISA interrupt 0 to global interrupt 2.
    let line = world.value(init, Syscall::HardwareInterrupt, &[HARDWARE, 0]);
    let taken = world.call(init, Syscall::HardwareInterrupt, &[HARDWARE, 2]);
    assert_eq!(taken, Err(Error::Busy));
    for wrong in [24, 1 << 32, u64::MAX] {
        let refused = world.call(init, Syscall::HardwareInterrupt, &[HARDWARE, wrong]);
        assert_eq!(refused, Err(Error::InvalidArgument), "{wrong}");
    }
    world.value(init, Syscall::HandleClose, &[line]);
    assert!(
        world
            .call(init, Syscall::HardwareInterrupt, &[HARDWARE, 2])
            .is_ok()
    );
}

#[test]
fn when_a_driver_ends_its_line_is_masked_and_free() {
    let mut world = World::default();
    let init = world.init();
    let (worker, process) = world.start_worker();
    let hardware = world.share(init, HARDWARE, worker);
    let line = world.value(worker, Syscall::HardwareInterrupt, &[hardware, 1]);
    let notification = world.value(worker, Syscall::NotificationCreate, &[]);
    world
        .call(worker, Syscall::InterruptBind, &[line, notification, 1])
        .unwrap();
    world.value(init, Syscall::ProcessKill, &[process]);
    assert!(world.machine.enabled_interrupts.is_empty());
    assert_eq!(
        (
            world.kernel.interrupts.used(),
            world.kernel.notifications.used()
        ),
        (0, 0)
    );
    world.event(Event::Interrupt(1));
    assert!(
        world
            .call(init, Syscall::HardwareInterrupt, &[HARDWARE, 1])
            .is_ok()
    );
}

#[test]
fn device_memory_is_mapped_uncached_the_frame_buffer_write_combining_and_ram_never() {
    let mut world = World::default();
    let init = world.init();
    let page = PAGE_BYTES as u64;
    for (physical, caching) in [
        (0xF_0000 * page, Caching::WriteCombining),
        (0xF_0080 * page, Caching::Uncached),
    ] {
        let memory = world.value(init, Syscall::HardwareMemory, &[HARDWARE, physical, 4]);
        let [address, _] = world.call(init, Syscall::MemoryMap, &[memory, 3]).unwrap();
        let mapped = world.machine.mappings(world.space(init));
        let mapped = mapped.filter(|(at, _)| (address..address + 4 * page).contains(&at.address()));
        for ((_, mapping), frame) in mapped.zip(physical / page..) {
            assert_eq!(
                (u64::from(mapping.frame.0), mapping.caching),
                (frame, caching)
            );
        }
        let info = world.call(
            init,
            Syscall::ProcessRead,
            &[start::SELF.raw().into(), address, 14],
        );
        assert_eq!(
            info,
            Err(Error::BadAddress),
            "the kernel does not copy to devices"
        );
    }
    for (physical, pages, error) in [
        (0x100 * page, 1, Error::BadAddress),
        (0xF_00FF * page, 2, Error::BadAddress),
        (0xF_0000 * page + 1, 1, Error::InvalidArgument),
        (0xF_0000 * page, 0, Error::InvalidArgument),
        (0xF_0000 * page, u64::MAX, Error::InvalidArgument),
        (!0xFFF, 1, Error::InvalidArgument),
    ] {
        let refused = world.call(init, Syscall::HardwareMemory, &[HARDWARE, physical, pages]);
        assert_eq!(refused, Err(error), "{physical:#x} {pages}");
    }
}

#[test]
fn only_a_hardware_handle_with_write_makes_device_handles() {
    let mut world = World::default();
    let init = world.init();
    let blind = world.value(init, Syscall::HandleCopy, &[HARDWARE, Rights::READ.bits()]);
    for call in [
        Syscall::HardwarePorts,
        Syscall::HardwareInterrupt,
        Syscall::HardwareMemory,
    ] {
        let refused = world.call(init, call, &[blind, 0x60, 1]);
        assert_eq!(refused, Err(Error::MissingRight), "{call:?}");
        let refused = world.call(init, call, &[start::LOG.raw().into(), 0x60, 1]);
        assert_eq!(refused, Err(Error::WrongKind), "{call:?}");
    }
}
