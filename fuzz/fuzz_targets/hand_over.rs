//! Bytes as the numbers of a hand-over: what the kernel accepts keeps what it relies on.
#![no_main]

use nonos_abi::boot::{BootInfo, KERNEL_SPACE_START, MAGIC, MemoryRange, memory_kind};
use nonos_hal::boot_info::check;

const PAGE: u64 = 4096;

/// The next number: short ones, as counts and places near one another find more.
fn next(bytes: &mut &[u8]) -> u64 {
    let (&how, rest) = bytes.split_first().unwrap_or((&0, &[]));
    let width = [1, 2, 3, 8][usize::from(how >> 6)].min(rest.len());
    let (number, rest) = rest.split_at(width);
    *bytes = rest;
    let number = number
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
    match how & 3 {
        0 => number,
        1 => number.wrapping_mul(PAGE),
        2 => KERNEL_SPACE_START.wrapping_add(number.wrapping_mul(PAGE)),
        _ => u64::MAX - number,
    }
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let bytes = &mut { bytes };
    // SAFETY: all fields are numbers or arrays of numbers; 0 is `RollbackStore::None`.
    let mut info: Box<BootInfo> = unsafe { Box::new_zeroed().assume_init() };
    info.magic = MAGIC;
    for field in [
        &mut info.kernel_base,
        &mut info.kernel_physical,
        &mut info.kernel_bytes,
        &mut info.stack_base,
        &mut info.stack_bytes,
        &mut info.region_base,
        &mut info.region_physical,
        &mut info.region_bytes,
        &mut info.region_used_bytes,
        &mut info.payload_base,
        &mut info.payload_physical,
        &mut info.payload_bytes,
        &mut info.event_log_base,
        &mut info.event_log_bytes,
        &mut info.acpi.cpu_count,
        &mut info.acpi.io_apic_count,
        &mut info.acpi.override_count,
        &mut info.acpi.iommu_count,
        &mut info.acpi.startup_page_physical,
        &mut info.acpi.vm_generation_physical,
        &mut info.memory_count,
    ] {
        *field = next(bytes);
    }
    let mut ranges = info.memory.iter_mut();
    while !bytes.is_empty()
        && let Some(range) = ranges.next()
    {
        *range = MemoryRange {
            physical: next(bytes),
            pages: next(bytes),
            kind: next(bytes),
        };
    }
    if check(&info).is_err() {
        return;
    }
    let ranges = &info.memory[..info.memory_count as usize];
    let usable = || {
        ranges
            .iter()
            .filter(|range| range.kind == memory_kind::USABLE)
    };
    assert!(usable().count() > 0);
    for (physical, bytes) in [
        (info.kernel_physical, info.kernel_bytes),
        (info.region_physical, info.region_bytes),
        (info.payload_physical, info.payload_bytes),
    ] {
        let shared = usable().any(|range| {
            let end = range.physical + range.pages * PAGE;
            physical < end && range.physical < physical.saturating_add(bytes)
        });
        assert!(!shared, "memory of the kernel is free");
    }
    for (base, bytes) in [
        (info.kernel_base, info.kernel_bytes),
        (info.stack_base, info.stack_bytes),
        (info.region_base, info.region_bytes),
    ] {
        assert!(base >= KERNEL_SPACE_START && bytes > 0);
        assert!(base.checked_add(bytes).is_some());
    }
});
