//! Machines that count instructions, and what they say on the serial line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::console::Console;
use crate::paths;
use crate::process::tied;
use crate::qemu::{MachineConfig, Serial};
use crate::qmp::Qmp;
use crate::swtpm::Swtpm;

/// How long anything may take: the emulator counts, and the computer may be busy.
pub const LIMIT: Duration = Duration::from_secs(900);

/// What the firmware says before it reads anything from the disk, and the boot loader at its end.
const FIRMWARE_DONE: &str = "BdsDxe: loading";
const LOADER_DONE: &str = "leaving the firmware";

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

    /// As [`Self::boot`], but counts from the boot loader on: the firmware runs before, without counting, and the machine is
    /// saved when it is about to load from the disk. Under counting one thread runs all CPUs, and the firmware
    /// of a machine with several takes longer than anybody waits. The machine has no TPM.
    ///
    /// # Errors
    /// When it does not start, or was not saved in time.
    pub fn boot_from_firmware(machine: MachineConfig) -> Result<Self> {
        let folder = fresh_folder()?;
        let (socket, monitor) = (socket(&folder), folder.join("qmp.sock"));
        let machine = MachineConfig {
            serial: Serial::Socket(socket.clone()),
            qmp: Some(monitor.clone()),
            ..machine
        };
        machine.prepare(&folder)?;
        let saved = folder.join("saved");
        let mut running = Self::start(&machine.command(&folder), &socket)?;
        running.console.wait_for(FIRMWARE_DONE, LIMIT)?;
        let mut qmp = Qmp::connect(&monitor, LIMIT)?;
        qmp.run("stop", json!({}))?;
        let to = format!("exec:cat > '{}'", saved.display());
        qmp.run("migrate", json!({ "uri": to }))?;
        wait_for_migration(&mut qmp)?;

        let machine = MachineConfig {
            icount: true,
            ..machine
        };
        let mut qemu = machine.command(&folder);
        let from = format!("exec:cat '{}'", saved.display());
        running.end();
        (running.qemu, running.console) = launch(qemu.args(["-S", "-incoming", &from]), &socket)?;
        let mut qmp = Qmp::connect(&monitor, LIMIT)?;
        wait_for_migration(&mut qmp)?;
        qmp.run("cont", json!({}))?;
        let saved_late = "the machine was not saved before the kernel started";
        running
            .console
            .wait_for(LOADER_DONE, LIMIT)
            .context(saved_late)?;
        Ok(running)
    }

    /// Starts QEMU with its serial line on a socket.
    ///
    /// # Errors
    /// When it does not start or does not listen.
    pub fn start(qemu: &Command, socket: &Path) -> Result<Self> {
        let (qemu, console) = launch(qemu, socket)?;
        Ok(Self {
            console,
            qemu,
            tpm: None,
            folder: socket.parent().map(Path::to_path_buf).unwrap_or_default(),
        })
    }

    fn end(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn launch(qemu: &Command, socket: &Path) -> Result<(Child, Console)> {
    let mut qemu = tied(qemu);
    let mut qemu = qemu.stdin(Stdio::null()).spawn().context("start QEMU")?;
    match Console::connect(socket, LIMIT) {
        Ok(console) => Ok((qemu, console)),
        Err(error) => {
            let _ = qemu.kill();
            let _ = qemu.wait();
            Err(error)
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        self.tpm = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Waits until a machine's state is written or read.
fn wait_for_migration(qmp: &mut Qmp) -> Result<()> {
    let end = Instant::now() + LIMIT;
    while Instant::now() < end {
        let state = qmp.run("query-migrate", json!({}))?;
        match state["status"].as_str() {
            Some("completed") => return Ok(()),
            Some("failed" | "cancelled") => bail!("the machine's state cannot be moved: {state}"),
            _ => sleep(Duration::from_millis(5)),
        }
    }
    bail!("moving the machine's state hangs")
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
