//! `cargo xtask fuzz` and `cargo xtask random`: the kernel's logic, and each parser of bytes from outside, against input that nobody
//! thought of.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::paths;
use crate::process::{progress, run};

/// Random calls that `cargo xtask test` makes.
pub const CALLS: u64 = 10_000_000;

/// Seconds for which `cargo xtask check` runs the fuzz target that plays, and each of the others: little more than a minute in all.
const BRIEF_SECONDS: [u64; 2] = [20, 5];

/// The test that plays, and the variable that says how many calls it makes.
const PLAYER: &str = "invariants_hold_after_random_system_calls_of_several_processes";
const CALLS_VARIABLE: &str = "NONOS_RANDOM_CALLS";

/// The target that plays: system calls on the kernel's logic. Its inputs are long, and made here.
const PLAYING: &str = "system_calls";

/// How many of its inputs there are to begin with.
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

/// All fuzz targets, by name.
///
/// # Errors
/// When their folder cannot be read.
pub fn targets() -> Result<Vec<String>> {
    let folder = paths::root().join("fuzz/fuzz_targets");
    let files = fs::read_dir(&folder).with_context(|| folder.display().to_string())?;
    let mut names = Vec::new();
    for file in files {
        let path = file?.path();
        names.extend(
            path.file_stem()
                .and_then(|name| Some(name.to_str()?.to_owned())),
        );
    }
    names.sort();
    Ok(names)
}

/// Runs each target for a moment: what would be found at once is not there.
///
/// # Errors
/// As [`fuzz`].
pub fn briefly() -> Result<()> {
    let [playing, parsing] = BRIEF_SECONDS;
    let (play, parse): (Vec<_>, Vec<_>) = targets()?.into_iter().partition(|name| name == PLAYING);
    fuzz(&play, playing)?;
    fuzz(&parse, parsing)
}

/// Runs fuzz targets for some seconds each, all when none is named, from what lies in `fuzz/corpus` and what earlier runs found.
///
/// # Errors
/// When one is not known, cannot be built, or finds something: the input lies under `target/fuzz` then.
pub fn fuzz(names: &[String], seconds: u64) -> Result<()> {
    let all = targets()?;
    let names = if names.is_empty() { &all } else { names };
    for name in names {
        ensure!(
            all.contains(name),
            "no fuzz target {name:?}; there are {}",
            all.join(", ")
        );
    }
    let target = paths::target().join("fuzz");
    let mut build = cargo();
    build.args(["build", "--release", "--locked", "--target", HOST]);
    for name in names {
        build.args(["--bin", name]);
    }
    build
        .arg("--manifest-path")
        .arg(paths::root().join("fuzz/Cargo.toml"));
    build.arg("--target-dir").arg(&target);
    build.env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f"));
    run(&mut build).context("build the fuzz targets")?;
    for name in names {
        progress(format!("{name}, {seconds} seconds"));
        run_target(name, &target, seconds)
            .with_context(|| format!("the fuzz target {name} found something"))?;
    }
    Ok(())
}

fn run_target(name: &str, target: &Path, seconds: u64) -> Result<()> {
    let corpus = target.join("corpus").join(name);
    let artifacts = target.join("artifacts").join(name);
    for folder in [&corpus, &artifacts] {
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
    }
    let mut fuzzer = Command::new(target.join(HOST).join("release").join(name));
    // What is found goes to the first folder.
    fuzzer.arg(&corpus);
    if name == PLAYING {
        write_seeds(&corpus)?;
        // Most of a run is the start of its kernel: no short inputs.
        fuzzer.args(["-max_len=4096", "-len_control=0"]);
    } else {
        fuzzer.arg(paths::root().join("fuzz/corpus").join(name));
        // A whole envelope and some of the body.
        fuzzer.arg("-max_len=6144");
    }
    fuzzer.arg(format!("-max_total_time={seconds}"));
    fuzzer.args(["-timeout=20", "-print_final_stats=1"]);
    fuzzer.arg(format!("-artifact_prefix={}/", artifacts.display()));
    run(&mut fuzzer)
}

/// Random inputs of a good length.
fn write_seeds(corpus: &Path) -> Result<()> {
    for number in 0..SEEDS {
        let mut seed = vec![0; 3000];
        let mut bytes = blake3::Hasher::new().update(&[number]).finalize_xof();
        bytes.fill(&mut seed);
        fs::write(corpus.join(format!("seed-{number}")), seed).context("write a seed")?;
    }
    Ok(())
}

fn cargo() -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(paths::root());
    cargo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parser_of_bytes_from_outside_has_a_fuzz_target_with_inputs() {
        let targets = targets().unwrap();
        for name in [
            "acpi",
            "archive",
            "elf",
            "event_log",
            "hand_over",
            "image_header",
            "ipc",
            "manifest",
            "pictures",
            "system_calls",
            "tpm",
            "tpm_sessions",
            "vault",
        ] {
            assert!(targets.iter().any(|target| target == name), "{name}");
        }
        let manifest = fs::read_to_string(paths::root().join("fuzz/Cargo.toml")).unwrap();
        for name in targets.iter().filter(|name| *name != PLAYING) {
            assert!(manifest.contains(&format!("name = \"{name}\"\n")), "{name}");
            let corpus = fs::read_dir(paths::root().join("fuzz/corpus").join(name)).unwrap();
            assert!(corpus.count() > 0, "{name}");
        }
    }
}
