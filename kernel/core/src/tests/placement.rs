//! Where programs, their stacks and their memory lie: how much of that nobody can guess. Measured over many boots' seeds, which are
//! fixed, so that the figures are.

use std::vec::Vec;

use nonos_abi::{PAGE_BYTES, Rights, Syscall};

use crate::arena::ProcessId;
use crate::random::Random;
use crate::region::{IMAGE_AREA, STACK_AREA, random_address, random_memory_base};
use crate::testing::{FakeMachine, World};

/// Bits of an address that are 0 in all: those in a page.
const PAGE_BITS: u32 = PAGE_BYTES.trailing_zeros();

/// The generator of a boot.
fn boot(number: u64) -> Random {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&number.to_le_bytes());
    Random::new(&seed, &FakeMachine::new(1, 0..1, 0))
}

/// Bits that are set in about half of the addresses.
fn varying_bits(addresses: &[u64]) -> u32 {
    let half = addresses.len() as f64 / 2.0;
    // Five standard deviations of a fair coin.
    let tolerance = 5.0 * (addresses.len() as f64).sqrt() / 2.0;
    let is_fair = |bit: &u32| {
        let set = addresses.iter().filter(|address| *address >> bit & 1 != 0);
        (set.count() as f64 - half).abs() <= tolerance
    };
    (0..64).filter(is_fair).count() as u32
}

/// Pairs of equal addresses.
fn collisions(addresses: &[u64]) -> usize {
    let mut sorted = addresses.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).filter(|pair| pair[0] == pair[1]).count()
}

#[test]
fn images_stacks_and_mappings_have_28_bits_that_nobody_can_guess() {
    const BOOTS: u64 = 1 << 16;
    // With 28 bits this many boots have eight pairs of equal addresses on average, with 32 bits one in two runs.
    const PAIRS_MAX: usize = 4;
    let mut drawn: [Vec<u64>; 3] = Default::default();
    for number in 0..BOOTS {
        let mut random = boot(number);
        drawn[0].push(random_memory_base(&mut random));
        drawn[1].push(random_address(IMAGE_AREA, &mut random));
        drawn[2].push(random_address(STACK_AREA, &mut random));
    }
    let between = |one: &[u64], other: &[u64], bit: u32| {
        let equal = one
            .iter()
            .zip(other)
            .filter(|(a, b)| (*a ^ *b) >> bit & 1 == 0);
        equal.count() as f64 / BOOTS as f64
    };
    for (at, addresses) in drawn.iter().enumerate() {
        let in_page =
            addresses.iter().fold(0, |bits, address| bits | address) & (PAGE_BYTES as u64 - 1);
        assert_eq!(in_page, 0);
        assert!(varying_bits(addresses) >= 28, "{}", varying_bits(addresses));
        assert!(
            collisions(addresses) <= PAIRS_MAX,
            "{}",
            collisions(addresses)
        );
        // Knowing one tells nothing about another.
        for other in &drawn[..at] {
            for bit in PAGE_BITS..PAGE_BITS + 28 {
                let equal = between(addresses, other, bit);
                assert!((0.48..0.52).contains(&equal), "bit {bit}: {equal}");
            }
        }
    }
}

/// Where the regions of a process start: image, stack, a memory object.
fn places(world: &mut World, process: ProcessId) -> [u64; 3] {
    let memory = world.value(process, Syscall::MemoryCreate, &[1]);
    let mapped = world.value(process, Syscall::MemoryMap, &[memory, Rights::READ.bits()]);
    let regions = world.kernel.regions_of(process);
    let first = regions.first().expect("a program");
    let last = regions.last().expect("a stack");
    assert!(first.address < mapped && mapped < last.address);
    [first.address, mapped, last.address]
}

#[test]
fn processes_of_one_boot_lie_in_different_places_with_nothing_beside_them() {
    let mut world = World::default();
    let mut found: Vec<[u64; 3]> = Vec::new();
    for _ in 0..6 {
        let (worker, _) = world.start_worker();
        let space = world.space(worker);
        let places = places(&mut world, worker);
        for other in &found {
            for at in 0..3 {
                // Another page table's worth apart, or far more.
                assert!(
                    places[at].abs_diff(other[at]) > 1 << 21,
                    "{places:x?} {other:x?}"
                );
            }
        }
        found.push(places);
        let ends: Vec<_> = world
            .kernel
            .regions_of(worker)
            .iter()
            .map(|r| [r.address - 1, r.end()])
            .collect();
        for address in ends.concat() {
            let page = crate::machine::UserPage::containing(address).expect("in user space");
            let mapped = crate::machine::Machine::translate(&world.machine, space, page);
            assert!(mapped.is_none(), "{address:#x} is mapped beside a region");
        }
    }
}
