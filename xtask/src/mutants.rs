//! `cargo xtask mutants`: does a test fail when a line of the kernel's checks is changed?
//!
//! `cargo-mutants` changes one thing after the other in the files that decide who may do what, and runs the tests of the kernel's logic.
//! A change that no test notices is a check that nobody would miss. Most are noticed by tests that take no time, so these run first, and
//! the others only on what is left.

use std::env;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::paths;
use crate::process::{find_program, run};

/// Capabilities, calls, and the admission of modules.
const FILES: [&str; 14] = [
    "handle.rs",
    "lineage.rs",
    "revoke.rs",
    "reference.rs",
    "endpoint.rs",
    "fast_path.rs",
    "fast_map.rs",
    "message.rs",
    "lease.rs",
    "module.rs",
    "audit.rs",
    "syscall/handle.rs",
    "syscall/ipc.rs",
    "syscall/mod.rs",
];

/// Tests that play long games, by parts of their names: for the second round.
const LONG: [&str; 5] = [
    "random",
    "mean_the_same",
    "means_the_same",
    "where_the_plain_one_puts_them",
    "28_bits_that_nobody_can_guess",
];

/// Seconds of CPU time after which the system ends tests, which counts as noticed: those of the first round take three, all of them
/// take forty. The compiler is ended, too: with 14 seconds it did not get through. On a busy machine tests take longer by the clock, and must not count as noticed for that.
const CPU_TIME: [u32; 2] = [25, 400];

/// Seconds by the clock after which tests are taken to wait for ever.
const TIMEOUT: &str = "3600";

/// How `cargo-mutants` ends when it did its work and changes were not noticed, or hung.
const NOT_NOTICED: [i32; 2] = [2, 3];

/// Mutates some of the files, or all.
///
/// # Errors
/// When a change was not noticed: `target/mutants.out/missed.txt` lists them.
pub fn run_on(files: &[String]) -> Result<()> {
    ensure!(
        find_program("cargo-mutants").is_some(),
        "cargo-mutants is not installed: run `cargo install --locked cargo-mutants`"
    );
    let files: Vec<&str> = match files.is_empty() {
        true => FILES.to_vec(),
        false => files.iter().map(String::as_str).collect(),
    };
    let quick = round(&files, CPU_TIME[0], &[], &LONG)
        .status()
        .context("start cargo-mutants")?;
    match quick.code() {
        Some(0) => Ok(()),
        Some(code) if NOT_NOTICED.contains(&code) => {
            run(&mut round(&files, CPU_TIME[1], &["--iterate"], &[]))
        }
        _ => bail!("cargo-mutants failed ({quick})"),
    }
}

/// One round over some files, with some seconds of CPU time for each process, without some tests.
fn round(files: &[&str], cpu_time: u32, options: &[&str], skipped: &[&str]) -> Command {
    let mut mutants = Command::new("prlimit");
    mutants.arg(format!("--cpu={cpu_time}"));
    mutants.arg(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    mutants.current_dir(paths::root());
    // What the caller set for other builds is not for the copies of the tree.
    mutants.env_remove("CARGO_TARGET_DIR");
    // Where a test failed does not matter, and to find it out takes longer than the test.
    mutants.env("RUST_BACKTRACE", "0");
    mutants.args(["mutants", "--package", "nonos-kernel-core", "--no-shuffle"]);
    mutants.args(["--profile", "mutants", "--jobs", "2"]);
    mutants.args(["--timeout", TIMEOUT, "--build-timeout", "600", "--output"]);
    mutants.arg(paths::target()).args(options);
    for file in files {
        mutants.args(["--file", &format!("kernel/core/src/{file}")]);
    }
    mutants.args(["--", "--lib", "--"]);
    mutants.args(skipped.iter().flat_map(|name| ["--skip", name]));
    mutants
}
