//! ACPI tables of the PC that Bochs emulates with an i440fx (ACPI 6.5, chapter 5.2).

use alloc::vec::Vec;

extern crate alloc;

/// First port of the PIIX4's power management, as OVMF sets it up.
const POWER_PORTS: u32 = 0xB000;
const LOCAL_APIC: u32 = 0xFEE0_0000;
const IO_APIC: u32 = 0xFEC0_0000;

const HEADER_BYTES: usize = 36;

/// The tables to install, for a machine with so many CPUs.
pub fn all(cpus: u8) -> [Vec<u8>; 3] {
    [fadt(), dsdt(), madt(cpus)]
}

/// A table with its header; checksums are right.
fn table(signature: &[u8; 4], revision: u8, body: &[u8]) -> Vec<u8> {
    let mut table = Vec::from(*signature);
    table.extend(((HEADER_BYTES + body.len()) as u32).to_le_bytes());
    table.extend([revision, 0]);
    table.extend(b"NONOS BOCHS   ");
    table.extend(1_u32.to_le_bytes());
    table.extend(b"TEST");
    table.extend(1_u32.to_le_bytes());
    table.extend(body);
    let sum = table.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    table[9] = sum.wrapping_neg();
    table
}

/// Fixed description (5.2.9), revision 1: power-management registers. The firmware adds where the DSDT is.
fn fadt() -> Vec<u8> {
    let mut body = [0; 116 - HEADER_BYTES];
    let mut put = |at: usize, bytes: &[u8]| {
        body[at - HEADER_BYTES..][..bytes.len()].copy_from_slice(bytes);
    };
    put(56, &POWER_PORTS.to_le_bytes()); // PM1a event block
    put(64, &(POWER_PORTS + 4).to_le_bytes()); // PM1a control block
    put(76, &(POWER_PORTS + 8).to_le_bytes()); // PM timer
    put(88, &[4, 2, 0, 4]); // lengths: event, control, PM2, timer
    table(b"FACP", 1, &body)
}

/// `Name (_S5, Package () { 0, 0 })`: the PIIX4 turns off with sleep type 0.
fn dsdt() -> Vec<u8> {
    table(b"DSDT", 1, b"\x08_S5_\x12\x04\x02\x00\x00")
}

/// Interrupt controllers (5.2.12): the CPUs, whose local APICs Bochs numbers from 0 on, and behind them one I/O APIC, with the timer's
/// interrupt on its input 2.
fn madt(cpus: u8) -> Vec<u8> {
    let mut body = Vec::from(LOCAL_APIC.to_le_bytes());
    body.extend([1, 0, 0, 0]);
    for cpu in 0..cpus {
        body.extend([0, 8, cpu, cpu, 1, 0, 0, 0]);
    }
    body.extend([1, 12, cpus, 0]);
    body.extend(IO_APIC.to_le_bytes());
    body.extend([0; 4]);
    body.extend([2, 10, 0, 0, 2, 0, 0, 0, 0, 0]);
    table(b"APIC", 1, &body)
}
