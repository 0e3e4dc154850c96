//! A GPU of virtio's as a screen: the parts that call nothing, which run and are tested on the host. Sections are those of virtio 1.2.
//!
//! [`transport`] brings the device up, [`queue`] sends it requests and takes what it answers, [`gpu`] is what is asked of it. All of it
//! reaches the device through [`Hardware`]. The device is hostile: whatever it answers, and whenever, each request ends, with an answer of the
//! expected kind or an [`Error`]. What it may read and write is the page of the queue and, for reading, the picture.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[cfg(test)]
mod fake;
pub mod gpu;
pub mod queue;
#[cfg(test)]
mod tests;
pub mod transport;

use core::fmt;

/// The device: its registers, the page that it shares with the driver, and time.
pub trait Hardware {
    /// Reads a register of 8 bits.
    fn read_8(&mut self, offset: u64) -> u8;
    /// Reads a register of 16 bits.
    fn read_16(&mut self, offset: u64) -> u16;
    /// Reads a register of 32 bits.
    fn read_32(&mut self, offset: u64) -> u32;
    /// Writes a register of 8 bits.
    fn write_8(&mut self, offset: u64, value: u8);
    /// Writes a register of 16 bits.
    fn write_16(&mut self, offset: u64, value: u16);
    /// Writes a register of 32 bits.
    fn write_32(&mut self, offset: u64, value: u32);
    /// Reads a word of the shared page, which the device may write at any time.
    fn load(&mut self, word: usize) -> u32;
    /// Writes a word of the shared page, after all that was written before.
    fn store(&mut self, word: usize, value: u32);
    /// Time, nanoseconds.
    fn now_ns(&mut self) -> u64;
    /// Waits.
    fn sleep(&mut self, ns: u64);
}

/// What is wrong with the device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// It does not end what it did before.
    NoReset,
    /// It goes around the IOMMU, or has the interface of before virtio 1.0: what it offers of features 32 to 63.
    Features(u32),
    /// It does not take the features that were chosen.
    Refused,
    /// It has no queue for requests, or a smaller one than all have.
    NoQueue(u16),
    /// It answered what was not asked, or twice.
    Ring,
    /// It did not answer in time.
    Silent,
    /// It answered something else than was asked for: the type of the answer (5.7.6.7).
    Answer(u32),
}

impl fmt::Display for Error {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, number) = match *self {
            Self::NoReset => ("does not reset", 0),
            Self::Features(offered) => ("goes around the IOMMU: features ", offered),
            Self::Refused => ("does not take its features", 0),
            Self::NoQueue(size) => ("has too small a queue: ", size.into()),
            Self::Ring => ("answered what was not asked", 0),
            Self::Silent => ("does not answer", 0),
            Self::Answer(kind) => ("refused a request: ", kind),
        };
        out.write_str(what)?;
        match number {
            0 => Ok(()),
            number => write!(out, "{number:#x}"),
        }
    }
}
