//! Machines that count instructions, and what they say on the serial line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use crate::paths;
use crate::process::tied;
use crate::qemu::{self, MachineConfig};
use crate::qmp::Qmp;
use crate::serial::Serial;
use crate::swtpm::Swtpm;

/// How long anything may take: the emulator counts, and the computer may be busy.
pub const LIMIT: Duration = Duration::from_secs(900);

/// What the firmware says before it reads anything from the disk, and the boot loader at its end.
const FIRMWARE_DONE: &str = "BdsDxe: loading";
const LOADER_DONE: &str = "leaving the firmware";

/// A machine that runs until the value is dropped.
pub struct Running {
    serial: Serial,
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
        let machine = MachineConfig {
            icount: true,
            serial: qemu::Serial::Pipe,
            ..machine
        };
        machine.prepare(&folder)?;
        let tpm = machine.start_swtpm(&folder)?;
        let mut running = Self::start(&machine.command(&folder), &folder)?;
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
        let monitor = folder.join("qmp.sock");
        let machine = MachineConfig {
            serial: qemu::Serial::Pipe,
            qmp: Some(monitor.clone()),
            ..machine
        };
        machine.prepare(&folder)?;
        let saved = folder.join("saved");
        let mut running = Self::start(&machine.command(&folder), &folder)?;
        running.wait_for(FIRMWARE_DONE)?;
        let mut qmp = Qmp::connect(&monitor, LIMIT)?;
        qmp.run("stop", json!({}))?;
        let to = format!("exec:cat > '{}'", saved.display());
        qmp.run("migrate", json!({ "uri": to }))?;
        qmp.wait_for_migration(LIMIT)?;

        let machine = MachineConfig {
            icount: true,
            ..machine
        };
        let mut qemu = machine.command(&folder);
        let from = format!("exec:cat '{}'", saved.display());
        running.end();
        (running.qemu, running.serial) = launch(qemu.args(["-S", "-incoming", &from]))?;
        let mut qmp = new_monitor(&monitor)?;
        qmp.wait_for_migration(LIMIT)?;
        qmp.run("cont", json!({}))?;
        let saved_late = "the machine was not saved before the kernel started";
        running.wait_for(LOADER_DONE).context(saved_late)?;
        Ok(running)
    }

    /// Starts QEMU with its serial line on standard input and output. The folder is removed with the value.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(qemu: &Command, folder: &Path) -> Result<Self> {
        let (qemu, serial) = launch(qemu)?;
        Ok(Self {
            serial,
            qemu,
            tpm: None,
            folder: folder.to_owned(),
        })
    }

    /// Waits for a text on the serial line and returns what came before it since the last text that was waited for.
    ///
    /// # Errors
    /// When the machine ends before it comes, or [`LIMIT`]; the error shows what the machine said last.
    pub fn wait_for(&mut self, text: &str) -> Result<String> {
        self.serial.wait_for(text, LIMIT).map_err(|missed| {
            let said = self.serial.tail();
            anyhow!("{text:?} was expected, but {missed}; the machine said last:\n{said}")
        })
    }

    /// Types a line.
    ///
    /// # Errors
    /// When the machine has ended.
    pub fn type_line(&mut self, line: &str) -> Result<()> {
        let typed = self.serial.send(format!("{line}\r").as_bytes());
        typed.context("type on the serial line")
    }

    fn end(&mut self) {
        let _ = self.qemu.kill();
        let _ = self.qemu.wait();
    }
}

fn launch(qemu: &Command) -> Result<(Child, Serial)> {
    let mut qemu = tied(qemu);
    qemu.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut qemu = qemu.spawn().context("start QEMU")?;
    let serial = Serial::of(&mut qemu);
    Ok((qemu, serial))
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
        self.tpm = None;
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Connects to the monitor of a machine that was started just now, and may not listen yet.
fn new_monitor(socket: &Path) -> Result<Qmp> {
    let end = Instant::now() + LIMIT;
    loop {
        match Qmp::connect(socket, LIMIT) {
            Err(_) if Instant::now() < end => sleep(Duration::from_millis(5)),
            result => return Ok(result?),
        }
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
