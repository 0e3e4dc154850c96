//! `Random`: who gets which bytes, what is refused, and where the entropy comes from.

use nonos_abi::boot::entropy::{JITTER, RDRAND, RDSEED};
use nonos_abi::info::RandomStatus;
use nonos_abi::{Error, PAGE_BYTES, RANDOM_BYTES_MAX, Syscall, USER_END};

use crate::random::Random;
use crate::testing::{FakeMachine, FakeSource, World, new_arenas, noise};

const MAX: u64 = RANDOM_BYTES_MAX as u64;

#[test]
fn a_process_gets_as_many_bytes_as_it_asked_for_and_others_each_time() {
    let mut world = World::default();
    let init = world.init();
    let buffer = world.buffer(init);
    let mut seen = std::vec::Vec::new();
    for length in [MAX, MAX, 32, 32, 16] {
        world.poke(init, buffer, &[0xEE; RANDOM_BYTES_MAX + 1]);
        world
            .call(init, Syscall::Random, &[buffer, length])
            .unwrap();
        let all = world.peek(init, buffer, RANDOM_BYTES_MAX + 1);
        let (given, rest) = all.split_at(length as usize);
        assert!(rest.iter().all(|&byte| byte == 0xEE));
        assert!(given.windows(16).all(|part| part != [0xEE; 16]));
        let head = given[..16].to_vec();
        assert!(!seen.contains(&head));
        seen.push(head);
    }
}

#[test]
fn two_processes_get_different_bytes() {
    let mut world = World::default();
    let (worker, _) = world.start_worker();
    let init = world.init();
    let [first, second] = [init, worker].map(|process| {
        let buffer = world.buffer(process);
        world.call(process, Syscall::Random, &[buffer, 32]).unwrap();
        world.peek(process, buffer, 32)
    });
    assert_ne!(first, second);
}

#[test]
fn too_many_bytes_and_bad_buffers_are_refused_and_nothing_is_written() {
    let mut world = World::default();
    let init = world.init();
    let buffer = world.buffer(init);
    let page = PAGE_BYTES as u64;
    world.poke(init, buffer, &[0xEE; 64]);
    let memory = world.value(init, Syscall::MemoryCreate, &[1]);
    let [read_only, _] = world.call(init, Syscall::MemoryMap, &[memory, 1]).unwrap();
    let [writable, _] = world.call(init, Syscall::MemoryMap, &[memory, 3]).unwrap();
    for (pointer, length, error) in [
        (buffer, MAX + 1, Error::InvalidArgument),
        (buffer, u64::MAX, Error::InvalidArgument),
        (0, 1, Error::BadAddress),
        (USER_END - 8, 9, Error::BadAddress),
        (u64::MAX, 32, Error::BadAddress),
        (0xFFFF_FFFF_8000_0000, 8, Error::BadAddress),
        (read_only, 8, Error::BadAddress),
        (writable + page - 8, 16, Error::BadAddress),
    ] {
        let refused = world.call(init, Syscall::Random, &[pointer, length]);
        assert_eq!(refused, Err(error), "{pointer:#x}, {length}");
    }
    assert_eq!(world.peek(init, buffer, 64), [0xEE; 64]);
    assert_eq!(world.peek(init, writable + page - 8, 8), [0; 8]);
    // Nothing is a good buffer for nothing.
    world.call(init, Syscall::Random, &[0, 0]).unwrap();
}

/// A machine with these generators in its CPU.
fn with_sources(rdseed: FakeSource, rdrand: FakeSource) -> FakeMachine {
    let mut machine = FakeMachine::new(1, 0..1, 0);
    machine.cpu_random = [rdseed, rdrand];
    machine
}

/// What the kernel thinks of these generators after it has used them a little.
fn judged(rdseed: FakeSource, rdrand: FakeSource) -> RandomStatus {
    let machine = with_sources(rdseed, rdrand);
    let mut random = Random::new(&[1; 32], &machine);
    (0..100).for_each(|_| random.stir(&machine));
    random.status()
}

const GOOD: FakeSource = |number| Some(noise(number));
const ABSENT: FakeSource = |_| None;

#[test]
fn generators_of_the_cpu_count_while_they_pass_their_tests() {
    let both = judged(GOOD, GOOD);
    assert_eq!((both.sources, both.failed), (RDSEED | RDRAND, 0));
    let neither = judged(ABSENT, ABSENT);
    assert_eq!(
        (neither.sources, neither.failed, neither.reseeds),
        (0, 0, 0)
    );
    let bad_at_start: [FakeSource; 4] = [
        |_| Some(0),
        |_| Some(u64::MAX),
        |number| Some(0x5555_5555_5555_5555 << (number % 2)),
        |number| Some(noise(number) & 0x0101_0101_0101_0101),
    ];
    let bad_later: [FakeSource; 2] = [
        |number| Some(if number < 200 { noise(number) } else { 7 }),
        |number| (number < 200).then(|| noise(number)),
    ];
    for source in bad_at_start {
        let other = judged(source, GOOD);
        assert_eq!((other.sources, other.failed), (RDRAND, RDSEED));
    }
    for source in bad_at_start.into_iter().chain(bad_later) {
        let other = judged(GOOD, source);
        assert_eq!((other.sources, other.failed), (RDSEED, RDRAND));
    }
}

