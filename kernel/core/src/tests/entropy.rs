//! `Random`: who gets which bytes, and what is refused.

use nonos_abi::{Error, PAGE_BYTES, RANDOM_BYTES_MAX, Syscall, USER_END};

use crate::testing::World;

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
