//! The tables: for a terminal and, the same ones, in `docs/performance.md` between two marks.

use std::fs;

use anyhow::{Context, Result};

use super::Results;
use super::boot::{BootCost, LOADER_GOAL, MEMORY_GOAL_KIB, PROMPT_GOAL};
use super::calls::Calls;
use super::figures::{Kept, Linux};
use super::goals::{GOALS, Goal};
use super::mitigations::{self, Variant};
use crate::paths;
use crate::size::{BOOT_LOADER_LIMIT, KERNEL_LIMIT, Sizes};

const BEGIN: &str = "<!-- cargo xtask bench --write: begin -->\n";
const END: &str = "<!-- cargo xtask bench --write: end -->\n";
const CRYPTO_BEGIN: &str = "<!-- cargo xtask bench --crypto --write: begin -->\n";
const CRYPTO_END: &str = "<!-- cargo xtask bench --crypto --write: end -->\n";
const FILES_BEGIN: &str = "<!-- cargo xtask bench --files --write: begin -->\n";
const FILES_END: &str = "<!-- cargo xtask bench --files --write: end -->\n";

/// All tables, in Markdown.
pub fn text(results: &Results, kept: &Kept) -> String {
    let mut sections = vec![calls(
        &results.calls,
        results.calls_4_cpus.as_ref(),
        &kept.linux,
    )];
    if kept.linux != Linux::default() {
        sections.push(linux(&kept.linux));
    }
    if !results.mitigations.is_empty() {
        sections.push(mitigations(&results.mitigations));
    }
    if let Some(cost) = &results.boot {
        sections.push(boot(cost));
        sections.push(memory(cost));
    }
    if let Some(sizes) = &results.sizes {
        sections.push(parts(sizes));
    }
    sections.join("\n")
}

/// Puts the tables into `docs/performance.md`.
///
/// # Errors
/// When the file cannot be written or has no marks.
pub fn write(results: &Results, kept: &Kept) -> Result<()> {
    put(&text(results, kept), BEGIN, END)
}

/// Puts the table of cryptography there, too.
///
/// # Errors
/// As [`write()`].
pub fn write_crypto(table: &str) -> Result<()> {
    put(table, CRYPTO_BEGIN, CRYPTO_END)
}

/// Puts the tables of files there, too.
///
/// # Errors
/// As [`write()`].
pub fn write_files(tables: &str) -> Result<()> {
    put(tables, FILES_BEGIN, FILES_END)
}

fn put(tables: &str, begin: &str, end: &str) -> Result<()> {
    let path = paths::root().join("docs/performance.md");
    let page = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let page = replaced(&page, tables, begin, end)?;
    fs::write(&path, page).with_context(|| format!("write {}", path.display()))
}

fn replaced(page: &str, tables: &str, begin: &str, end: &str) -> Result<String> {
    let parts = page.split_once(begin).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(end)?;
        Some((before, after))
    });
    let (before, after) = parts.context("docs/performance.md has no marks for the tables")?;
    Ok(format!("{before}{begin}\n{tables}\n{end}{after}"))
}

/// A table: rows of cells, the first one the heading; all columns but the first are numbers.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let width = |column: usize| {
        let lengths = rows.iter().map(|row| row[column].chars().count());
        lengths.max().unwrap_or(0).max(3)
    };
    let widths: Vec<_> = (0..columns).map(width).collect();
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(column, (cell, &width))| match column {
            0 => format!(" {cell:<width$} "),
            _ => format!(" {cell:>width$} "),
        });
        text += &format!("|{}|\n", cells.collect::<Vec<_>>().join("|"));
        if index == 0 {
            let rules = widths
                .iter()
                .enumerate()
                .map(|(column, &width)| match column {
                    0 => "-".repeat(width + 2),
                    _ => "-".repeat(width + 1) + ":",
                });
            text += &format!("|{}|\n", rules.collect::<Vec<_>>().join("|"));
        }
    }
    text
}

/// A row of cells.
pub fn row(cells: &[&str]) -> Vec<String> {
    cells.iter().map(ToString::to_string).collect()
}

