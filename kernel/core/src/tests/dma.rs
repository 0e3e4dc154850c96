//! What devices were stopped from doing is counted, logged and part of the state of the system.

use nonos_abi::info::{DmaStatus, Topic};
use nonos_abi::words::Words;
use nonos_abi::{Syscall, start};

use crate::machine::{DMA_FAULTS_MAX, DmaFault, Event};
use crate::testing::World;

fn fault(address: u64) -> DmaFault {
    DmaFault {
        device: 0x1A3,
        address,
        reason: 5,
        write: true,
    }
}

fn status(world: &mut World) -> DmaStatus {
    let init = world.init();
    let buffer = world.buffer(init);
    let arguments = [
        start::SYSTEM_INFO.raw().into(),
        Topic::Dma as u64,
        0,
        buffer,
        100,
    ];
    world.value(init, Syscall::SystemRead, &arguments);
    DmaStatus::read_words(&world.peek_words(init, buffer, DmaStatus::COUNT)).expect("a record")
}

#[test]
fn what_devices_were_stopped_from_doing_is_said_with_the_device() {
    let mut world = World::default();
    assert_eq!(
        (status(&mut world).units, status(&mut world).stopped),
        (2, 0)
    );
    world.machine.dma_faults.extend([
        DmaFault {
            reason: 0x21,
            ..fault(0)
        },
        DmaFault {
            write: false,
            ..fault(0x1000)
        },
        fault(0xABC_D000),
    ]);
    world.event(Event::DmaFault);
    let printed = &world.machine.printed;
    for line in [
        "device 01:14.3 was stopped interrupting at 0x0, VT-d reason 0x21, 1 so far\n",
        "device 01:14.3 was stopped reading at 0x1000, VT-d reason 0x5, 2 so far\n",
        "device 01:14.3 was stopped writing at 0xabcd000, VT-d reason 0x5, 3 so far\n",
    ] {
        assert!(printed.contains(line), "{printed}");
    }
    let last = status(&mut world);
    assert_eq!(
        (last.stopped, last.device, last.address),
        (3, 0x1A3, 0xABC_D000)
    );
    assert_eq!((last.reason, last.write), (5, 1));
}

#[test]
fn what_was_not_reported_yet_is_when_the_status_is_read() {
    let mut world = World::default();
    world.machine.dma_faults.push_back(fault(0x1000));
    assert_eq!(status(&mut world).stopped, 1);
}

#[test]
fn a_device_that_keeps_trying_neither_fills_the_log_nor_keeps_the_kernel() {
    let mut world = World::default();
    world
        .machine
        .dma_faults
        .extend([fault(0); DMA_FAULTS_MAX + 1]);
    world.event(Event::DmaFault);
    assert_eq!(world.machine.dma_faults.len(), 1);
    let said = world.machine.printed.matches("was stopped").count();
    // The first 16; then 32, 64, 128 and 256.
    assert_eq!(said, 20);
}
