//! Checks of the boot loader's hand-over before anything relies on it.
//!
//! The boot loader is verified code, so a wrong value here is a bug and not an attack; it is still refused
//! with the name of what is wrong, because everything below (page tables, memory given to programs) trusts it.
//! Pure, tested on the host.

use core::fmt;

use nonos_abi::PAGE_BYTES;
use nonos_abi::boot::{
    ACPI_ENTRIES, BootInfo, KERNEL_SPACE_START, MAGIC, MEMORY_RANGES, memory_kind,
};

const PAGE: u64 = PAGE_BYTES as u64;

/// A start-up IPI names a page below 1 MiB.
const STARTUP_END: u64 = 1 << 20;

/// What is wrong with the hand-over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootInfoError {
    /// It lies outside the kernel's half or is not aligned.
    Address(u64),
    /// It starts with another magic number.
    Magic(u64),
    /// `rollback_store` is no known value.
    RollbackStore(u64),
    /// A list is longer than its room.
    Count(&'static str, u64),
    /// An area is empty, not page-aligned or reaches out of the kernel's half.
    Area(&'static str, u64, u64),
    /// The boot page tables take more than the region.
    RegionUsed(u64),
    /// This memory range is out of order, overlaps the one before or reaches past 16 TiB.
    Memory(usize),
    /// This area of the kernel lies in memory that is called usable.
    Usable(&'static str),
    /// The page for start-up code is not a page below 1 MiB, or is usable memory.
    StartupPage(u64),
    /// The VM generation id is not 16 aligned bytes in one page of memory of the firmware.
    Generation(u64),
    /// No memory is usable.
    NoMemory,
}

impl fmt::Display for BootInfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("boot info: ")?;
        match *self {
            Self::Address(address) => write!(f, "bad address {address:#x}"),
            Self::Magic(magic) => write!(f, "magic is {magic:#x}, not {MAGIC:#x}"),
            Self::RollbackStore(value) => write!(f, "unknown rollback store {value}"),
            Self::Count(list, count) => write!(f, "{count} entries in {list}"),
            Self::Area(name, base, bytes) => {
                write!(f, "{name} at {base:#x}, {bytes:#x} bytes")
            }
            Self::RegionUsed(bytes) => write!(f, "page tables take {bytes:#x} bytes"),
            Self::Memory(index) => write!(f, "memory range {index} is not valid"),
            Self::Usable(name) => write!(f, "{name} lies in usable memory"),
            Self::StartupPage(page) => write!(f, "start-up code at {page:#x}"),
            Self::Generation(address) => write!(f, "VM generation id at {address:#x}"),
            Self::NoMemory => f.write_str("no usable memory"),
        }
    }
}

/// Checks all values of a hand-over.
///
/// # Errors
/// The first check that fails.
pub fn check(info: &BootInfo) -> Result<(), BootInfoError> {
    if info.magic != MAGIC {
        return Err(BootInfoError::Magic(info.magic));
    }
    check_area("kernel image", info.kernel_base, info.kernel_bytes)?;
    check_area("stack", info.stack_base, info.stack_bytes)?;
    check_area("kernel region", info.region_base, info.region_bytes)?;
    check_area(
        "payload",
        info.payload_base,
        whole_pages(info.payload_bytes),
    )?;
    if info.event_log_bytes > 0 {
        check_area(
            "event log",
            info.event_log_base,
            whole_pages(info.event_log_bytes),
        )?;
    }
    if !info.region_physical.is_multiple_of(PAGE) {
        return Err(BootInfoError::Area(
            "kernel region (physical)",
            info.region_physical,
            info.region_bytes,
        ));
    }
    if info.region_used_bytes >= info.region_bytes || !info.region_used_bytes.is_multiple_of(PAGE) {
        return Err(BootInfoError::RegionUsed(info.region_used_bytes));
    }
    let acpi = &info.acpi;
    for (list, count, room) in [
        ("memory map", info.memory_count, MEMORY_RANGES),
        ("CPUs", acpi.cpu_count, ACPI_ENTRIES),
        ("I/O APICs", acpi.io_apic_count, ACPI_ENTRIES),
        ("interrupt overrides", acpi.override_count, ACPI_ENTRIES),
        ("IOMMUs", acpi.iommu_count, ACPI_ENTRIES),
    ] {
        if count > room as u64 {
            return Err(BootInfoError::Count(list, count));
        }
    }
    check_memory(info)?;
    // 0 when there is none.
    let page = acpi.startup_page_physical;
    let is_usable =
        |physical| usable(info).any(|(start, end)| physical < end && start < physical + PAGE);
    if page != 0 && (page >= STARTUP_END || !page.is_multiple_of(PAGE) || is_usable(page)) {
        return Err(BootInfoError::StartupPage(page));
    }
    let generation = acpi.vm_generation_physical;
    if generation != 0 && !is_generation(info, generation) {
        return Err(BootInfoError::Generation(generation));
    }
    for (name, physical, bytes) in [
        ("kernel image", info.kernel_physical, info.kernel_bytes),
        ("kernel region", info.region_physical, info.region_bytes),
        ("payload", info.payload_physical, info.payload_bytes),
    ] {
        if usable(info).any(|(start, end)| physical < end && start < physical.saturating_add(bytes))
        {
            return Err(BootInfoError::Usable(name));
        }
    }
    Ok(())
}

