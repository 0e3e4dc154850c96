//! What the kernel needs from the ACPI tables: interrupt controllers, CPUs, power registers, PM timer, IOMMUs, VM generation id.
//!
//! The kernel never parses ACPI; this does, once, into the fixed record of the hand-over. Tables are read as
//! bytes through [`PhysicalMemory`] with a bound on every length and every step. Checksums of the tables used are
//! checked. References: ACPI 6.5, chapter 5.2.

use nonos_abi::boot::{Acpi, InterruptOverride, IoApic, NO_REQUESTER};

use crate::{dmar, sleep_state, vm_generation};

/// Longest table that is read.
const TABLE_BYTES_MAX: usize = 4 << 20;
/// Header of every table but the RSDP (5.2.6).
pub(crate) const HEADER_BYTES: usize = 36;
/// Generic address structure in I/O space (5.2.3.2).
const SYSTEM_IO: u8 = 1;

/// Physical memory as the firmware filled it.
pub trait PhysicalMemory {
    /// Bytes at a physical address, or `None` when that is no memory to read from.
    fn bytes(&self, physical: u64, length: usize) -> Option<&[u8]>;
}

/// Reads what the hand-over needs, from the RSDP on. `boot_cpu` is the APIC id of the CPU that runs this.
///
/// # Errors
/// The name of the table that is missing or damaged.
pub fn read(memory: &dyn PhysicalMemory, rsdp: u64, boot_cpu: u32) -> Result<Acpi, &'static str> {
    let tables = Tables::find(memory, rsdp)?;
    let mut acpi = Acpi {
        s5_sleep_type_a: u64::MAX,
        s5_sleep_type_b: u64::MAX,
        ..Acpi::default()
    };
    let fadt = tables.with_signature(b"FACP").next().ok_or("FADT")?;
    read_fadt(fadt, &mut acpi);
    let madt = tables.with_signature(b"APIC").next().ok_or("MADT")?;
    read_madt(madt, boot_cpu, &mut acpi).ok_or("MADT")?;
    // A machine may lack this table, but one that is damaged is refused: DMA is never silently unconfined.
    if let Some(address) = tables.addresses(b"DMAR").next() {
        let dmar = table(memory, address).ok_or("DMAR")?;
        dmar::read(dmar, &mut acpi).ok_or("DMAR")?;
    }

    if let Some(tpm) = tables.with_signature(b"TPM2").next() {
        read_tpm(tpm, &mut acpi);
    }
    let dsdt = extended_or(fadt, 140, 40).and_then(|address| table(memory, address));
    let definitions = dsdt.into_iter().chain(tables.with_signature(b"SSDT"));
    let types = definitions
        .filter_map(|table| sleep_state::soft_off(&table[HEADER_BYTES..]))
        .next();
    if let Some((a, b)) = types {
        (acpi.s5_sleep_type_a, acpi.s5_sleep_type_b) = (a, b);
    }
    acpi.vm_generation_physical = tables
        .with_signature(b"SSDT")
        .find_map(vm_generation::physical)
        .unwrap_or(0);
    Ok(acpi)
}

/// The tables that the XSDT or, on old firmware, the RSDT lists.
struct Tables<'m> {
    memory: &'m dyn PhysicalMemory,
    entries: &'m [u8],
    entry_bytes: usize,
}

