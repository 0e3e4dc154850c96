//! The virtual machine: one description, from which QEMU's command line follows.
//!
//! Every machine that this project boots, by hand or in a test, comes from here, so that they do not differ
//! by accident: q35 with SMM-protected firmware, Secure Boot as the variable store says, a virtio disk
//! that a run does not change, a screen, a PS/2 keyboard (q35's own), one serial port. No network, no debug exits.
//!
//! Use: [`MachineConfig::prepare`] a directory, [`MachineConfig::start_swtpm`], then spawn [`MachineConfig::command`].

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::swtpm::Swtpm;

/// The firmware's code, with Secure Boot and System Management Mode (Debian's `ovmf`).
pub const FIRMWARE_CODE: &str = "/usr/share/OVMF/OVMF_CODE_4M.secboot.fd";

/// The firmware's variable store with nothing enrolled.
pub const FIRMWARE_VARS: &str = "/usr/share/OVMF/OVMF_VARS_4M.fd";

/// Counts time in instructions: one nanosecond, one tick of the time-stamp counter each.
pub const INSTRUCTION_COUNTING: &str =
    "-icount shift=0,sleep=off -rtc base=2026-01-01T00:00:00,clock=vm -seed 1";

/// The serial port on QEMU's standard input and output.
pub const PIPED_SERIAL: &str = "-chardev stdio,id=serial,signal=off";

/// The emulator.
pub const QEMU: &str = "qemu-system-x86_64";

/// How the machine's TPM 2.0 is attached.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum TpmKind {
    /// No TPM.
    None,
    /// Command response buffer.
    Crb,
    /// FIFO interface (TIS).
    Tis,
}

/// What the machine shows its picture with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, clap::ValueEnum)]
pub enum Graphics {
    /// VGA, where the firmware sets up a frame buffer.
    Vga,
    /// A GPU of virtio's without a frame buffer, behind an IOMMU.
    Virtio,
    /// Nothing.
    None,
}

/// Where the first serial port leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Serial {
    /// Standard input and output, shared with QEMU's monitor: Ctrl-A X ends QEMU, Ctrl-A C shows the monitor.
    Stdio,
    /// Output to a file; no input.
    File(PathBuf),
    /// Standard input and output, which are pipes of the program that starts QEMU ([`crate::serial::Serial::of`]).
    Pipe,
}

/// What shows the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Display {
    /// Nothing; QMP `screendump` still works.
    None,
    /// A window.
    Window,
}

/// A machine.
#[derive(Clone, Debug)]
pub struct MachineConfig {
    /// RAM, MiB.
    pub memory_mb: u32,
    /// CPUs.
    pub cpus: u32,
    /// QEMU's `-cpu`.
    pub cpu_model: String,
    /// Disk image. Runs do not change it.
    pub disk: PathBuf,
    /// UEFI variable store to start from; [`Self::prepare`] copies it for the run.
    pub vars: PathBuf,
    /// TPM.
    pub tpm: TpmKind,
    /// Date and time (ISO 8601, UTC) that the machine's clock shows when it is turned on, from when on it goes with the machine; `None`: ours.
    pub clock: Option<&'static str>,
    /// Counts time in instructions (one nanosecond, one TSC tick each): the same run, the same figures.
    pub icount: bool,
    /// Serial port.
    pub serial: Serial,
    /// Unix socket for QMP, on which QEMU listens.
    pub qmp: Option<PathBuf>,
    /// Screen.
    pub display: Display,
    /// What is behind it.
    pub graphics: Graphics,
    /// Directory of the TPM's state; `None`: `tpm` in the run's directory.
    pub tpm_state: Option<PathBuf>,
    /// Whether a restart of the machine ends QEMU instead.
    pub ends_on_reboot: bool,
}