/// First byte and end of each usable range of checked memory.
fn usable(info: &BootInfo) -> impl Iterator<Item = (u64, u64)> {
    let ranges = &info.memory[..info.memory_count as usize];
    let usable = ranges
        .iter()
        .filter(|range| range.kind == memory_kind::USABLE);
    usable.map(|range| (range.physical, range.physical + range.pages * PAGE))
}

/// Whether a VM generation id can be there.
fn is_generation(info: &BootInfo, physical: u64) -> bool {
    const ALIGNMENT: u64 = 8;
    const BYTES: u64 = 16;
    let page = physical / PAGE;
    let ranges = &info.memory[..info.memory_count as usize];
    let in_firmware = ranges.iter().any(|range| {
        let first = range.physical / PAGE;
        range.kind == memory_kind::FIRMWARE && (first..first + range.pages).contains(&page)
    });
    in_firmware
        && page < 1 << 32
        && physical.is_multiple_of(ALIGNMENT)
        && physical % PAGE <= PAGE - BYTES
}

/// Rounded up to whole pages; 0, which no area may have, when that does not fit.
fn whole_pages(bytes: u64) -> u64 {
    bytes.checked_next_multiple_of(PAGE).unwrap_or(0)
}

fn check_area(name: &'static str, base: u64, bytes: u64) -> Result<(), BootInfoError> {
    let aligned = base.is_multiple_of(PAGE) && bytes.is_multiple_of(PAGE);
    // The last page of the address space stays free, so no end of an area wraps to zero.
    let inside = base >= KERNEL_SPACE_START
        && base
            .checked_add(bytes)
            .is_some_and(|end| end <= u64::MAX - PAGE);
    if aligned && inside && bytes > 0 {
        Ok(())
    } else {
        Err(BootInfoError::Area(name, base, bytes))
    }
}

