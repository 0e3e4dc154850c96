//! `SystemRead`, the log, and power: what the system says about itself.

use nonos_abi::info::{
    BootStatus, CpuSecurity, CpuStatus, EventLogPart, Framebuffer, HandleRecord, Layout,
    MemoryStatus, Pcr, ProcessInfo, Topic,
};
use nonos_abi::words::Words;
use nonos_abi::{Error, ObjectKind, Rights, Syscall, start};

use crate::machine::PowerAction;
use crate::testing::World;

const INFO: u64 = start::SYSTEM_INFO.raw() as u64;
const LOG: u64 = start::LOG.raw() as u64;

fn read<T: Words>(world: &mut World, handle: u64, topic: Topic, index: u64) -> Result<T, Error> {
    let init = world.init();
    let buffer = world.buffer(init);
    let arguments = [handle, topic as u64, index, buffer, 100];
    let [written, _] = world.call(init, Syscall::SystemRead, &arguments)?;
    assert_eq!(written, T::COUNT as u64);
    Ok(T::read_words(&world.peek_words(init, buffer, T::COUNT)).expect("a valid record"))
}

#[test]
fn records_say_what_the_boot_loader_and_the_machine_said() {
    let mut world = World::default();
    let boot: BootStatus = read(&mut world, INFO, Topic::Boot, 0).unwrap();
    assert_eq!(
        (boot.flags, boot.rollback_counter, boot.rollback_store),
        (0x3F, 4, 1)
    );
    assert_eq!((boot.loader_ticks, boot.event_log_bytes), (500, 321));
    assert_eq!(boot.wall_seconds, 1_772_282_096);
    assert_eq!(boot.payload_hash, [0x1111_1111_1111_1111; 4]);
    let cpu: CpuStatus = read(&mut world, INFO, Topic::Cpu, 0).unwrap();
    assert_eq!((cpu.cpus, cpu.w_xor_x), (1, 1));
    let security: CpuSecurity = read(&mut world, INFO, Topic::CpuSecurity, 0).unwrap();
    assert_eq!(security.microcode, 7);
    let pcr: Pcr = read(&mut world, INFO, Topic::Pcr, 7).unwrap();
    assert_eq!(pcr.digest, [0x0707_0707_0707_0707; 4]);
    let part: EventLogPart = read(&mut world, INFO, Topic::EventLog, 1).unwrap();
    assert_eq!(part.words[7..10], [0x5A5A_5A5A_5A5A_5A5A, 0x5A, 0]);
    let past = read::<EventLogPart>(&mut world, INFO, Topic::EventLog, 2);
    assert_eq!(past.map(drop), Err(Error::NotFound));
    let past = read::<Pcr>(&mut world, INFO, Topic::Pcr, 24);
    assert_eq!(past.map(drop), Err(Error::InvalidArgument));
    let screen: Framebuffer = read(&mut world, INFO, Topic::Framebuffer, 0).unwrap();
    assert_eq!((screen.width, screen.stride_bytes), (256, 1024));
}

#[test]
fn memory_is_counted_as_it_is_used() {
    let mut world = World::default();
    let before: MemoryStatus = read(&mut world, INFO, Topic::Memory, 0).unwrap();
    world.value(world.init(), Syscall::MemoryCreate, &[9]);
    let after: MemoryStatus = read(&mut world, INFO, Topic::Memory, 0).unwrap();
    assert_eq!(before.free_pages - after.free_pages, 9);
    assert_eq!((after.total_pages, after.processes), (2048, 1));
}

#[test]
fn processes_and_handles_can_be_listed() {
    let mut world = World::default();
    let (_, _) = world.start_worker();
    let worker: ProcessInfo = read(&mut world, INFO, Topic::Process, 1).unwrap();
    assert_eq!((worker.name.as_str(), worker.id), ("worker", 2));
    let empty = read::<ProcessInfo>(&mut world, INFO, Topic::Process, 2);
    assert_eq!(empty.map(drop), Err(Error::NotFound));
    for past in [world.kernel.processes.capacity() as u64, u64::MAX] {
        let past = read::<ProcessInfo>(&mut world, INFO, Topic::Process, past);
        assert_eq!(past.map(drop), Err(Error::InvalidArgument));
    }
    let log: HandleRecord =
        read(&mut world, INFO, Topic::Handle, start::LOG.index().into()).unwrap();
    assert_eq!((log.kind, log.handle), (ObjectKind::Log as u64, LOG));
    let own: HandleRecord = read(&mut world, INFO, Topic::Handle, 2 << 32 | 1).unwrap();
    assert_eq!((own.kind, own.object), (ObjectKind::Process as u64, 1));
    for (index, error) in [
        (2 << 32 | 2, Error::NotFound),
        (9 << 32 | 1, Error::NotFound),
        (2 << 32 | 5000, Error::InvalidArgument),
        (u64::MAX, Error::NotFound),
    ] {
        let refused = read::<HandleRecord>(&mut world, INFO, Topic::Handle, index);
        assert_eq!(refused.map(drop), Err(error), "{index:#x}");
    }
}

