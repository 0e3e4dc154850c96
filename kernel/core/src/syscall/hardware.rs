//! `Hardware…`, `Port…`, `Interrupt…`, `Device…`: what drivers do. The machine says which ports, lines and memory may be given away.

use nonos_abi::{DEVICE_ADDRESS, Error, PAGE_BYTES, Rights};

use super::Outcome;
use super::memory::{MEMORY_RIGHTS, access};
use crate::arena::{InterruptId, ProcessId};
use crate::device::Window;
use crate::handle::{Capability, Found};
use crate::kernel::Kernel;
use crate::machine::{Access, Caching, FrameNumber, Machine, PortWidth};
use crate::memory::{DEVICE_PAGES_MAX, Memory, MemoryKind};
use crate::notification::Signal;
use crate::object::{DeviceNumber, Hardware, Object, Ports};

const PORTS: u64 = 1 << 16;

impl Kernel {
    #[inline(never)]
    fn check_hardware(
        &self,
        process: ProcessId,
        hardware: u64,
        machine: &impl Machine,
    ) -> Result<Found, Error> {
        let (_, found) =
            self.look_up_found::<Hardware>(process, hardware, Rights::WRITE, machine)?;
        Ok(found)
    }

    pub(super) fn sys_hardware_ports(
        &mut self,
        process: ProcessId,
        hardware: u64,
        first: u64,
        count: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let found = self.check_hardware(process, hardware, machine)?;
        let last = count
            .checked_sub(1)
            .and_then(|more| first.checked_add(more));
        let last = last
            .filter(|&last| last < PORTS)
            .ok_or(Error::InvalidArgument)?;
        // The whole range of 65,536 ports does not fit a count of 16 bits; it is never allowed.
        let allowed = match (u16::try_from(first), u16::try_from(count)) {
            (Ok(first), Ok(count)) => machine.ports_allowed(first, count),
            _ => false,
        };
        if !allowed {
            return Err(Error::InvalidArgument);
        }
        let object = Object::IoPorts {
            first: first as u16,
            last: last as u16,
        };
        self.give_child(
            process,
            &found,
            Capability::new(object, Rights::ALL),
            machine,
        )
    }

    pub(super) fn sys_hardware_interrupt(
        &mut self,
        process: ProcessId,
        hardware: u64,
        line: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let found = self.check_hardware(process, hardware, machine)?;
        self.check_free_handle(process)?;
        let line = u32::try_from(line)
            .ok()
            .and_then(|line| machine.interrupt_route(line));
        let id = self.create_interrupt(process, line.ok_or(Error::InvalidArgument)?)?;
        self.give_child(
            process,
            &found,
            Capability::new(Object::Interrupt(id), Rights::ALL),
            machine,
        )
    }

    pub(super) fn sys_hardware_memory(
        &mut self,
        process: ProcessId,
        hardware: u64,
        physical: u64,
        pages: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let found = self.check_hardware(process, hardware, machine)?;
        self.check_free_handle(process)?;
        if pages == 0 || pages > DEVICE_PAGES_MAX || !physical.is_multiple_of(PAGE_BYTES as u64) {
            return Err(Error::InvalidArgument);
        }
        let first = physical / PAGE_BYTES as u64;
        let first_frame = u32::try_from(first).map_err(|_| Error::InvalidArgument)?;
        u32::try_from(first + pages).map_err(|_| Error::InvalidArgument)?;
        if !machine.is_device_memory(physical, pages) {
            return Err(Error::BadAddress);
        }
        let framebuffer = &self.boot.info.framebuffer;
        let end = framebuffer.physical.saturating_add(framebuffer.bytes);
        let in_framebuffer = (framebuffer.physical..end).contains(&physical);
        let caching = if in_framebuffer {
            Caching::WriteCombining
        } else {
            Caching::Uncached
        };
        let kind = MemoryKind::Device(FrameNumber(first_frame), caching);
        let id = self.create_memory(
            process,
            Memory {
                pages: pages as u32,
                kind,
            },
        )?;
        self.give_child(
            process,
            &found,
            Capability::new(Object::Memory(id), MEMORY_RIGHTS),
            machine,
        )
    }

