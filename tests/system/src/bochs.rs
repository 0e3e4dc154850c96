//! A machine emulated by Bochs, for what QEMU's processors lack: control-flow enforcement (CET), process-context identifiers (PCID,
//! INVPCID), RDSEED, x2APIC, the timer's TSC-deadline mode. It has 256 MiB, neither TPM nor Secure Boot.
//!
//! Use it as a [`crate::machine::Machine`]: [`Bochs::boot`] starts an image, [`Terminal::expect`] and [`Terminal::command`] talk to it on its serial
//! line. There is no monitor, and a boot takes ten times as long as under QEMU, so let one boot serve several checks. Its
//! firmware has no ACPI tables; `tests/bochs` gives it some and then starts the boot loader, which is the real one.

use crate::images::Image;
use crate::scratch::Scratch;
use crate::terminal::Terminal;
use std::fs::{self, File};
use std::net::TcpListener;
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use xtask::serial::Serial;

/// How long Bochs takes to open its serial line, at most.
const CONNECT: Duration = Duration::from_secs(60);

/// A machine. It ends with the value.
pub struct Bochs {
    process: Child,
    terminal: Terminal,
    // Its files are removed last.
    _scratch: Scratch,
}

impl Drop for Bochs {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Deref for Bochs {
    type Target = Terminal;

    fn deref(&self) -> &Terminal {
        &self.terminal
    }
}

impl DerefMut for Bochs {
    fn deref_mut(&mut self) -> &mut Terminal {
        &mut self.terminal
    }
}

/// Description of the machine: what is not the default of Bochs 2.7. `ips` is low enough for a byte on the serial line to be sent while the
/// kernel waits for that.
fn description(folder: &Path, disk: &Path, port: u16, cpus: u32) -> String {
    format!(
        "config_interface: textconfig\n\
         display_library: sdl2\n\
         cpu: model=tigerlake, count={cpus}, ips=20000000, reset_on_triple_fault=0, ignore_bad_msrs=1\n\
         memory: guest=256, host=256\n\
         romimage: file=/usr/share/ovmf/OVMF.fd, address=0xffe00000\n\
         vgaromimage: file=/usr/share/vgabios/vgabios.bin\n\
         vga: extension=cirrus, update_freq=5\n\
         pci: enabled=1, chipset=i440fx, slot1=cirrus\n\
         ata0-master: type=disk, path=\"{}\", mode=flat\n\
         boot: disk\n\
         com1: enabled=1, mode=socket-client, dev=127.0.0.1:{port}\n\
         sound: waveoutdrv=dummy\n\
         panic: action=fatal\n\
         log: \"{}\"\n",
        disk.display(),
        folder.join("bochs.log").display(),
    )
}

impl Bochs {
    /// Turns a machine with one CPU on that boots an image with this system image in it.
    pub fn boot(image: &Image, system_image: &[u8]) -> Self {
        Self::boot_with_cpus(1, image, system_image)
    }

    /// The same with so many CPUs.
    pub fn boot_with_cpus(cpus: u32, image: &Image, system_image: &[u8]) -> Self {
        let scratch = Scratch::new();
        let disk = image.disk_for_bochs(&scratch, system_image);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a local port is free");
        let port = listener.local_addr().expect("it is bound").port();
        let settings = scratch.file("bochsrc");
        fs::write(&settings, description(scratch.path(), &disk, port, cpus))
            .expect("the scratch folder is writable");
        // Debian's Bochs has a debugger, which waits for a command.
        let commands = scratch.file("commands");
        fs::write(&commands, "continue\n").expect("the scratch folder is writable");
        let said = File::create(scratch.file("said")).expect("the scratch folder is writable");
        let mut command = Command::new("bochs");
        command.args(["-q", "-f"]).arg(&settings);
        command.arg("-rc").arg(&commands);
        let mut process = xtask::process::tied(&command)
            .env("SDL_VIDEODRIVER", "dummy")
            .env("SDL_AUDIODRIVER", "dummy")
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(said.try_clone().expect("files can be shared"))
            .stderr(said)
            .spawn()
            .expect("Bochs (Debian packages bochs and bochs-sdl) can be started");
        listener
            .set_nonblocking(true)
            .expect("a socket can be asked");
        let end = Instant::now() + CONNECT;
        let line = loop {
            if let Ok((line, _)) = listener.accept() {
                break line;
            }
            let ended = process
                .try_wait()
                .expect("Bochs is a child of this process");
            if ended.is_some() || Instant::now() > end {
                let said = fs::read_to_string(scratch.file("said")).unwrap_or_default();
                panic!("Bochs does not run: {ended:?}\n{said}");
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        line.set_nonblocking(false)
            .expect("a socket can be waited for");
        let reader = line.try_clone().expect("sockets can be shared");
        Self {
            process,
            terminal: Terminal::new(
                Serial::new(line, reader),
                format!("{cpus} CPUs"),
                scratch.file("bochs.log"),
            ),
            _scratch: scratch,
        }
    }

    /// Ends the test when a CPU gave up because an exception could not be delivered.
    #[track_caller]
    pub fn check_no_shutdown(&self) {
        if self.log().contains("exception with no resolution") {
            self.fail("a CPU shut down");
        }
    }
}
