//! What files cost, measured by `bench/files` in the place of the shell: reading and writing beside bare AES-256-GCM in the same
//! run, and small files the more there are.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};

use super::machine::Running;
use super::report;
use crate::image::{self, ImageSpec};
use crate::modules::{ModuleSpec, SystemKind};
use crate::packages;
use crate::paths;
use crate::process::progress;
use crate::qemu::{MachineConfig, TpmKind};

/// Least share of the rate of bare encryption, per cent.
const RATE_GOAL: u64 = 40;
/// Most that a file may cost more or less when there are ten times as many, per cent.
const FLAT_GOAL: u64 = 20;
/// Bytes that are read and written.
const BYTES: u64 = 1 << 20;
/// Steps of a thousand small files.
const STEPS: u64 = 10;

/// Instructions, by name.
type Figures = BTreeMap<String, u64>;

/// Measures and prints; with `write` puts the table into `docs/performance.md`.
///
/// # Errors
/// When the program does not come to its end, or a goal is missed.
pub fn run(write: bool) -> Result<()> {
    packages::ensure(false)?;
    let cost = ModuleSpec {
        name: "shell".to_owned(),
        ..ModuleSpec::of_package("bench-files", "files-cost")?
    };
    let image = image::build_image(&ImageSpec {
        extra_modules: vec![cost],
        ..ImageSpec::new(
            SystemKind::Console,
            paths::target().join("bench-files-image"),
        )
    })?;
    progress("measuring files");
    let mut machine = Running::boot_from_firmware(MachineConfig {
        tpm: TpmKind::None,
        ..MachineConfig::new(&image.disk, &image.vars)
    })?;
    let figures = parse(&machine.wait_for("files: end")?)?;
    let (text, missed) = table(&figures)?;
    print!("{text}");
    if write {
        report::write_files(&text)?;
    }
    ensure!(missed.is_empty(), "goals missed: {}", missed.join(", "));
    Ok(())
}

/// Lines read `… files: NAME VALUE`.
fn parse(text: &str) -> Result<Figures> {
    let lines = text.lines().filter_map(|line| line.split_once("files: "));
    lines
        .map(|(_, line)| {
            let (name, value) = line.trim().split_once(' ').context("a name and a value")?;
            let value = value.parse();
            Ok((name.to_owned(), value.with_context(|| line.to_owned())?))
        })
        .collect()
}

/// The table, and the goals that were missed.
fn table(figures: &Figures) -> Result<(String, Vec<String>)> {
    let get = |name: &str| {
        let value = figures.get(name).copied().filter(|&value| value > 0);
        value.with_context(|| format!("`{name}` was not measured"))
    };
    let row = |cells: &[&str]| cells.iter().map(ToString::to_string).collect::<Vec<_>>();
    let mut missed = Vec::new();
    let mut verdict = |title: &str, met: bool| {
        if !met {
            missed.push(title.to_owned());
        }
        if met { "met" } else { "MISSED" }.to_owned()
    };
    let bare = get("bare")?;
    let mut rates = vec![row(&[
        "files, 64 KiB a call",
        "instructions for 100 bytes",
        "of bare AES-256-GCM",
        "goal",
        "",
    ])];
    let per_100 = |cost: u64| (cost * 100 / BYTES).to_string();
    rates.push(row(&[
        "AES-256-GCM alone, blocks of 4 KiB",
        &per_100(bare),
        "",
        "",
        "",
    ]));
    for (name, title) in [
        ("write", "write a new file"),
        ("overwrite", "write it again"),
        ("read", "read it"),
    ] {
        let cost = get(name)?;
        let share = bare * 100 / cost;
        let met = verdict(title, share >= RATE_GOAL);
        rates.push(row(&[
            title,
            &per_100(cost),
            &format!("{share} %"),
            &format!("{RATE_GOAL} %"),
            &met,
        ]));
    }
    let mut small = vec![row(&[
        "small files, instructions each",
        "1,000 there",
        "10,000 there",
        "difference",
        "goal",
        "",
    ])];
    for (name, title) in [
        ("make", "make, write 12 bytes, close"),
        ("list", "list"),
        ("remove", "remove"),
    ] {
        let few = get(&format!("{name}-0"))?;
        let many = get(&format!("{name}-{}", STEPS - 1))?;
        let difference = (many as f64 / few as f64 - 1.0) * 100.0;
        let met = verdict(title, difference.abs() <= FLAT_GOAL as f64);
        let shown = [few, many].map(report::grouped);
        let difference = format!("{difference:+.1} %");
        small.push(row(&[
            title,
            &shown[0],
            &shown[1],
            &difference,
            &format!("{FLAT_GOAL} %"),
            &met,
        ]));
    }
    let text = [rates, small].map(|rows| report::table(&rows)).join("\n");
    Ok((text, missed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(write: u64, last: u64) -> String {
        let mut text = format!(
            "x files: bare 1000\r\nfiles: write {write}\nfiles: overwrite 2000\nfiles: read 1500\n"
        );
        for name in ["make", "list", "remove"] {
            text += &format!("files: {name}-0 100\r\nfiles: {name}-9 {last}\r\n");
        }
        text
    }

    #[test]
    fn a_goal_that_is_missed_is_named() {
        let of = |text: &str| table(&parse(text).unwrap()).unwrap();
        let (text, missed) = of(&printed(2500, 120));
        assert!(missed.is_empty(), "{missed:?}");
        assert!(text.contains("40 %") && text.contains("+20.0 %"), "{text}");
        assert_eq!(of(&printed(2600, 120)).1, ["write a new file"]);
        assert_eq!(of(&printed(2500, 121)).1.len(), 3);
        assert_eq!(of(&printed(2500, 79)).1.len(), 3);
    }

    #[test]
    fn what_was_not_measured_is_an_error() {
        assert!(table(&parse("files: bare 1000").unwrap()).is_err());
        assert!(parse("files: failed its storage is full").is_err());
    }
}
