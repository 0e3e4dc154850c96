//! The FIFO interface (PTP 6.5.2), which the older TIS describes, too: a command goes in and its response comes out byte by byte.

use crate::{Fault, HEADER_BYTES, INTERFACE_NS, Registers, patience_ns, response_bytes, wait};

/// The locality.
const ACCESS: usize = 0x00;
/// State: bits in the lowest byte, then the number of bytes that may be moved at once.
const STS: usize = 0x18;
/// Where bytes go in and come out.
const DATA: usize = 0x24;

/// ACCESS: what it says is valid.
const ACCESS_VALID: u8 = 1 << 7;
/// ACCESS: the locality is ours.
const ACTIVE: u8 = 1 << 5;
/// ACCESS: asks for the locality.
const REQUEST_USE: u8 = 1 << 1;
/// STS: DATA_AVAILABLE and EXPECT are valid.
const VALID: u32 = 1 << 7;
/// STS: the TPM takes a command. Written: gives up whatever it does.
const COMMAND_READY: u32 = 1 << 6;
/// STS: starts the command.
const GO: u32 = 1 << 5;
/// STS: there is a byte of the response.
const DATA_AVAILABLE: u32 = 1 << 4;
/// STS: the command is not complete.
const EXPECT: u32 = 1 << 3;

/// Sends a command and reads its response.
///
/// # Errors
/// See [`Fault`].
pub fn transact(
    registers: &mut impl Registers,
    command: &[u8],
    response: &mut [u8],
) -> Result<(), Fault> {
    take_locality(registers)?;
    get_ready(registers)?;
    let result = send(registers, command).and_then(|()| receive(registers, command, response));
    // To idle, whatever it was doing.
    registers.write_8(STS, COMMAND_READY as u8);
    result
}

fn take_locality(registers: &mut impl Registers) -> Result<(), Fault> {
    // All ones: there is no device.
    let is_ours =
        |access: u8| access != 0xFF && access & (ACCESS_VALID | ACTIVE) == ACCESS_VALID | ACTIVE;
    if is_ours(registers.read_8(ACCESS)) {
        return Ok(());
    }
    registers.write_8(ACCESS, REQUEST_USE);
    if wait(registers, INTERFACE_NS, |r| is_ours(r.read_8(ACCESS))) {
        Ok(())
    } else {
        Err(Fault::Locality)
    }
}

fn get_ready(registers: &mut impl Registers) -> Result<(), Fault> {
    registers.write_8(STS, COMMAND_READY as u8);
    let is_ready = |status: u32| status != u32::MAX && status & COMMAND_READY != 0;
    if wait(registers, INTERFACE_NS, |r| is_ready(r.read_32(STS))) {
        Ok(())
    } else {
        Err(Fault::NotReady)
    }
}

/// Waits until bytes may be moved; how many.
fn burst(registers: &mut impl Registers) -> Option<usize> {
    let mut count = 0;
    wait(registers, INTERFACE_NS, |r| {
        count = (r.read_32(STS) >> 8 & 0xFFFF) as usize;
        count > 0
    })
    .then_some(count)
}

/// Waits for a valid state with these bits of those in `mask`.
fn state(registers: &mut impl Registers, longest_ns: u64, mask: u32, bits: u32) -> bool {
    wait(registers, longest_ns, |r| {
        let status = r.read_32(STS);
        status != u32::MAX && status & VALID != 0 && status & mask == bits
    })
}

fn send(registers: &mut impl Registers, command: &[u8]) -> Result<(), Fault> {
    let mut rest = command;
    while !rest.is_empty() {
        let count = burst(registers).ok_or(Fault::Refused)?.min(rest.len());
        let (now, later) = rest.split_at(count);
        for byte in now {
            registers.write_8(DATA, *byte);
        }
        rest = later;
        // It wants more exactly as long as there is more.
        let expected = if rest.is_empty() { 0 } else { EXPECT };
        if !state(registers, INTERFACE_NS, EXPECT, expected) {
            return Err(Fault::Refused);
        }
    }
    registers.write_8(STS, GO as u8);
    Ok(())
}

fn receive(
    registers: &mut impl Registers,
    command: &[u8],
    response: &mut [u8],
) -> Result<(), Fault> {
    let patience_ns = patience_ns(command);
    if !state(registers, patience_ns, DATA_AVAILABLE, DATA_AVAILABLE) {
        return Err(Fault::Silent);
    }
    let room = response.len();
    let header = response.get_mut(..HEADER_BYTES).ok_or(Fault::Length)?;
    read(registers, header)?;
    let bytes = response_bytes(header, room)?;
    read(registers, &mut response[HEADER_BYTES..bytes])?;
    // A byte more is one too many.
    if state(registers, INTERFACE_NS, DATA_AVAILABLE, 0) {
        Ok(())
    } else {
        Err(Fault::Length)
    }
}

fn read(registers: &mut impl Registers, mut out: &mut [u8]) -> Result<(), Fault> {
    while !out.is_empty() {
        if !state(registers, INTERFACE_NS, DATA_AVAILABLE, DATA_AVAILABLE) {
            return Err(Fault::Length);
        }
        let count = burst(registers).ok_or(Fault::Length)?.min(out.len());
        let (now, later) = out.split_at_mut(count);
        for byte in now {
            *byte = registers.read_8(DATA);
        }
        out = later;
    }
    Ok(())
}
