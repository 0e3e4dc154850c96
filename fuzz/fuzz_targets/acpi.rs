//! Bytes as the tables of a firmware.
//!
//! When the first byte is even they are memory as it is, with the RSDP at its start. When it is odd they are tables, each with one byte for
//! its signature, two for its length and its body; lists, headers and checksums are put around them, as a fuzzer finds no checksum.
#![no_main]

use nonos_abi::boot::{ACPI_ENTRIES, NO_REQUESTER};
use nonos_boot::acpi::{PhysicalMemory, read};

/// Where the memory begins.
const BASE: u64 = 0x7000_0000;

const SIGNATURES: [&[u8; 4]; 5] = [b"FACP", b"APIC", b"SSDT", b"DSDT", b"DMAR"];

struct Memory(Vec<u8>);

impl PhysicalMemory for Memory {
    fn bytes(&self, physical: u64, length: usize) -> Option<&[u8]> {
        let at = usize::try_from(physical.checked_sub(BASE)?).ok()?;
        self.0.get(at..at.checked_add(length)?)
    }
}

/// Bytes whose sum with the byte at `at` is zero.
fn with_checksum(mut bytes: Vec<u8>, at: usize) -> Vec<u8> {
    bytes[at] = 0;
    bytes[at] = bytes.iter().fold(0u8, |sum, byte| sum.wrapping_sub(*byte));
    bytes
}

fn table(signature: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 36];
    bytes[..4].copy_from_slice(signature);
    bytes[4..8].copy_from_slice(&(36 + body.len() as u32).to_le_bytes());
    bytes.extend(body);
    with_checksum(bytes, 9)
}

fn tables(mut bytes: &[u8], extended: bool) -> Vec<u8> {
    let mut memory = vec![0; 64];
    let mut entries = Vec::new();
    while let [kind, low, high, rest @ ..] = bytes {
        let length = usize::from(u16::from_le_bytes([*low, *high])).min(rest.len());
        let (body, rest) = rest.split_at(length);
        let address = BASE + memory.len() as u64;
        match extended {
            true => entries.extend(address.to_le_bytes()),
            false => entries.extend((address as u32).to_le_bytes()),
        }
        memory.extend(table(
            SIGNATURES[usize::from(*kind) % SIGNATURES.len()],
            body,
        ));
        bytes = rest;
    }
    let root = BASE + memory.len() as u64;
    memory.extend(table(if extended { b"XSDT" } else { b"RSDT" }, &entries));
    let mut pointer = vec![0; 36];
    pointer[..8].copy_from_slice(b"RSD PTR ");
    pointer[15] = if extended { 2 } else { 0 };
    pointer[16..20].copy_from_slice(&(root as u32).to_le_bytes());
    pointer[20..24].copy_from_slice(&36u32.to_le_bytes());
    pointer[24..32].copy_from_slice(&root.to_le_bytes());
    let old = with_checksum(pointer[..20].to_vec(), 8);
    pointer[..20].copy_from_slice(&old);
    memory[..36].copy_from_slice(&with_checksum(pointer, 32));
    memory
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((&how, bytes)) = bytes.split_first() else {
        return;
    };
    let memory = match how % 2 {
        0 => bytes.to_vec(),
        _ => tables(bytes, how & 2 == 0),
    };
    if let Ok(acpi) = read(&Memory(memory), BASE, 0) {
        for count in [
            acpi.cpu_count,
            acpi.io_apic_count,
            acpi.override_count,
            acpi.iommu_count,
        ] {
            assert!(count <= ACPI_ENTRIES as u64);
        }
        assert!(acpi.cpu_count >= 1, "the boot CPU is there");
        let cpus = &acpi.cpus[..acpi.cpu_count as usize];
        let twice = |(at, cpu)| cpus[..at].contains(cpu);
        assert!(!cpus.iter().enumerate().any(twice));
        let units = &acpi.iommus[..acpi.iommu_count as usize];
        assert!(units.iter().all(|unit| *unit != 0 && unit % 4096 == 0));
        let io_apics = &acpi.io_apics[..acpi.io_apic_count as usize];
        let named = |requester| requester == NO_REQUESTER || requester <= 0xFFFF;
        assert!(io_apics.iter().all(|io_apic| named(io_apic.requester)));
    }
});
