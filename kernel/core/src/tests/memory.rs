//! Memory objects: quota, mapping, guard pages, and that nothing is left in freed frames.

use nonos_abi::{Error, PAGE_BYTES, Rights, Syscall};

use crate::machine::{Access, Machine, UserPage};
use crate::testing::{MODULE_QUOTA_PAGES, World};

const READ: u64 = Rights::READ.bits();
const READ_WRITE: u64 = Rights::READ.or(Rights::WRITE).bits();

#[test]
fn new_memory_is_zero_even_where_the_frames_were_dirty_at_boot() {
    let mut world = World::default();
    let init = world.init();
    let memory = world.value(init, Syscall::MemoryCreate, &[3]);
    let [address, bytes] = world
        .call(init, Syscall::MemoryMap, &[memory, READ])
        .unwrap();
    assert_eq!(bytes, 3 * PAGE_BYTES as u64);
    assert!(
        world
            .peek(init, address, bytes as usize)
            .iter()
            .all(|&byte| byte == 0)
    );
}

#[test]
fn memory_that_was_used_is_zero_when_it_is_used_again() {
    let mut world = World::default();
    let init = world.init();
    for _ in 0..3 {
        let memory = world.value(init, Syscall::MemoryCreate, &[2]);
        let [address, bytes] = world
            .call(init, Syscall::MemoryMap, &[memory, READ_WRITE])
            .unwrap();
        assert!(
            world
                .peek(init, address, bytes as usize)
                .iter()
                .all(|&byte| byte == 0)
        );
        world.poke(init, address, &[0x5A; 2 * PAGE_BYTES]);
        assert!(world.call(init, Syscall::MemoryUnmap, &[address]).is_ok());
        assert!(world.call(init, Syscall::HandleClose, &[memory]).is_ok());
    }
}

#[test]
fn memory_is_never_executable_and_writable_only_with_the_right() {
    let mut world = World::default();
    let init = world.init();
    let memory = world.value(init, Syscall::MemoryCreate, &[1]);
    let [_, rights] = world.call(init, Syscall::HandleInfo, &[memory]).unwrap();
    assert!(!Rights::from_bits(rights).contains(Rights::EXECUTE));
    let execute = Rights::EXECUTE.bits();
    for access in [
        0,
        execute,
        READ | execute,
        READ_WRITE | execute,
        Rights::WRITE.bits(),
        !0,
    ] {
        let refused = world.call(init, Syscall::MemoryMap, &[memory, access]);
        assert_eq!(refused, Err(Error::InvalidArgument), "{access:#x}");
    }
    let readable = world.value(init, Syscall::HandleCopy, &[memory, READ]);
    let refused = world.call(init, Syscall::MemoryMap, &[readable, READ_WRITE]);
    assert_eq!(refused, Err(Error::MissingRight));
    let [address, _] = world
        .call(init, Syscall::MemoryMap, &[readable, READ])
        .unwrap();
    let page = UserPage::new(address).unwrap();
    let (_, access) = world.machine.translate(world.space(init), page).unwrap();
    assert_eq!(access, Access::Read);
}

#[test]
fn two_mappings_of_one_memory_share_its_bytes_and_keep_it_alive() {
    let mut world = World::default();
    let init = world.init();
    let (worker, _) = world.start_worker();
    let memory = world.value(init, Syscall::MemoryCreate, &[1]);
    let shared = world.share(init, memory, worker);
    let [here, _] = world
        .call(init, Syscall::MemoryMap, &[memory, READ_WRITE])
        .unwrap();
    let [there, _] = world
        .call(worker, Syscall::MemoryMap, &[shared, READ])
        .unwrap();
    world.value(init, Syscall::HandleClose, &[memory]);
    world.value(worker, Syscall::HandleClose, &[shared]);
    world.poke(init, here + 5, b"shared");
    assert_eq!(world.peek(worker, there + 5, 6), b"shared");
}

