//! Where things go: KASLR, physical and virtual.
//!
//! Virtual: every area gets a random place of its own in the top 2 GiB, with at least one unmapped page
//! before and after it. Physical: a random place in free memory. Every possible place is equally likely.

use nonos_abi::boot::KERNEL_SPACE_START;

use crate::random::Random;
use crate::{LARGE_PAGE, PAGE};

/// End of what is used of the kernel's half: the last 2 MiB stay empty, so that no pointer just behind an
/// area wraps around.
const KERNEL_SPACE_END: u64 = 0u64.wrapping_sub(LARGE_PAGE);

/// Nothing is placed below 1 MiB: firmware remains live there and start-up code of other CPUs must fit.
const LOWEST_PHYSICAL: u64 = 1 << 20;

/// Everything lies below 4 GiB, where [`crate::transition`] maps memory where it is.
pub const PHYSICAL_END: u64 = 4 << 30;

/// How often a place that is taken is drawn anew. With less than a tenth of the space in use a hundred
/// misses in a row do not happen.
const TRIES: usize = 128;

/// An area to place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Area {
    /// Pages, at least one.
    pub pages: u64,
    /// Physical address. Areas of at least 2 MiB keep its offset in a large page, so that large pages can map them.
    pub physical: u64,
}

/// No place is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct NoPlace;

/// Draws a virtual address for each area.
///
/// # Errors
/// When the areas take more than fits.
pub fn place_virtual<const N: usize>(
    areas: &[Area; N],
    random: &mut Random,
) -> Result<[u64; N], NoPlace> {
    let mut placed = [0; N];
    for index in 0..N {
        placed[index] = (0..TRIES)
            .find_map(|_| {
                let base = draw(&areas[index], random)?;
                let free = (0..index).all(|other| {
                    apart(base, areas[index].pages, placed[other], areas[other].pages)
                });
                free.then_some(base)
            })
            .ok_or(NoPlace)?;
    }
    Ok(placed)
}

/// A random address for an area that leaves a page free at both ends of the kernel's space.
fn draw(area: &Area, random: &mut Random) -> Option<u64> {
    let bytes = area.pages.checked_mul(PAGE)?;
    let (step, offset) = if bytes >= LARGE_PAGE {
        (LARGE_PAGE, area.physical % LARGE_PAGE)
    } else {
        (PAGE, 0)
    };
    let first = KERNEL_SPACE_START + step + offset;
    let last = (KERNEL_SPACE_END - PAGE).checked_sub(bytes)?;
    let places = last.checked_sub(first)? / step + 1;
    Some(first + random.below(places) * step)
}

/// Whether at least one page lies between two areas.
fn apart(a: u64, a_pages: u64, b: u64, b_pages: u64) -> bool {
    a + (a_pages + 1) * PAGE <= b || b + (b_pages + 1) * PAGE <= a
}

/// Draws a physical address for `pages` contiguous pages out of free memory, given as (first byte, pages).
///
/// Returns `None` when no range is long enough.
pub fn place_physical<I>(free: I, pages: u64, random: &mut Random) -> Option<u64>
where
    I: Iterator<Item = (u64, u64)> + Clone,
{
    let candidates = free.filter_map(|(start, length)| {
        let end = start.checked_add(length.checked_mul(PAGE)?)?;
        let first = start.max(LOWEST_PHYSICAL);
        let room = end.min(PHYSICAL_END).checked_sub(first)? / PAGE;
        Some((first, (room + 1).checked_sub(pages)?))
    });
    let places: u64 = candidates.clone().map(|(_, places)| places).sum();
    if places == 0 {
        return None;
    }
    let mut choice = random.below(places);
    for (first, places) in candidates {
        if choice < places {
            return Some(first + choice * PAGE);
        }
        choice -= places;
    }
    None
}

