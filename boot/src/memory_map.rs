//! The firmware's memory map as the kernel's list of ranges.
//!
//! Firmware maps are long, unordered and sometimes overlap. What comes out is ascending, does not overlap,
//! and neighbours of one kind are merged. Where descriptors disagree the most restrictive one wins, so a
//! wrong descriptor can cost memory but never hands out memory that something else uses.

use nonos_abi::boot::{MemoryRange, memory_kind};

use crate::PAGE;

/// Memory types (UEFI 2.10, 7.2.1, EFI_MEMORY_TYPE).
mod efi_type {
    pub const LOADER_CODE: u32 = 1;
    pub const LOADER_DATA: u32 = 2;
    pub const BOOT_SERVICES_CODE: u32 = 3;
    pub const BOOT_SERVICES_DATA: u32 = 4;
    pub const RUNTIME_SERVICES_CODE: u32 = 5;
    pub const RUNTIME_SERVICES_DATA: u32 = 6;
    pub const CONVENTIONAL: u32 = 7;
    pub const ACPI_RECLAIM: u32 = 9;
    pub const ACPI_NVS: u32 = 10;
    pub const PAL_CODE: u32 = 13;
}

/// EFI_MEMORY_WB: the memory can be cached write-back, as RAM can.
const ATTRIBUTE_WRITE_BACK: u64 = 1 << 3;
/// EFI_MEMORY_SP: memory set aside for a purpose, such as a device's.
const ATTRIBUTE_SPECIFIC_PURPOSE: u64 = 1 << 18;

/// The first MiB: firmware stays live there, whatever its map says, and start-up code of other CPUs must fit. To be
/// added to the firmware's ranges, so that it is never handed out.
pub const LOW_MEMORY: MemoryRange = MemoryRange {
    physical: 0,
    pages: (1 << 20) / PAGE,
    kind: memory_kind::RESERVED,
};

/// A page for the start-up code of other CPUs: the highest one below 640 KiB that the firmware lists as free, boot services
/// memory or ours, so that nothing lives there once they have ended. The first page is none: a start-up vector of
/// 0 looks like no page. `None` when there is no such page.
pub fn startup_page<I>(sources: I) -> Option<u64>
where
    I: Iterator<Item = MemoryRange> + Clone,
{
    /// Above lies the extended BIOS data area, at most, and video memory.
    const CONVENTIONAL_END: u64 = 640 << 10;
    let page = |physical| MemoryRange {
        physical,
        pages: 1,
        kind: memory_kind::USABLE,
    };
    (1..CONVENTIONAL_END / PAGE)
        .rev()
        .map(|number| number * PAGE)
        .find(|&physical| is_all(sources.clone(), &page(physical), memory_kind::USABLE))
}

/// More ranges than the hand-over has room for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyRanges;

/// What a firmware descriptor of this type and these attributes means to the kernel
/// ([`memory_kind`]), after boot services have ended.
pub fn kind_of(efi_type: u32, attributes: u64) -> u64 {
    let ordinary_ram =
        attributes & ATTRIBUTE_WRITE_BACK != 0 && attributes & ATTRIBUTE_SPECIFIC_PURPOSE == 0;
    match efi_type {
        efi_type::LOADER_CODE
        | efi_type::LOADER_DATA
        | efi_type::BOOT_SERVICES_CODE
        | efi_type::BOOT_SERVICES_DATA
        | efi_type::CONVENTIONAL
            if ordinary_ram =>
        {
            memory_kind::USABLE
        }
        efi_type::RUNTIME_SERVICES_CODE
        | efi_type::RUNTIME_SERVICES_DATA
        | efi_type::ACPI_RECLAIM
        | efi_type::ACPI_NVS
        | efi_type::PAL_CODE => memory_kind::FIRMWARE,
        _ => memory_kind::RESERVED,
    }
}

/// What a descriptor of this type means for memory that is to be used as soon as boot services have ended, while
/// the loader still runs: [`memory_kind::USABLE`] only for memory that neither it nor the firmware needs then.
pub fn kind_after_exit(efi_type: u32, attributes: u64) -> u64 {
    match efi_type {
        efi_type::LOADER_CODE | efi_type::LOADER_DATA => memory_kind::RESERVED,
        _ => kind_of(efi_type, attributes),
    }
}

/// Whether every page of `range` is in `sources`, and only as `kind`.
pub fn is_all<I>(sources: I, range: &MemoryRange, kind: u64) -> bool
where
    I: Iterator<Item = MemoryRange>,
{
    let mut covered = 0;
    for source in sources {
        let start = source.physical.max(range.physical);
        let overlap = end_of(&source).min(end_of(range)).saturating_sub(start);
        if overlap > 0 && source.kind != kind {
            return false;
        }
        covered += overlap / PAGE;
    }
    covered >= range.pages
}