#[test]
fn the_quota_counts_pages_until_the_last_mapping_is_gone() {
    let mut world = World::default();
    let (worker, _) = world.start_worker();
    let used = |world: &World| world.kernel.processes[worker].pages;
    let empty = used(&world);
    let memory = world.value(worker, Syscall::MemoryCreate, &[10]);
    assert_eq!(used(&world), empty + 10);
    let [address, _] = world
        .call(worker, Syscall::MemoryMap, &[memory, READ])
        .unwrap();
    let tables = used(&world) - empty - 10;
    // One of each level, or two where the pages lie on both sides of its end.
    assert!(
        (1..=6).contains(&tables),
        "page tables are charged, too: {tables}"
    );
    world.value(worker, Syscall::HandleClose, &[memory]);
    assert_eq!(used(&world), empty + 10 + tables, "still mapped");
    assert!(world.call(worker, Syscall::MemoryUnmap, &[address]).is_ok());
    assert_eq!(used(&world), empty + tables);
    let left = MODULE_QUOTA_PAGES - used(&world);
    let refused = world.call(worker, Syscall::MemoryCreate, &[left + 1]);
    assert_eq!(refused, Err(Error::QuotaExceeded));
    world.value(worker, Syscall::MemoryCreate, &[left]);
    let refused = world.call(worker, Syscall::MemoryCreate, &[1]);
    assert_eq!(refused, Err(Error::QuotaExceeded));
}

#[test]
fn absurd_sizes_and_addresses_are_refused() {
    let mut world = World::default();
    let init = world.init();
    assert_eq!(
        world.call(init, Syscall::MemoryCreate, &[0]),
        Err(Error::InvalidArgument)
    );
    for pages in [MODULE_QUOTA_PAGES + 1, 1 << 31, 1 << 32, u64::MAX] {
        let refused = world.call(init, Syscall::MemoryCreate, &[pages]);
        assert_eq!(refused, Err(Error::QuotaExceeded), "{pages}");
    }
    let stack = world.context(init).rsp - PAGE_BYTES as u64;
    for address in [0, 1, stack, u64::MAX, 1 << 63] {
        let refused = world.call(init, Syscall::MemoryUnmap, &[address]);
        assert_eq!(refused, Err(Error::BadAddress), "{address:#x}");
    }
}

#[test]
fn regions_are_bounded_and_have_guard_pages() {
    let mut world = World::default();
    let init = world.init();
    let memory = world.value(init, Syscall::MemoryCreate, &[2]);
    let mut mapped = 0;
    while world
        .call(init, Syscall::MemoryMap, &[memory, READ])
        .is_ok()
    {
        mapped += 1;
    }
    // Program and stack have a region each. The invariants look at the guard pages.
    assert_eq!(mapped + 2, world.kernel.regions_per_process);
    let refused = world.call(init, Syscall::MemoryMap, &[memory, READ]);
    assert_eq!(refused, Err(Error::OutOfObjects));
    let second = world.kernel.regions_of(init)[5].address;
    assert!(world.call(init, Syscall::MemoryUnmap, &[second]).is_ok());
    assert!(
        world
            .call(init, Syscall::MemoryMap, &[memory, READ])
            .is_ok()
    );
}

#[test]
fn without_frames_for_page_tables_nothing_stays_half_mapped() {
    let mut world = World::default();
    let init = world.init();
    let memory = world.value(init, Syscall::MemoryCreate, &[4]);
    let (free, total) = world.machine.table_frames();
    world.machine.table_frames = total - free + 1;
    let refused = world.call(init, Syscall::MemoryMap, &[memory, READ]);
    assert_eq!(refused, Err(Error::OutOfMemory));
    world.machine.table_frames = total;
    assert!(
        world
            .call(init, Syscall::MemoryMap, &[memory, READ])
            .is_ok()
    );
}

#[test]
fn placement_differs_from_boot_to_boot() {
    let addresses: std::collections::BTreeSet<_> = (0..16)
        .map(|seed| {
            let options = crate::testing::WorldOptions {
                seed: [seed; 32],
                ..Default::default()
            };
            let mut world = World::new(options);
            let init = world.init();
            let memory = world.value(init, Syscall::MemoryCreate, &[1]);
            world
                .call(init, Syscall::MemoryMap, &[memory, READ])
                .unwrap()[0]
        })
        .collect();
    assert_eq!(addresses.len(), 16);
}