/// Bytes of the kernel region: a 32nd of the memory, at least 4 MiB and at most 64 MiB.
pub fn region_bytes(ram_bytes: u64) -> u64 {
    const LEAST: u64 = 4 << 20;
    const MOST: u64 = 64 << 20;
    (ram_bytes / 32).clamp(LEAST, MOST).next_multiple_of(PAGE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn random(seed: u64) -> Random {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        Random::new(key)
    }

    #[test]
    fn all_of_a_range_is_used() {
        let mut random = random(1);
        let found: HashSet<_> = (0..1000)
            .map(|_| place_physical([(0x10_0000, 4), (0x20_0000, 8)].into_iter(), 3, &mut random))
            .collect();
        let expected: HashSet<_> = [0x10_0000, 0x10_1000]
            .into_iter()
            .chain((0..6).map(|i| 0x20_0000 + i * PAGE))
            .map(Some)
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn memory_below_one_mebibyte_is_left_alone() {
        let mut random = random(2);
        for _ in 0..100 {
            let found = place_physical([(0x1000, 0x101)].into_iter(), 2, &mut random);
            assert_eq!(found, Some(0x10_0000));
        }
        assert_eq!(
            place_physical([(0, 0x100)].into_iter(), 1, &mut random),
            None
        );
    }

    #[test]
    fn memory_above_four_gibibytes_is_left_alone() {
        let mut random = random(4);
        for _ in 0..100 {
            let free = [(PHYSICAL_END - 2 * PAGE, 100), (PHYSICAL_END + PAGE, 100)];
            let found = place_physical(free.into_iter(), 2, &mut random);
            assert_eq!(found, Some(PHYSICAL_END - 2 * PAGE));
        }
    }

    #[test]
    fn too_little_memory_yields_no_place() {
        let mut random = random(3);
        assert_eq!(
            place_physical([(0x10_0000, 4)].into_iter(), 5, &mut random),
            None
        );
        assert_eq!(
            place_physical([(u64::MAX - 4095, 4)].into_iter(), 1, &mut random),
            None
        );
        let huge = [Area {
            pages: (2 << 30) / PAGE,
            physical: 0,
        }];
        assert_eq!(place_virtual(&huge, &mut random), Err(NoPlace));
    }

    #[test]
    fn the_region_grows_with_memory_up_to_a_limit() {
        assert_eq!(region_bytes(64 << 20), 4 << 20);
        assert_eq!(region_bytes(256 << 20), 8 << 20);
        assert_eq!(region_bytes(1 << 40), 64 << 20);
        assert!(region_bytes(123_456_789).is_multiple_of(PAGE));
    }

    #[test]
    fn bases_differ_from_boot_to_boot() {
        let area = [Area {
            pages: 60,
            physical: 0x1234_5000,
        }];
        let bases: HashSet<_> = (0..256)
            .map(|seed| place_virtual(&area, &mut random(seed)).unwrap()[0])
            .collect();
        assert!(bases.len() > 250);
    }

    /// The kernel is smaller than a large page, so any page of the top 2 GiB can be its first: 19 bits.
    #[test]
    fn the_kernel_has_19_bits_over_64_boots() {
        const BOOTS: u64 = 64;
        let area = [Area {
            pages: 60,
            physical: 0x1234_5000,
        }];
        let bases: Vec<u64> = (0..BOOTS)
            .map(|seed| place_virtual(&area, &mut random(seed)).unwrap()[0])
            .collect();
        let different: HashSet<_> = bases.iter().collect();
        assert!(different.len() as u64 >= BOOTS - 1, "{bases:x?}");
        // A fair bit is set in 32 of 64 boots; four standard deviations are 16.
        let set = |bit: u32| bases.iter().filter(|base| *base >> bit & 1 != 0).count();
        let fair: Vec<u32> = (0..64)
            .filter(|&bit| (16..=48).contains(&set(bit)))
            .collect();
        assert_eq!(fair, (12..=30).collect::<Vec<_>>(), "{bases:x?}");
        // No quarter of the space is left out.
        for quarter in 0..4 {
            let start = KERNEL_SPACE_START + (quarter << 29);
            let inside = bases
                .iter()
                .filter(|base| (start..=start + ((1 << 29) - 1)).contains(*base));
            assert!(
                (4..=28).contains(&inside.count()),
                "quarter {quarter}: {bases:x?}"
            );
        }
    }

    proptest! {
        #[test]
        fn areas_stay_in_the_kernel_half_with_guard_pages_between(
            seed: u64,
            sizes in proptest::array::uniform6((1u64..16_000, 0u64..1_000_000)),
        ) {
            let areas = sizes.map(|(pages, frame)| Area { pages, physical: frame * PAGE });
            let placed = place_virtual(&areas, &mut random(seed)).unwrap();
            for i in 0..areas.len() {
                let end = placed[i] + areas[i].pages * PAGE;
                prop_assert!(placed[i].is_multiple_of(PAGE));
                prop_assert!(placed[i] >= KERNEL_SPACE_START + PAGE);
                prop_assert!(end <= KERNEL_SPACE_END - PAGE);
                if areas[i].pages >= 512 {
                    prop_assert_eq!(placed[i] % LARGE_PAGE, areas[i].physical % LARGE_PAGE);
                }
                for j in 0..i {
                    prop_assert!(apart(placed[i], areas[i].pages, placed[j], areas[j].pages));
                }
            }
        }
    }
}
