//! The TPM emulator `swtpm` (Debian package), one process for a test, and random numbers that are the same each time.
#![allow(dead_code, reason = "not every test program uses all of it")]

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nonos_tpm::Transport;
use nonos_tpm::device::Device;

#[path = "../replay/mod.rs"]
pub mod replay;
pub use replay::Rng;

/// A TPM that runs, and everything that went over its bus.
pub struct Tpm {
    folder: PathBuf,
    child: Child,
    stream: Option<UnixStream>,
    /// All commands and responses.
    pub bus: Vec<u8>,
    /// What happens to responses on their way.
    pub tamper: Tamper,
}

/// Changes a response, given the code of the command.
type Tamper = Box<dyn FnMut(u32, &mut Vec<u8>)>;

impl Tpm {
    /// A new TPM, just started.
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nonos-tpm-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir(&folder).unwrap();
        let child = start(&folder);
        Self {
            folder,
            child,
            stream: None,
            bus: Vec::new(),
            tamper: Box::new(|_, _| ()),
        }
    }

    /// Turns it off and on again.
    pub fn restart(&mut self) {
        self.stop();
        self.child = start(&self.folder);
    }

    /// Turns it off.
    pub fn stop(&mut self) {
        self.stream = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// A file in the folder of the TPM.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Runs one of `tpm2-tools` (Debian package) on it, in its folder; what it wrote.
    #[track_caller]
    pub fn tool(&mut self, line: &str) -> String {
        self.stream = None;
        let mut words = line.split(' ');
        let output = Command::new(words.next().unwrap())
            .args(words)
            .current_dir(&self.folder)
            .env(
                "TPM2TOOLS_TCTI",
                format!("swtpm:path={}", self.file("tpm.sock").display()),
            )
            .output()
            .expect("tpm2-tools are installed");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{line}: {text}\n{error}");
        text
    }

    /// The driver's view of it.
    pub fn device(self) -> Device<Self, Rng> {
        Device::new(self, Rng(1))
    }

    /// Whether bytes went over the bus as they are.
    pub fn bus_shows(&self, bytes: &[u8]) -> bool {
        self.bus.windows(bytes.len()).any(|part| part == bytes)
    }
}

fn start(folder: &std::path::Path) -> Child {
    let socket = folder.join("tpm.sock");
    let _ = std::fs::remove_file(&socket);
    let mut command = Command::new("swtpm");
    command.args(["socket", "--tpm2", "--flags", "not-need-init,startup-clear"]);
    command.args(["--tpmstate", &format!("dir={}", folder.display())]);
    for (option, name) in [("--server", "tpm.sock"), ("--ctrl", "tpm.sock.ctrl")] {
        let path = folder.join(name);
        let _ = std::fs::remove_file(&path);
        command.args([option, &format!("type=unixio,path={}", path.display())]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().expect("swtpm is installed");
    let end = Instant::now() + Duration::from_secs(60);
    while !socket.exists() {
        assert!(Instant::now() < end, "swtpm does not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

impl Drop for Tpm {
    fn drop(&mut self) {
        self.stop();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl Transport for Tpm {
    fn submit(&mut self, command: &[u8], response: &mut [u8]) -> Result<(), u64> {
        if self.stream.is_none() {
            self.stream = UnixStream::connect(self.file("tpm.sock")).ok();
        }
        let stream = self.stream.as_mut().ok_or(1u64)?;
        stream.write_all(command).map_err(|_| 2u64)?;
        let mut bytes = vec![0; 10];
        stream.read_exact(&mut bytes).map_err(|_| 3u64)?;
        let size = u32::from_be_bytes(bytes[2..6].try_into().unwrap());
        bytes.resize(size as usize, 0);
        stream.read_exact(&mut bytes[10..]).map_err(|_| 4u64)?;
        self.bus.extend(command);
        self.bus.extend(&bytes);
        let code = u32::from_be_bytes(command[6..10].try_into().unwrap());
        (self.tamper)(code, &mut bytes);
        response
            .get_mut(..bytes.len())
            .ok_or(5u64)?
            .copy_from_slice(&bytes);
        Ok(())
    }
}
