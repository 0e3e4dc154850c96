//! How bytes get to a TPM and back: the two interfaces that TPMs for PCs have, over registers that a test can imitate.
//!
//! [`crb`] is the command response buffer, [`fifo`] the older byte-wise one (TIS); [`interface`] finds out which a machine has. References
//! are to the PC Client Platform TPM Profile (PTP) 1.05.
//!
//! Invariants: every wait ends, after a time that the profile allows for it; whatever the device answers, nothing is read or
//! written beyond its page; a response is handed on only when it is as long as it says.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod crb;
pub mod fifo;
pub mod interface;

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;

/// The registers of a TPM at locality 0: one page. What is read beyond is all ones, and what is written there is lost.
pub trait Registers {
    /// Reads a register of 8 bits.
    fn read_8(&mut self, offset: usize) -> u8;
    /// Reads a register of 32 bits.
    fn read_32(&mut self, offset: usize) -> u32;
    /// Writes a register of 8 bits.
    fn write_8(&mut self, offset: usize, value: u8);
    /// Writes a register of 32 bits.
    fn write_32(&mut self, offset: usize, value: u32);
    /// The time, nanoseconds.
    fn now_ns(&self) -> u64;
    /// Lets others run for about so long.
    fn sleep(&mut self, ns: u64);
}

/// Bytes of the registers.
pub const REGISTER_BYTES: usize = 4096;

/// Why a command brought no response.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Fault {
    /// The TPM does not give the locality.
    Locality = 1,
    /// It does not get ready for a command.
    NotReady = 2,
    /// It does not take the command's bytes.
    Refused = 3,
    /// It did not answer in time.
    Silent = 4,
    /// It says that it failed.
    Failed = 5,
    /// The response is not as long as it says, or longer than any can be.
    Length = 6,
    /// Its buffers lie where the driver does not reach them.
    Buffers = 7,
}

impl From<Fault> for u64 {
    fn from(fault: Fault) -> Self {
        fault as Self
    }
}

/// Nanoseconds of a millisecond.
const MS: u64 = 1_000_000;
/// Longest wait for anything but the answer to a command: TIMEOUT_B, 2 s (PTP 6.5.1.4).
const INTERFACE_NS: u64 = 2_000 * MS;
/// Longest wait for an answer.
const ANSWER_NS: u64 = 10_000 * MS;
/// Longest wait for an answer when the TPM makes a key.
const KEY_NS: u64 = 120_000 * MS;
/// First and longest pause between two looks at a register.
const PAUSE_NS: (u64, u64) = (MS / 10, 10 * MS);

/// How long the answer to a command may take.
fn patience_ns(command: &[u8]) -> u64 {
    const CREATE_PRIMARY: u8 = 0x31;
    const CREATE: u8 = 0x53;
    match command {
        [_, _, _, _, _, _, 0, 0, 1, CREATE_PRIMARY | CREATE, ..] => KEY_NS,
        _ => ANSWER_NS,
    }
}

/// Looks at registers until something holds, at most so long; whether it does.
fn wait<R: Registers>(
    registers: &mut R,
    longest_ns: u64,
    mut holds: impl FnMut(&mut R) -> bool,
) -> bool {
    let end_ns = registers.now_ns().saturating_add(longest_ns);
    let mut pause_ns = PAUSE_NS.0;
    loop {
        // The time before the look: who was kept from running for long still looks once more.
        let late = registers.now_ns() >= end_ns;
        if holds(registers) {
            return true;
        }
        if late {
            return false;
        }
        registers.sleep(pause_ns);
        pause_ns = (2 * pause_ns).min(PAUSE_NS.1);
    }
}

/// Length of a response by its header, when it can be that and fits.
fn response_bytes(header: &[u8], room: usize) -> Result<usize, Fault> {
    let bytes = header.get(2..6).and_then(|bytes| bytes.first_chunk());
    let bytes = u32::from_be_bytes(*bytes.ok_or(Fault::Length)?) as usize;
    if (HEADER_BYTES..=room).contains(&bytes) {
        Ok(bytes)
    } else {
        Err(Fault::Length)
    }
}

/// Tag, size, code.
const HEADER_BYTES: usize = 10;
