//! `init`, as the processes it started see it, with owned objects in place of handles.
//!
//! A handle that travels in a message carries GRANT. No program here passes on what it was given, so it is dropped at once.

use nonos_abi::{Handle, Message, Name, Rights, start};
use nonos_proto::init::{Client, Screen};
use nonos_proto::{CallError, Refusal, Transport};

use crate::object::{
    Endpoint, Interrupt, KernelLayout, Log, Memory, Ports, Power, Process, SystemInfo,
};
use crate::syscall;

/// Calls go through [`start::PARENT`], which this process holds as long as it runs.
#[derive(Debug)]
struct ToParent;

impl Transport for ToParent {
    fn call(&self, request: &Message) -> Result<Message, nonos_abi::Error> {
        syscall::call(start::PARENT, request)
    }

    fn close(&self, handle: Handle) {
        let _ = syscall::handle_close(handle);
    }
}

const READ_WRITE: Rights = Rights::READ.or(Rights::WRITE);

const INIT: Client<ToParent> = Client(ToParent);

fn name(text: &str) -> Result<Name, CallError> {
    Name::new(text).ok_or(CallError::Refused(Refusal::Malformed))
}

/// The endpoint of a service.
pub fn connect(service: &str) -> Result<Endpoint, CallError> {
    let endpoint = Endpoint::from_handle(INIT.connect(name(service)?)?);
    Ok(endpoint.narrowed(Rights::WRITE))
}

/// The endpoint on which this process serves.
pub fn serve(service: &str) -> Result<Endpoint, CallError> {
    let endpoint = Endpoint::from_handle(INIT.serve(name(service)?)?);
    Ok(endpoint.narrowed(Rights::READ))
}

/// Starts a module: the process and its number.
pub fn spawn(module: Name) -> Result<(Process, u64), CallError> {
    let spawned = INIT.spawn(module)?;
    let process = Process::from_handle(spawned.process);
    Ok((
        process.narrowed(Rights::READ.or(Rights::EXECUTE)),
        spawned.id,
    ))
}

/// State of the system.
pub fn system_info() -> Result<SystemInfo, CallError> {
    Ok(SystemInfo::from_handle(INIT.system_info()?).narrowed(Rights::READ))
}

/// Where the kernel lies.
pub fn kernel_layout() -> Result<KernelLayout, CallError> {
    Ok(KernelLayout::from_handle(INIT.kernel_layout()?).narrowed(Rights::READ))
}

/// Power of the machine.
pub fn power() -> Result<Power, CallError> {
    Ok(Power::from_handle(INIT.power()?).narrowed(Rights::WRITE))
}

/// The kernel's log.
pub fn log() -> Result<Log, CallError> {
    Ok(Log::from_handle(INIT.log()?).narrowed(READ_WRITE))
}

/// The first serial port.
pub fn serial() -> Result<(Ports, Interrupt), CallError> {
    let serial = INIT.serial()?;
    Ok((ports(serial.ports), interrupt(serial.interrupt)))
}

/// The PS/2 controller: data port, control port, interrupt of the keyboard.
pub fn ps2() -> Result<(Ports, Ports, Interrupt), CallError> {
    let ps2 = INIT.ps2()?;
    Ok((
        ports(ps2.data),
        ports(ps2.control),
        interrupt(ps2.interrupt),
    ))
}

fn ports(handle: Handle) -> Ports {
    Ports::from_handle(handle).narrowed(READ_WRITE)
}

fn interrupt(handle: Handle) -> Interrupt {
    Interrupt::from_handle(handle).narrowed(Rights::WRITE)
}

/// The frame buffer: its memory, and where the pixels lie.
pub fn screen() -> Result<(Memory, Screen), CallError> {
    let screen = INIT.screen()?;
    Ok((
        Memory::from_handle(screen.memory).narrowed(READ_WRITE),
        screen,
    ))
}
