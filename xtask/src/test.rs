//! `cargo xtask test`: all tests, on the host and on booted images, and whether `docs/status.md` tells the truth.
//!
//! What the test runners print is passed on as it comes, and read: a run counts only with the names of the tests that
//! passed, so a feature whose test is missing, ignored or failed makes the whole run fail.

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result, anyhow, bail};

use crate::image::{self, ImageSpec};
use crate::modules::SystemKind;
use crate::process::progress;
use crate::{fuzz, paths, status};

/// Programs whose logic is a library with tests; their binaries build for NØNOS only.
const PROGRAMS: &[&str] = &[
    "--package",
    "about",
    "--package",
    "calculator",
    "--package",
    "desktop",
    "--package",
    "editor",
    "--package",
    "file-manager",
    "--package",
    "monitor",
    "--package",
    "security",
    "--package",
    "settings",
    "--package",
    "powerbox",
    "--package",
    "lock",
    "--package",
    "terminal",
    "--package",
    "vault-manager",
    "--package",
    "viewer",
    "--package",
    "console",
    "--package",
    "shell",
    "--package",
    "tpm",
    "--package",
    "virtio-gpu",
    "--package",
    "vault",
    "--package",
    "init",
    "--package",
    "display",
    "--package",
    "ramfs",
    "--package",
    "crypto-vectors",
    "--lib",
];

/// How a test ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Passed.
    Passed,
    /// Failed.
    Failed,
    /// Not run.
    Ignored,
}

/// Tests by `crate::path::name`. A name that occurs twice keeps the worse outcome.
#[derive(Default, Debug)]
pub struct Results {
    /// Outcomes.
    pub tests: BTreeMap<String, Outcome>,
    /// The last summary that a runner printed.
    pub summary: Option<String>,
    runner: String,
}

/// Runs everything.
///
/// # Errors
/// When a test failed, nothing ran, or `docs/status.md` names a test that did not pass.
pub fn run() -> Result<()> {
    let mut results = Results::default();
    progress("tests on the host");
    let host = stream(cargo_test(&[]), &mut results)?;
    let programs = stream(cargo_test(PROGRAMS), &mut results)?;
    // Either keeps one processor busy for minutes.
    progress(format!(
        "{} random system calls on the host, and beside them the image for booted machines",
        fuzz::CALLS
    ));
    let (random, image) = thread::scope(|scope| {
        let image = scope.spawn(|| image::build_image(&ImageSpec::usual(SystemKind::Desktop)));
        let random = stream(fuzz::random_calls(fuzz::CALLS), &mut results);
        (random, image.join())
    });
    let random = random?;
    image.map_err(|_| anyhow!("building the image panicked"))??;
    progress("tests on booted machines");
    let system = stream(
        cargo_test(&["--package", "system-tests", "--", "--test-threads=2"]),
        &mut results,
    )?;

    let count = |outcome| {
        results
            .tests
            .values()
            .filter(|&&found| found == outcome)
            .count()
    };
    let (passed, failed) = (count(Outcome::Passed), count(Outcome::Failed));
    let page = fs::read(paths::root().join("docs/status.md")).unwrap_or_default();
    let untrue = status::check(&page, &results.tests);
    for line in &untrue {
        println!("docs/status.md: {line}");
    }
    for (name, _) in results
        .tests
        .iter()
        .filter(|&(_, &outcome)| outcome == Outcome::Failed)
    {
        println!("failed: {name}");
    }
    if let Some(summary) = &results.summary {
        println!("{summary}");
    }
    println!("{passed} passed, {failed} failed");
    match () {
        () if passed == 0 => bail!("no test ran"),
        () if failed > 0 || !host || !programs || !random || !system => bail!("tests failed"),
        () if !untrue.is_empty() => bail!("docs/status.md names tests that did not pass"),
        () => Ok(()),
    }
}

fn cargo_test(args: &[&str]) -> Command {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(paths::root())
        .args(["test", "--no-fail-fast"])
        .args(args);
    cargo
}

/// Runs a command, passes its output on and reads it. Returns whether it succeeded.
fn stream(mut command: Command, results: &mut Results) -> Result<bool> {
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().context("start cargo test")?;
    // The command holds the pipe's writing end: the pipe ends only when that is gone.
    drop(command);
    for line in BufReader::new(reader).split(b'\n') {
        let line = line?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        results.read_line(&line);
    }
    Ok(child.wait()?.success())
}

impl Results {
    /// Reads one line of `cargo test`.
    fn read_line(&mut self, line: &str) {
        if let Some(rest) = line.trim_start().strip_prefix("Running ") {
            self.runner = runner_name(rest);
        } else if let Some(package) = line.trim_start().strip_prefix("Doc-tests ") {
            self.runner = package.trim().to_owned();
        } else if line.starts_with("test result:") {
            self.summary = Some(line.to_owned());
        } else if let Some((name, outcome)) = test_line(line) {
            let name = format!("{}::{name}", self.runner);
            let known = self.tests.entry(name).or_insert(outcome);
            if *known == Outcome::Passed {
                *known = outcome;
            }
        }
    }
}

/// `unittests src/lib.rs (target/debug/deps/nonos_image-0123456789abcdef)` → `nonos_image`.
fn runner_name(rest: &str) -> String {
    let file = rest
        .rsplit_once('(')
        .map_or(rest, |(_, path)| path.trim_end_matches(')'));
    let file = Path::new(file)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    file.rsplit_once('-')
        .map_or(file.as_ref(), |(name, _)| name)
        .replace('-', "_")
}

/// `test path::name ... ok`, and its variants.
fn test_line(line: &str) -> Option<(&str, Outcome)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let outcome = match outcome.split([',', ' ']).next()? {
        "ok" => Outcome::Passed,
        "FAILED" => Outcome::Failed,
        "ignored" => Outcome::Ignored,
        _ => return None,
    };
    Some((
        name.strip_suffix(" - should panic").unwrap_or(name),
        outcome,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Results {
        let mut results = Results::default();
        lines.iter().for_each(|line| results.read_line(line));
        results
    }

    #[test]
    fn results_carry_the_name_of_their_crate() {
        let results = read(&[
            "     Running unittests src/lib.rs (target/debug/deps/nonos_image-0123456789abcdef)",
            "test module::tests::a_flipped_byte_is_refused ... ok",
            "test module::tests::other ... FAILED",
            "test module::tests::third - should panic ... ok",
            "test module::tests::slow ... ignored, takes an hour",
            "test result: FAILED. 2 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
        ]);
        let outcome = |name: &str| results.tests[&format!("nonos_image::module::tests::{name}")];
        assert_eq!(outcome("a_flipped_byte_is_refused"), Outcome::Passed);
        assert_eq!(outcome("other"), Outcome::Failed);
        assert_eq!(outcome("third"), Outcome::Passed);
        assert_eq!(outcome("slow"), Outcome::Ignored);
        assert!(
            results
                .summary
                .is_some_and(|summary| summary.contains("2 passed; 1 failed"))
        );
    }

    #[test]
    fn a_test_that_failed_once_has_failed() {
        let results = read(&["test a ... ok", "test a ... FAILED", "test a ... ok"]);
        assert_eq!(results.tests["::a"], Outcome::Failed);
    }

    #[test]
    fn a_line_that_a_test_prints_is_no_result() {
        assert!(
            read(&["test the waters ... maybe", "testing a ... ok"])
                .tests
                .is_empty()
        );
    }
}
