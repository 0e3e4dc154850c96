//! Where the VM generation id is, from the SSDT that QEMU makes for its device `vmgenid`.
//!
//! The device's method `ADDR` computes the address, and no AML is interpreted here. QEMU's table (docs/specs/vmgenid.txt, "Generation
//! ID table") has the address of a page as the constant `VGIA`, and the id is 40 bytes into it; a bounded look for exactly that in
//! exactly that table does. Tables of other hypervisors count as absent. What is found is a claim: [`confirmed`] must find
//! that it is memory of the firmware.

use nonos_abi::boot::{MemoryRange, memory_kind};

use crate::acpi::HEADER_BYTES;
use crate::memory_map::is_all;

/// OEM table id, bytes 16 to 23 of the header (ACPI 6.5, 5.2.6).
const TABLE_ID: &[u8] = b"VMGENID\0";
const TABLE_ID_AT: usize = 16;

/// `Name (VGIA, double word)`: NameOp, the name, DWordPrefix (ACPI 6.5, 20.2.5.1 and 20.2.3).
const NAME: &[u8] = b"\x08VGIA\x0C";

/// The id in its page.
const OFFSET: u64 = 40;

/// Bytes of the id.
pub const BYTES: u64 = 16;

/// Physical address of the id, when this SSDT names it.
pub fn physical(ssdt: &[u8]) -> Option<u64> {
    if ssdt.get(TABLE_ID_AT..TABLE_ID_AT + TABLE_ID.len())? != TABLE_ID {
        return None;
    }
    let aml = ssdt.get(HEADER_BYTES..)?;
    let at = aml.windows(NAME.len()).position(|window| window == NAME)?;
    let page = aml.get(at + NAME.len()..)?.first_chunk()?;
    let page = u64::from(u32::from_le_bytes(*page));
    let is_page = page != 0 && page.is_multiple_of(crate::PAGE);
    is_page.then_some(page + OFFSET)
}

/// The address where the memory map confirms that it is memory of the firmware; else 0, which is none.
pub fn confirmed(physical: u64, memory: &[MemoryRange]) -> u64 {
    let page = MemoryRange {
        physical: physical & !(crate::PAGE - 1),
        pages: 1,
        kind: memory_kind::FIRMWARE,
    };
    match is_all(memory.iter().copied(), &page, memory_kind::FIRMWARE) {
        true => physical,
        false => 0,
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// QEMU's table, shortened, with a right checksum.
    pub fn table(page: u32) -> Vec<u8> {
        let mut table = b"SSDT\0\0\0\0\x01\0BOCHS VMGENID\0\x01\0\0\0BXPC\x01\0\0\0".to_vec();
        assert_eq!(table.len(), HEADER_BYTES);
        table.extend(b"\x08VGIA\x0C");
        table.extend(page.to_le_bytes());
        table.extend(b"\x10\x42\x07\\_SB_[\x82\x4a\x06VGEN\x08_HID\x0dQEMUVGID\0");
        let length = table.len() as u32;
        table[4..8].copy_from_slice(&length.to_le_bytes());
        let sum = table.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        table[9] = 0u8.wrapping_sub(sum);
        table
    }

    #[test]
    fn the_table_of_qemu_is_read() {
        assert_eq!(physical(&table(0x7FF_F000)), Some(0x7FF_F028));
        assert_eq!(physical(&table(0xFFFF_F000)), Some(0xFFFF_F028));
    }

    #[test]
    fn other_tables_and_impossible_addresses_are_absent() {
        assert_eq!(physical(&table(0)), None);
        assert_eq!(physical(&table(0x7FF_F028)), None);
        let mut other = table(0x7FF_F000);
        other[16] = b'W';
        assert_eq!(physical(&other), None);
        let whole = table(0x7FF_F000);
        for end in 0..HEADER_BYTES + NAME.len() + 4 {
            assert_eq!(physical(&whole[..end]), None);
        }
    }

    #[test]
    fn only_memory_of_the_firmware_confirms_an_address() {
        let range = |page, kind| MemoryRange {
            physical: page * crate::PAGE,
            pages: 2,
            kind,
        };
        let memory = [
            range(2, memory_kind::USABLE),
            range(4, memory_kind::FIRMWARE),
            range(6, memory_kind::RESERVED),
        ];
        assert_eq!(confirmed(0x5028, &memory), 0x5028);
        for elsewhere in [0, 0x3028, 0x6028, 0x8028, u64::MAX - 7] {
            assert_eq!(confirmed(elsewhere, &memory), 0);
        }
    }

    proptest! {
        #[test]
        fn hostile_tables_never_panic(tail in proptest::collection::vec(any::<u8>(), 0..20)) {
            let mut table = table(0x1000);
            table.truncate(HEADER_BYTES + NAME.len());
            table.extend(&tail);
            if let Some(address) = physical(&table) {
                prop_assert_eq!(address % crate::PAGE, OFFSET);
            }
            let _ = physical(&tail);
        }
    }
}
