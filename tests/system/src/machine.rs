//! A running machine, seen from outside: serial line, monitor, keyboard, memory, power.
//!
//! Waiting is always for a condition (a text, an event, a state), never for time; [`LIMIT`] only ends a test
//! that hangs. Whatever fails ends the test with the reason and the end of the machine's transcript. QEMU and
//! the TPM end with the value.

use crate::cpu::Registers;
use crate::gdb::Debugger;
use crate::paging::{self, Mapping, PhysicalMemory, UPPER_HALF};
use crate::scratch::Scratch;
use crate::screen::Picture;
use crate::terminal::Terminal;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::ops::{Deref, DerefMut};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use xtask::qemu::MachineConfig;
use xtask::qmp::{Qmp, QmpError};
use xtask::serial::Serial;
use xtask::swtpm::Swtpm;

/// Ends a hung test. Far above what the slowest machine needs; no test's result depends on it.
pub const LIMIT: Duration = Duration::from_secs(300);

/// The shell's prompt on the serial line.
pub const PROMPT: &str = "nonos> ";
/// What a kernel says that cannot go on, before the reason.
pub const STOPPED: &str = "nonos: the kernel stopped: ";
/// What it says at the end of its report.
pub const HALTED: &str = "nonos: memory is wiped, the machine is halted";

/// What says that a boot will not reach the prompt.
const BOOT_FAILURES: [&str; 5] = [
    "REFUSED",
    "Access Denied",
    "BdsDxe: No bootable",
    "Shell>",
    "the kernel stopped",
];

/// A machine. It is removed, with its files, when the value is dropped.
pub struct Machine {
    // Fields are dropped in this order: QEMU before its TPM, its files last.
    qemu: Running,
    tpm: Swtpm,
    terminal: Terminal,
    qmp: Qmp,
    config: MachineConfig,
    scratch: Scratch,
}

/// QEMU's process, killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Deref for Machine {
    type Target = Terminal;

    fn deref(&self) -> &Terminal {
        &self.terminal
    }
}

impl DerefMut for Machine {
    fn deref_mut(&mut self) -> &mut Terminal {
        &mut self.terminal
    }
}

impl Machine {
    /// Turns a machine on. Its serial port and its monitor are the harness's, whatever the description says.
    pub fn start(config: MachineConfig) -> Self {
        Self::launch(config, Scratch::new(), &[], None)
    }

    /// As [`Self::start`], with further arguments for QEMU.
    pub fn start_with(config: MachineConfig, arguments: &[&str]) -> Self {
        Self::launch(config, Scratch::new(), arguments, None)
    }

    /// Goes on where [`Self::save`] left a machine with the same description and arguments; only the contents
    /// of its disk may differ.
    pub fn restore(config: MachineConfig, arguments: &[&str], saved: &Path) -> Self {
        Self::launch(config, Scratch::new(), arguments, Some(saved))
    }

    /// Turns a machine that is off on again, with its UEFI variables and its TPM as they are and another disk.
    pub fn start_again(self, disk: &Path) -> Self {
        let Self {
            qemu,
            tpm,
            mut config,
            scratch,
            ..
        } = self;
        drop(qemu);
        drop(tpm);
        config.disk = disk.to_owned();
        Self::launch(config, scratch, &[], None)
    }

