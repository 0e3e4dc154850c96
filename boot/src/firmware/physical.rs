//! Looking at memory that the firmware filled: ACPI tables, event log.

use core::slice;

use nonos_boot::acpi::PhysicalMemory;

/// No physical memory lies above (SDM vol. 3, 4.1.4: at most 52 bits).
const LIMIT: u64 = 1 << 52;

/// All memory that the firmware maps, which is all memory there is.
pub struct FirmwareMemory;

impl PhysicalMemory for FirmwareMemory {
    fn bytes(&self, physical: u64, length: usize) -> Option<&[u8]> {
        let end = physical.checked_add(length as u64)?;
        if physical == 0 || end > LIMIT {
            return None;
        }
        // SAFETY: an address that the firmware names as that of a table of its own, which it maps and keeps
        // (UEFI 2.10, 2.3.4); tables change only in calls of the firmware, and no slice is kept across
        // one. A firmware that names a wrong address makes this read other memory or fault: it is trusted at
        // this point, it loaded us.
        Some(unsafe { slice::from_raw_parts(physical as *const u8, length) })
    }
}
