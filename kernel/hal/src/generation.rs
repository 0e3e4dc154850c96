//! The VM generation id: 16 bytes that a hypervisor changes when it restores the machine from a snapshot or copies it
//! (Microsoft, "Virtual Machine Generation ID", 2012).

use nonos_abi::boot::Acpi;

use crate::private::PrivateArea;

/// Where the id is mapped, for reading.
#[derive(Clone, Copy)]
pub struct Generation(*const u64);

impl Generation {
    /// Maps it, where there is one.
    pub fn find(acpi: &Acpi, area: &mut PrivateArea) -> Option<Self> {
        let physical = acpi.vm_generation_physical;
        (physical != 0).then(|| Self(area.map_constant(physical) as *const u64))
    }

    /// The id now. One that changes meanwhile is still another one than before.
    pub fn read(self) -> [u64; 2] {
        // SAFETY: `find` mapped its page for good; it is aligned, in one page of memory of the firmware, as the hand-over's checks found, and
        // no reference to it exists.
        unsafe { [self.0.read_volatile(), self.0.add(1).read_volatile()] }
    }
}