impl<'m> Tables<'m> {
    fn find(memory: &'m dyn PhysicalMemory, rsdp: u64) -> Result<Self, &'static str> {
        const OLD_BYTES: usize = 20;
        const NEW_BYTES: usize = 36;
        let old = memory
            .bytes(rsdp, OLD_BYTES)
            .filter(|bytes| sums_to_zero(bytes))
            .ok_or("RSDP")?;
        if !old.starts_with(b"RSD PTR ") {
            return Err("RSDP");
        }
        let extended = old[15] >= 2;
        let (address, entry_bytes, name) = if extended {
            let new = memory
                .bytes(rsdp, NEW_BYTES)
                .filter(|bytes| sums_to_zero(bytes))
                .ok_or("RSDP")?;
            (number::<8>(new, 24).ok_or("RSDP")?, 8, "XSDT")
        } else {
            (number::<4>(old, 16).ok_or("RSDP")?, 4, "RSDT")
        };
        let root = table(memory, address).ok_or(name)?;
        if !root.starts_with(name.as_bytes()) {
            return Err(name);
        }
        Ok(Self {
            memory,
            entries: &root[HEADER_BYTES..],
            entry_bytes,
        })
    }

    /// Tables with this signature and the right checksum.
    fn with_signature(&self, signature: &'static [u8; 4]) -> impl Iterator<Item = &'m [u8]> {
        let memory = self.memory;
        self.addresses(signature)
            .filter_map(move |address| table(memory, address))
    }

    /// Where tables with this signature are.
    fn addresses(&self, signature: &'static [u8; 4]) -> impl Iterator<Item = u64> {
        let memory = self.memory;
        self.entries
            .chunks_exact(self.entry_bytes)
            .filter_map(move |entry| {
                let address = entry
                    .iter()
                    .rev()
                    .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
                // Only tables that are asked for are read whole.
                memory
                    .bytes(address, HEADER_BYTES)?
                    .starts_with(signature)
                    .then_some(address)
            })
    }
}

/// A whole table, when its checksum is right.
fn table(memory: &dyn PhysicalMemory, address: u64) -> Option<&[u8]> {
    let length = number::<4>(memory.bytes(address, HEADER_BYTES)?, 4)? as usize;
    if !(HEADER_BYTES..=TABLE_BYTES_MAX).contains(&length) {
        return None;
    }
    memory
        .bytes(address, length)
        .filter(|bytes| sums_to_zero(bytes))
}

fn sums_to_zero(bytes: &[u8]) -> bool {
    bytes.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)) == 0
}

/// Fixed ACPI description table (5.2.9).
fn read_fadt(fadt: &[u8], acpi: &mut Acpi) {
    const FLAGS: usize = 112;
    const TIMER_IS_32_BIT: u64 = 1 << 8;
    const RESET_SUPPORTED: u64 = 1 << 10;
    let flags = number::<4>(fadt, FLAGS).unwrap_or(0);
    acpi.pm1a_control_port = port_or(fadt, 172, 64);
    acpi.pm1b_control_port = port_or(fadt, 184, 68);
    if fadt.get(91) == Some(&4) {
        acpi.pm_timer_port = port_or(fadt, 208, 76);
        acpi.pm_timer_32bit = u64::from(flags & TIMER_IS_32_BIT != 0);
    }
    if flags & RESET_SUPPORTED != 0 {
        acpi.reset_port = io_port(fadt, 116).unwrap_or(0);
        acpi.reset_value = fadt.get(128).copied().unwrap_or(0).into();
    }
}

/// TPM2 table (TCG ACPI Specification 1.4, 8). One that is too short names no TPM that there is a driver for.
fn read_tpm(tpm: &[u8], acpi: &mut Acpi) {
    const CONTROL_AREA: usize = 40;
    const START_METHOD: usize = 48;
    if let Some(method) = number::<4>(tpm, START_METHOD) {
        acpi.tpm_start_method = method;
        acpi.tpm_physical = number::<8>(tpm, CONTROL_AREA).unwrap_or(0);
    }
}

/// I/O port of the generic address at `extended`, else the 32-bit port at `old`; 0 when there is none.
fn port_or(fadt: &[u8], extended: usize, old: usize) -> u64 {
    let old = || number::<4>(fadt, old).filter(|port| *port <= u64::from(u16::MAX));
    io_port(fadt, extended).or_else(old).unwrap_or(0)
}

/// I/O port of a generic address structure, when it names one.
fn io_port(table: &[u8], at: usize) -> Option<u64> {
    let address = number::<8>(table, at + 4)?;
    let is_port = table.get(at) == Some(&SYSTEM_IO) && (1..=u64::from(u16::MAX)).contains(&address);
    is_port.then_some(address)
}

/// The 64-bit address at `extended`, else the 32-bit one at `old`.
fn extended_or(table: &[u8], extended: usize, old: usize) -> Option<u64> {
    let nonzero = |address: &u64| *address != 0;
    number::<8>(table, extended)
        .filter(nonzero)
        .or_else(|| number::<4>(table, old).filter(nonzero))
}

