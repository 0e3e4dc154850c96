//! The boot to the shell: its instructions, and the memory of the system that then waits for the user.
//!
//! Disk and TPM answer from outside the counted machine, so that figures differ by about one in a hundred: compare the best of
//! several boots. The machine measures itself; the shell's `status --boot` and `mem` print what it found.

use anyhow::{Context, Result};
use serde::Serialize;

use super::machine::Running;
use crate::image::ImageFiles;
use crate::process::progress;
use crate::qemu::{MachineConfig, TpmKind};

/// Goal from boot loader entry to kernel entry, instructions.
pub const LOADER_GOAL: u64 = 150_000_000;
/// Goal from kernel entry to the prompt, instructions.
pub const PROMPT_GOAL: u64 = 50_000_000;
/// Goal for all memory that programs cannot have any more once the shell waits, KiB.
pub const MEMORY_GOAL_KIB: u64 = 16 * 1024;

const PROMPT: &str = "nonos> ";

/// What a boot costs.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct BootCost {
    /// Instructions from boot loader entry to kernel entry.
    pub loader_instructions: u64,
    /// Instructions from kernel entry to the prompt.
    pub prompt_instructions: u64,
    /// Memory of processes, KiB.
    pub processes_kib: u64,
    /// The kernel region, KiB: all of it, although part is free for page tables.
    pub kernel_region_kib: u64,
    /// Kernel image and the unpacked system image, KiB.
    pub image_kib: u64,
}

/// The best figures of some boots.
///
/// # Errors
/// When a boot fails.
pub fn best(image: &ImageFiles, tpm: TpmKind, boots: u32) -> Result<BootCost> {
    let mut best = boot(image, tpm)?;
    for _ in 1..boots {
        let next = boot(image, tpm)?;
        best.loader_instructions = best.loader_instructions.min(next.loader_instructions);
        best.prompt_instructions = best.prompt_instructions.min(next.prompt_instructions);
    }
    Ok(best)
}

/// Boots once and reads the figures.
///
/// # Errors
/// When the machine does not reach the prompt or does not print the figures.
pub fn boot(image: &ImageFiles, tpm: TpmKind) -> Result<BootCost> {
    progress(
        "booting to the shell under instruction counting (the firmware alone takes half a minute)",
    );
    let mut machine = Running::boot(MachineConfig {
        tpm,
        ..MachineConfig::new(&image.disk, &image.vars)
    })?;
    machine.wait_for(PROMPT)?;
    let mut printed = String::new();
    for command in ["status --boot", "mem"] {
        machine.type_line(command)?;
        machine.wait_for(command)?;
        printed += &machine.wait_for(PROMPT)?;
    }
    parse(&printed)
}

fn parse(text: &str) -> Result<BootCost> {
    let figure = |after: &str, title: &str| {
        let text = text.split_once(after).map_or("", |(_, rest)| rest);
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(title));
        let number = line
            .and_then(|rest| rest.split_whitespace().next())
            .and_then(|word| word.parse().ok());
        number.with_context(|| format!("the shell printed no line \"{title} N\":\n{text}"))
    };
    Ok(BootCost {
        loader_instructions: figure("", "loader ticks:")?,
        prompt_instructions: figure("", "prompt ns:")?,
        processes_kib: figure("For processes", "in use")?,
        kernel_region_kib: figure("", "Kernel objects")?,
        image_kib: figure("", "System image")?,
    })
}

impl BootCost {
    /// All memory that programs cannot have.
    pub fn memory_kib(&self) -> u64 {
        self.processes_kib + self.kernel_region_kib + self.image_kib
    }

    /// Whether all goals are met.
    pub fn within_goals(&self) -> bool {
        self.loader_instructions <= LOADER_GOAL
            && self.prompt_instructions <= PROMPT_GOAL
            && self.memory_kib() <= MEMORY_GOAL_KIB
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = "\nSecure Boot: on\nloader ticks: 12\n  prompt ns: 34\n\
          For processes       200 KiB\n    in use       56 KiB\n    free    144 KiB\n\
        Kernel objects   78 KiB\n  free 1 KiB\nSystem image      90 KiB\n";

    #[test]
    fn figures_are_found_among_other_lines() {
        let cost = parse(PRINTED).unwrap();
        assert_eq!(
            cost,
            BootCost {
                loader_instructions: 12,
                prompt_instructions: 34,
                processes_kib: 56,
                kernel_region_kib: 78,
                image_kib: 90,
            }
        );
        assert_eq!(cost.memory_kib(), 224);
    }

    #[test]
    fn a_missing_figure_is_an_error_that_names_it() {
        assert!(
            parse("loader ticks: 12")
                .unwrap_err()
                .to_string()
                .contains("prompt ns:")
        );
    }
}
