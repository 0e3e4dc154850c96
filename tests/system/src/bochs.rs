//! A machine emulated by Bochs, for what QEMU's processors lack: control-flow enforcement (CET), process-context identifiers (PCID,
//! INVPCID), RDSEED, x2APIC, the timer's TSC-deadline mode. It has 256 MiB, neither TPM nor Secure Boot.
//!
//! Use it as a [`crate::machine::Machine`]: [`Bochs::boot`] starts an image, [`Bochs::expect`] and [`Bochs::command`] talk to it on its serial
//! line. There is no monitor, and a boot takes ten times as long as under QEMU, so let one boot serve several checks. Its
//! firmware has no ACPI tables; `tests/bochs` gives it some and then starts the boot loader, which is the real one.

use crate::images::Image;
use crate::machine::{LIMIT, PROMPT};
use crate::scratch::Scratch;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use xtask::serial::{Missed, Serial};

/// How long Bochs takes to open its serial line, at most.
const CONNECT: Duration = Duration::from_secs(60);

/// A machine. It ends with the value.
pub struct Bochs {
    process: Child,
    serial: Serial,
    scratch: Scratch,
}

impl Drop for Bochs {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
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
            serial: Serial::new(line, reader),
            scratch,
        }
    }

    /// Ends the test, with the transcript's end.
    #[track_caller]
    pub fn fail(&self, what: &str) -> ! {
        let log = fs::read_to_string(self.scratch.file("bochs.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().rev().take(10).collect();
        panic!(
            "{what}\n--- end of the serial transcript ---\n{}\n--- end of Bochs' log, last line first ---\n{}",
            self.serial.tail(),
            lines.join("\n")
        );
    }

    /// Ends the test unless `text` contains `part`.
    #[track_caller]
    pub fn check_contains(&self, text: &str, part: &str) {
        if !text.contains(part) {
            self.fail(&format!("expected to find {part:?} in:\n{text}"));
        }
    }

    /// Ends the test when a CPU gave up because an exception could not be delivered.
    #[track_caller]
    pub fn check_no_shutdown(&self) {
        let log = fs::read_to_string(self.scratch.file("bochs.log")).unwrap_or_default();
        if log.contains("exception with no resolution") {
            self.fail("a CPU shut down");
        }
    }

    /// Waits for a text on the serial line, after what was waited for before; returns what came before it.
    #[track_caller]
    pub fn expect(&mut self, text: &str) -> String {
        match self.serial.wait_for(text, LIMIT) {
            Ok(before) => before,
            Err(Missed::Closed) => self.fail(&format!("the machine went off before {text:?}")),
            Err(Missed::TimeOver) => self.fail(&format!("the machine never said {text:?}")),
        }
    }

    /// Types a command at the shell's prompt; returns its output up to the next prompt.
    #[track_caller]
    pub fn command(&mut self, line: &str) -> String {
        self.last_command(line);
        self.expect(&format!("\n{PROMPT}"))
    }

    /// As [`Self::command`], for one after which no prompt comes.
    #[track_caller]
    pub fn last_command(&mut self, line: &str) {
        self.serial.forget();
        self.send(line);
        self.expect(line);
        self.send("\r");
    }

    #[track_caller]
    fn send(&mut self, text: &str) {
        if let Err(error) = self.serial.send(text.as_bytes()) {
            self.fail(&format!("the serial line is closed: {error}"));
        }
    }
}
