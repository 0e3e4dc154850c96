//! Memory for a device: it reaches what was mapped for it, nothing beside it, and nothing after a revoke.
//!
//! The device is told from outside what to do, each time after a line that begins with `ready`. Where DMA is not confined, there is
//! no memory for it.

use adversaries::calls::{
    self, MS, NEVER, READ_WRITE, Result, clock, copy, make, peek, poke, word,
};
use adversaries::verdict::{Output, Verdicts};
use nonos_abi::info::{DmaStatus, Topic};
use nonos_abi::{Error, Handle, PAGE_BYTES, Rights, Syscall, start};

use crate::{Log, read};

/// The device with a DMA engine: 00:04.0 on the tests' machines.
const DEVICE: u64 = 0x20;

/// What the device is to copy.
const PATTERN: u64 = 0xC0FF_EE00_5EED_F00D;

/// Most time for the device to do something.
const LIMIT: u64 = 120_000 * MS;

pub fn windows(verdicts: &mut Verdicts<Log>, _: Handle) -> Result<()> {
    let (device, _) = make(Syscall::HardwareDevice, [word(start::HARDWARE), DEVICE])?;
    let memory = calls::memory(2)?;
    let lent = copy(memory, Rights::ALL, NEVER)?;
    let drivers = copy(lent, Rights::ALL, NEVER)?;
    let window = make(Syscall::DeviceMap, [device, word(drivers), 0, READ_WRITE]);
    if read::<DmaStatus>(Topic::Dma, 0)?.units == 0 {
        verdicts.denied(
            "memory for a device where DMA is not confined",
            window,
            Error::NotSupported,
        );
        return Ok(());
    }
    verdicts.works("memory for a device", window);
    let first = calls::map(memory, READ_WRITE)?;
    let second = first + PAGE_BYTES as u64;
    poke(first, PATTERN);

    verdicts.output.line(format_args!("ready: copy"));
    let copied = comes(|| peek(second) == PATTERN);
    verdicts.held("the device copies within its memory", copied);

    let before = stopped()?;
    verdicts.output.line(format_args!("ready: write beside"));
    verdicts.held(
        "the device is stopped beside its memory",
        comes(|| stopped().is_ok_and(|now| now > before)),
    );

    calls::revoke(lent)?;
    poke(second, 0);
    let before = stopped()?;
    verdicts.output.line(format_args!("ready: write again"));
    verdicts.held(
        "the device is stopped where memory was revoked",
        comes(|| stopped().is_ok_and(|now| now > before)),
    );
    verdicts.equal("memory that was revoked", peek(second), 0);
    Ok(())
}

/// What devices were stopped from doing so far.
fn stopped() -> Result<u64> {
    Ok(read::<DmaStatus>(Topic::Dma, 0)?.stopped)
}

/// Waits until something is so.
fn comes(is_so: impl Fn() -> bool) -> bool {
    let end = clock() + LIMIT;
    while !is_so() {
        if clock() > end {
            return false;
        }
        calls::sleep(10 * MS);
    }
    true
}