/// Multiple APIC description table (5.2.12).
fn read_madt(madt: &[u8], boot_cpu: u32, acpi: &mut Acpi) -> Option<()> {
    const ENTRIES: usize = HEADER_BYTES + 8;
    acpi.local_apic_physical = number::<4>(madt, HEADER_BYTES)?;
    acpi.cpus[0] = boot_cpu;
    acpi.cpu_count = 1;
    let mut rest = madt.get(ENTRIES..)?;
    while let Some(&length) = rest.get(1) {
        if length < 2 {
            return None;
        }
        let (entry, after) = rest.split_at_checked(length.into())?;
        read_madt_entry(entry, boot_cpu, acpi)?;
        rest = after;
    }
    (acpi.local_apic_physical != 0 && acpi.io_apic_count > 0).then_some(())
}

fn read_madt_entry(entry: &[u8], boot_cpu: u32, acpi: &mut Acpi) -> Option<()> {
    const LOCAL_APIC: u8 = 0;
    const IO_APIC: u8 = 1;
    const SOURCE_OVERRIDE: u8 = 2;
    const LOCAL_APIC_ADDRESS: u8 = 5;
    const LOCAL_X2APIC: u8 = 9;
    match entry[0] {
        LOCAL_APIC => add_cpu(
            number::<1>(entry, 3)?,
            number::<4>(entry, 4)?,
            boot_cpu,
            acpi,
        ),
        LOCAL_X2APIC => add_cpu(
            number::<4>(entry, 4)?,
            number::<4>(entry, 8)?,
            boot_cpu,
            acpi,
        ),
        IO_APIC => {
            let io_apic = IoApic {
                physical: number::<4>(entry, 4)?,
                first_interrupt: number::<4>(entry, 8)?,
                id: number::<1>(entry, 2)?,
                requester: NO_REQUESTER,
            };
            add(&mut acpi.io_apics, &mut acpi.io_apic_count, io_apic);
        }
        SOURCE_OVERRIDE => {
            // MPS INTI flags (5.2.12.5): 3 is active low, level-triggered; the ISA bus's own is neither.
            let flags = number::<2>(entry, 8)?;
            let wiring = InterruptOverride {
                isa: number::<1>(entry, 3)?,
                global: number::<4>(entry, 4)?,
                active_low: u64::from(flags & 3 == 3),
                level: u64::from(flags >> 2 & 3 == 3),
            };
            add(&mut acpi.overrides, &mut acpi.override_count, wiring);
        }
        LOCAL_APIC_ADDRESS => acpi.local_apic_physical = number::<8>(entry, 4)?,
        _ => (),
    }
    Some(())
}

/// Adds a CPU that is enabled and not the boot CPU, which is there already. One that is only "online capable" can be
/// plugged in later; nothing starts it.
fn add_cpu(id: u64, flags: u64, boot_cpu: u32, acpi: &mut Acpi) {
    const ENABLED: u64 = 1;
    let id = id as u32;
    let known = acpi.cpus[..acpi.cpu_count as usize].contains(&id);
    if flags & ENABLED != 0 && id != boot_cpu && !known {
        add(&mut acpi.cpus, &mut acpi.cpu_count, id);
    }
}

/// Adds to a list of the hand-over; what has no room there is left out.
fn add<T>(list: &mut [T], count: &mut u64, item: T) {
    if let Some(slot) = list.get_mut(*count as usize) {
        *slot = item;
        *count += 1;
    }
}