fn calls(one: &Calls, four: Option<&Calls>, linux: &Linux) -> String {
    let mut rows = vec![row(&[
        "system calls, instructions",
        "goal",
        "measured",
        "",
        "4 CPUs",
        "Linux",
        "ratio",
    ])];
    rows.extend(GOALS.iter().map(|goal| call(goal, one, four, linux)));
    let mut text = table(&rows);
    for (name, why) in &one.failed {
        text += &format!("\n`{name}` was not measured: {why}.\n");
    }
    text
}

fn call(goal: &Goal, one: &Calls, four: Option<&Calls>, linux: &Linux) -> Vec<String> {
    let least = |calls: &Calls| calls.figures.get(goal.name).map(|figure| figure.least);
    let shown = |value: Option<u64>| value.map_or("–".to_owned(), grouped);
    let measured = least(one);
    let verdict = match measured {
        _ if goal.most == 0 => "",
        None => "missing",
        Some(value) if value <= goal.most => "met",
        Some(_) => "MISSED",
    };
    let other = goal
        .linux
        .and_then(|(name, _)| linux.default.get(name).copied());
    let ratio = measured
        .zip(other)
        .map_or("–".to_owned(), |(measured, other)| {
            format!("{:.1}", other as f64 / measured.max(1) as f64)
        });
    vec![
        goal.title.to_owned(),
        shown((goal.most > 0).then_some(goal.most)),
        shown(measured),
        verdict.to_owned(),
        shown(four.filter(|_| goal.with_more_cpus).and_then(least)),
        shown(other),
        ratio,
    ]
}

fn mitigations(variants: &[Variant]) -> String {
    let titles = mitigations::FIGURES.iter().map(|(_, title)| *title);
    let mut rows = vec![row(&["cost of mitigations, instructions"]
        .into_iter()
        .chain(titles)
        .collect::<Vec<_>>())];
    let usual = variants.first().map(|variant| &variant.calls);
    rows.extend(variants.iter().map(|variant| {
        let figures = mitigations::FIGURES.iter().map(|(name, _)| {
            let value = variant.calls.get(*name).copied();
            let usual = usual.and_then(|calls| calls.get(*name)).copied();
            match value.zip(usual) {
                Some((value, usual)) if value != usual => {
                    let sign = if value > usual { '+' } else { '-' };
                    format!(
                        "{} ({sign}{})",
                        grouped(value),
                        grouped(value.abs_diff(usual))
                    )
                }
                _ => value.map_or("–".to_owned(), grouped),
            }
        });
        [variant.title.clone()].into_iter().chain(figures).collect()
    }));
    table(&rows)
}

fn linux(linux: &Linux) -> String {
    let title = format!("Linux {}, instructions", linux.version);
    let mut rows = vec![row(&[&title, "default", "mitigations=off"])];
    for (name, value) in &linux.default {
        let compared = GOALS
            .iter()
            .find_map(|goal| goal.linux.filter(|(known, _)| known == name));
        let title = match name.as_str() {
            "exec-wait" => "fork, exec and wait for the end",
            "fault" => "first write to a page of fresh memory",
            _ => compared.map_or(name.as_str(), |(_, title)| title),
        };
        let off = linux.mitigations_off.get(name);
        let off = off.map_or("–".to_owned(), |&value| grouped(value));
        rows.push(vec![title.to_owned(), grouped(*value), off]);
    }
    table(&rows)
}

fn limited(title: &str, value: u64, most: u64) -> Vec<String> {
    let verdict = if value <= most { "met" } else { "MISSED" };
    row(&[title, &grouped(most), &grouped(value), verdict])
}

fn boot(cost: &BootCost) -> String {
    table(&[
        row(&["boot, instructions", "goal", "measured", ""]),
        limited(
            "boot loader entry to kernel entry",
            cost.loader_instructions,
            LOADER_GOAL,
        ),
        limited(
            "kernel entry to the shell's prompt",
            cost.prompt_instructions,
            PROMPT_GOAL,
        ),
    ])
}

