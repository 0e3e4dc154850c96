//! The devices that `init` hands out. Each is made once and kept, so that a driver that was restarted gets it again.

use nonos_proto::Refusal;
use nonos_proto::init::{Ps2, Screen, Serial};
use nonos_rt::abi::info::{Framebuffer, Topic};
use nonos_rt::abi::{Error, Handle, PAGE_BYTES, Rights};
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

/// A handle leaves by message, which takes GRANT; `nonos_rt::parent` drops it at the other end.
const READ_WRITE: Rights = Rights::READ.or(Rights::WRITE).or(Rights::GRANT);

/// Handles to devices, made when first asked for.
pub struct Devices {
    hardware: Hardware,
    serial: Option<(Ports, Interrupt)>,
    ps2: Option<(Ports, Ports, Interrupt)>,
    screen: Option<(Memory, Framebuffer)>,
}

impl Devices {
    /// No devices yet.
    pub const fn new(hardware: Hardware) -> Self {
        Self {
            hardware,
            serial: None,
            ps2: None,
            screen: None,
        }
    }

    /// The first serial port.
    pub fn serial(&mut self) -> Result<Serial, Refusal> {
        let (first, count) = SERIAL_PORTS;
        let hardware = &self.hardware;
        let (ports, interrupt) = made(&mut self.serial, || {
            Ok((
                hardware.ports(first, count)?,
                hardware.interrupt(SERIAL_LINE)?,
            ))
        })?;
        let interrupt = lent_interrupt(interrupt)?;
        Ok(Serial {
            ports: lent_ports(ports)?,
            interrupt: interrupt.into_handle(),
        })
    }

    /// The PS/2 controller.
    pub fn ps2(&mut self) -> Result<Ps2, Refusal> {
        let hardware = &self.hardware;
        let (data, control, interrupt) = made(&mut self.ps2, || {
            Ok((
                hardware.ports(PS2_DATA_PORT, 1)?,
                hardware.ports(PS2_CONTROL_PORT, 1)?,
                hardware.interrupt(KEYBOARD_LINE)?,
            ))
        })?;
        let interrupt = lent_interrupt(interrupt)?;
        let control = control.copy(READ_WRITE)?;
        let data = lent_ports(data)?;
        Ok(Ps2 {
            data,
            control: control.into_handle(),
            interrupt: interrupt.into_handle(),
        })
    }

    /// The frame buffer.
    pub fn screen(&mut self, system: &SystemInfo) -> Result<Screen, Refusal> {
        let hardware = &self.hardware;
        let (memory, frame) = made(&mut self.screen, || {
            let frame: Framebuffer = system.read(Topic::Framebuffer, 0)?;
            if frame.width == 0 {
                return Err(Error::NotFound);
            }
            let first = frame.address & !(PAGE_BYTES as u64 - 1);
            let pages = (frame.address - first + frame.bytes).div_ceil(PAGE_BYTES as u64);
            Ok((hardware.memory(first, pages)?, frame))
        })?;
        Ok(Screen {
            memory: memory.copy(READ_WRITE)?.into_handle(),
            offset: frame.address % PAGE_BYTES as u64,
            width: frame.width,
            height: frame.height,
            stride_bytes: frame.stride_bytes,
            format: frame.format,
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

fn lent_ports(ports: &Ports) -> Result<Handle, Error> {
    ports.copy(READ_WRITE).map(Ports::into_handle)
}

fn lent_interrupt(interrupt: &Interrupt) -> Result<Interrupt, Error> {
    interrupt.copy(Rights::WRITE.or(Rights::GRANT))
}
