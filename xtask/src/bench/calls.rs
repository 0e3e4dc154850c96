//! System calls, measured by `bench/calls`: an image in which that program is `init`, so that nothing else runs.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use super::machine::Running;
use crate::image::{ImageFiles, ImageSpec};
use crate::modules::{ModuleSpec, SystemKind};
use crate::paths;
use crate::process::progress;
use crate::qemu::{MachineConfig, TpmKind};

/// Instructions between two readings of the counter with nothing measured (`bench_calls::timed::OVERHEAD`). Another
/// value means that the counter does not count instructions.
const OVERHEAD: u64 = 9;

/// Priority of the measuring program; the partner's manifest allows more, so that it can be woken at once.
const PRIORITY: u8 = 16;

/// A figure, from many rounds.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct Figure {
    /// The least.
    pub least: u64,
    /// The median.
    pub median: u64,
    /// The most.
    pub most: u64,
}

/// Figures by name, and why others are missing.
#[derive(Serialize, Clone, PartialEq, Eq, Default, Debug)]
pub struct Calls {
    /// What was measured.
    pub figures: BTreeMap<String, Figure>,
    /// What was not.
    pub failed: BTreeMap<String, String>,
}

impl Calls {
    /// The least of each figure: what a call costs when nothing comes between.
    pub fn least(&self) -> BTreeMap<String, u64> {
        let least = |(name, figure): (&String, &Figure)| (name.clone(), figure.least);
        self.figures.iter().map(least).collect()
    }
}

/// The image to build, in a folder of this name.
///
/// # Errors
/// When a manifest is malformed.
pub fn image(folder: &str) -> Result<ImageSpec> {
    let measure = ModuleSpec {
        name: "init".to_owned(),
        priority: PRIORITY,
        ..ModuleSpec::of_package("bench-calls", "bench-measure")?
    };
    let partner = ModuleSpec {
        needs: 0,
        ..ModuleSpec::of_package("bench-calls", "bench-partner")?
    };
    Ok(only(folder, vec![measure, partner]))
}

/// An image in which nothing runs but a program in place of `init`.
pub fn image_of(folder: &str, program: ModuleSpec) -> ImageSpec {
    let init = ModuleSpec {
        name: "init".to_owned(),
        ..program
    };
    only(folder, vec![init])
}

fn only(folder: &str, modules: Vec<ModuleSpec>) -> ImageSpec {
    ImageSpec {
        system_modules: false,
        extra_modules: modules,
        ..ImageSpec::new(SystemKind::Console, paths::target().join(folder))
    }
}

/// Boots the image with so many CPUs, of QEMU's usual model or another, and reads its figures.
///
/// # Errors
/// When the program does not come to its end, or the machine does not count instructions.
pub fn measure(image: &ImageFiles, cpus: u32, cpu_model: Option<&str>) -> Result<Calls> {
    progress(format!("measuring system calls, CPUs: {cpus}"));
    measure_with(image, cpus, cpu_model, OVERHEAD)
}

/// As [`measure`], of a program that reads the counter with this between two readings.
///
/// # Errors
/// As [`measure`].
pub fn measure_with(
    image: &ImageFiles,
    cpus: u32,
    cpu_model: Option<&str>,
    overhead: u64,
) -> Result<Calls> {
    let usual = MachineConfig::new(&image.disk, &image.vars);
    let mut machine = Running::boot_from_firmware(MachineConfig {
        tpm: TpmKind::None,
        cpus,
        cpu_model: cpu_model.map_or(usual.cpu_model.clone(), str::to_owned),
        ..usual
    })?;
    parse(&machine.wait_for("bench: end")?, overhead)
}

/// Lines read `… bench: NAME LEAST MEDIAN MOST`, `… bench: NAME VALUE` or `… bench: NAME failed: WHY`.
///
/// # Errors
/// When a line reads otherwise, or two readings of the counter with nothing between them do not differ by `expected`.
pub fn parse(text: &str, expected: u64) -> Result<Calls> {
    let mut calls = Calls::default();
    let mut overhead = None;
    for line in text.lines() {
        let Some((name, rest)) = line
            .split_once("bench: ")
            .and_then(|(_, line)| line.trim().split_once(' '))
        else {
            continue;
        };
        if let Some(why) = rest.strip_prefix("failed: ") {
            calls.failed.insert(name.to_owned(), why.to_owned());
            continue;
        }
        let numbers: Vec<u64> = rest
            .split(' ')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("not understood: {line}"))?;
        let figure = match *numbers {
            [one] if name == "overhead" => {
                overhead = Some(one);
                continue;
            }
            [one] => Figure {
                least: one,
                median: one,
                most: one,
            },
            [least, median, most] => Figure {
                least,
                median,
                most,
            },
            _ => anyhow::bail!("not understood: {line}"),
        };
        calls.figures.insert(name.to_owned(), figure);
    }
    ensure!(
        overhead == Some(expected),
        "the counter does not count instructions: {expected} expected, {overhead:?} found:\n{text}"
    );
    Ok(calls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_and_failures_are_told_apart() {
        let calls = parse(
            "[1] init: bench: overhead 9\r\n[2] init: bench: null 100 101 250\r\n\
             [3] init: bench: switch 70\r\n[4] init: bench: revoke-250 failed: not supported\r\n",
            9,
        )
        .unwrap();
        assert_eq!(calls.figures["null"].median, 101);
        assert_eq!(calls.least()["switch"], 70);
        assert_eq!(calls.failed["revoke-250"], "not supported");
    }

    #[test]
    fn a_counter_of_something_else_is_an_error() {
        assert!(parse("bench: overhead 40\nbench: null 1 2 3", 9).is_err());
        assert!(parse("bench: null 1 2 3", 9).is_err());
    }
}
