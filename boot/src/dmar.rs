//! The table of DMA remapping units: where their registers are, and in whose name each I/O APIC sends interrupts.
//!
//! Other device scopes do not matter, as the kernel treats all units and all devices alike; nor does memory that the firmware wants
//! reserved for a device (RMRR), as no device keeps access to any. A table that cannot be read whole, or with more units than the
//! hand-over has room for, is refused: a unit left out would let its devices through. Reference: VT-d 4.1, chapter 8.

use nonos_abi::boot::Acpi;

use crate::acpi::{HEADER_BYTES, number};

/// First remapping structure, after width, flags and reserved bytes (8.1).
const STRUCTURES: usize = HEADER_BYTES + 12;
const FLAGS: usize = HEADER_BYTES + 1;
const INTERRUPT_REMAPPING: u64 = 1;

/// A DMA remapping hardware unit (8.3).
const UNIT: u64 = 0;
/// First device scope of a unit.
const UNIT_SCOPES: usize = 16;

/// Device scope: an I/O APIC (8.3.1).
const SCOPE_IO_APIC: u8 = 3;
/// The path of a device scope.
const SCOPE_PATH: usize = 6;

/// Registers lie on a page of their own.
const PAGE: u64 = 4096;

/// Reads a table whose length and checksum are right, after the list of I/O APICs. `None` when it is malformed.
pub(crate) fn read(table: &[u8], acpi: &mut Acpi) -> Option<()> {
    acpi.interrupt_remapping = number::<1>(table, FLAGS)? & INTERRUPT_REMAPPING;
    let mut rest = table.get(STRUCTURES..)?;
    while !rest.is_empty() {
        let (kind, length) = (number::<2>(rest, 0)?, number::<2>(rest, 2)?);
        // Also more than zero bytes.
        let (structure, after) = rest.split_at_checked(length as usize)?;
        if structure.len() < 4 {
            return None;
        }
        if kind == UNIT {
            read_unit(structure, acpi)?;
        }
        rest = after;
    }
    Some(())
}

fn read_unit(unit: &[u8], acpi: &mut Acpi) -> Option<()> {
    let registers = number::<8>(unit, 8)?;
    let count = acpi.iommu_count as usize;
    let known = acpi.iommus.get(..count)?.contains(&registers);
    if known || registers == 0 || !registers.is_multiple_of(PAGE) {
        return None;
    }
    *acpi.iommus.get_mut(count)? = registers;
    acpi.iommu_count += 1;
    let mut rest = unit.get(UNIT_SCOPES..)?;
    while !rest.is_empty() {
        let length = usize::from(*rest.get(1)?);
        let (scope, after) = rest.split_at_checked(length)?;
        read_scope(scope, acpi)?;
        rest = after;
    }
    Some(())
}

/// An I/O APIC's path has one step: it lies on no bus behind a bridge.
fn read_scope(scope: &[u8], acpi: &mut Acpi) -> Option<()> {
    let &[kind, _, _, _, id, bus] = scope.first_chunk::<SCOPE_PATH>()?;
    if let (SCOPE_IO_APIC, &[device @ 0..32, function @ 0..8]) = (kind, &scope[SCOPE_PATH..]) {
        let count = acpi.io_apic_count as usize;
        let mut io_apics = acpi.io_apics.get_mut(..count)?.iter_mut();
        if let Some(io_apic) = io_apics.find(|io_apic| io_apic.id == u64::from(id)) {
            io_apic.requester = u64::from(bus) << 8 | u64::from(device << 3 | function);
        }
    }
    Some(())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use nonos_abi::boot::{ACPI_ENTRIES, IoApic, NO_REQUESTER};
    use proptest::prelude::*;

    /// What follows the header of a table with one unit, an I/O APIC behind it, and memory reserved for a device.
    pub fn body() -> Vec<u8> {
        let mut body = vec![47, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        body.extend([0, 0, 32, 0, 1, 0, 0, 0, 0, 0, 0xD9, 0xFE, 0, 0, 0, 0]);
        body.extend([3, 8, 0, 0, 0, 0xFF, 0, 0]);
        body.extend([1, 8, 0, 0, 0, 0, 31, 2]);
        body.extend([1, 0, 24, 0, 0, 0, 0, 0]);
        body.extend([0; 16]);
        body
    }

    fn read_body(body: &[u8]) -> Option<Acpi> {
        let mut acpi = Acpi {
            io_apic_count: 1,
            ..Acpi::default()
        };
        acpi.io_apics[0] = IoApic {
            requester: NO_REQUESTER,
            ..IoApic::default()
        };
        let table = [&[0; HEADER_BYTES], body].concat();
        read(&table, &mut acpi).map(|()| acpi)
    }

    #[test]
    fn units_and_the_names_of_io_apics_are_found() {
        let acpi = read_body(&body()).unwrap();
        assert_eq!((acpi.iommu_count, acpi.iommus[0]), (1, 0xFED9_0000));
        assert_eq!(acpi.interrupt_remapping, 1);
        assert_eq!(acpi.io_apics[0].requester, 0xFF00);
    }

    #[test]
    fn an_io_apic_with_another_number_or_a_longer_path_stays_nameless() {
        for change in [
            (|body: &mut Vec<u8>| body[32] = 7) as fn(&mut Vec<u8>),
            |body| {
                body[14] += 2;
                body[29] += 2;
                body.splice(36..36, [1, 0]);
            },
        ] {
            let mut body = body();
            change(&mut body);
            let acpi = read_body(&body).unwrap();
            assert_eq!(acpi.iommu_count, 1);
            assert_eq!(acpi.io_apics[0].requester, NO_REQUESTER);
        }
    }

    #[test]
    fn malformed_tables_are_refused() {
        let refused = |change: fn(&mut Vec<u8>)| {
            let mut body = body();
            change(&mut body);
            assert!(read_body(&body).is_none(), "{body:?}");
        };
        refused(|body| body.truncate(11));
        refused(|body| body.truncate(40));
        refused(|body| body.push(0));
        // Structures and scopes of no length, and of more than there is.
        refused(|body| body[14] = 0);
        refused(|body| body[14] = 12);
        refused(|body| body[15] = 1);
        refused(|body| body[29] = 0);
        refused(|body| body[29] = 5);
        refused(|body| body[29] = 200);
        // Registers at no page.
        refused(|body| body[20] = 8);
        refused(|body| body[20..28].fill(0));
        // The same unit twice.
        refused(|body| {
            let unit = body[12..44].to_vec();
            body.extend(unit);
        });
    }

    #[test]
    fn more_units_than_fit_are_refused() {
        let units = |count: usize| {
            let mut body = body()[..12].to_vec();
            for unit in 1..=count {
                body.extend([0, 0, 16, 0, 1, 0, 0, 0, 0, 0x10, unit as u8, 0, 0, 0, 0, 0]);
            }
            read_body(&body)
        };
        assert_eq!(units(ACPI_ENTRIES).unwrap().iommu_count, 16);
        assert!(units(ACPI_ENTRIES + 1).is_none());
    }

    proptest! {
        #[test]
        fn damaged_tables_never_panic(at in 0usize..80, value: u8, end in 0usize..90) {
            let mut body = body();
            if let Some(byte) = body.get_mut(at) {
                *byte = value;
            }
            body.truncate(end);
            if let Some(acpi) = read_body(&body) {
                prop_assert!(acpi.iommu_count <= ACPI_ENTRIES as u64);
            }
        }
    }
}
