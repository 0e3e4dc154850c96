//! Asks every source of entropy that the machine has.
#![forbid(unsafe_code)]

use core::fmt::Write;
use core::time::Duration;

use nonos_abi::boot::entropy;
use nonos_boot::random::{GENERATOR_BYTES, JITTER_SAMPLES, Pool, Random, Sources};
use nonos_boot::report::Report;
use nonos_boot::text::Text;
use nonos_boot::{Refusal, tpm};
use uefi::proto::rng::Rng;
use uefi::{boot, runtime};
use zeroize::{Zeroize, Zeroizing};

use super::cpu;
use super::tcg::Tpm;

/// Most commands that a TPM gets for its bytes: it may give few at a time.
const TPM_COMMANDS: usize = 128;

/// Bytes of a generator.
type Bytes = [u8; GENERATOR_BYTES];

/// What passed and failed, the seed for the kernel, and the generator for the loader's own choices.
///
/// # Errors
/// When no source passes its health tests.
pub fn gather(tpm: Option<&mut Tpm>) -> Result<(Sources, Zeroizing<[u8; 32]>, Random), Refusal> {
    let mut pool = Pool::new();
    add(&mut pool, entropy::EFI_RNG, from_firmware);
    add(&mut pool, entropy::RDSEED, |bytes| {
        from_cpu(bytes, cpu::rdseed)
    });
    add(&mut pool, entropy::RDRAND, |bytes| {
        from_cpu(bytes, cpu::rdrand)
    });
    if let Some(tpm) = tpm {
        add(&mut pool, entropy::TPM, |bytes| from_tpm(bytes, tpm));
    }
    add_jitter(&mut pool);
    if let Ok(time) = runtime::get_time() {
        let seconds = [time.day(), time.hour(), time.minute(), time.second()];
        pool.add_uncounted(&seconds);
        pool.add_uncounted(&time.nanosecond().to_le_bytes());
    }
    pool.finish()
}

/// Says which sources passed, and which failed.
pub fn report(report: &mut Report<'_>, sources: Sources) {
    // Firmware may make its numbers of a timer, and no test tells that.
    const HARDWARE: u64 = entropy::RDSEED | entropy::RDRAND | entropy::TPM;
    let passed = names(sources.passed);
    if sources.passed & HARDWARE != 0 {
        report.good("entropy", format_args!("{}", passed.as_str()));
    } else {
        report.notice(
            "entropy",
            format_args!(
                "{}: NO generator in CPU or TPM, weak random numbers",
                passed.as_str()
            ),
        );
    }
    if sources.failed != 0 {
        report.notice(
            "entropy",
            format_args!(
                "{}: FAILED the health tests, not counted",
                names(sources.failed).as_str()
            ),
        );
    }
}

/// The names of sources.
fn names(sources: u64) -> Text<64> {
    let mut text = Text::new();
    for (bit, name) in entropy::NAMES.iter().enumerate() {
        if sources & 1 << bit != 0 {
            let before = if text.as_str().is_empty() { "" } else { ", " };
            let _ = write!(text, "{before}{name}");
        }
    }
    text
}

/// Adds what a generator gives: all of it, or what it gave before it stopped.
fn add(pool: &mut Pool, source: u64, fill: impl FnOnce(&mut Bytes) -> usize) {
    let mut bytes = [0; GENERATOR_BYTES];
    let given = fill(&mut bytes);
    pool.add(source, &bytes[..given]);
    bytes.zeroize();
}

/// EFI_RNG_PROTOCOL (UEFI 2.10, 37.5), with the algorithm that it prefers.
fn from_firmware(bytes: &mut Bytes) -> usize {
    let mut fill = || {
        let handle = boot::get_handle_for_protocol::<Rng>().ok()?;
        let mut rng = boot::open_protocol_exclusive::<Rng>(handle).ok()?;
        rng.get_rng(None, bytes).ok()
    };
    fill().map_or(0, |()| GENERATOR_BYTES)
}

fn from_cpu(bytes: &mut Bytes, number: fn() -> Option<u64>) -> usize {
    let mut given = 0;
    for part in bytes.chunks_exact_mut(8) {
        let Some(number) = number() else { break };
        part.copy_from_slice(&number.to_le_bytes());
        given += part.len();
    }
    given
}

/// A TPM that gives few bytes at a time still gives entropy.
fn from_tpm(bytes: &mut Bytes, tpm: &mut Tpm) -> usize {
    let mut given = 0;
    let mut part = [0; 32];
    for _ in 0..TPM_COMMANDS {
        let room = &mut bytes[given..];
        let Ok(count) = tpm::get_random(tpm, &mut part) else {
            break;
        };
        let count = count.min(room.len());
        room[..count].copy_from_slice(&part[..count]);
        given += count;
        if count == 0 || given == GENERATOR_BYTES {
            break;
        }
    }
    part.zeroize();
    given
}

/// Times the firmware's shortest delay, which waits on another clock than the one that measures it.
fn add_jitter(pool: &mut Pool) {
    let mut timings = [0; JITTER_SAMPLES];
    for timing in &mut timings {
        let start = cpu::time_stamp();
        boot::stall(Duration::from_micros(1));
        *timing = cpu::time_stamp().wrapping_sub(start);
    }
    pool.add_jitter(&timings);
    timings.zeroize();
}
