//! `cargo xtask bench`: what a boot costs, in instructions.
//!
//! QEMU counts time in instructions here (`-icount`): one nanosecond, one tick of the time-stamp counter each. The
//! figures do not depend on how fast this computer is; that disk and TPM answer from outside the counted
//! machine makes them differ by about one in a hundred. Compare the best of several boots. The machine
//! measures itself; the shell's `status --boot` prints what it found.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::console::Console;
use crate::image::ImageFiles;
use crate::paths;
use crate::process::progress;
use crate::qemu::{MachineConfig, Serial, TpmKind};

/// Goal from boot loader entry to kernel entry, instructions.
pub const LOADER_GOAL: u64 = 150_000_000;
/// Goal from kernel entry to the prompt, instructions.
pub const PROMPT_GOAL: u64 = 50_000_000;

const PROMPT: &str = "nonos> ";
const BOOT_LIMIT: Duration = Duration::from_secs(600);
const COMMAND_LIMIT: Duration = Duration::from_secs(120);

/// Instruction counts of a boot.
#[derive(Serialize, Clone, Copy, PartialEq, Eq, Debug)]
pub struct BootCost {
    /// From boot loader entry to kernel entry.
    pub loader_instructions: u64,
    /// From kernel entry to the prompt.
    pub prompt_instructions: u64,
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
    let folder = paths::target().join("bench");
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    let socket = folder.join("serial.sock");
    let machine = MachineConfig {
        icount: true,
        tpm,
        serial: Serial::Socket(socket.clone()),
        ..MachineConfig::new(&image.disk, &image.vars)
    };
    machine.prepare(&folder)?;
    let _tpm = machine.start_swtpm(&folder)?;
    progress("booting under instruction counting (the firmware alone takes half a minute)");
    let mut qemu = machine
        .command(&folder)
        .stdin(Stdio::null())
        .spawn()
        .context("start QEMU")?;
    let figures = read_figures(&socket);
    let _ = qemu.kill();
    let _ = qemu.wait();
    figures
}

fn read_figures(socket: &std::path::Path) -> Result<BootCost> {
    let mut console = Console::connect(socket, COMMAND_LIMIT)?;
    console.wait_for(PROMPT, BOOT_LIMIT)?;
    console.type_line("status --boot")?;
    console.wait_for("status --boot", COMMAND_LIMIT)?;
    parse(&console.wait_for(PROMPT, COMMAND_LIMIT)?)
}

fn parse(text: &str) -> Result<BootCost> {
    let figure = |title: &str| {
        let line = text
            .lines()
            .find_map(|line| line.trim().strip_prefix(title));
        let number = line.and_then(|rest| rest.trim().parse().ok());
        number.with_context(|| format!("`status --boot` printed no line \"{title} N\":\n{text}"))
    };
    Ok(BootCost {
        loader_instructions: figure("loader ticks:")?,
        prompt_instructions: figure("prompt ns:")?,
    })
}

impl BootCost {
    /// Whether both goals are met.
    pub fn within_goals(&self) -> bool {
        self.loader_instructions <= LOADER_GOAL && self.prompt_instructions <= PROMPT_GOAL
    }

    /// For a person.
    pub fn table(&self) -> String {
        let line = |title: &str, found: u64, goal: u64| {
            let verdict = if found <= goal { "" } else { "  TOO MANY" };
            format!("{title:<36} {found:>12} of at most {goal:>11}{verdict}\n")
        };
        let mut table = format!("{:<36} {:>12}\n", "boot", "instructions");
        table += &line(
            "boot loader entry to kernel entry",
            self.loader_instructions,
            LOADER_GOAL,
        );
        table += &line(
            "kernel entry to the shell's prompt",
            self.prompt_instructions,
            PROMPT_GOAL,
        );
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_found_among_other_lines() {
        let cost = parse("\r\nSecure Boot: on\r\nloader ticks: 12\r\n  prompt ns: 34\r\n").unwrap();
        assert_eq!(
            cost,
            BootCost {
                loader_instructions: 12,
                prompt_instructions: 34
            }
        );
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
