//! Words of VT-d: what the kernel writes into the tables of IOMMUs, and what they write into their fault records. Pure, tested on the
//! host. Sections are those of the VT-d specification, revision 4.1.

use nonos_kernel_core::machine::{DmaFault, FrameNumber};

use crate::table::Entry;

/// Entries of the interrupt remapping table, which takes a page.
pub const INTERRUPTS: usize = 256;

/// Whether a unit does what the kernel uses: CAP_REG and ECAP_REG (11.4.2, 11.4.3).
#[derive(Clone, Copy)]
pub struct Capabilities {
    pub basic: u64,
    pub extended: u64,
}

impl Capabilities {
    /// Commands by a queue in memory.
    pub fn has_queue(self) -> bool {
        self.extended & 1 << 1 != 0
    }

    /// Interrupt remapping, with 32-bit destinations if these are asked for.
    pub fn remaps_interrupts(self, wide: bool) -> bool {
        let wanted = 1 << 3 | u64::from(wide) << 4;
        self.extended & wanted == wanted
    }

    /// Whether writes to its tables wait in a buffer that must be flushed.
    pub fn needs_flush(self) -> bool {
        self.basic & 1 << 4 != 0
    }

    /// Whether it has protected memory ranges, which the firmware may have turned on.
    pub fn has_protected_ranges(self) -> bool {
        self.basic & (1 << 5 | 1 << 6) != 0
    }

    /// Levels of page tables that it walks: bit 3 for three, bit 4 for four.
    pub fn levels(self) -> u64 {
        self.basic >> 6 & (1 << 3 | 1 << 4)
    }

    /// Whether it sees what is in the caches of CPUs when it reads tables.
    pub fn snoops(self) -> bool {
        self.extended & 1 != 0
    }

    /// Offset of the fault records in its registers, and how many there are.
    pub fn fault_records(self) -> (usize, usize) {
        (
            (self.basic >> 24 & 0x3FF) as usize * 16,
            (self.basic >> 40 & 0xFF) as usize + 1,
        )
    }
}

/// Where an interrupt goes.
#[derive(Clone, Copy)]
pub struct Destination {
    /// Number of the local APIC.
    pub apic: u32,
    /// Whether local APICs are in x2APIC mode, where numbers have 32 bits.
    pub wide: bool,
}

/// An entry of the interrupt remapping table (9.10): from this requester only, to one CPU.
pub fn interrupt_entry(vector: u8, level: bool, to: Destination, requester: u16) -> [u64; 2] {
    const PRESENT: u64 = 1;
    /// All 16 bits of the requester are compared.
    const VERIFY_REQUESTER: u64 = 1 << 18;
    let destination = u64::from(to.apic) << if to.wide { 32 } else { 40 };
    [
        PRESENT | u64::from(level) << 4 | u64::from(vector) << 16 | destination,
        VERIFY_REQUESTER | u64::from(requester),
    ]
}

/// Upper half of the entry of an I/O APIC that names an entry of that table (5.1.5.1).
pub fn io_apic_upper(index: u32) -> u32 {
    const REMAPPABLE: u32 = 1 << 16;
    index << 17 | REMAPPABLE
}

/// The two words of an entry of a context table (9.3), the first of which makes it valid: page tables of so many levels, for requests that are
/// not translated yet.
pub fn context_entry(top: FrameNumber, levels: u32, domain: u64) -> [Entry; 2] {
    let width = u64::from(levels) - 2;
    [
        Entry(u64::from(top.0) << 12 | 1),
        Entry(domain << 8 | width),
    ]
}

/// An entry of a page table of a device (9.8): a lower table, or a page for reading or reading and writing. For reading it is also one
/// of the root table (9.1).
pub fn page_entry(frame: FrameNumber, write: bool) -> Entry {
    Entry(u64::from(frame.0) << 12 | u64::from(write) << 1 | 1)
}