#[test]
fn where_the_kernel_lies_needs_its_own_handle() {
    let mut world = World::default();
    let hidden = read::<Layout>(&mut world, INFO, Topic::Layout, 0);
    assert_eq!(hidden.map(drop), Err(Error::WrongKind));
    let layout_handle = start::KERNEL_LAYOUT.raw().into();
    let layout: Layout = read(&mut world, layout_handle, Topic::Layout, 0).unwrap();
    assert_eq!(layout.kernel_base, 0xFFFF_FFFF_9000_0000);
    let other = read::<BootStatus>(&mut world, layout_handle, Topic::Boot, 0);
    assert_eq!(other.map(drop), Err(Error::WrongKind));
    let archive = start::ARCHIVE.raw().into();
    let other = read::<BootStatus>(&mut world, archive, Topic::Boot, 0);
    assert_eq!(other.map(drop), Err(Error::WrongKind));
}

#[test]
fn topics_that_do_not_exist_are_refused_and_short_buffers_get_the_first_words() {
    let mut world = World::default();
    let init = world.init();
    let buffer = world.buffer(init);
    for topic in [13, 1000, u64::MAX] {
        let refused = world.call(init, Syscall::SystemRead, &[INFO, topic, 0, buffer, 100]);
        assert_eq!(refused, Err(Error::InvalidArgument));
    }
    world.poke(init, buffer, &[0xEE; 32]);
    let written = world.value(init, Syscall::SystemRead, &[INFO, 0, 0, buffer, 2]);
    assert_eq!(written, 2);
    assert_eq!(world.peek(init, buffer + 16, 16), [0xEE; 16]);
    let blind = world.value(init, Syscall::HandleCopy, &[INFO, Rights::GRANT.bits()]);
    let refused = world.call(init, Syscall::SystemRead, &[blind, 0, 0, buffer, 2]);
    assert_eq!(refused, Err(Error::MissingRight));
}

#[test]
fn the_log_can_be_read_from_a_position_on() {
    let mut world = World::default();
    let init = world.init();
    let buffer = world.buffer(init);
    world.poke(init, buffer, b"hello\nforged\x1B[2J");
    world
        .call(init, Syscall::LogWrite, &[LOG, buffer, 16])
        .unwrap();
    assert!(
        world.machine.printed.ends_with("init: hello?forged?[2J\n"),
        "{}",
        world.machine.printed
    );
    let everything = world.machine.printed.clone();
    let [count, next] = world
        .call(init, Syscall::LogRead, &[LOG, 0, buffer, 4096])
        .unwrap();
    assert_eq!(
        world.peek(init, buffer, count as usize),
        everything.as_bytes()
    );
    assert_eq!(next, everything.len() as u64);
    let [count, again] = world
        .call(init, Syscall::LogRead, &[LOG, next, buffer, 4096])
        .unwrap();
    assert_eq!((count, again), (0, next));
    let [count, last] = world
        .call(init, Syscall::LogRead, &[LOG, u64::MAX, buffer, 4096])
        .unwrap();
    assert_eq!(
        (count, last),
        (0, next),
        "a position in the future is the end"
    );
}

#[test]
fn the_log_forgets_the_oldest_bytes_first() {
    let mut world = World {
        checked: false,
        ..World::default()
    };
    let init = world.init();
    let buffer = world.buffer(init);
    world.poke(init, buffer, &[b'x'; 200]);
    for _ in 0..200 {
        world
            .call(init, Syscall::LogWrite, &[LOG, buffer, 200])
            .unwrap();
    }
    let written = world.machine.printed.len() as u64;
    let [count, next] = world
        .call(init, Syscall::LogRead, &[LOG, 0, buffer, 64])
        .unwrap();
    assert_eq!(count, 64);
    let kept = next - 64..written;
    assert_eq!(kept.end - kept.start, 16 * 1024);
    let start = kept.start as usize;
    let expected = world.machine.printed.as_bytes()[start..start + 64].to_vec();
    assert_eq!(world.peek(init, buffer, 64), expected);
}

#[test]
fn log_lines_are_bounded_and_from_readable_memory() {
    let mut world = World::default();
    let init = world.init();
    let buffer = world.buffer(init);
    for (address, length, error) in [
        (buffer, 257, Error::InvalidArgument),
        (buffer, u64::MAX, Error::InvalidArgument),
        (0, 5, Error::BadAddress),
        (u64::MAX, 5, Error::BadAddress),
    ] {
        let refused = world.call(init, Syscall::LogWrite, &[LOG, address, length]);
        assert_eq!(refused, Err(error));
    }
    world
        .call(init, Syscall::LogWrite, &[LOG, buffer, 256])
        .unwrap();
    let longest = world.machine.printed.lines().map(str::len).max();
    assert_eq!(longest, Some(255), "cut to the length of a line");
    let refused = world.call(init, Syscall::LogRead, &[LOG, 0, 0, 100]);
    assert_eq!(refused, Err(Error::BadAddress));
}

#[test]
fn power_goes_off_and_on_by_whoever_may() {
    let mut world = World::default();
    let init = world.init();
    let power = start::POWER.raw().into();
    for (action, expected) in [(0, PowerAction::Off), (1, PowerAction::Restart)] {
        // The fake machine cannot, so the call returns.
        let refused = world.call(init, Syscall::PowerOff, &[power, action]);
        assert_eq!(refused, Err(Error::NotSupported));
        assert_eq!(world.machine.power_actions.pop(), Some(expected));
    }
    let refused = world.call(init, Syscall::PowerOff, &[power, 2]);
    assert_eq!(refused, Err(Error::InvalidArgument));
    let blind = world.value(init, Syscall::HandleCopy, &[power, Rights::READ.bits()]);
    let refused = world.call(init, Syscall::PowerOff, &[blind, 0]);
    assert_eq!(refused, Err(Error::MissingRight));
    assert!(world.machine.power_actions.is_empty());
}
