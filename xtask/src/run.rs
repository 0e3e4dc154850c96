//! `cargo xtask run`: the system in a virtual machine whose UEFI variables and TPM live on between runs.
//!
//! The state under `target/run` belongs to one variable store: when the image comes with another (other keys), the
//! machine starts anew.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::image::{ImageFiles, ImageSpec};
use crate::modules::SystemKind;
use crate::paths;
use crate::process::progress;
use crate::qemu::{self, Display, Graphics, MachineConfig, Serial, TpmKind};
use crate::swtpm::Swtpm;

/// Which system.
#[derive(clap::Args, Clone, Copy, Debug)]
pub struct SystemOption {
    /// The system that has a console on the screen, and no desktop
    #[arg(long)]
    console: bool,
}

impl SystemOption {
    /// The image to build.
    pub fn image(self) -> ImageSpec {
        ImageSpec::usual(match self.console {
            true => SystemKind::Console,
            false => SystemKind::Desktop,
        })
    }
}

/// What the user asked for.
#[derive(clap::Args, Clone, Debug)]
pub struct Options {
    /// Which system to boot.
    #[command(flatten)]
    pub system: SystemOption,
    /// No window, even where there is a display; the terminal is the console
    #[arg(long)]
    pub headless: bool,
    /// Write the serial line to this file instead of the terminal (no input from there, then)
    #[arg(long, value_name = "FILE")]
    pub serial: Option<PathBuf>,
    /// Have QEMU listen for QMP on this Unix socket
    #[arg(long, value_name = "SOCKET")]
    pub qmp: Option<PathBuf>,
    /// RAM in MiB
    #[arg(long, value_name = "MIB", default_value_t = 256, value_parser = clap::value_parser!(u32).range(32..))]
    pub memory: u32,
    /// CPUs
    #[arg(long, value_name = "COUNT", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64))]
    pub cpus: u32,
    /// Keep the machine's UEFI variables and TPM in this folder instead of target/run
    #[arg(long, value_name = "FOLDER")]
    pub state: Option<PathBuf>,
    /// What the screen is
    #[arg(long, value_enum, default_value_t = Graphics::Vga)]
    pub graphics: Graphics,
    /// How the TPM is attached
    #[arg(long, value_enum, default_value_t = TpmKind::Crb)]
    pub tpm: TpmKind,
}

impl Options {
    /// Whether QEMU shall open a window.
    pub fn window(&self) -> bool {
        !self.headless && crate::packages::has_display()
    }

    fn state_folder(&self) -> Result<PathBuf> {
        let folder = self.state.clone().unwrap_or_else(paths::run);
        Ok(std::path::absolute(folder)?)
    }

    /// The machine that was asked for, with the image in `folder`.
    ///
    /// # Errors
    /// When the current directory does not exist.
    pub fn machine(&self, disk: &Path, vars: &Path) -> Result<MachineConfig> {
        let absolute = |path: &PathBuf| std::path::absolute(path);
        Ok(MachineConfig {
            memory_mb: self.memory,
            cpus: self.cpus,
            tpm: self.tpm,
            graphics: self.graphics,
            serial: match &self.serial {
                Some(file) => Serial::File(absolute(file)?),
                None => Serial::Stdio,
            },
            qmp: self.qmp.as_ref().map(absolute).transpose()?,
            display: if self.window() {
                Display::Window
            } else {
                Display::None
            },
            ..MachineConfig::new(disk, vars)
        })
    }
}

/// Boots the image and returns when the machine is off.
///
/// # Errors
/// When QEMU or the TPM emulator does not start or fails.
pub fn run(image: &ImageFiles, options: &Options) -> Result<()> {
    let folder = options.state_folder()?;
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let lock = File::create(folder.join("lock"))?;
    if lock.try_lock().is_err() {
        bail!(
            "a machine with its state in {} is running already",
            folder.display()
        );
    }
    forget_other_machines(&folder, &image.vars)?;
    let machine = options.machine(&image.disk, &image.vars)?;
    machine.prepare(&folder)?;
    let _tpm = machine.start_swtpm(&folder)?;
    match &machine.serial {
        Serial::Stdio => progress("starting the machine; Ctrl-A X turns it off"),
        Serial::File(file) => progress(format!(
            "starting the machine; serial line in {}",
            file.display()
        )),
        Serial::Pipe => progress("starting the machine"),
    }
    crate::process::run(&mut machine.command(&folder))
}

/// The shell lines that start the same machine by hand; QEMU's is the last.
///
/// # Errors
/// When the current directory does not exist.
pub fn commands(image: &ImageFiles, options: &Options) -> Result<Vec<String>> {
    let folder = options.state_folder()?;
    forget_other_machines(&folder, &image.vars)?;
    let machine = options.machine(&image.disk, &image.vars)?;
    let word = |path: &Path| qemu::quote(&path.to_string_lossy());
    let state = machine.tpm_state_dir(&folder);
    let mut lines = vec![
        format!("mkdir -p {}", word(&state)),
        format!(
            "cp -n {} {}",
            word(&machine.vars),
            word(&MachineConfig::run_vars(&folder))
        ),
    ];
    if machine.tpm != TpmKind::None {
        let mut tpm = Swtpm::command(&state, &MachineConfig::tpm_socket(&folder));
        lines.push(qemu::shell_line(tpm.arg("--daemon")));
    }
    lines.push(qemu::shell_line(&machine.command(&folder)));
    Ok(lines)
}

/// Removes the state of a machine that had other keys. Nothing else in the folder is touched.
fn forget_other_machines(folder: &Path, vars: &Path) -> Result<()> {
    let stamp = folder.join("made-from");
    let now = blake3::hash(&paths::read(vars)?).to_hex();
    if fs::read_to_string(&stamp).is_ok_and(|before| before == now.as_str()) {
        return Ok(());
    }
    let (old_vars, old_tpm) = (MachineConfig::run_vars(folder), folder.join("tpm"));
    if old_vars.exists() {
        progress(
            "other keys than in the run before: the machine starts with new UEFI variables and a new TPM",
        );
        fs::remove_file(&old_vars).with_context(|| format!("remove {}", old_vars.display()))?;
    }
    if old_tpm.exists() {
        fs::remove_dir_all(&old_tpm).with_context(|| format!("remove {}", old_tpm.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    fs::write(stamp, now.as_str()).context("write the machine's stamp")
}