/// Commands that make a unit forget all it has cached (6.5.2), and then write 1 to a word.
pub fn forget_all(interrupts: bool, word_physical: u64) -> [[u64; 2]; 4] {
    const CONTEXTS: u64 = 1 | GLOBAL;
    /// With all reads and writes that are under way finished.
    const TRANSLATIONS: u64 = 2 | GLOBAL | 1 << 6 | 1 << 7;
    const INTERRUPTS: u64 = 4;
    const GLOBAL: u64 = 1 << 4;
    /// Write a status, once the commands before are done.
    const WAIT: u64 = 5 | 1 << 5 | 1 << 6;
    let third = if interrupts { INTERRUPTS } else { CONTEXTS };
    [
        [CONTEXTS, 0],
        [TRANSLATIONS, 0],
        [third, 0],
        [WAIT | 1 << 32, word_physical],
    ]
}

/// The upper word of a fault record says that there is a fault. Writing this to its last quarter clears it.
pub const FAULT: u32 = 1 << 31;

/// A fault record (11.4.14), if it holds one.
pub fn fault(low: u64, high: u64) -> Option<DmaFault> {
    const READ: u64 = 1 << 62;
    (high >> 32 & u64::from(FAULT) != 0).then_some(DmaFault {
        device: high as u16,
        address: low & !0xFFF,
        reason: (high >> 32) as u8,
        write: high & READ == 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_told_apart() {
        // What QEMU 7.2 reports, with interrupt remapping.
        let qemu = Capabilities {
            basic: 0x00D2_008C_2226_0206,
            extended: 0x00F0_0F4A,
        };
        assert!(qemu.has_queue() && qemu.remaps_interrupts(false));
        assert!(!qemu.remaps_interrupts(true) && !qemu.needs_flush());
        assert!(!qemu.has_protected_ranges());
        assert_eq!(qemu.fault_records(), (0x220, 1));
        let other = Capabilities {
            basic: 0x0000_FF00_FF00_0070,
            extended: 0x18,
        };
        assert!(!other.has_queue() && other.remaps_interrupts(true) && other.needs_flush());
        assert!(other.has_protected_ranges());
        assert_eq!(other.fault_records(), (0xFF0, 256));
    }

    #[test]
    fn interrupts_go_to_one_cpu_from_one_requester() {
        let narrow = Destination {
            apic: 5,
            wide: false,
        };
        let edge = interrupt_entry(0x24, false, narrow, 0xFF00);
        assert_eq!(edge, [0x0000_0500_0024_0001, 0x0004_FF00]);
        let wide = Destination {
            apic: 0x105,
            wide: true,
        };
        let level = interrupt_entry(0x30, true, wide, 0xF0F8);
        assert_eq!(level, [0x0000_0105_0030_0011, 0x0004_F0F8]);
        assert_eq!(io_apic_upper(9), 0x0013_0000);
    }

    #[test]
    fn page_tables_of_devices_are_as_wide_as_all_units_allow() {
        let [three, four] = [1 << 9, 1 << 10].map(|basic| Capabilities { basic, extended: 1 });
        assert_eq!((three.levels(), four.levels()), (1 << 3, 1 << 4));
        assert!(three.snoops());
        let table = FrameNumber(0x1234_5678);
        assert_eq!(
            context_entry(table, 3, 15),
            [Entry(0x123_4567_8001), Entry(0xF01)]
        );
        assert_eq!(context_entry(table, 4, 1)[1], Entry(0x102));
        assert_eq!(page_entry(table, false), Entry(0x123_4567_8001));
        assert_eq!(page_entry(table, true), Entry(0x123_4567_8003));
    }

    #[test]
    fn all_caches_are_forgotten_before_the_word_is_written() {
        let commands = forget_all(true, 0x1234_5000);
        assert_eq!(
            commands[..3].iter().map(|c| c[0]).collect::<Vec<_>>(),
            [0x11, 0xD2, 0x4]
        );
        assert_eq!(commands[3], [0x1_0000_0065, 0x1234_5000]);
        assert_eq!(forget_all(false, 0)[2], [0x11, 0]);
    }

    #[test]
    fn fault_records_say_who_and_where() {
        assert_eq!(fault(0x1234_5678, 0x4000_0001_0000_0020), None);
        let write = fault(0x1234_5678, 0x8000_0001_0000_0020).unwrap();
        assert_eq!((write.device, write.address), (0x20, 0x1234_5000));
        assert_eq!((write.reason, write.write), (1, true));
        assert!(!fault(0, 0xC000_0006_0000_FFFF).unwrap().write);
    }
}
