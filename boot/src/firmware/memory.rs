//! The firmware's memory map, read through the eyes of the library.
#![forbid(unsafe_code)]

use nonos_abi::boot::{MemoryRange, memory_kind};
use nonos_boot::{PAGE, Refusal, memory_map};
use uefi::boot;
use uefi::mem::memory_map::{MemoryMap, MemoryMapOwned, MemoryType};

/// The map as it is now.
pub fn firmware_map() -> Result<MemoryMapOwned, Refusal> {
    boot::memory_map(MemoryType::LOADER_DATA).map_err(|error| Refusal::Firmware {
        check: "memory map",
        status: error.status().0 as u64,
    })
}

/// Its descriptors with the kernel's kinds.
pub fn ranges(map: &MemoryMapOwned) -> impl Iterator<Item = MemoryRange> + Clone {
    map.entries().map(|descriptor| MemoryRange {
        physical: descriptor.phys_start,
        pages: descriptor.page_count,
        kind: memory_map::kind_of(descriptor.ty.0, descriptor.att.bits()),
    })
}

/// What can be allocated: (first byte, pages).
pub fn free(map: &MemoryMapOwned) -> impl Iterator<Item = (u64, u64)> + Clone {
    let conventional = map
        .entries()
        .filter(|descriptor| descriptor.ty == MemoryType::CONVENTIONAL);
    let usable = conventional.filter(|descriptor| {
        memory_map::kind_of(descriptor.ty.0, descriptor.att.bits()) == memory_kind::USABLE
    });
    usable.map(|descriptor| (descriptor.phys_start, descriptor.page_count))
}

/// Its descriptors with the kinds that they have once boot services have ended and the loader still runs.
pub fn ranges_after_exit(map: &MemoryMapOwned) -> impl Iterator<Item = MemoryRange> + Clone {
    map.entries().map(|descriptor| MemoryRange {
        physical: descriptor.phys_start,
        pages: descriptor.page_count,
        kind: memory_map::kind_after_exit(descriptor.ty.0, descriptor.att.bits()),
    })
}

/// Bytes of RAM in the machine, as far as the map shows it.
pub fn ram_bytes(map: &MemoryMapOwned) -> u64 {
    let ram = ranges(map).filter(|range| range.kind != memory_kind::RESERVED);
    ram.map(|range| range.pages.saturating_mul(PAGE))
        .fold(0, u64::saturating_add)
}
