//! The command response buffer (PTP 6.5.3): a command is written to memory of the TPM, and its response read from there.

use crate::{
    Fault, HEADER_BYTES, INTERFACE_NS, REGISTER_BYTES, Registers, patience_ns, response_bytes, wait,
};

/// State of the localities.
const LOC_STATE: usize = 0x00;
/// Asks for the locality.
const LOC_CTRL: usize = 0x08;
/// Asks for the TPM to get ready or idle; the TPM clears the bits.
const CTRL_REQ: usize = 0x40;
/// State of the TPM.
const CTRL_STS: usize = 0x44;
/// Gives a command up.
const CTRL_CANCEL: usize = 0x48;
/// Starts a command; the TPM clears it at the end.
const CTRL_START: usize = 0x4C;
/// Size of the buffer for commands, and its physical address in two halves.
const CTRL_CMD: (usize, usize, usize) = (0x58, 0x5C, 0x60);
/// Size of the buffer for responses, and its physical address in two halves.
const CTRL_RSP: (usize, usize, usize) = (0x64, 0x68, 0x6C);
/// First byte that is no register.
const REGISTERS_END: usize = 0x80;

/// LOC_STATE: a locality is assigned.
const ASSIGNED: u32 = 1 << 1;
/// LOC_STATE: which one.
const ACTIVE_LOCALITY: u32 = 7 << 2;
/// LOC_STATE: what it says is valid.
const VALID: u32 = 1 << 7;
/// LOC_CTRL.
const REQUEST_ACCESS: u32 = 1;
/// CTRL_REQ.
const COMMAND_READY: u32 = 1;
/// CTRL_REQ.
const GO_IDLE: u32 = 1 << 1;
/// CTRL_STS: the TPM failed and needs a reset.
const ERROR: u32 = 1;
/// CTRL_STS: it is idle, and takes no commands.
const IDLE: u32 = 1 << 1;

/// Sends a command and reads its response. `base` is the physical address of the registers.
///
/// # Errors
/// See [`Fault`].
pub fn transact<R: Registers>(
    registers: &mut R,
    base: u64,
    command: &[u8],
    response: &mut [u8],
) -> Result<(), Fault> {
    take_locality(registers)?;
    let (to, room) = buffer(registers, base, CTRL_CMD)?;
    if command.len() > room {
        return Err(Fault::Buffers);
    }
    ask(registers, COMMAND_READY)?;
    if registers.read_32(CTRL_STS) & IDLE != 0 {
        return Err(Fault::NotReady);
    }
    for (index, byte) in command.iter().enumerate() {
        registers.write_8(to + index, *byte);
    }
    registers.write_32(CTRL_CANCEL, 0);
    registers.write_32(CTRL_START, 1);
    let done = |r: &mut R| r.read_32(CTRL_START) & 1 == 0;
    if !wait(registers, patience_ns(command), done) {
        // Gives the TPM the time to give up, so that it can take the next command.
        registers.write_32(CTRL_CANCEL, 1);
        let gave_up = wait(registers, INTERFACE_NS, done);
        registers.write_32(CTRL_CANCEL, 0);
        if gave_up {
            let _ = ask(registers, GO_IDLE);
        }
        return Err(Fault::Silent);
    }
    let result = receive(registers, base, response);
    // An idle TPM saves power; one that stays ready works as well.
    let _ = ask(registers, GO_IDLE);
    result
}

fn take_locality(registers: &mut impl Registers) -> Result<(), Fault> {
    let is_ours = |state: u32| state & (VALID | ASSIGNED | ACTIVE_LOCALITY) == VALID | ASSIGNED;
    if is_ours(registers.read_32(LOC_STATE)) {
        return Ok(());
    }
    registers.write_32(LOC_CTRL, REQUEST_ACCESS);
    if wait(registers, INTERFACE_NS, |r| is_ours(r.read_32(LOC_STATE))) {
        Ok(())
    } else {
        Err(Fault::Locality)
    }
}

/// Asks for a change of state and waits for it.
fn ask<R: Registers>(registers: &mut R, request: u32) -> Result<(), Fault> {
    registers.write_32(CTRL_REQ, request);
    let done = |r: &mut R| {
        let idle = r.read_32(CTRL_STS) & IDLE != 0;
        r.read_32(CTRL_REQ) & request == 0 && idle == (request == GO_IDLE)
    };
    if wait(registers, INTERFACE_NS, done) {
        Ok(())
    } else {
        Err(Fault::NotReady)
    }
}

/// Offset and size of a buffer, which must lie behind the registers in their page.
fn buffer(
    registers: &mut impl Registers,
    base: u64,
    (size, low, high): (usize, usize, usize),
) -> Result<(usize, usize), Fault> {
    let address = u64::from(registers.read_32(high)) << 32 | u64::from(registers.read_32(low));
    let bytes = registers.read_32(size) as usize;
    let offset = address
        .checked_sub(base)
        .and_then(|o| usize::try_from(o).ok());
    let inside = |offset: &usize| {
        (REGISTERS_END..=REGISTER_BYTES).contains(offset) && bytes <= REGISTER_BYTES - *offset
    };
    let offset = offset.filter(inside).ok_or(Fault::Buffers)?;
    Ok((offset, bytes))
}

fn receive(registers: &mut impl Registers, base: u64, response: &mut [u8]) -> Result<(), Fault> {
    if registers.read_32(CTRL_STS) & ERROR != 0 {
        return Err(Fault::Failed);
    }
    let (from, room) = buffer(registers, base, CTRL_RSP)?;
    if room < HEADER_BYTES || response.len() < HEADER_BYTES {
        return Err(Fault::Buffers);
    }
    for (index, byte) in response[..HEADER_BYTES].iter_mut().enumerate() {
        *byte = registers.read_8(from + index);
    }
    let bytes = response_bytes(response, room.min(response.len()))?;
    for (index, byte) in response[..bytes].iter_mut().enumerate().skip(HEADER_BYTES) {
        *byte = registers.read_8(from + index);
    }
    Ok(())
}