    pub(super) fn sys_hardware_device(
        &mut self,
        process: ProcessId,
        hardware: u64,
        device: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let found = self.check_hardware(process, hardware, machine)?;
        let number = u16::try_from(device).map_err(|_| Error::InvalidArgument)?;
        self.give_child(
            process,
            &found,
            Capability::new(Object::Device(number), Rights::ALL),
            machine,
        )
    }

    /// The device of a handle that may change what it reaches.
    #[inline(never)]
    fn look_up_device(
        &self,
        process: ProcessId,
        device: u64,
        machine: &impl Machine,
    ) -> Result<(DeviceNumber, Found), Error> {
        self.look_up_found(process, device, Rights::WRITE, machine)
    }

    pub(super) fn sys_device_map(
        &mut self,
        process: ProcessId,
        [device, memory, page, wanted]: [u64; 4],
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (DeviceNumber(device), through) = self.look_up_device(process, device, machine)?;
        let (rights, wanted) = access(wanted);
        let (memory, reached) = self.look_up_found(process, memory, rights, machine)?;
        let first = u16::try_from(page).map_err(|_| Error::InvalidArgument)?;
        let write = wanted.ok_or(Error::InvalidArgument)? == Access::ReadWrite;
        let window = Window {
            device,
            first,
            pages: 0,
            memory,
            owner: process,
        };
        self.open_window(window, [&through, &reached], write, machine)?;
        let bytes = u64::from(self.memories[memory].pages) * PAGE_BYTES as u64;
        Ok(Outcome::Two(
            DEVICE_ADDRESS + page * PAGE_BYTES as u64,
            bytes,
        ))
    }

    pub(super) fn sys_device_unmap(
        &mut self,
        process: ProcessId,
        device: u64,
        page: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (DeviceNumber(device), _) = self.look_up_device(process, device, machine)?;
        self.close_window_at(device, page, machine)?;
        Ok(Outcome::Done)
    }

    pub(super) fn sys_port_read(
        &mut self,
        process: ProcessId,
        ports: u64,
        port: u64,
        width: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (port, width) = self.check_port(process, ports, Rights::READ, port, width, machine)?;
        Ok(Outcome::One(machine.port_read(port, width).into()))
    }

    pub(super) fn sys_port_write(
        &mut self,
        process: ProcessId,
        ports: u64,
        port: u64,
        width: u64,
        value: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (port, width) = self.check_port(process, ports, Rights::WRITE, port, width, machine)?;
        machine.port_write(port, width, value as u32);
        Ok(Outcome::Done)
    }

    /// Checks that all bytes of an access lie in the range of the handle.
    fn check_port(
        &self,
        process: ProcessId,
        ports: u64,
        rights: Rights,
        port: u64,
        width: u64,
        machine: &impl Machine,
    ) -> Result<(u16, PortWidth), Error> {
        let Ports { first, last } = self.look_up(process, ports, rights, machine)?;
        let port_width = match width {
            1 => PortWidth::Byte,
            2 => PortWidth::Word,
            4 => PortWidth::Double,
            _ => return Err(Error::InvalidArgument),
        };
        let end = port.checked_add(width - 1).ok_or(Error::InvalidArgument)?;
        if port < u64::from(first) || end > u64::from(last) {
            return Err(Error::InvalidArgument);
        }
        Ok((port as u16, port_width))
    }

    pub(super) fn sys_interrupt_bind(
        &mut self,
        process: ProcessId,
        interrupt: u64,
        notification: u64,
        bits: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let (id, source) = self.look_up_found(process, interrupt, Rights::WRITE, machine)?;
        let (notification, sink) =
            self.look_up_found(process, notification, Rights::WRITE, machine)?;
        let signal = Signal { notification, bits };
        self.bind_interrupt(id, &source, &sink, signal, machine)?;
        Ok(Outcome::Done)
    }

    pub(super) fn sys_interrupt_acknowledge(
        &mut self,
        process: ProcessId,
        interrupt: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        let id: InterruptId = self.look_up(process, interrupt, Rights::WRITE, machine)?;
        let interrupt = &self.interrupts[id];
        if interrupt.signal.is_none() {
            return Err(Error::InvalidArgument);
        }
        machine.interrupt_enable(interrupt.global);
        Ok(Outcome::Done)
    }
}