/// Writes the ranges that `sources` describe to `out`, and says how many there are.
///
/// `sources` is read several times; its ranges need no order and may overlap, then the kind that
/// gives away least wins.
///
/// # Errors
/// When `out` is too short.
pub fn convert<I>(sources: I, out: &mut [MemoryRange]) -> Result<usize, TooManyRanges>
where
    I: Iterator<Item = MemoryRange> + Clone,
{
    let sources = sources.filter(|range| range.pages > 0);
    let Some(mut position) = sources.clone().map(|range| range.physical).min() else {
        return Ok(0);
    };
    let mut count = 0;
    loop {
        // Between one boundary and the next nothing changes: find both the kind here and where it ends.
        let mut kind = 0;
        let mut next = u64::MAX;
        for range in sources.clone() {
            let end = end_of(&range);
            if range.physical <= position && position < end {
                kind = kind.max(restriction(range.kind));
            }
            for boundary in [range.physical, end] {
                if boundary > position {
                    next = next.min(boundary);
                }
            }
        }
        if next == u64::MAX {
            return Ok(count);
        }
        if kind != 0 {
            let range = MemoryRange {
                physical: position,
                pages: (next - position) / PAGE,
                kind: kind_with(kind),
            };
            count = append(out, count, range)?;
        }
        position = next;
    }
}

/// Pages of a kind in a list of ranges.
pub fn pages_of_kind(ranges: &[MemoryRange], kind: u64) -> u64 {
    ranges
        .iter()
        .filter(|range| range.kind == kind)
        .map(|range| range.pages)
        .sum()
}

fn append(
    out: &mut [MemoryRange],
    count: usize,
    range: MemoryRange,
) -> Result<usize, TooManyRanges> {
    if let Some(last) = count.checked_sub(1).and_then(|last| out.get_mut(last))
        && last.kind == range.kind
        && end_of(last) == range.physical
    {
        last.pages += range.pages;
        return Ok(count);
    }
    *out.get_mut(count).ok_or(TooManyRanges)? = range;
    Ok(count + 1)
}

/// First byte after a range; a range that would wrap around ends at the last page below 2^64.
fn end_of(range: &MemoryRange) -> u64 {
    const LAST: u64 = !(PAGE - 1);
    range
        .pages
        .checked_mul(PAGE)
        .and_then(|bytes| range.physical.checked_add(bytes))
        .map_or(LAST, |end| end.min(LAST))
}

/// Order of the kinds, from the one that gives most away.
const RESTRICTIONS: [u64; 4] = [
    memory_kind::USABLE,
    memory_kind::KERNEL,
    memory_kind::FIRMWARE,
    memory_kind::RESERVED,
];

fn restriction(kind: u64) -> usize {
    RESTRICTIONS
        .iter()
        .position(|known| *known == kind)
        .map_or(RESTRICTIONS.len(), |index| index + 1)
}