fn memory(cost: &BootCost) -> String {
    let part = |title: &str, value: u64| row(&[title, "", &grouped(value), ""]);
    table(&[
        row(&["memory once the shell waits, KiB", "goal", "measured", ""]),
        part(
            "processes: programs, stacks, what they asked for",
            cost.processes_kib,
        ),
        part(
            "kernel region: objects, page tables, and what is free of it",
            cost.kernel_region_kib,
        ),
        part("kernel image and the unpacked system image", cost.image_kib),
        limited(
            "all that programs cannot have",
            cost.memory_kib(),
            MEMORY_GOAL_KIB,
        ),
    ])
}

fn parts(sizes: &Sizes) -> String {
    let mut rows = vec![
        row(&["sizes, bytes", "goal", "measured", ""]),
        limited(
            "boot loader, signed",
            sizes.boot_loader_bytes,
            BOOT_LOADER_LIMIT,
        ),
        limited("kernel, stripped", sizes.kernel_bytes, KERNEL_LIMIT),
    ];
    let modules = sizes.modules.iter();
    rows.extend(
        modules.map(|(name, &size)| row(&[&format!("module {name}"), "", &grouped(size), ""])),
    );
    rows.push(row(&[
        "system image, unpacked",
        "",
        &grouped(sizes.payload_bytes),
        "",
    ]));
    rows.push(row(&[
        "system image, compressed and signed",
        "",
        &grouped(sizes.image_bytes),
        "",
    ]));
    table(&rows)
}

/// 12,345.
pub fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::calls;

    fn results() -> Results {
        let text = "bench: overhead 9\nbench: null 118 118 130\nbench: look-up 41 41 41\n\
            bench: revoke-1000 failed: not supported";
        Results {
            boot: None,
            sizes: None,
            calls: calls::parse(text, 9).unwrap(),
            calls_4_cpus: None,
            mitigations: Vec::new(),
        }
    }

    #[test]
    fn goals_are_met_missed_or_not_measured() {
        let mut kept = Kept::default();
        kept.linux.default.insert("getppid".to_owned(), 354);
        let text = text(&results(), &kept);
        let line = |start: &str| {
            let line = text.lines().find(|line| line.starts_with(start)).unwrap();
            line.split('|')
                .map(str::trim)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            line("| null")[2..],
            ["120", "118", "met", "–", "354", "3.0", ""]
        );
        assert_eq!(line("| handle look-up")[2..5], ["40", "41", "MISSED"]);
        assert_eq!(line("| revoke, 1,000")[2..5], ["150,000", "–", "missing"]);
        assert!(text.contains("`revoke-1000` was not measured: not supported."));
    }

    #[test]
    fn what_a_mitigation_costs_is_shown_as_a_difference() {
        let variant = |title: &str, null| Variant {
            title: title.to_owned(),
            calls: [("null".to_owned(), null)].into(),
        };
        let text = mitigations(&[
            variant("usual", 70),
            variant("one", 95),
            variant("none", 61),
        ]);
        let nulls: Vec<_> = text
            .lines()
            .skip(2)
            .filter_map(|line| line.split('|').nth(2))
            .map(str::trim)
            .collect();
        assert_eq!(nulls, ["70", "95 (+25)", "61 (-9)"]);
    }

    #[test]
    fn tables_are_replaced_between_the_marks_and_nowhere_else() {
        let page = format!("# Title\n{BEGIN}old\n{END}after\n");
        let page = replaced(&page, "new\n", BEGIN, END).unwrap();
        assert_eq!(page, format!("# Title\n{BEGIN}\nnew\n\n{END}after\n"));
        assert!(replaced("no marks", "", BEGIN, END).is_err());
    }

    #[test]
    fn the_page_has_the_marks() {
        let page = fs::read_to_string(paths::root().join("docs/performance.md")).unwrap();
        assert!(replaced(&page, "", BEGIN, END).is_ok());
        assert!(replaced(&page, "", CRYPTO_BEGIN, CRYPTO_END).is_ok());
        assert!(replaced(&page, "", FILES_BEGIN, FILES_END).is_ok());
    }

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
