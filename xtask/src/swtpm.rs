//! The TPM 2.0 emulator `swtpm`, one process per machine.
//!
//! It must listen before QEMU starts and takes absolute paths only. It ends by itself when QEMU closes the connection
//! and is killed when the value is dropped, so none outlives its machine.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf, absolute};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

/// A running TPM emulator, or none for a machine without a TPM.
#[derive(Debug)]
pub struct Swtpm(Option<Running>);

#[derive(Debug)]
struct Running {
    child: Child,
    socket: PathBuf,
}

/// How long the emulator may take until it listens.
const START_LIMIT: Duration = Duration::from_secs(20);

impl Swtpm {
    /// No TPM.
    pub fn none() -> Self {
        Self(None)
    }

    /// The emulator's command line.
    pub fn command(state_dir: &Path, socket: &Path) -> Command {
        let mut command = Command::new("swtpm");
        command.args(["socket", "--tpm2", "--terminate", "--tpmstate"]);
        command.arg(format!("dir={},mode=0600", state_dir.display()));
        command.args([
            "--ctrl",
            &format!("type=unixio,path={},mode=0600", socket.display()),
        ]);
        command
    }

    /// Starts the emulator with its state in `state_dir` (made if missing) and waits until it listens on `socket`.
    ///
    /// # Errors
    /// When it cannot be started or ends at once.
    pub fn start(state_dir: &Path, socket: &Path) -> Result<Self> {
        let (state_dir, socket) = (absolute(state_dir)?, absolute(socket)?);
        fs::create_dir_all(&state_dir).with_context(|| format!("make {}", state_dir.display()))?;
        fs::set_permissions(&state_dir, fs::Permissions::from_mode(0o700))?;
        if socket.exists() {
            fs::remove_file(&socket).with_context(|| format!("remove {}", socket.display()))?;
        }
        let log_path = socket.with_extension("log");
        let log =
            fs::File::create(&log_path).with_context(|| format!("make {}", log_path.display()))?;
        let mut child = Self::command(&state_dir, &socket)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .context("start swtpm (Debian package swtpm)")?;
        let start = Instant::now();
        while !socket.exists() {
            if let Some(status) = child.try_wait()? {
                let said = fs::read_to_string(&log_path).unwrap_or_default();
                bail!("swtpm ended with {status}: {}", said.trim());
            }
            if start.elapsed() > START_LIMIT {
                let _ = child.kill();
                let _ = child.wait();
                bail!(
                    "swtpm did not listen on {} within {START_LIMIT:?}",
                    socket.display()
                );
            }
            sleep(Duration::from_millis(5));
        }
        Ok(Self(Some(Running { child, socket })))
    }
}

impl Swtpm {
    /// Sends a signal to the emulator, by its name without `SIG`: `STOP` has it answer no more, `CONT` again.
    ///
    /// # Errors
    /// When there is none, or the signal cannot be sent.
    pub fn signal(&self, name: &str) -> Result<()> {
        let running = self.0.as_ref().context("there is no TPM")?;
        let pid = running.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).status()?;
        ensure!(sent.success(), "kill ended with {sent}");
        Ok(())
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        if let Some(Running { child, socket }) = &mut self.0 {
            let _ = child.kill();
            let _ = child.wait();
            let _ = fs::remove_file(socket);
        }
    }
}