impl MachineConfig {
    /// The machine that `cargo xtask run` boots, without a window: 256 MiB, one CPU, TPM, serial on standard input and output.
    pub fn new(disk: impl Into<PathBuf>, vars: impl Into<PathBuf>) -> Self {
        Self {
            memory_mb: 256,
            cpus: 1,
            cpu_model: "max".to_owned(),
            disk: disk.into(),
            vars: vars.into(),
            tpm: TpmKind::Crb,
            clock: None,
            icount: false,
            serial: Serial::Stdio,
            qmp: None,
            display: Display::None,
            graphics: Graphics::Vga,
            tpm_state: None,
            ends_on_reboot: false,
        }
    }

    /// The variable store of a run in `run_dir`.
    pub fn run_vars(run_dir: &Path) -> PathBuf {
        run_dir.join("vars.fd")
    }

    /// Where the TPM keeps its state.
    pub fn tpm_state_dir(&self, run_dir: &Path) -> PathBuf {
        self.tpm_state
            .clone()
            .unwrap_or_else(|| run_dir.join("tpm"))
    }

    /// The socket between QEMU and the TPM emulator.
    pub fn tpm_socket(run_dir: &Path) -> PathBuf {
        run_dir.join("swtpm.sock")
    }

    /// Makes `run_dir` and copies the variable store into it, unless the directory has one from a run before.
    ///
    /// # Errors
    /// When a file of the machine is missing or a socket's path is longer than the system allows.
    pub fn prepare(&self, run_dir: &Path) -> Result<()> {
        for (what, file) in [("disk image", &self.disk), ("variable store", &self.vars)] {
            ensure!(
                file.exists(),
                "{what} {} does not exist: run `cargo xtask image` first",
                file.display()
            );
        }
        let mut sockets = vec![Self::tpm_socket(run_dir)];
        sockets.extend(self.qmp.clone());
        for socket in sockets {
            ensure!(
                socket.as_os_str().len() < SOCKET_PATH_LIMIT,
                "the path of socket {} is too long",
                socket.display()
            );
        }
        fs::create_dir_all(run_dir).with_context(|| format!("make {}", run_dir.display()))?;
        let vars = Self::run_vars(run_dir);
        if !vars.exists() {
            fs::copy(&self.vars, &vars).with_context(|| format!("copy {}", self.vars.display()))?;
        }
        Ok(())
    }

    /// Starts the TPM emulator for a run. It ends with the machine, or when the value is dropped. Without a TPM
    /// nothing is started.
    ///
    /// # Errors
    /// When `swtpm` does not start.
    pub fn start_swtpm(&self, run_dir: &Path) -> Result<Swtpm> {
        match self.tpm {
            TpmKind::None => Ok(Swtpm::none()),
            TpmKind::Crb | TpmKind::Tis => {
                Swtpm::start(&self.tpm_state_dir(run_dir), &Self::tpm_socket(run_dir))
            }
        }
    }

    /// QEMU's command line; nothing is run or written.
    pub fn command(&self, run_dir: &Path) -> Command {
        let mut args = Arguments(Command::new(QEMU));
        args.add("-name nonos -machine q35,smm=on -global ICH9-LPC.disable_s3=1");
        args.add(
            "-global driver=cfi.pflash01,property=secure,value=on -nodefaults -no-user-config",
        );
        args.add(&format!(
            "-cpu {} -smp {} -m {}",
            self.cpu_model, self.cpus, self.memory_mb
        ));
        args.path(
            "-drive",
            "if=pflash,format=raw,unit=0,readonly=on,file=",
            Path::new(FIRMWARE_CODE),
            "",
        );
        args.path(
            "-drive",
            "if=pflash,format=raw,unit=1,file=",
            &Self::run_vars(run_dir),
            "",
        );
        args.path(
            "-drive",
            "if=none,id=disk,format=raw,snapshot=on,file=",
            &self.disk,
            "",
        );
        // An IOMMU is there before the devices behind it.
        match self.graphics {
            Graphics::Vga => args.add("-device VGA"),
            Graphics::Virtio => {
                args.add("-device intel-iommu,intremap=on -device virtio-gpu-pci,iommu_platform=on")
            }
            Graphics::None => {}
        }
        args.add("-device virtio-blk-pci,drive=disk,bootindex=0");
        args.add("-object rng-builtin,id=rng -device virtio-rng-pci,rng=rng");
        self.add_tpm(&mut args, run_dir);
        self.add_serial(&mut args);
        if let Some(socket) = &self.qmp {
            args.path("-qmp", "unix:", socket, ",server=on,wait=off");
        }
        if self.ends_on_reboot {
            args.add("-no-reboot");
        }
        if self.icount {
            args.add(INSTRUCTION_COUNTING);
        }
        if let Some(clock) = self.clock {
            args.add(&format!("-rtc base={clock},clock=vm"));
        }
        args.add(match self.display {
            Display::None => "-display none",
            Display::Window => "-display gtk",
        });
        args.0
    }