fn check_memory(info: &BootInfo) -> Result<(), BootInfoError> {
    let mut end = 0;
    for (index, range) in info.memory[..info.memory_count as usize].iter().enumerate() {
        let first = range.physical / PAGE;
        let next = first.checked_add(range.pages);
        // Only what can be given to programs must have frame numbers of 32 bits.
        let limit = if range.kind == memory_kind::USABLE {
            1 << 32
        } else {
            1 << 52
        };
        if !range.physical.is_multiple_of(PAGE)
            || first < end
            || next.is_none_or(|next| next > limit)
        {
            return Err(BootInfoError::Memory(index));
        }
        end = first + range.pages;
    }
    match usable(info).next() {
        Some(_) => Ok(()),
        None => Err(BootInfoError::NoMemory),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nonos_abi::boot::MemoryRange;

    fn good() -> Box<BootInfo> {
        // SAFETY: all fields are numbers or arrays of numbers; 0 is `RollbackStore::None`.
        let mut info: Box<BootInfo> = unsafe { Box::new_zeroed().assume_init() };
        info.magic = MAGIC;
        (info.kernel_base, info.kernel_bytes) = (KERNEL_SPACE_START, 0x1000);
        (info.stack_base, info.stack_bytes) = (KERNEL_SPACE_START + 0x3000, 0x1000);
        (info.region_base, info.region_bytes) = (KERNEL_SPACE_START + 0x20_0000, 0x20_0000);
        info.region_used_bytes = 0x4000;
        (info.kernel_physical, info.region_physical) = (0x5000, 0x20_0000);
        info.payload_physical = 0x80_0000;
        (info.payload_base, info.payload_bytes) = (KERNEL_SPACE_START + 0x80_0000, 123);
        info.memory_count = 2;
        info.memory[0] = MemoryRange {
            physical: 0x1000,
            pages: 4,
            kind: memory_kind::USABLE,
        };
        info.memory[1] = MemoryRange {
            physical: 0x5000,
            pages: 4,
            kind: memory_kind::RESERVED,
        };
        info
    }

    #[test]
    fn a_good_hand_over_is_accepted() {
        assert_eq!(check(&good()), Ok(()));
        let mut info = good();
        info.acpi.startup_page_physical = 0x9_F000;
        assert_eq!(check(&info), Ok(()));
    }

    #[test]
    fn a_generation_id_lies_in_memory_of_the_firmware() {
        let with = |physical, kind| {
            let mut info = good();
            info.memory[1].kind = kind;
            info.acpi.vm_generation_physical = physical;
            check(&info)
        };
        assert_eq!(with(0x6028, memory_kind::FIRMWARE), Ok(()));
        assert_eq!(with(0x8FF0, memory_kind::FIRMWARE), Ok(()));
        for (physical, kind) in [
            (0x6028, memory_kind::RESERVED),
            (0x6028, memory_kind::KERNEL),
            // Usable; past the range; across pages; not aligned.
            (0x1028, memory_kind::FIRMWARE),
            (0x9000, memory_kind::FIRMWARE),
            (0x5FF8, memory_kind::FIRMWARE),
            (0x6024, memory_kind::FIRMWARE),
            (u64::MAX - 7, memory_kind::FIRMWARE),
        ] {
            let refused = Err(BootInfoError::Generation(physical));
            assert_eq!(with(physical, kind), refused);
        }
    }

    #[test]
    fn each_wrong_value_is_refused_by_its_own_check() {
        let refused = |change: fn(&mut BootInfo)| {
            let mut info = good();
            change(&mut info);
            check(&info).expect_err("accepted")
        };
        assert_eq!(refused(|info| info.magic = 1), BootInfoError::Magic(1));
        let kernel = refused(|info| info.kernel_base = 0x10_0000);
        assert_eq!(
            kernel,
            BootInfoError::Area("kernel image", 0x10_0000, 0x1000)
        );
        assert!(matches!(
            refused(|info| info.stack_bytes = 0),
            BootInfoError::Area("stack", ..)
        ));
        assert!(matches!(
            refused(|info| info.stack_base += 8),
            BootInfoError::Area("stack", ..)
        ));
        assert!(matches!(
            refused(|info| info.region_bytes = u64::MAX - 0xFFF),
            BootInfoError::Area("kernel region", ..)
        ));
        assert_eq!(
            refused(|info| info.region_used_bytes = 0x20_0000),
            BootInfoError::RegionUsed(0x20_0000)
        );
        assert_eq!(
            refused(|info| info.memory_count = 513),
            BootInfoError::Count("memory map", 513)
        );
        assert_eq!(
            refused(|info| info.acpi.io_apic_count = 17),
            BootInfoError::Count("I/O APICs", 17)
        );
        assert_eq!(
            refused(|info| info.acpi.iommu_count = 17),
            BootInfoError::Count("IOMMUs", 17)
        );
        assert_eq!(
            refused(|info| info.memory[1].physical = 0x4000),
            BootInfoError::Memory(1)
        );
        assert_eq!(
            refused(|info| info.memory[0].pages = u64::MAX),
            BootInfoError::Memory(0)
        );
        assert_eq!(
            refused(|info| info.kernel_physical = 0x4000),
            BootInfoError::Usable("kernel image")
        );
        assert_eq!(
            refused(|info| info.region_physical = 0),
            BootInfoError::Usable("kernel region")
        );
        assert_eq!(
            refused(|info| info.payload_physical = 0x4FFF),
            BootInfoError::Usable("payload")
        );
        for (page, change) in [
            (
                0x8800,
                (|info| info.acpi.startup_page_physical = 0x8800) as fn(&mut BootInfo),
            ),
            (0x10_0000, |info| {
                info.acpi.startup_page_physical = 0x10_0000
            }),
            (0x4000, |info| info.acpi.startup_page_physical = 0x4000),
        ] {
            assert_eq!(refused(change), BootInfoError::StartupPage(page));
        }
        assert_eq!(
            refused(|info| info.memory[0].kind = memory_kind::KERNEL),
            BootInfoError::NoMemory
        );
    }
}
