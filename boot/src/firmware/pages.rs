//! Physical memory from the firmware, as owned, zeroed pages.
//!
//! Pages are never given back: what the kernel gets is listed as its own, and all the rest becomes free with
//! the end of boot services. The firmware maps all memory at its physical address (UEFI 2.10, 2.3.4).

use core::ptr::NonNull;
use core::slice;

use nonos_abi::boot::{MemoryRange, memory_kind};
use nonos_boot::page_tables::Table;
use nonos_boot::placement::{PHYSICAL_END, place_physical};
use nonos_boot::random::Random;
use nonos_boot::{PAGE, Refusal};
use uefi::boot::{self, AllocateType};
use uefi::mem::memory_map::MemoryType;

use super::memory;

/// How often a random place that the firmware does not give is replaced by another.
const TRIES: usize = 16;

/// Pages that only this value refers to.
pub struct Pages {
    first: NonNull<u8>,
    pages: u64,
}

impl Pages {
    /// Zeroed pages wherever the firmware likes, below [`PHYSICAL_END`].
    pub fn anywhere(what: &'static str, pages: u64) -> Result<Self, Refusal> {
        let place = AllocateType::MaxAddress(PHYSICAL_END - 1);
        Self::allocate(place, pages).ok_or(Refusal::Memory { what, pages })
    }

    /// Zeroed pages at a random place.
    pub fn at_random(what: &'static str, pages: u64, random: &mut Random) -> Result<Self, Refusal> {
        for _ in 0..TRIES {
            let map = memory::firmware_map()?;
            let Some(place) = place_physical(memory::free(&map), pages, random) else {
                break;
            };
            drop(map);
            if let Some(new) = Self::allocate(AllocateType::Address(place), pages) {
                return Ok(new);
            }
        }
        Err(Refusal::Memory { what, pages })
    }

    fn allocate(place: AllocateType, pages: u64) -> Option<Self> {
        let count = usize::try_from(pages).ok()?;
        let bytes = count.checked_mul(PAGE as usize)?;
        let first = boot::allocate_pages(place, MemoryType::LOADER_DATA, count).ok()?;
        // SAFETY: the firmware just gave these pages to this program alone, mapped and writable.
        unsafe { first.write_bytes(0, bytes) };
        Some(Self { first, pages })
    }

    /// Physical address of the first page.
    pub fn physical(&self) -> u64 {
        self.first.as_ptr() as u64
    }

    /// As the kernel's own memory in the hand-over.
    pub fn range(&self) -> MemoryRange {
        MemoryRange {
            physical: self.physical(),
            pages: self.pages,
            kind: memory_kind::KERNEL,
        }
    }

    /// The contents.
    pub fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the pages are initialised, and borrowed through their only owner.
        unsafe { slice::from_raw_parts_mut(self.first.as_ptr(), (self.pages * PAGE) as usize) }
    }

    /// The contents, for good.
    pub fn into_bytes(self) -> &'static mut [u8] {
        // SAFETY: the pages are initialised and never given back, and their only owner is used up here.
        unsafe { slice::from_raw_parts_mut(self.first.as_ptr(), (self.pages * PAGE) as usize) }
    }

    /// The contents as page tables.
    pub fn tables(&mut self) -> &mut [Table] {
        let first = self.first.as_ptr().cast::<Table>();
        // SAFETY: as in `bytes`; pages are aligned for 64-bit words, a table is exactly a page, and every
        // bit pattern is one.
        unsafe { slice::from_raw_parts_mut(first, self.pages as usize) }
    }
}
