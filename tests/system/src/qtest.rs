//! QEMU's test protocol: reading and writing what a machine's processors could, beside them, while they run.
//!
//! One line asks, one line answers: `OK` and, for reads, a number.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;

/// A connection; QEMU was started with `-qtest unix:…,server=on,wait=off`.
pub struct Qtest(BufReader<UnixStream>);

impl Qtest {
    /// Connects.
    #[track_caller]
    pub fn connect(socket: &Path) -> Self {
        Self(BufReader::new(
            UnixStream::connect(socket).expect("QEMU listens on its test socket"),
        ))
    }

    #[track_caller]
    fn ask(&mut self, line: &str) -> u64 {
        let ask = writeln!(self.0.get_mut(), "{line}");
        ask.unwrap_or_else(|error| panic!("{line}: {error}"));
        let mut answer = String::new();
        let read = self.0.read_line(&mut answer);
        read.unwrap_or_else(|error| panic!("{line}: {error}"));
        let rest = answer.trim().strip_prefix("OK");
        let rest = rest.unwrap_or_else(|| panic!("{line}: QEMU says {answer:?}"));
        match rest.trim().strip_prefix("0x") {
            Some(number) => u64::from_str_radix(number, 16).expect("a number"),
            None => 0,
        }
    }

    /// Reads 32 bits of PCI configuration space, by the ports.
    #[track_caller]
    pub fn read_config(&mut self, device: u16, register: u16) -> u32 {
        self.ask(&format!("outl 0xcf8 {:#x}", config(device, register)));
        self.ask("inl 0xcfc") as u32
    }

    /// Writes 32 bits of PCI configuration space.
    #[track_caller]
    pub fn write_config(&mut self, device: u16, register: u16, value: u32) {
        self.ask(&format!("outl 0xcf8 {:#x}", config(device, register)));
        self.ask(&format!("outl 0xcfc {value:#x}"));
    }

    /// Writes 32 bits of physical memory.
    #[track_caller]
    pub fn write_word(&mut self, address: u64, value: u32) {
        self.ask(&format!("writel {address:#x} {value:#x}"));
    }

    /// Reads 64 bits of physical memory.
    #[track_caller]
    pub fn read(&mut self, address: u64) -> u64 {
        self.ask(&format!("readq {address:#x}"))
    }

    /// Writes 64 bits of physical memory.
    #[track_caller]
    pub fn write(&mut self, address: u64, value: u64) {
        self.ask(&format!("writeq {address:#x} {value:#x}"));
    }
}

/// What selects a register of a device (bus, device, function: 16 bits) at the ports.
fn config(device: u16, register: u16) -> u32 {
    1 << 31 | u32::from(device) << 8 | u32::from(register)
}
