//! `cargo xtask fuzz` and `cargo xtask random`: the kernel's logic against input that nobody thought of.

use std::env;
use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::paths;
use crate::process::run;

/// Random calls that `cargo xtask test` makes.
pub const CALLS: u64 = 10_000_000;

/// Seconds for which `cargo xtask check` runs the fuzz target.
pub const SECONDS: u64 = 20;

/// The test that plays, and the variable that says how many calls it makes.
const PLAYER: &str = "invariants_hold_after_random_system_calls_of_several_processes";
const CALLS_VARIABLE: &str = "NONOS_RANDOM_CALLS";

/// The fuzz target.
const TARGET: &str = "system_calls";

/// Inputs to begin with.
const SEEDS: u8 = 16;

/// The compiler's host and target: with `--target`, build scripts and procedural macros are not instrumented.
const HOST: &str = "x86_64-unknown-linux-gnu";

/// What `cargo-fuzz` gives the compiler, apart from sanitizers: the logic has no `unsafe` for them to look at. A stable compiler takes
/// these flags.
const FLAGS: [&str; 9] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cllvm-args=-simplifycfg-branch-fold-threshold=0",
    "-Ccodegen-units=1",
    "-Cforce-frame-pointers=yes",
];

/// The test that makes this many random system calls, with all invariants checked after each, optimised.
pub fn random_calls(calls: u64) -> Command {
    let mut cargo = cargo();
    cargo.args([
        "test",
        "--profile",
        "random",
        "--package",
        "nonos-kernel-core",
        "--lib",
    ]);
    cargo.args(["--", "--nocapture", PLAYER]);
    cargo.env(CALLS_VARIABLE, calls.to_string());
    cargo
}

/// Runs the fuzz target, from what earlier runs found.
///
/// # Errors
/// When it cannot be built, or finds something: the input lies under `target/fuzz` then.
pub fn fuzz(seconds: u64) -> Result<()> {
    let target = paths::target().join("fuzz");
    let corpus = target.join("corpus").join(TARGET);
    let artifacts = target.join("artifacts").join(TARGET);
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    for number in 0..SEEDS {
        // Long inputs to begin with: most of a run is the start of its kernel.
        let mut seed = vec![0; 3000];
        let mut bytes = blake3::Hasher::new().update(&[number]).finalize_xof();
        bytes.fill(&mut seed);
        fs::write(corpus.join(format!("seed-{number}")), seed).context("write a seed")?;
    }
    let mut build = cargo();
    build.args([
        "build",
        "--release",
        "--locked",
        "--target",
        HOST,
        "--bin",
        TARGET,
    ]);
    build
        .arg("--manifest-path")
        .arg(paths::root().join("fuzz/Cargo.toml"));
    build.arg("--target-dir").arg(&target);
    build.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    run(&mut build).context("build the fuzz target")?;
    let mut fuzzer = Command::new(target.join(HOST).join("release").join(TARGET));
    fuzzer
        .arg(&corpus)
        .arg(format!("-max_total_time={seconds}"));
    fuzzer.args([
        "-max_len=4096",
        "-len_control=0",
        "-timeout=20",
        "-print_final_stats=1",
    ]);
    fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
    run(&mut fuzzer).context("the fuzz target found something")
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::root());
    cargo
}
