//! `init`, as the processes it started see it, with owned objects in place of handles.
//!
//! What `init` hands out has only the rights that its operation documents, and no GRANT: it is for this process alone.

use nonos_abi::{Handle, Message, Name, Rights, start};
use nonos_proto::init::{Client, ClientOf, Gpu, Needs, Screen, ServiceState, Tpm};
use nonos_proto::{CallError, Passable, Refusal, Transport};

use crate::object::{
    Audit, Device, Endpoint, Interrupt, KernelLayout, Log, Memory, Notification, Ports, Process,
    SystemInfo,
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

const INIT: Client<ToParent> = Client(ToParent);

fn name(text: &str) -> Result<Name, CallError> {
    Name::new(text).ok_or(CallError::Refused(Refusal::Malformed))
}

/// The endpoint of a service.
pub fn connect(service: &str) -> Result<Endpoint, CallError> {
    INIT.connect(name(service)?).map(Endpoint::from_handle)
}

/// The endpoint on which this process serves.
pub fn serve(service: &str) -> Result<Endpoint, CallError> {
    INIT.serve(name(service)?).map(Endpoint::from_handle)
}

/// The endpoint of the service that this process serves, to make badged handles of for its clients.
pub fn issue(service: &str) -> Result<Endpoint, CallError> {
    INIT.issue(name(service)?)
        .map(|endpoint| Endpoint::from_handle(endpoint.0))
}

/// Whose badge this is, among the clients of the service that this process serves.
pub fn client(badge: u64) -> Result<ClientOf, CallError> {
    INIT.client(badge)
}

/// Has bits signalled when the process with this badge ends.
pub fn client_end(badge: u64, notification: &Notification, bits: u64) -> Result<(), CallError> {
    let copy = notification.to_send().map_err(CallError::Unreachable)?;
    INIT.client_end(badge, copy.handle(), bits)
}

/// Has bits signalled when the process that serves a name ends.
pub fn service_end(service: &str, notification: &Notification, bits: u64) -> Result<(), CallError> {
    let copy = notification.to_send().map_err(CallError::Unreachable)?;
    INIT.service_end(name(service)?, copy.handle(), bits)
}

/// Starts a module: the process and its number.
pub fn spawn(module: Name) -> Result<(Process, u64), CallError> {
    let spawned = INIT.spawn(module)?;
    Ok((Process::from_handle(spawned.process), spawned.id))
}

/// The same, for a program that the user chose.
pub fn launch(module: Name) -> Result<(Process, u64), CallError> {
    let spawned = INIT.launch(module)?;
    Ok((Process::from_handle(spawned.process), spawned.id))
}

/// Starts a module whose console is an endpoint that this process serves: the process and its number.
pub fn spawn_on(module: Name, console: &Endpoint) -> Result<(Process, u64), CallError> {
    let copy = console
        .copy(Rights::WRITE.or(Rights::GRANT))
        .map_err(CallError::Unreachable)?;
    let spawned = INIT.spawn_on(module, Passable(copy.handle()))?;
    Ok((Process::from_handle(spawned.process), spawned.id))
}

/// State of the system.
pub fn system_info() -> Result<SystemInfo, CallError> {
    INIT.system_info().map(SystemInfo::from_handle)
}

/// Where the kernel lies.
pub fn kernel_layout() -> Result<KernelLayout, CallError> {
    INIT.kernel_layout().map(KernelLayout::from_handle)
}

/// Turns the machine off, or restarts it; returns only when that failed.
pub fn power_off(restart: bool) -> CallError {
    match INIT.power_off(restart.into()) {
        Ok(()) => CallError::BadReply,
        Err(error) => error,
    }
}

/// Before the machine is turned off: ends one of [`nonos_proto::init::wind_down`] for good.
pub fn wind_down(part: u64) -> Result<(), CallError> {
    INIT.wind_down(part)
}

/// The kernel's log.
pub fn log() -> Result<Log, CallError> {
    INIT.log().map(Log::from_handle)
}

/// The first serial port.
pub fn serial() -> Result<(Ports, Interrupt), CallError> {
    let serial = INIT.serial()?;
    Ok((
        Ports::from_handle(serial.ports),
        Interrupt::from_handle(serial.interrupt),
    ))
}

/// The PS/2 controller.
#[derive(Debug)]
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

/// The PS/2 controller.
pub fn ps2() -> Result<Ps2, CallError> {
    let ps2 = INIT.ps2()?;
    Ok(Ps2 {
        data: Ports::from_handle(ps2.data),
        control: Ports::from_handle(ps2.control),
        keyboard: Interrupt::from_handle(ps2.keyboard),
        mouse: Interrupt::from_handle(ps2.mouse),
    })
}

/// The frame buffer: its memory, and where the pixels lie.
pub fn screen() -> Result<(Memory, Screen), CallError> {
    let screen = INIT.screen()?;
    Ok((Memory::from_handle(screen.memory.0), screen))
}

/// The TPM: its registers, and how it is reached.
pub fn tpm() -> Result<(Memory, Tpm), CallError> {
    let tpm = INIT.tpm()?;
    Ok((Memory::from_handle(tpm.registers), tpm))
}

/// A GPU of virtio's: its registers, the device, and what is where.
pub fn gpu() -> Result<(Memory, Device, Gpu), CallError> {
    let gpu = INIT.gpu()?;
    Ok((
        Memory::from_handle(gpu.registers),
        Device::from_handle(gpu.device),
        gpu,
    ))
}

/// The record of denied system calls.
pub fn audit() -> Result<Audit, CallError> {
    INIT.audit().map(Audit::from_handle)
}

/// Ends a process.
pub fn kill(process: u64) -> Result<(), CallError> {
    INIT.kill(process)
}

/// Allows a process what its manifest asks for; for so many seconds, 0 for as long as it runs.
pub fn allow(process: u64, need: Name, seconds: u64) -> Result<(), CallError> {
    INIT.allow(process, need, seconds)
}

/// Takes back what a process was given for a need.
pub fn revoke(process: u64, need: Name) -> Result<(), CallError> {
    INIT.revoke(process, need)
}

/// Program `index` of those that the system runs itself; `NoSuchService` past the last.
pub fn service(index: u64) -> Result<ServiceState, CallError> {
    INIT.service(index)
}

/// What a process asks for and may have.
pub fn needs(process: u64) -> Result<Needs, CallError> {
    INIT.needs(process)
}
