//! Registers of a TPM that answers every command with the same response, or does what a TPM should not do.

use crate::interface::Kind;
use crate::{REGISTER_BYTES, Registers};

/// Where the registers are.
pub const BASE: u64 = 0xFED4_0000;

/// What the TPM does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Wrong {
    /// Nothing.
    Nothing,
    /// Every register is all ones: nothing is there.
    Absent,
    /// Every register is zero.
    Dead,
    /// It never gives the locality.
    Locality,
    /// It never gets ready.
    NotReady,
    /// It does not answer.
    Silent,
    /// It does not answer and does not give up either.
    Stuck,
    /// It says that it failed.
    Failed,
    /// It takes or gives no bytes after so many (FIFO), or has buffers elsewhere (CRB).
    Bytes(usize),
}

/// The TPM.
pub struct FakeTpm {
    kind: Kind,
    pub wrong: Wrong,
    /// What it answers.
    pub response: Vec<u8>,
    /// The command that it got.
    pub command: Vec<u8>,
    memory: [u8; REGISTER_BYTES],
    ready: bool,
    granted: bool,
    given: usize,
    running: bool,
    /// Commands that were given up.
    pub given_up: usize,
    now_ns: u64,
}

impl FakeTpm {
    pub fn new(kind: Kind, wrong: Wrong) -> Self {
        Self {
            kind,
            wrong,
            response: [&[0x80, 1, 0, 0, 0, 14, 0, 0, 0, 0][..], b"data"].concat(),
            command: Vec::new(),
            memory: [0; REGISTER_BYTES],
            ready: false,
            granted: false,
            given: 0,
            running: false,
            given_up: 0,
            now_ns: 0,
        }
    }

    /// How long all took, seconds.
    pub fn seconds(&self) -> u64 {
        self.now_ns / 1_000_000_000
    }

    fn crb(&self, offset: usize) -> u32 {
        let buffer = match self.wrong {
            Wrong::Bytes(offset) => offset as u32,
            _ => BASE as u32 + 0x80,
        };
        match offset {
            0x00 => 1 << 7 | u32::from(self.granted) << 1,
            0x30 => 1,
            0x40 => u32::from(self.wrong == Wrong::NotReady),
            0x44 => u32::from(!self.ready) << 1 | u32::from(self.wrong == Wrong::Failed),
            0x4C => self.running.into(),
            0x58 | 0x64 => 3968,
            0x5C | 0x68 => buffer,
            _ => 0,
        }
    }

    fn write_crb(&mut self, offset: usize, value: u32) {
        match (offset, value) {
            (0x08, 1) => self.granted = self.wrong != Wrong::Locality,
            (0x40, 1) => self.ready = self.wrong != Wrong::NotReady,
            (0x40, 2) => self.ready = false,
            (0x48, 1) => {
                self.given_up += 1;
                self.running = self.wrong == Wrong::Stuck;
            }
            (0x4C, 1) => {
                assert!(self.ready, "a command needs a TPM that is ready");
                let size = self.memory[0x82..0x86].try_into().unwrap();
                let size = u32::from_be_bytes(size) as usize;
                self.command = self.memory[0x80..0x80 + size].to_vec();
                self.running = matches!(self.wrong, Wrong::Silent | Wrong::Stuck);
                let end = 0x80 + self.response.len();
                self.memory[0x80..end].copy_from_slice(&self.response);
            }
            _ => {}
        }
    }

    fn status(&self) -> u32 {
        let most = match self.wrong {
            Wrong::Bytes(most) => most,
            _ => usize::MAX,
        };
        let answered = self.running && !matches!(self.wrong, Wrong::Silent | Wrong::Stuck);
        let left = self.response.len().saturating_sub(self.given);
        let available = answered && left > 0;
        let complete = self.command.len() >= 6 && {
            let size = self.command[2..6].try_into().unwrap();
            self.command.len() >= u32::from_be_bytes(size) as usize
        };
        let expect = !self.running && !self.command.is_empty() && !complete;
        let burst = match self.running {
            true if self.given < most => left.min(3) as u32,
            false if self.command.len() < most => 5,
            _ => 0,
        };
        1 << 7
            | u32::from(self.ready) << 6
            | u32::from(available) << 4
            | u32::from(expect) << 3
            | burst << 8
    }
}

impl Registers for FakeTpm {
    fn read_8(&mut self, offset: usize) -> u8 {
        match (self.wrong, self.kind, offset) {
            (Wrong::Absent, ..) => 0xFF,
            (Wrong::Dead, ..) => 0,
            (_, Kind::Fifo, 0x00) => 1 << 7 | u8::from(self.granted) << 5,
            (_, Kind::Fifo, 0x24) => {
                self.given += 1;
                self.response.get(self.given - 1).copied().unwrap_or(0xFF)
            }
            (_, Kind::Crb, offset) => self.memory[offset],
            _ => 0,
        }
    }

    fn read_32(&mut self, offset: usize) -> u32 {
        match (self.wrong, self.kind, offset) {
            (Wrong::Absent, ..) => u32::MAX,
            (Wrong::Dead, ..) => 0,
            (_, Kind::Fifo, 0x18) => self.status(),
            (_, Kind::Crb, offset) => self.crb(offset),
            _ => 0,
        }
    }

    fn write_8(&mut self, offset: usize, value: u8) {
        match (self.kind, offset, value) {
            (Kind::Fifo, 0x00, 2) => self.granted = self.wrong != Wrong::Locality,
            (Kind::Fifo, 0x18, 0x40) => {
                self.given_up += usize::from(self.running);
                self.ready = !matches!(self.wrong, Wrong::NotReady | Wrong::Failed);
                self.running = false;
                self.given = 0;
                if self.ready && !self.command.is_empty() && self.command[0] != 0x80 {
                    self.command.clear();
                }
            }
            (Kind::Fifo, 0x18, 0x20) => {
                self.running = true;
                self.ready = false;
            }
            (Kind::Fifo, 0x24, byte) => self.command.push(byte),
            (Kind::Crb, offset, byte) => self.memory[offset] = byte,
            _ => {}
        }
    }

    fn write_32(&mut self, offset: usize, value: u32) {
        if self.kind == Kind::Crb {
            self.write_crb(offset, value);
        }
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn sleep(&mut self, ns: u64) {
        self.now_ns += ns.max(1);
    }
}
