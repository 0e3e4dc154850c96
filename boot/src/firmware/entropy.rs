//! Asks every source of entropy that the machine has.
#![forbid(unsafe_code)]

use core::fmt::Write;
use core::time::Duration;

use nonos_abi::boot::entropy;
use nonos_boot::random::{JITTER_SAMPLES, Pool, Random};
use nonos_boot::report::Report;
use nonos_boot::text::Text;
use nonos_boot::tpm;
use uefi::proto::rng::Rng;
use uefi::{boot, runtime};
use zeroize::{Zeroize, Zeroizing};

use super::cpu;
use super::tcg::Tpm;

/// Bytes that each random number generator is asked for.
const BYTES: usize = 32;

/// The sources that gave something, the seed for the kernel, and the generator for the loader's own choices.
pub fn gather(tpm: Option<&mut Tpm>) -> (u64, Zeroizing<[u8; 32]>, Random) {
    let mut pool = Pool::new();
    add(&mut pool, entropy::EFI_RNG, from_firmware);
    add(&mut pool, entropy::RDSEED, |bytes| {
        from_cpu(bytes, cpu::rdseed)
    });
    add(&mut pool, entropy::RDRAND, |bytes| {
        from_cpu(bytes, cpu::rdrand)
    });
    if let Some(tpm) = tpm {
        // A TPM that gives fewer bytes at a time still gives entropy; one that fails gives none.
        add(&mut pool, entropy::TPM, |bytes| {
            tpm::get_random(tpm, bytes)
                .ok()
                .filter(|given| *given >= 16)
                .map(drop)
        });
    }
    add_jitter(&mut pool);
    if let Ok(time) = runtime::get_time() {
        let seconds = [time.day(), time.hour(), time.minute(), time.second()];
        pool.add_uncounted(&seconds);
        pool.add_uncounted(&time.nanosecond().to_le_bytes());
    }
    let sources = pool.sources();
    let (seed, random) = pool.finish();
    (sources, seed, random)
}

/// Says which sources gave something.
pub fn report(report: &mut Report<'_>, sources: u64) {
    const HARDWARE: u64 = entropy::EFI_RNG | entropy::RDSEED | entropy::RDRAND | entropy::TPM;
    let mut text = Text::<64>::new();
    for (bit, name) in entropy::NAMES
        .iter()
        .enumerate()
        .filter(|(bit, _)| sources & 1 << bit != 0)
    {
        let separator = if sources & ((1 << bit) - 1) != 0 {
            ", "
        } else {
            ""
        };
        let _ = write!(text, "{separator}{name}");
    }
    if sources & HARDWARE != 0 {
        report.good("entropy", format_args!("{}", text.as_str()));
    } else {
        let found = if sources == 0 {
            "nothing"
        } else {
            text.as_str()
        };
        report.notice(
            "entropy",
            format_args!("{found}: NO hardware generator, weak random numbers"),
        );
    }
}

fn add(pool: &mut Pool, source: u64, fill: impl FnOnce(&mut [u8; BYTES]) -> Option<()>) {
    let mut bytes = [0; BYTES];
    if fill(&mut bytes).is_some() {
        pool.add(source, &bytes);
    }
    bytes.zeroize();
}

/// EFI_RNG_PROTOCOL (UEFI 2.10, 37.5), with the algorithm that it prefers.
fn from_firmware(bytes: &mut [u8; BYTES]) -> Option<()> {
    let handle = boot::get_handle_for_protocol::<Rng>().ok()?;
    let mut rng = boot::open_protocol_exclusive::<Rng>(handle).ok()?;
    rng.get_rng(None, bytes).ok()
}

fn from_cpu(bytes: &mut [u8; BYTES], number: fn() -> Option<u64>) -> Option<()> {
    for part in bytes.chunks_exact_mut(8) {
        part.copy_from_slice(&number()?.to_le_bytes());
    }
    Some(())
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
