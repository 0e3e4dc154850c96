//! How fast one algorithm of `lib/crypto` is on this computer, in CPU time: `crypto-speed NAME` prints bytes or operations in a second.

#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::{fs, io};

use bench_crypto::{MESSAGE_BYTES, with_call};

/// CPU time to measure for, at least.
const NANOSECONDS: u64 = 1_000_000_000;
/// Calls between two looks at the clock take at least this long.
const BATCH_NANOSECONDS: u64 = 20_000_000;

fn main() -> ExitCode {
    let names: Vec<String> = std::env::args().skip(1).collect();
    for name in &names {
        match rate(name) {
            Ok(Some(rate)) => println!("{rate:.2}"),
            Ok(None) => {
                eprintln!("{name}: no such algorithm");
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("/proc/thread-self/schedstat: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

fn rate(name: &str) -> io::Result<Option<f64>> {
    let mut rate = Ok(None);
    with_call(name, &mut [0x5A; MESSAGE_BYTES], &mut |count, call| {
        rate = calls(call).map(|calls| Some(calls * count as f64));
    });
    rate
}

/// Calls in a second of CPU time.
fn calls(call: &mut dyn FnMut()) -> io::Result<f64> {
    let mut batch = 1_u64;
    let mut took = |batch: u64| {
        let before = cpu_nanoseconds()?;
        (0..batch).for_each(|_| call());
        cpu_nanoseconds().map(|after| after - before)
    };
    while took(batch)? < BATCH_NANOSECONDS {
        batch *= 2;
    }
    let (mut calls, mut time) = (0, 0);
    while time < NANOSECONDS {
        time += took(batch)?;
        calls += batch;
    }
    Ok(calls as f64 * 1e9 / time as f64)
}

/// CPU time of this thread, so that what else runs on the computer does not count (`openssl speed` counts the same).
fn cpu_nanoseconds() -> io::Result<u64> {
    let text = fs::read_to_string("/proc/thread-self/schedstat")?;
    let first = text
        .split_whitespace()
        .next()
        .and_then(|time| time.parse().ok());
    first.ok_or_else(|| io::ErrorKind::InvalidData.into())
}
