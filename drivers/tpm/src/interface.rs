//! Which interface a TPM has, and its use as the way to the TPM.

use nonos_tpm::Transport;

use crate::{Registers, crb, fifo};

/// Identifies the interface (PTP 6.5.1.2); its lowest bits are the type.
const INTERFACE_ID: usize = 0x30;

/// The kinds of interface.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Command response buffer.
    Crb,
    /// FIFO.
    Fifo,
}

/// Pause before a command is sent again.
const PAUSE_NS: u64 = 20_000_000;

/// Registers whose interface is known.
pub struct Interface<R> {
    registers: R,
    /// Physical address of the registers.
    base: u64,
    kind: Kind,
}

impl<R: Registers> Interface<R> {
    /// Looks which interface there is; `None` when it is none that is known. The firmware's table says what to expect, and both
    /// must agree.
    pub fn find(mut registers: R, base: u64, expected: Kind) -> Option<Self> {
        let id = registers.read_32(INTERFACE_ID);
        let kind = match id & 0xF {
            _ if id == u32::MAX => None,
            0 => Some(Kind::Fifo),
            1 => Some(Kind::Crb),
            // TIS 1.3, from before the register.
            0xF => Some(Kind::Fifo),
            _ => None,
        };
        let kind = kind.filter(|kind| *kind == expected)?;
        Some(Self {
            registers,
            base,
            kind,
        })
    }

    /// Which it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }
}

impl<R: Registers> Transport for Interface<R> {
    fn submit(&mut self, command: &[u8], response: &mut [u8]) -> Result<(), u64> {
        let Self {
            registers,
            base,
            kind,
        } = self;
        let done = match kind {
            Kind::Crb => crb::transact(registers, *base, command, response),
            Kind::Fifo => fifo::transact(registers, command, response),
        };
        done.map_err(Into::into)
    }

    fn pause(&mut self) {
        self.registers.sleep(PAUSE_NS);
    }
}