/// A little-endian number of `N` bytes.
pub(crate) fn number<const N: usize>(bytes: &[u8], at: usize) -> Option<u64> {
    let bytes: &[u8; N] = bytes.get(at..)?.first_chunk()?;
    Some(
        bytes
            .iter()
            .rev()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const BASE: u64 = 0x7000_0000;

    /// Tables laid out one after the other at [`BASE`].
    struct Memory(Vec<u8>);

    impl PhysicalMemory for Memory {
        fn bytes(&self, physical: u64, length: usize) -> Option<&[u8]> {
            let start = usize::try_from(physical.checked_sub(BASE)?).ok()?;
            self.0.get(start..start.checked_add(length)?)
        }
    }

    impl Memory {
        fn add(&mut self, mut table: Vec<u8>, checksum_at: usize) -> u64 {
            let sum = table.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte));
            table[checksum_at] = table[checksum_at].wrapping_sub(sum);
            let address = BASE + self.0.len() as u64;
            self.0.extend(table);
            address
        }

        fn add_table(&mut self, signature: &[u8; 4], body: &[u8]) -> u64 {
            let mut table = signature.to_vec();
            table.extend(((HEADER_BYTES + body.len()) as u32).to_le_bytes());
            table.resize(HEADER_BYTES, 0);
            table.extend(body);
            self.add(table, 9)
        }
    }

    fn fadt(dsdt: u64) -> Vec<u8> {
        let mut body = vec![0; 244 - HEADER_BYTES];
        let mut put =
            |at: usize, bytes: &[u8]| body[at - 36..at - 36 + bytes.len()].copy_from_slice(bytes);
        put(40, &(dsdt as u32).to_le_bytes());
        put(64, &0x604u32.to_le_bytes());
        put(76, &0x608u32.to_le_bytes());
        put(91, &[4]);
        put(112, &(1u32 << 8 | 1 << 10).to_le_bytes());
        put(116, &[1, 8, 0, 1, 0xF9, 0x0C, 0, 0, 0, 0, 0, 0]);
        put(128, &[0x0F]);
        put(208, &[1, 32, 0, 3, 0x08, 0xB0, 0, 0, 0, 0, 0, 0]);
        body
    }

    fn madt() -> Vec<u8> {
        let mut body = 0xFEE0_0000u32.to_le_bytes().to_vec();
        body.extend([1, 0, 0, 0]);
        body.extend([0, 8, 0, 0, 1, 0, 0, 0]);
        body.extend([0, 8, 1, 1, 1, 0, 0, 0]);
        body.extend([0, 8, 2, 2, 0, 0, 0, 0]); // disabled
        body.extend([0, 8, 3, 3, 2, 0, 0, 0]); // online capable: no CPU is there yet
        body.extend([9, 16, 0, 0, 1, 1, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0]); // the same
        body.extend([9, 16, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0]);
        body.extend([1, 12, 0, 0, 0, 0, 0xC0, 0xFE, 0, 0, 0, 0]);
        body.extend([2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
        body.extend([2, 10, 0, 9, 9, 0, 0, 0, 0x0F, 0]);
        body.extend([4, 6, 0xFF, 0, 0, 1]);
        body
    }

    fn machine(fadt_of: fn(u64) -> Vec<u8>, madt: &[u8]) -> (Memory, u64) {
        let mut memory = Memory(vec![]);
        let dsdt = memory.add_table(b"DSDT", b"\x08_S5_\x12\x06\x04\x05\x00\x00\x00");
        let ssdt = memory.add_table(b"SSDT", b"\x08_S5_\x12\x06\x04\x01\x01\x00\x00");
        let fadt = memory.add_table(b"FACP", &fadt_of(dsdt));
        let madt = memory.add_table(b"APIC", madt);
        let dmar = memory.add_table(b"DMAR", &crate::dmar::tests::body());
        let mut tpm = vec![0; 4];
        tpm.extend(0xFED4_0040u64.to_le_bytes());
        tpm.extend(7u32.to_le_bytes());
        let tpm = memory.add_table(b"TPM2", &tpm);
        let generation = memory.add(crate::vm_generation::tests::table(0x7F_F000), 8);
        let list: Vec<u8> = [fadt, ssdt, generation, madt, dmar, tpm]
            .iter()
            .flat_map(|a| a.to_le_bytes())
            .collect();
        let xsdt = memory.add_table(b"XSDT", &list);
        let mut rsdp = b"RSD PTR ".to_vec();
        rsdp.resize(36, 0);
        rsdp[15] = 2;
        rsdp[20] = 36;
        rsdp[24..32].copy_from_slice(&xsdt.to_le_bytes());
        let sum = rsdp[..20]
            .iter()
            .fold(0u8, |sum, byte| sum.wrapping_add(*byte));
        rsdp[8] = 0u8.wrapping_sub(sum);
        let rsdp = memory.add(rsdp, 32);
        (memory, rsdp)
    }

    #[test]
    fn all_that_the_kernel_needs_is_found() {
        let (memory, rsdp) = machine(fadt, &madt());
        let acpi = read(&memory, rsdp, 1).unwrap();
        assert_eq!(acpi.local_apic_physical, 0xFEE0_0000);
        assert_eq!(acpi.cpus[..acpi.cpu_count as usize], [1, 0, 256]);
        assert_eq!(acpi.io_apic_count, 1);
        assert_eq!(acpi.io_apics[0].physical, 0xFEC0_0000);
        assert_eq!(
            (acpi.io_apics[0].id, acpi.io_apics[0].requester),
            (0, 0xFF00)
        );
        assert_eq!(acpi.iommus[..acpi.iommu_count as usize], [0xFED9_0000]);
        assert_eq!(acpi.override_count, 2);
        let wiring = acpi.overrides[0];
        assert_eq!(
            (wiring.isa, wiring.global, wiring.active_low, wiring.level),
            (0, 2, 0, 0)
        );
        let wiring = acpi.overrides[1];
        assert_eq!(
            (wiring.isa, wiring.global, wiring.active_low, wiring.level),
            (9, 9, 1, 1)
        );
        assert_eq!((acpi.pm1a_control_port, acpi.pm1b_control_port), (0x604, 0));
        assert_eq!((acpi.pm_timer_port, acpi.pm_timer_32bit), (0xB008, 1));
        assert_eq!((acpi.reset_port, acpi.reset_value), (0xCF9, 0x0F));
        assert_eq!((acpi.tpm_start_method, acpi.tpm_physical), (7, 0xFED4_0040));
        // The DSDT's value is computed (0x05 is no constant), so the SSDT's counts.
        assert_eq!((acpi.s5_sleep_type_a, acpi.s5_sleep_type_b), (1, 1));
        assert_eq!(acpi.vm_generation_physical, 0x7F_F028);
    }

    #[test]
    fn a_wrong_checksum_is_refused_by_table() {
        let (good, rsdp) = machine(fadt, &madt());
        let damaged = |signature: &[u8]| {
            let at = good
                .0
                .windows(signature.len())
                .position(|w| w == signature)
                .unwrap();
            let mut memory = Memory(good.0.clone());
            memory.0[at + 16] ^= 1;
            read(&memory, rsdp, 0).err()
        };
        assert_eq!(damaged(b"RSD PTR "), Some("RSDP"));
        assert_eq!(damaged(b"XSDT"), Some("XSDT"));
        assert_eq!(damaged(b"FACP"), Some("FADT"));
        assert_eq!(damaged(b"APIC"), Some("MADT"));
        assert_eq!(damaged(b"DMAR"), Some("DMAR"));
    }

    #[test]
    fn an_entry_of_no_length_ends_nothing_but_the_reading() {
        let mut broken = madt();
        broken.extend([0, 0, 0, 0]);
        let (memory, rsdp) = machine(fadt, &broken);
        assert_eq!(read(&memory, rsdp, 0).err(), Some("MADT"));
    }

    #[test]
    fn more_cpus_than_fit_are_left_out() {
        let mut many = madt();
        for id in 10..60 {
            many.extend([0, 8, id, id, 1, 0, 0, 0]);
        }
        let (memory, rsdp) = machine(fadt, &many);
        let acpi = read(&memory, rsdp, 0).unwrap();
        assert_eq!(acpi.cpu_count, 16);
        assert_eq!(acpi.cpus[0], 0);
    }

    proptest! {
        #[test]
        fn damaged_tables_never_panic(at in 0usize..900, value: u8, rsdp_shift in 0u64..40) {
            let (mut memory, rsdp) = machine(fadt, &madt());
            if let Some(byte) = memory.0.get_mut(at) {
                *byte = value;
            }
            let _ = read(&memory, rsdp, 0);
            let _ = read(&memory, rsdp.wrapping_add(rsdp_shift), 0);
        }

        #[test]
        fn damaged_entries_never_panic(entries in proptest::collection::vec(any::<u8>(), 0..80)) {
            let mut acpi = Acpi::default();
            let table = [&[0; 44][..], &entries].concat();
            let _ = read_madt(&table, 0, &mut acpi);
        }
    }
}
