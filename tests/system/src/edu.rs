//! QEMU's `edu`, a device with a DMA engine, told from outside what to do: a hostile device.
//!
//! It copies between memory and a buffer of its own (QEMU, `docs/specs/edu`).

use crate::machine::{LIMIT, Machine};
use crate::qtest::Qtest;
use crate::scratch::Scratch;
use std::time::{Duration, Instant};
use xtask::qemu::MachineConfig;

/// Vendor and device.
const IDENTITY: u32 = 0x11E8_1234;
/// Answer to memory accesses, and make some.
const MEMORY_AND_BUS_MASTER: u32 = 1 << 1 | 1 << 2;

/// Registers of the DMA engine.
const SOURCE: u64 = 0x80;
const TARGET: u64 = 0x88;
const COUNT: u64 = 0x90;
const COMMAND: u64 = 0x98;
/// Start; and from the buffer to memory.
const START: u64 = 1;
const TO_MEMORY: u64 = 2;
/// Where the buffer is, as the DMA engine sees it.
const BUFFER: u64 = 0x40000;
/// Bytes of a copy: half of the buffer.
pub const COPY_BYTES: u64 = 2048;

/// Register that raises an interrupt.
const RAISE: u64 = 0x60;
/// Capability of PCI devices: interrupts by message; turned on by this bit.
const MESSAGES: u32 = 5;
const MESSAGES_ON: u32 = 1 << 16;

/// Turns on a machine that has the device.
pub fn start(config: MachineConfig, more: &[&str]) -> (Machine, Edu) {
    let scratch = Scratch::new();
    let socket = scratch.file("qtest.sock");
    let qtest = format!("unix:{},server=on,wait=off", socket.display());
    let mut arguments = more.to_vec();
    // By itself it can address 28 bits.
    arguments.extend(["-device", "edu,dma_mask=0xffffffff"]);
    arguments.extend(["-qtest", &qtest, "-qtest-log", "none"]);
    let machine = Machine::start_with(config, &arguments);
    let edu = Edu {
        qtest: Qtest::connect(&socket),
        device: 0,
        registers: 0,
        _scratch: scratch,
    };
    (machine, edu)
}

/// The device.
pub struct Edu {
    qtest: Qtest,
    /// Bus, device and function.
    pub device: u16,
    registers: u64,
    _scratch: Scratch,
}

impl Edu {
    /// Finds it on a machine that has booted, and allows it to reach memory, as a driver would or the device itself.
    #[track_caller]
    pub fn find(&mut self) {
        self.device = (0..32)
            .map(|slot| slot << 3)
            .find(|&device| self.qtest.read_config(device, 0) == IDENTITY)
            .expect("the device is on the first bus");
        self.registers = u64::from(self.qtest.read_config(self.device, 0x10) & !0xF);
        assert_ne!(self.registers, 0, "the firmware gave it no addresses");
        let command = self.qtest.read_config(self.device, 4) & 0xFFFF;
        self.qtest
            .write_config(self.device, 4, command | MEMORY_AND_BUS_MASTER);
    }

    /// As it is written: `00:03.0`.
    pub fn name(&self) -> String {
        let device = self.device;
        format!(
            "{:02x}:{:02x}.{}",
            device >> 8,
            device >> 3 & 31,
            device & 7
        )
    }

    /// Reads memory into its buffer.
    #[track_caller]
    pub fn read_memory(&mut self, from: u64) {
        self.copy(from, BUFFER, 0);
    }

    /// Writes from the start of its buffer to memory.
    #[track_caller]
    pub fn write_memory(&mut self, to: u64) {
        self.copy(BUFFER, to, TO_MEMORY);
    }

    /// Sends an interrupt message.
    #[track_caller]
    pub fn interrupt(&mut self, address: u32, data: u32) {
        let mut at = self.qtest.read_config(self.device, 0x34) as u16 & 0xFC;
        while self.qtest.read_config(self.device, at) & 0xFF != MESSAGES {
            at = (self.qtest.read_config(self.device, at) >> 8) as u16 & 0xFC;
            assert_ne!(at, 0, "the device has no interrupt messages");
        }
        let control = self.qtest.read_config(self.device, at);
        for (offset, value) in [(4, address), (8, 0), (12, data), (0, control | MESSAGES_ON)] {
            self.qtest.write_config(self.device, at + offset, value);
        }
        self.qtest.write_word(self.registers + RAISE, 1);
    }

    fn copy(&mut self, from: u64, to: u64, direction: u64) {
        for (register, value) in [(SOURCE, from), (TARGET, to), (COUNT, COPY_BYTES)] {
            self.qtest.write(self.registers + register, value);
        }
        self.qtest
            .write(self.registers + COMMAND, direction | START);
        let end = Instant::now() + LIMIT;
        while self.qtest.read(self.registers + COMMAND) & START != 0 {
            assert!(Instant::now() < end, "the device never ends its copy");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}
