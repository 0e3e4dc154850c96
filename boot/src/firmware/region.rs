//! The kernel region: the one piece of memory that may be too large to get while the firmware runs.
//!
//! On a machine with little memory the firmware holds most of it until boot services end, in a few large
//! pieces, and leaves only small ones. The region needs no contents before that, so there it gets a place in memory
//! of boot services, which is checked again in the final memory map before anything is written to it.
#![forbid(unsafe_code)]

use nonos_abi::boot::{MEMORY_RANGES, MemoryRange, memory_kind};
use nonos_boot::placement::place_physical;
use nonos_boot::random::Random;
use nonos_boot::{Refusal, memory_map, pages_for, placement};
use uefi::mem::memory_map::{MemoryMap, MemoryMapOwned, MemoryType};

use super::memory;
use super::pages::Pages;

const NAME: &str = "kernel region";

/// A place for the kernel region.
pub struct Region {
    range: MemoryRange,
    allocated: bool,
}

impl Region {
    /// A random place: in free memory, or else in memory of boot services.
    pub fn find(random: &mut Random) -> Result<Self, Refusal> {
        let map = memory::firmware_map()?;
        let pages = pages_for(placement::region_bytes(memory::ram_bytes(&map)));
        drop(map);
        if let Ok(pages) = Pages::at_random(NAME, pages, random) {
            return Ok(Self {
                range: pages.range(),
                allocated: true,
            });
        }
        let map = memory::firmware_map()?;
        let mut ranges = [MemoryRange::default(); MEMORY_RANGES];
        let count = memory_map::convert(boot_services(&map), &mut ranges)
            .map_err(|_| Refusal::MemoryRanges)?;
        let candidates = ranges[..count]
            .iter()
            .filter(|range| range.kind == memory_kind::USABLE);
        let places = candidates.map(|range| (range.physical, range.pages));
        let physical =
            place_physical(places, pages, random).ok_or(Refusal::Memory { what: NAME, pages })?;
        let range = MemoryRange {
            physical,
            pages,
            kind: memory_kind::KERNEL,
        };
        Ok(Self {
            range,
            allocated: false,
        })
    }

    /// Where it is.
    pub fn range(&self) -> MemoryRange {
        self.range
    }

    /// Whether nothing else is there in the final memory map.
    pub fn is_free(&self, map: &MemoryMapOwned) -> bool {
        let sources = memory::ranges_after_exit(map);
        self.allocated || memory_map::is_all(sources, &self.range, memory_kind::USABLE)
    }
}

/// Memory of boot services. Free memory is left out: it may be allocated until they end.
fn boot_services(map: &MemoryMapOwned) -> impl Iterator<Item = MemoryRange> + Clone {
    let types = [
        MemoryType::BOOT_SERVICES_CODE,
        MemoryType::BOOT_SERVICES_DATA,
    ];
    map.entries()
        .filter(move |descriptor| types.contains(&descriptor.ty))
        .map(|descriptor| MemoryRange {
            physical: descriptor.phys_start,
            pages: descriptor.page_count,
            kind: memory_map::kind_of(descriptor.ty.0, descriptor.att.bits()),
        })
}
