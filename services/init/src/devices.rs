//! The devices that `init` hands out. Each is made once and kept, so that a driver that was restarted gets it again; what a
//! driver gets is derived from it.

use init::pci::{self, Configuration, VIRTIO_GPU, Virtio};
use init::policy;
use nonos_proto::Refusal;
use nonos_rt::abi::boot::tpm_start;
use nonos_rt::abi::info::{BootStatus, Framebuffer, Topic};
use nonos_rt::abi::{Error, PAGE_BYTES};
use nonos_rt::log;
use nonos_rt::object::{Device, Hardware, Interrupt, Memory, Ports, SystemInfo};

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

/// Says which register of PCI configuration is behind the next port (PCI 3.0, 3.2.2.3.2).
const CONFIGURATION_ADDRESS: u16 = 0xCF8;
/// That register.
const CONFIGURATION_DATA: u16 = 0xCFC;

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

/// A GPU of virtio's.
pub struct Gpu {
    /// Its registers.
    pub registers: Memory,
    /// The device, which reaches no memory yet.
    pub device: Device,
    /// Where in the registers what is.
    pub place: Virtio,
}

/// PCI configuration, through its ports.
struct Bus(Ports);

impl Bus {
    fn select(&self, function: u16, register: u8) -> Result<(), Error> {
        const ENABLE: u32 = 1 << 31;
        let address = ENABLE | u32::from(function) << 8 | u32::from(register);
        self.0.write_32(CONFIGURATION_ADDRESS, address)
    }

    /// Has a function answer in memory and use DMA, without interrupts by a line (PCI 3.0, 6.2.2).
    fn enable(&self, function: u16) -> Result<(), Error> {
        const COMMAND: u8 = 4;
        const MEMORY_MASTER_NO_INTERRUPT: u32 = 1 << 1 | 1 << 2 | 1 << 10;
        self.select(function, COMMAND)?;
        self.0
            .write_32(CONFIGURATION_DATA, MEMORY_MASTER_NO_INTERRUPT)
    }
}

impl Configuration for Bus {
    fn read(&self, function: u16, register: u8) -> u32 {
        let selected = self.select(function, register);
        selected
            .and_then(|()| self.0.read_32(CONFIGURATION_DATA))
            .unwrap_or(u32::MAX)
    }
}

/// Handles to devices, made when first asked for.
pub struct Devices {
    hardware: Hardware,
    serial: Option<(Ports, Interrupt)>,
    ps2: Option<Ps2>,
    screen: Option<(Memory, Framebuffer)>,
    tpm: Option<Tpm>,
    gpu: Option<Gpu>,
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
            gpu: None,
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

    /// Whether this is what shows the screen: a frame buffer of the firmware's where there is one, and where there is nothing.
    pub fn shows(&mut self, device: policy::Device, system: &SystemInfo) -> bool {
        let frame: Result<Framebuffer, _> = system.read(Topic::Framebuffer, 0);
        let has_frame = frame.is_ok_and(|frame| frame.width != 0);
        let by_gpu = !has_frame
            && match self.gpu() {
                Ok(_) => true,
                Err(Refusal::NoSuchDevice) => false,
                Err(refusal) => {
                    log!("the GPU is not used: {refusal}");
                    false
                }
            };
        by_gpu == (device == policy::Device::VirtioGpu)
    }

    /// A GPU of virtio's.
    pub fn gpu(&mut self) -> Result<&Gpu, Refusal> {
        let hardware = &self.hardware;
        made(&mut self.gpu, || {
            let bus = Bus(hardware.ports(CONFIGURATION_ADDRESS, 8)?);
            let place = pci::virtio(&bus, VIRTIO_GPU).ok_or(Error::NotFound)?;
            let registers = hardware.memory(place.physical, place.pages)?;
            let device = hardware.device(place.function)?;
            bus.enable(place.function)?;
            Ok(Gpu {
                registers,
                device,
                place,
            })
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
