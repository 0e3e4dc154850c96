//! The devices that `init` hands out. Each is made once and kept, so that a driver that was restarted gets it again; what a
//! driver gets is derived from it.

use nonos_proto::Refusal;
use nonos_rt::abi::boot::tpm_start;
use nonos_rt::abi::info::{BootStatus, Framebuffer, Topic};
use nonos_rt::abi::{Error, PAGE_BYTES};
use nonos_rt::object::{Hardware, Interrupt, Memory, Ports, SystemInfo};

/// I/O ports of the first serial port (COM1).
const SERIAL_PORTS: (u16, u16) = (0x3F8, 8);
/// ISA interrupt of the first serial port.
const SERIAL_LINE: u32 = 4;
/// Data port of the 8042 keyboard controller.
const PS2_DATA_PORT: u16 = 0x60;
/// Status and command port of the 8042.
const PS2_CONTROL_PORT: u16 = 0x64;
/// ISA interrupt of the keyboard.
const KEYBOARD_LINE: u32 = 1;
/// ISA interrupt of the mouse.
const MOUSE_LINE: u32 = 12;

/// Where the registers of a TPM are when the firmware says nothing else (PC Client Platform TPM Profile 1.05, 6.5.1).
const TPM_REGISTERS: u64 = 0xFED4_0000;

/// The PS/2 controller.
pub struct Ps2 {
    /// Its data port.
    pub data: Ports,
    /// Its port for status and commands.
    pub control: Ports,
    /// Interrupt of the keyboard.
    pub keyboard: Interrupt,
    /// Interrupt of the mouse.
    pub mouse: Interrupt,
}

/// The TPM.
pub struct Tpm {
    /// Its registers.
    pub registers: Memory,
    /// Their physical address.
    pub physical: u64,
    /// One of [`tpm_start`].
    pub start_method: u64,
}

/// Handles to devices, made when first asked for.
pub struct Devices {
    hardware: Hardware,
    serial: Option<(Ports, Interrupt)>,
    ps2: Option<Ps2>,
    screen: Option<(Memory, Framebuffer)>,
    tpm: Option<Tpm>,
}

impl Devices {
    /// No devices yet.
    pub const fn new(hardware: Hardware) -> Self {
        Self {
            hardware,
            serial: None,
            ps2: None,
            screen: None,
            tpm: None,
        }
    }

    /// The first serial port: its ports and its interrupt.
    pub fn serial(&mut self) -> Result<&(Ports, Interrupt), Refusal> {
        let (first, count) = SERIAL_PORTS;
        let hardware = &self.hardware;
        made(&mut self.serial, || {
            Ok((
                hardware.ports(first, count)?,
                hardware.interrupt(SERIAL_LINE)?,
            ))
        })
    }

    /// The PS/2 controller.
    pub fn ps2(&mut self) -> Result<&Ps2, Refusal> {
        let hardware = &self.hardware;
        made(&mut self.ps2, || {
            Ok(Ps2 {
                data: hardware.ports(PS2_DATA_PORT, 1)?,
                control: hardware.ports(PS2_CONTROL_PORT, 1)?,
                keyboard: hardware.interrupt(KEYBOARD_LINE)?,
                mouse: hardware.interrupt(MOUSE_LINE)?,
            })
        })
    }

    /// The frame buffer, and what is known of it.
    pub fn screen(&mut self, system: &SystemInfo) -> Result<&(Memory, Framebuffer), Refusal> {
        let hardware = &self.hardware;
        made(&mut self.screen, || {
            let frame: Framebuffer = system.read(Topic::Framebuffer, 0)?;
            if frame.width == 0 {
                return Err(Error::NotFound);
            }
            let first = frame.address & !(PAGE_BYTES as u64 - 1);
            let pages = (frame.address - first + frame.bytes).div_ceil(PAGE_BYTES as u64);
            Ok((hardware.memory(first, pages)?, frame))
        })
    }

    /// The TPM, when it is of a kind that there is a driver for.
    pub fn tpm(&mut self, system: &SystemInfo) -> Result<&Tpm, Refusal> {
        let hardware = &self.hardware;
        made(&mut self.tpm, || {
            let boot: BootStatus = system.read(Topic::Boot, 0)?;
            let start_method = boot.tpm_start_method;
            if ![tpm_start::FIFO, tpm_start::CRB].contains(&start_method) {
                return Err(Error::NotFound);
            }
            // A control area lies in the page of its registers.
            let physical = match boot.tpm_physical & !(PAGE_BYTES as u64 - 1) {
                0 => TPM_REGISTERS,
                page => page,
            };
            Ok(Tpm {
                registers: hardware.memory(physical, 1)?,
                physical,
                start_method,
            })
        })
    }
}

/// What `slot` holds, made now if it holds nothing. A machine without the device says `NotFound`.
fn made<T>(slot: &mut Option<T>, make: impl FnOnce() -> Result<T, Error>) -> Result<&T, Refusal> {
    if slot.is_none() {
        *slot = Some(make().map_err(|error| match error {
            Error::NotFound => Refusal::NoSuchDevice,
            error => Refusal::Kernel(error),
        })?);
    }
    slot.as_ref().ok_or(Refusal::NoSuchDevice)
}