    fn launch(
        mut config: MachineConfig,
        scratch: Scratch,
        arguments: &[&str],
        saved: Option<&Path>,
    ) -> Self {
        config.serial = xtask::qemu::Serial::Pipe;
        config.qmp = Some(scratch.file("qmp.sock"));
        config.ends_on_reboot = true;
        let run = scratch.path();
        if let Err(error) = config.prepare(run) {
            panic!("the machine cannot be made: {error:#}");
        }
        let tpm = config
            .start_swtpm(run)
            .unwrap_or_else(|error| panic!("the TPM does not start: {error:#}"));
        let log = File::create(scratch.file("qemu.log")).expect("the scratch folder is writable");
        let mut command = xtask::process::tied(&config.command(run));
        command.arg("-S").args(arguments);
        if saved.is_some() {
            command.args(["-incoming", "defer"]);
        }
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log);
        let mut qemu = Running(
            command
                .spawn()
                .expect("QEMU (Debian package qemu-system-x86) can be started"),
        );
        let terminal = Terminal::new(
            Serial::of(&mut qemu.0),
            format!("{} CPUs", config.cpus),
            scratch.file("qemu.log"),
        );
        let end = Instant::now() + LIMIT;
        let qmp = loop {
            let ended = qemu.0.try_wait().expect("QEMU is a child of this process");
            if ended.is_some() || Instant::now() > end {
                panic!("QEMU does not run: {ended:?}\n{}", terminal.log());
            }
            if let Ok(qmp) = Qmp::connect(&scratch.file("qmp.sock"), LIMIT) {
                break qmp;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut machine = Self {
            qemu,
            tpm,
            terminal,
            qmp,
            config,
            scratch,
        };
        if let Some(saved) = saved {
            machine.monitor(
                "migrate-incoming",
                json!({ "uri": format!("exec:cat '{}'", saved.display()) }),
            );
            let read = machine.qmp.wait_for_migration(LIMIT);
            machine.answered(read);
        }
        machine.go_on();
        machine
    }

    /// Its description.
    pub fn config(&self) -> &MachineConfig {
        &self.config
    }

    /// The folder with its files.
    pub fn scratch(&self) -> &Scratch {
        &self.scratch
    }

    /// Sends a signal to the TPM's emulator ([`Swtpm::signal`]).
    #[track_caller]
    pub fn signal_tpm(&self, name: &str) {
        if let Err(error) = self.tpm.signal(name) {
            self.fail(&format!("the TPM: {error:#}"));
        }
    }

    /// Waits for the shell's first prompt; returns what was said before it. A refusal or panic ends the test at once.
    #[track_caller]
    pub fn expect_prompt(&mut self) -> String {
        let mut texts = vec![PROMPT];
        texts.extend(BOOT_FAILURES);
        match self.expect_any(&texts) {
            (0, before) => before,
            (failure, _) => self.fail(&format!(
                "the boot ended in {:?} instead of the prompt",
                texts[failure]
            )),
        }
    }

    /// Types a command on the PS/2 keyboard, each key when the one before shows on the serial line.
    #[track_caller]
    pub fn keyboard_command(&mut self, line: &str) -> String {
        self.terminal.serial.forget();
        for c in line.chars() {
            self.press(&keys_for(c));
            self.expect(&c.to_string());
        }
        self.press(&["ret"]);
        self.expect(&format!("\n{PROMPT}"))
    }

    /// Presses keys together on the PS/2 keyboard. Names are QEMU's key codes (QMP `QKeyCode`).
    #[track_caller]
    pub fn press(&mut self, keys: &[&str]) {
        let down = keys.iter().map(|key| key_event(key, true));
        let up = keys.iter().rev().map(|key| key_event(key, false));
        let events: Vec<Value> = down.chain(up).collect();
        self.monitor("input-send-event", json!({ "events": events }));
    }

    /// Presses a key of the PS/2 keyboard and holds it, or releases it.
    #[track_caller]
    pub fn hold(&mut self, key: &str, down: bool) {
        let events = [key_event(key, down)];
        self.monitor("input-send-event", json!({ "events": events }));
    }

    /// Moves the PS/2 mouse, at most 100 pixels at once, each time when the screen shows the move before.
    #[track_caller]
    pub fn point(&mut self, right: i64, down: i64) {
        let (mut right, mut down) = (right, down);
        while (right, down) != (0, 0) {
            let (x, y) = (right.clamp(-100, 100), down.clamp(-100, 100));
            (right, down) = (right - x, down - y);
            let before = self.picture();
            self.push_mouse(x, y);
            self.wait_until("the pointer's move on the screen", |machine| {
                machine.picture().changed_pixels(&before) != Some(0)
            });
        }
    }

    /// Moves the PS/2 mouse by at most 127 pixels, and waits for nothing.
    #[track_caller]
    pub fn push_mouse(&mut self, right: i64, down: i64) {
        let step =
            |axis: &str, by: i64| json!({ "type": "rel", "data": { "axis": axis, "value": by } });
        self.monitor(
            "input-send-event",
            json!({ "events": [step("x", right), step("y", down)] }),
        );
    }

    /// Presses the left button of the PS/2 mouse, or releases it.
    #[track_caller]
    pub fn left_button(&mut self, down: bool) {
        self.button("left", down);
    }

    /// Turns the wheel of the PS/2 mouse by one step, towards the user or away.
    #[track_caller]
    pub fn turn_wheel(&mut self, towards: bool) {
        let button = if towards { "wheel-down" } else { "wheel-up" };
        self.button(button, true);
        self.button(button, false);
    }

    #[track_caller]
    fn button(&mut self, button: &str, down: bool) {
        let event = json!({ "type": "btn", "data": { "down": down, "button": button } });
        self.monitor("input-send-event", json!({ "events": [event] }));
    }

    /// Runs a monitor command.
    #[track_caller]
    pub fn monitor(&mut self, command: &str, arguments: Value) -> Value {
        let result = self.qmp.run(command, arguments);
        self.answered(result)
    }

    #[track_caller]
    fn answered<T>(&self, result: Result<T, QmpError>) -> T {
        result.unwrap_or_else(|error| self.fail(&error.to_string()))
    }

    /// Stops the machine's CPUs.
    #[track_caller]
    pub fn stop(&mut self) {
        self.monitor("stop", json!({}));
    }

    /// Lets a stopped machine go on.
    #[track_caller]
    pub fn go_on(&mut self) {
        self.monitor("cont", json!({}));
    }

    /// Sends a non-maskable interrupt.
    #[track_caller]
    pub fn inject_nmi(&mut self) {
        self.monitor("inject-nmi", json!({}));
    }

    /// What the monitor says to a command for people.
    #[track_caller]
    pub fn monitor_text(&mut self, command: &str) -> String {
        let result = self.qmp.human(command);
        self.answered(result)
    }

    /// Registers of the first CPU, now.
    #[track_caller]
    pub fn registers(&mut self) -> Registers {
        let text = self.monitor_text("info registers");
        Registers::parse(&text)
            .unwrap_or_else(|| self.fail(&format!("cannot read the registers: {text}")))
    }

    /// Registers of every CPU, now.
    #[track_caller]
    pub fn registers_of_all(&mut self) -> Vec<Registers> {
        let text = self.monitor_text("info registers -a");
        Registers::parse_all(&text)
            .unwrap_or_else(|| self.fail(&format!("cannot read the registers: {text}")))
    }

    /// Has a debugger do something while the machine stands still; then it goes on.
    #[track_caller]
    pub fn debug<T>(&mut self, what: impl FnOnce(&mut Debugger) -> T) -> T {
        let socket = self.scratch.file("gdb.sock");
        let listen = format!("gdbserver unix:{},server=on,wait=off", socket.display());
        let result = self.qmp.human(&listen);
        self.answered(result);
        let mut debugger = Debugger::attach(&socket);
        let result = what(&mut debugger);
        debugger.detach();
        result
    }

    /// Stops the machine at a moment when its first CPU is at this privilege level; returns the registers of all CPUs.
    #[track_caller]
    pub fn stop_at_level(&mut self, level: u64) -> Vec<Registers> {
        self.stop_when("the processor at the wanted privilege level", |all| {
            all[0].cpl == level
        })
    }

    /// Stops the machine at a moment when this holds of the registers of its CPUs, and returns them.
    #[track_caller]
    pub fn stop_when(
        &mut self,
        what: &str,
        holds: impl Fn(&[Registers]) -> bool,
    ) -> Vec<Registers> {
        let mut found = Vec::new();
        self.wait_until(what, |machine| {
            machine.stop();
            found = machine.registers_of_all();
            let there = holds(&found);
            if !there {
                machine.go_on();
            }
            there
        });
        found
    }

    /// What the screen shows but for the clock, which goes on by itself.
    #[track_caller]
    pub fn picture(&mut self) -> Picture {
        self.picture_with_clock().without_clock()
    }

    /// What the screen shows.
    #[track_caller]
    pub fn picture_with_clock(&mut self) -> Picture {
        let file = self.scratch.file("screen.ppm");
        self.monitor("screendump", json!({ "filename": file }));
        let picture = fs::read(&file)
            .ok()
            .and_then(|bytes| Picture::parse(&bytes));
        picture.unwrap_or_else(|| self.fail("the monitor's screen dump is no picture"))
    }

    /// Physical memory from `address` on.
    #[track_caller]
    pub fn read_memory(&mut self, address: u64, bytes: u64) -> Vec<u8> {
        let file = self.scratch.file("memory");
        self.monitor(
            "pmemsave",
            json!({ "val": address, "size": bytes, "filename": file }),
        );
        fs::read(&file)
            .unwrap_or_else(|error| self.fail(&format!("the monitor's memory dump: {error}")))
    }

    /// All of the RAM. These machines have no more than 2 GiB, so it starts at 0 and has no holes but the VGA window.
    #[track_caller]
    pub fn dump_memory(&mut self) -> Vec<u8> {
        self.read_memory(0, u64::from(self.config.memory_mb) << 20)
    }

    /// Every mapping of the address space whose top-level table lies at `cr3`.
    #[track_caller]
    pub fn mappings(&mut self, dump: &[u8], cr3: u64) -> Vec<Mapping> {
        match paging::walk(&mut Dump(dump), cr3) {
            Ok(mappings) => mappings,
            Err(error) => self.fail(&format!(
                "page table at {:#x} lies outside RAM",
                error.physical
            )),
        }
    }

    /// Every address space of a stopped machine, each with its mappings.
    ///
    /// A top-level table counts when the kernel maps the memory that it lies in. Others that look like one are what the
    /// firmware and the boot loader left in memory that is free now.
    #[track_caller]
    pub fn address_spaces(&mut self, dump: &[u8]) -> Vec<Vec<Mapping>> {
        let cr3 = self.registers().cr3;
        let kernel = self.mappings(dump, cr3);
        self.address_spaces_like(dump, cr3, &kernel)
    }

    /// Every address space whose top-level table has the same for the kernel's half as the one at `cr3`, each with its mappings;
    /// `kernel` is what the kernel maps.
    #[track_caller]
    pub fn address_spaces_like(
        &mut self,
        dump: &[u8],
        cr3: u64,
        kernel: &[Mapping],
    ) -> Vec<Vec<Mapping>> {
        let mut tables = paging::address_spaces(dump, cr3);
        tables.retain(|table| {
            let holds = |page: &Mapping| {
                page.address >= UPPER_HALF
                    && (page.physical..page.physical + page.bytes).contains(table)
            };
            kernel.iter().any(holds)
        });
        tables
            .iter()
            .map(|&table| self.mappings(dump, table))
            .collect()
    }

    /// Stops the machine and writes its state to a file, for [`Self::restore`].
    #[track_caller]
    pub fn save(&mut self, file: &Path) {
        self.stop();
        self.monitor(
            "migrate",
            json!({ "uri": format!("exec:cat > '{}'", file.display()) }),
        );
        let written = self.qmp.wait_for_migration(LIMIT);
        self.answered(written);
    }

    /// Waits until `holds` is true of the machine, looking again and again.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> bool) {
        let end = Instant::now() + LIMIT;
        while !holds(self) {
            self.check(Instant::now() < end, &format!("never came: {what}"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Instructions that a machine which counts them has run; none while its CPU is halted.
    #[track_caller]
    pub fn instructions(&mut self) -> u64 {
        let replay = self.monitor("query-replay", json!({}));
        let count = replay["icount"].as_u64();
        count.unwrap_or_else(|| self.fail("the machine does not count instructions"))
    }

    /// Waits until a machine that counts instructions runs none: its CPU is halted each time when one looks.
    #[track_caller]
    pub fn settle(&mut self) {
        // The emulator answers between its timers, so that one for the next frame has run before the last look.
        const LOOKS: u32 = 4;
        let (mut last, mut same) = (0, 0);
        self.wait_until("an end of what runs", |machine| {
            let now = machine.instructions();
            let halted = machine.monitor_text("info registers").contains("HLT=1");
            same = if halted && now == last { same + 1 } else { 0 };
            last = now;
            same == LOOKS
        });
    }

    /// Instructions that run because of something, until none run any more.
    #[track_caller]
    pub fn cost(&mut self, cause: impl FnOnce(&mut Self)) -> u64 {
        self.settle();
        // The clock of the desktop is not drawn meanwhile.
        self.wait_until("the beginning of a minute", |machine| {
            machine.clock_seconds() % 60 < 50
        });
        let before = self.instructions();
        cause(self);
        self.wait_until("what the cause does", |machine| {
            machine.instructions() != before
        });
        self.settle();
        self.instructions() - before
    }

    /// Seconds of the machine's real-time clock since midnight.
    #[track_caller]
    pub fn clock_seconds(&mut self) -> u64 {
        let time = json!({ "path": "/machine", "property": "rtc-time" });
        let time = self.monitor("qom-get", time);
        let part = |name: &str| time[name].as_u64().unwrap_or_default();
        (part("tm_hour") * 60 + part("tm_min")) * 60 + part("tm_sec")
    }

    /// Makes a reset restart the machine; without this it ends it.
    #[track_caller]
    pub fn allow_restart(&mut self) {
        self.monitor("set-action", json!({ "reboot": "reset" }));
    }

    /// Makes power-off stop the CPUs instead of ending QEMU, so that memory can be looked at afterwards.
    #[track_caller]
    pub fn keep_after_power_off(&mut self) {
        self.monitor("set-action", json!({ "shutdown": "pause" }));
    }

    /// Presses a key again and again until the machine is off: the guest may not listen yet when the first one comes.
    #[track_caller]
    pub fn press_until_off(&mut self, key: &str) {
        let end = Instant::now() + LIMIT;
        while self
            .terminal
            .serial
            .wait_for_close(Duration::from_millis(100))
            .is_err()
        {
            self.check(
                Instant::now() < end,
                "the machine does not turn off by a key",
            );
            // Fails when the machine has gone off meanwhile.
            let _ = self.qmp.human(&format!("sendkey {key}"));
        }
    }

    /// Waits for a monitor event; returns its data.
    #[track_caller]
    pub fn expect_event(&mut self, name: &str) -> Value {
        let result = self.qmp.wait_for_event(name);
        self.answered(result)["data"].take()
    }

    /// Waits until the guest turns the machine off (or resets it, without [`Self::allow_restart`]) and QEMU has
    /// ended; returns QEMU's reason: `guest-shutdown`, `guest-reset`.
    #[track_caller]
    pub fn expect_end(&mut self) -> String {
        let data = self.expect_event("SHUTDOWN");
        if self.terminal.serial.wait_for_close(LIMIT).is_err() {
            self.fail("QEMU says that the machine is off but does not end");
        }
        match self.qemu.0.wait() {
            Ok(status) if status.success() => {}
            ended => self.fail(&format!("QEMU ended with {ended:?}")),
        }
        data["reason"].as_str().unwrap_or_default().to_owned()
    }
}

/// A dump of memory from address 0 on.
struct Dump<'a>(&'a [u8]);

impl PhysicalMemory for Dump<'_> {
    fn table(&mut self, physical: u64) -> Option<[u64; 512]> {
        let start = usize::try_from(physical).ok()?;
        let bytes = self.0.get(start..start.checked_add(4096)?)?;
        let mut table = [0; 512];
        for (entry, bytes) in table.iter_mut().zip(bytes.as_chunks().0) {
            *entry = u64::from_le_bytes(*bytes);
        }
        Some(table)
    }
}

/// What the monitor is told of a key.
fn key_event(key: &str, down: bool) -> Value {
    let key = json!({ "type": "qcode", "data": key });
    json!({ "type": "key", "data": { "down": down, "key": key } })
}

/// The keys of a US keyboard that give a character.
///
/// # Panics
/// For characters that no test types.
pub fn keys_for(c: char) -> Vec<&'static str> {
    const LETTERS: [&str; 26] = [
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r",
        "s", "t", "u", "v", "w", "x", "y", "z",
    ];
    const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    match c {
        'a'..='z' => vec![LETTERS[c as usize - 'a' as usize]],
        'A'..='Z' => vec!["shift", LETTERS[c as usize - 'A' as usize]],
        '0'..='9' => vec![DIGITS[c as usize - '0' as usize]],
        ' ' => vec!["spc"],
        '-' => vec!["minus"],
        ',' => vec!["comma"],
        '.' => vec!["dot"],
        '*' => vec!["kp_multiply"],
        '\n' => vec!["ret"],
        _ => panic!("no key for {c:?}"),
    }
}