    fn add_tpm(&self, args: &mut Arguments, run_dir: &Path) {
        let device = match self.tpm {
            TpmKind::None => return,
            TpmKind::Crb => "-device tpm-crb,tpmdev=tpm",
            TpmKind::Tis => "-device tpm-tis,tpmdev=tpm",
        };
        args.path(
            "-chardev",
            "socket,id=tpm-socket,path=",
            &Self::tpm_socket(run_dir),
            "",
        );
        args.add("-tpmdev emulator,id=tpm,chardev=tpm-socket");
        args.add(device);
    }

    fn add_serial(&self, args: &mut Arguments) {
        match &self.serial {
            Serial::Stdio => {
                args.add(
                    "-chardev stdio,id=serial,mux=on,signal=off -mon chardev=serial,mode=readline",
                );
            }
            Serial::File(path) => args.path("-chardev", "file,id=serial,path=", path, ""),
            Serial::Pipe => args.add(PIPED_SERIAL),
        }
        args.add("-serial chardev:serial");
    }
}

/// `sun_path` of a Unix socket address has 108 bytes, the last one zero (unix(7)).
const SOCKET_PATH_LIMIT: usize = 108;

struct Arguments(Command);

impl Arguments {
    fn add(&mut self, words: &str) {
        self.0.args(words.split(' '));
    }

    /// An option whose value holds a path; QEMU wants commas in it doubled.
    fn path(&mut self, option: &str, before: &str, path: &Path, after: &str) {
        let mut value = OsString::from(before);
        value.push(path.to_string_lossy().replace(',', ",,"));
        value.push(after);
        self.0.arg(option).arg(value);
    }
}

/// A command as a line for a POSIX shell.
pub fn shell_line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words
        .map(|word| quote(&word.to_string_lossy()))
        .collect::<Vec<_>>()
        .join(" ")
}

/// A word for a POSIX shell.
pub fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_commas_and_quotes_reach_qemu_whole() {
        let machine = MachineConfig::new("/a,b/it's.img", "/v.fd");
        let line = shell_line(&machine.command(Path::new("/run dir")));
        assert!(
            line.contains(r"'if=none,id=disk,format=raw,snapshot=on,file=/a,,b/it'\''s.img'"),
            "{line}"
        );
        assert!(
            line.contains("'if=pflash,format=raw,unit=1,file=/run dir/vars.fd'"),
            "{line}"
        );
    }

    #[test]
    fn a_machine_without_tpm_mentions_none() {
        let machine = MachineConfig {
            tpm: TpmKind::None,
            ..MachineConfig::new("/d", "/v")
        };
        assert!(!shell_line(&machine.command(Path::new("/r"))).contains("tpm"));
    }

    #[test]
    fn serial_in_a_file_and_qmp_are_where_they_were_asked_for() {
        let machine = MachineConfig {
            serial: Serial::File("/s.txt".into()),
            qmp: Some("/q.sock".into()),
            ..MachineConfig::new("/d", "/v")
        };
        let line = shell_line(&machine.command(Path::new("/r")));
        assert!(
            line.contains("-chardev file,id=serial,path=/s.txt"),
            "{line}"
        );
        assert!(
            line.contains("-qmp unix:/q.sock,server=on,wait=off"),
            "{line}"
        );
    }
}
