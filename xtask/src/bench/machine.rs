//! Machines that count instructions, and what they say on the serial line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::console::Console;
use crate::paths;
use crate::process::tied;
use crate::qemu::{MachineConfig, Serial};
use crate::swtpm::Swtpm;

/// How long anything may take: the emulator counts, and the computer may be busy.
pub const LIMIT: Duration = Duration::from_secs(900);

/// A machine that runs until the value is dropped.
pub struct Running {
    /// Its serial line.
    pub console: Console,
    qemu: Child,
    tpm: Option<Swtpm>,
    folder: PathBuf,
}

impl Running {
    /// Starts a machine that boots a disk, under instruction counting.
    ///
    /// # Errors
    /// When it does not start.
    pub fn boot(machine: MachineConfig) -> Result<Self> {
        let folder = fresh_folder()?;
        let socket = socket(&folder);
        let machine = MachineConfig {
            icount: true,
            serial: Serial::Socket(socket.clone()),
            ..machine
        };
        machine.prepare(&folder)?;
        let tpm = machine.start_swtpm(&folder)?;
        let mut running = Self::start(&machine.command(&folder), &socket)?;
        running.tpm = Some(tpm);
        Ok(running)
    }

    /// Starts QEMU with its serial line on a socket.
    ///
    /// # Errors
    /// When it does not start or does not listen.
    pub fn start(qemu: &Command, socket: &Path) -> Result<Self> {
        let mut qemu = tied(qemu);
        let mut qemu = qemu.stdin(Stdio::null()).spawn().context("start QEMU")?;
        match Console::connect(socket, LIMIT) {
            Ok(console) => Ok(Self {
                console,
                qemu,
                tpm: None,
                folder: socket.parent().map(Path::to_path_buf).unwrap_or_default(),
            }),
            Err(error) => {
                let _ = qemu.kill();
                let _ = qemu.wait();
                Err(error)
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
        self.tpm = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// An empty folder for a run; another process that measures has one of its own.
///
/// # Errors
/// When it cannot be made.
pub fn fresh_folder() -> Result<PathBuf> {
    let folder = paths::target()
        .join("bench")
        .join(std::process::id().to_string());
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("remove {}", folder.display()))?;
    }
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// The serial line of the run in a folder.
pub fn socket(folder: &Path) -> PathBuf {
    folder.join("serial.sock")
}