#[test]
fn times_of_interrupts_count_after_their_start_up_test_and_while_they_vary() {
    let judge = |step: fn(u64) -> u64, events: u64| {
        let mut machine = with_sources(ABSENT, ABSENT);
        machine.counter_step = step;
        let mut random = Random::new(&[1; 32], &machine);
        (0..events).for_each(|_| random.event(&machine));
        random.stir(&machine);
        let status = random.status();
        (status.sources, status.failed, status.reseeds)
    };
    let step = |number| noise(number) >> 50;
    assert_eq!(judge(step, 1023), (0, 0, 0));
    assert_eq!(judge(step, 1024), (JITTER, 0, 1));
    assert_eq!(judge(|_| 1000, 1024), (0, JITTER, 0));
    assert_eq!(judge(|number| 1000 + number % 2, 1024), (0, JITTER, 0));
    assert_eq!(
        judge(|number| noise(number) >> 40 << 8, 1024),
        (0, JITTER, 0)
    );
}

/// The bytes of a generator on this machine after its entropy was renewed, and once more.
fn first_bytes(machine: &FakeMachine) -> [u64; 4] {
    let mut random = Random::new(&[1; 32], machine);
    random.stir(machine);
    random.stir(machine);
    core::array::from_fn(|_| random.double_word())
}

#[test]
fn copies_of_a_machine_part_by_generation_id_by_the_cpu_or_by_time() {
    let same = || with_sources(GOOD, GOOD);
    let known = first_bytes(&same());
    assert_eq!(first_bytes(&same()), known, "nothing is different");
    let changes: [fn(&mut FakeMachine); 4] = [
        |machine| machine.generation = [0, 1],
        |machine| machine.cpu_random[1] = |number| Some(noise(!number)),
        |machine| machine.cpu_random[0] = |number| Some(noise(!number)),
        |machine| machine.counter_step = |_| 1,
    ];
    for change in changes {
        let mut copy = same();
        change(&mut copy);
        assert_ne!(first_bytes(&copy), known);
    }
}

#[test]
fn a_new_generation_id_is_a_new_epoch_and_new_entropy() {
    let mut world = World::default();
    let init = world.init();
    let buffer = world.buffer(init);
    let epoch = |world: &mut World, length| world.value(init, Syscall::Random, &[buffer, length]);
    let first = epoch(&mut world, 0);
    assert_eq!(
        (epoch(&mut world, 32), epoch(&mut world, 0)),
        (first, first)
    );
    let reseeds = world.kernel.random.status().reseeds;
    assert_eq!(world.kernel.random.status().knows_generation, 0);
    world.machine.generation = [5, 6];
    assert_eq!(
        (epoch(&mut world, 0), epoch(&mut world, 0)),
        (first + 1, first + 1)
    );
    epoch(&mut world, 32);
    let status = world.kernel.random.status();
    assert_eq!((status.reseeds, status.knows_generation), (reseeds + 1, 1));
    world.machine.generation = [5, 7];
    assert_eq!(epoch(&mut world, 32), first + 2);
    assert_eq!(world.kernel.random.status().reseeds, reseeds + 2);
}

#[test]
fn entropy_is_renewed_by_time_and_by_bytes() {
    let mut machine = with_sources(GOOD, GOOD);
    let mut random = Random::new(&[1; 32], &machine);
    random.stir(&machine);
    assert_eq!(random.status().reseeds, 1);
    machine.now_ns += 59_999_999_999;
    random.stir(&machine);
    assert_eq!(random.status().reseeds, 1);
    machine.now_ns += 1;
    random.stir(&machine);
    assert_eq!(random.status().reseeds, 2);
    let stirs = 65536_u64.div_ceil(RANDOM_BYTES_MAX as u64);
    (1..stirs).for_each(|_| random.stir(&machine));
    assert_eq!(random.status().reseeds, 2);
    random.stir(&machine);
    assert_eq!(random.status().reseeds, 3);
}

#[test]
fn a_source_that_fails_is_reported_once() {
    let mut world = World::default();
    let init = world.init();
    let buffer = world.buffer(init);
    let said = |world: &World| world.machine.printed.matches("RDRAND FAILED").count();
    for _ in 0..3 {
        world.call(init, Syscall::Random, &[buffer, 32]).unwrap();
    }
    assert_eq!(said(&world), 0);
    world.machine.cpu_random[1] = |_| Some(0);
    for _ in 0..5 {
        world.call(init, Syscall::Random, &[buffer, 32]).unwrap();
    }
    assert_eq!(said(&world), 1);
    assert!(!world.machine.printed.contains("RDSEED FAILED"));
    let status = world.kernel.random.status();
    assert_eq!((status.sources, status.failed), (RDSEED, RDRAND));
}

#[test]
fn a_kernel_without_any_entropy_does_not_start() {
    use crate::kernel::{BootRecord, Kernel, StartError};
    use crate::sizes::Sizes;
    let known = World::default().kernel.boot;
    let info = nonos_abi::boot::BootInfo {
        entropy_sources: 0,
        ..*known.info
    };
    let info = std::boxed::Box::leak(std::boxed::Box::new(info));
    let mut machine = with_sources(GOOD, GOOD);
    let boot = BootRecord { info, ..known };
    let arenas = new_arenas(&Sizes::for_boot(info, 100));
    let refused = Kernel::new(boot, arenas, &mut machine).map(drop);
    assert_eq!(refused, Err(StartError::NoEntropy));
}