fn kind_with(restriction: usize) -> u64 {
    RESTRICTIONS[restriction - 1]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(physical: u64, pages: u64, kind: u64) -> MemoryRange {
        MemoryRange {
            physical,
            pages,
            kind,
        }
    }

    fn converted(sources: &[MemoryRange]) -> Vec<(u64, u64, u64)> {
        let mut out = [MemoryRange::default(); 64];
        let count = convert(sources.iter().copied(), &mut out).expect("fits");
        out[..count]
            .iter()
            .map(|range| (range.physical, range.pages, range.kind))
            .collect()
    }

    #[test]
    fn neighbours_of_one_kind_are_merged_in_order() {
        let sources = [
            range(0x3000, 2, memory_kind::USABLE),
            range(0x1000, 2, memory_kind::USABLE),
            range(0x8000, 1, memory_kind::FIRMWARE),
        ];
        assert_eq!(
            converted(&sources),
            [
                (0x1000, 4, memory_kind::USABLE),
                (0x8000, 1, memory_kind::FIRMWARE)
            ]
        );
    }

    #[test]
    fn what_is_handed_over_is_cut_out_of_usable_memory() {
        let sources = [
            range(0x0, 16, memory_kind::USABLE),
            range(0x4000, 2, memory_kind::KERNEL),
        ];
        assert_eq!(
            converted(&sources),
            [
                (0x0, 4, memory_kind::USABLE),
                (0x4000, 2, memory_kind::KERNEL),
                (0x6000, 10, memory_kind::USABLE)
            ]
        );
    }

    #[test]
    fn the_first_mebibyte_is_never_usable() {
        let sources = [range(0x0, 512, memory_kind::USABLE), LOW_MEMORY];
        assert_eq!(
            converted(&sources),
            [
                (0x0, 256, memory_kind::RESERVED),
                (0x10_0000, 256, memory_kind::USABLE)
            ]
        );
    }

    #[test]
    fn boot_services_memory_becomes_usable_and_runtime_memory_does_not() {
        for usable in [1, 2, 3, 4, 7] {
            assert_eq!(kind_of(usable, ATTRIBUTE_WRITE_BACK), memory_kind::USABLE);
        }
        for firmware in [5, 6, 9, 10] {
            assert_eq!(
                kind_of(firmware, ATTRIBUTE_WRITE_BACK),
                memory_kind::FIRMWARE
            );
        }
        for reserved in [0, 8, 11, 12, 14, 15, 0x8000_0000] {
            assert_eq!(
                kind_of(reserved, ATTRIBUTE_WRITE_BACK),
                memory_kind::RESERVED
            );
        }
    }

    #[test]
    fn memory_that_is_not_ordinary_ram_is_not_given_out() {
        assert_eq!(kind_of(7, 0), memory_kind::RESERVED);
        assert_eq!(
            kind_of(7, ATTRIBUTE_WRITE_BACK | ATTRIBUTE_SPECIFIC_PURPOSE),
            memory_kind::RESERVED
        );
    }

    #[test]
    fn memory_that_the_loader_needs_is_not_free_yet_when_boot_services_have_ended() {
        for needed in [1, 2] {
            assert_ne!(
                kind_after_exit(needed, ATTRIBUTE_WRITE_BACK),
                memory_kind::USABLE
            );
        }
        for free in [3, 4, 7] {
            assert_eq!(
                kind_after_exit(free, ATTRIBUTE_WRITE_BACK),
                memory_kind::USABLE
            );
        }
    }

    #[test]
    fn a_range_is_all_of_a_kind_only_when_no_page_is_missing_or_other() {
        use memory_kind::{RESERVED, USABLE};
        let sources = [
            range(0x1000, 2, USABLE),
            range(0x3000, 4, USABLE),
            range(0x8000, 1, RESERVED),
        ];
        let is_all =
            |physical, pages| is_all(sources.iter().copied(), &range(physical, pages, 0), USABLE);
        assert!(is_all(0x1000, 6));
        assert!(is_all(0x2000, 3));
        assert!(!is_all(0x0000, 2));
        assert!(!is_all(0x6000, 2));
        assert!(!is_all(0x8000, 1));
    }

    #[test]
    fn the_page_for_start_up_code_is_usable_memory_below_640_kib_and_not_the_first() {
        use memory_kind::{RESERVED, USABLE};
        let page = |sources: &[MemoryRange]| startup_page(sources.iter().copied());
        assert_eq!(page(&[range(0, 0x9F, USABLE)]), Some(0x9_E000));
        assert_eq!(page(&[range(0, 0x200, USABLE)]), Some(0x9_F000));
        assert_eq!(
            page(&[range(0, 0xA0, USABLE), range(0x8_0000, 0x20, RESERVED)]),
            Some(0x7_F000)
        );
        assert_eq!(page(&[range(0, 1, USABLE)]), None);
        assert_eq!(page(&[range(0x10_0000, 0x100, USABLE)]), None);
    }

    #[test]
    fn a_list_that_does_not_fit_is_an_error() {
        let sources = (0..3).map(|i| range(i * 0x2000, 1, memory_kind::USABLE));
        let mut out = [MemoryRange::default(); 2];
        assert_eq!(convert(sources, &mut out), Err(TooManyRanges));
    }

    #[test]
    fn a_descriptor_that_wraps_around_is_cut() {
        let sources = [range(0x1000, u64::MAX, memory_kind::RESERVED)];
        assert_eq!(converted(&sources).len(), 1);
        assert!(converted(&[range(!0xFFF, 4, memory_kind::USABLE)]).is_empty());
    }

    proptest! {
        #[test]
        fn every_page_gets_the_most_restrictive_kind(
            sources in proptest::collection::vec((0u64..40, 0u64..12, 1u64..=4), 0..12)
        ) {
            let sources: Vec<_> =
                sources.iter().map(|&(page, pages, kind)| range(page * PAGE, pages, kind)).collect();
            let result = converted(&sources);
            for window in result.windows(2) {
                let (first, second) = (window[0], window[1]);
                prop_assert!(first.0 + first.1 * PAGE <= second.0);
                prop_assert!(first.2 != second.2 || first.0 + first.1 * PAGE < second.0);
            }
            for page in 0..64 {
                let covers = |start: u64, pages: u64| start <= page * PAGE && page * PAGE < start + pages * PAGE;
                let expected = sources
                    .iter()
                    .filter(|source| covers(source.physical, source.pages))
                    .map(|source| source.kind)
                    .max();
                let found = result.iter().find(|found| covers(found.0, found.1)).map(|found| found.2);
                prop_assert_eq!(found, expected);
            }
        }
    }
}
