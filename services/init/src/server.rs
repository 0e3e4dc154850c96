//! Requests of the other processes.

use init::services;
use nonos_proto::console::BADGE_INPUT;
use nonos_proto::init::{
    self as interface, ClientOf, Gpu, Needs, Ps2, Screen, Serial, ServiceState, Spawned, Tpm,
    wind_down,
};
use nonos_proto::{CallError, Caller, Passable, Refusal, tpm};
use nonos_rt::abi::info::needs;
use nonos_rt::abi::{Handle, Message, Name, Rights, start};
use nonos_rt::handle::OwnedHandle;
use nonos_rt::object::{
    Archive, Audit, Endpoint, Hardware, KernelLayout, Log, Notification, Power, SystemInfo,
};
use nonos_rt::service::Server;
use nonos_rt::{log, syscall};

use crate::child::{Child, Start};
use crate::children::Children;
use crate::devices::Devices;
use crate::directory::Directory;
use crate::kept::Thing;
use crate::supervisor::Supervisor;
use init::grants;
use init::policy::{self, Policy};

/// Nanoseconds in a second.
const SECOND_NS: u64 = 1_000_000_000;
/// Longest that power-off waits for the TPM, which writes to its memory (PC Client profile: a command of medium duration, 2 s).
const TPM_NS: u64 = 2 * SECOND_NS;

const READ_WRITE: Rights = Rights::READ.or(Rights::WRITE);

/// The state of `init`.
pub struct Init {
    endpoint: Endpoint,
    pub(crate) signals: Notification,
    archive: Archive,
    system: SystemInfo,
    layout: KernelLayout,
    power: Power,
    log: Log,
    audit: Audit,
    devices: Devices,
    pub(crate) children: Children,
    pub(crate) directory: Directory,
    pub(crate) supervisor: Supervisor,
}

/// A copy of an object's handle for one process, with these rights and until this time.
macro_rules! between {
    ($object:expr) => {
        |rights, until_ns| {
            let copy = $object.copy_until(rights, until_ns)?;
            Ok(OwnedHandle::new(copy.into_handle()))
        }
    };
}

impl Init {
    /// Takes charge of the handles that the kernel gave; nothing runs yet.
    pub fn new(endpoint: Endpoint, signals: Notification, log: Log) -> Self {
        let system = SystemInfo::from_handle(start::SYSTEM_INFO);
        let mut devices = Devices::new(Hardware::from_handle(start::HARDWARE));
        let supervisor = Supervisor::new(|device| devices.shows(device, &system));
        Self {
            endpoint,
            signals,
            archive: Archive::from_handle(start::ARCHIVE),
            system,
            layout: KernelLayout::from_handle(start::KERNEL_LAYOUT),
            power: Power::from_handle(start::POWER),
            log,
            audit: Audit::from_handle(start::AUDIT),
            devices,
            children: Children::new(),
            directory: Directory::new(),
            supervisor,
        }
    }

    /// Starts a module under its policy, for a parent that may have `most`.
    pub(crate) fn start(
        &mut self,
        name: Name,
        policy: &'static Policy,
        most: u64,
    ) -> Result<&mut Child, Refusal> {
        if self.supervisor.is_closed() {
            return Err(Refusal::NotGranted);
        }
        let slot = self.children.free_slot().ok_or(Refusal::Full)?;
        let start = Start {
            archive: &self.archive,
            endpoint: &self.endpoint,
            ended: (&self.signals, 1 << slot),
            badge: self.children.next_badge(),
            most,
            now_ns: syscall::clock_ns(),
        };
        let child = start.run(name, policy)?;
        Ok(self.children.insert(slot, child))
    }

    /// Starts a module for a caller that holds the process from then on.
    fn start_for(
        &mut self,
        caller: Caller,
        module: Name,
        policy: &'static Policy,
        held: Held,
        console: Option<Endpoint>,
    ) -> Result<Spawned, Refusal> {
        let child = self.start(module, policy, held.needs)?;
        child.console = console;
        match child.for_spawner(caller.badge, held.until_ns) {
            Ok(process) => Ok(Spawned {
                process: process.into_raw(),
                id: child.id,
            }),
            Err(refusal) => {
                // Nobody would hold it.
                let _ = child.process.kill();
                Err(refusal)
            }
        }
    }

    /// Has the TPM prepare for the end of power. Its driver, which may wait for it or may not run, has some time for that.
    fn shut_down_tpm(&mut self) -> Result<(), CallError> {
        let server = Name::new("tpm").ok_or(CallError::BadReply)?;
        let driver = self.directory.endpoint(server);
        let driver = driver.map_err(CallError::Refused)?;
        let until_ns = syscall::clock_ns().saturating_add(TPM_NS);
        let driver = driver.badge_until(tpm::BADGE_POWER, Rights::WRITE, until_ns);
        tpm::Client(driver.map_err(CallError::Unreachable)?).shutdown()
    }

    /// What the caller may have now, when it may have all of `needs`.
    fn check(&mut self, caller: Caller, needs: u64) -> Result<u64, Refusal> {
        self.held(caller, needs).map(|held| held.needs)
    }

    /// The same, and until when it may have `needs`.
    fn held(&mut self, caller: Caller, needs: u64) -> Result<Held, Refusal> {
        let now_ns = syscall::clock_ns();
        let grants = &self.children.caller(caller.badge)?.grants;
        let until_ns = grants.check(needs, now_ns)?;
        Ok(Held {
            needs: grants.at(now_ns),
            until_ns,
        })
    }
}

/// What a program has for one that it starts.
struct Held {
    /// Most that the other may have.
    needs: u64,
    /// Until when it may hold the other's process (0: for good).
    until_ns: u64,
}

/// The console of a program, for one that it starts.
fn share_console(console: &Endpoint) -> Result<Endpoint, Refusal> {
    Ok(console.copy(Rights::WRITE.or(Rights::GRANT))?)
}

impl interface::Init for Init {
    fn connect(&mut self, caller: Caller, service: Name) -> Result<Handle, Refusal> {
        let known = services::find(service.as_str()).ok_or(Refusal::NoSuchService)?;
        let need = known.need;
        let server = Name::new(known.server).ok_or(Refusal::NoSuchService)?;
        let child = self.children.caller(caller.badge)?;
        child.grants.check(need, syscall::clock_ns())?;
        let badge = child.service_badge() | known.badge;
        // Out and in again, because giving changes the child.
        let console = child.console.take();
        let endpoint = match &console {
            Some(console) if server.as_str() == "console" => Ok(console),
            _ => self.directory.endpoint(server),
        };
        let handle = endpoint.and_then(|endpoint| {
            let make = |rights, until_ns| {
                let badged = endpoint.badge_until(badge, rights, until_ns)?;
                Ok(OwnedHandle::new(badged.into_handle()))
            };
            let thing = Thing::Service(service);
            child.give(thing, need, Rights::WRITE, syscall::clock_ns(), make)
        });
        child.console = console;
        Ok(handle?.into_raw())
    }

    fn serve(&mut self, caller: Caller, service: Name) -> Result<Handle, Refusal> {
        self.give_server(caller, service, Thing::Server, Rights::READ)
    }

    fn spawn(&mut self, caller: Caller, module: Name) -> Result<Spawned, Refusal> {
        let held = self.held(caller, needs::SPAWN)?;
        let spawner = self.children.caller(caller.badge)?;
        let console = spawner.console.as_ref().map(share_console).transpose()?;
        let policy = policy::of(module.as_str());
        if policy.boot {
            return Err(Refusal::Reserved);
        }
        self.start_for(caller, module, policy, held, console)
    }

    fn spawn_on(
        &mut self,
        caller: Caller,
        module: Name,
        console: Passable,
    ) -> Result<Spawned, Refusal> {
        let console = Endpoint::from_handle(console.0);
        let held = self.held(caller, needs::SPAWN)?;
        let policy = policy::of(module.as_str());
        if policy.boot && policy.serves.is_some() || module.as_str() == "init" {
            return Err(Refusal::Reserved);
        }
        self.start_for(caller, module, policy, held, Some(console))
    }

    fn launch(&mut self, caller: Caller, module: Name) -> Result<Spawned, Refusal> {
        let held = self.held(caller, needs::DESKTOP);
        let Held { until_ns, .. } = held.or_else(|_| self.held(caller, needs::PROMPT))?;
        let policy = policy::of(module.as_str());
        if policy.boot {
            return Err(Refusal::Reserved);
        }
        let held = Held {
            needs: policy.needs,
            until_ns,
        };
        self.start_for(caller, module, policy, held, None)
    }

    fn system_info(&mut self, caller: Caller) -> Result<Handle, Refusal> {
        self.give(caller, Thing::SystemInfo, needs::SYSTEM_INFO, Rights::READ)
    }

    fn kernel_layout(&mut self, caller: Caller) -> Result<Handle, Refusal> {
        self.give(
            caller,
            Thing::KernelLayout,
            needs::KERNEL_LAYOUT,
            Rights::READ,
        )
    }

    fn power_off(&mut self, caller: Caller, restart: u64) -> Result<(), Refusal> {
        self.check(caller, needs::POWER)?;
        let end = match restart {
            0 => Power::off,
            1 => Power::restart,
            _ => return Err(Refusal::Malformed),
        };
        match self.shut_down_tpm() {
            Ok(()) | Err(CallError::Refused(Refusal::NoSuchDevice)) => {}
            Err(error) => log!("the TPM was not told that power ends: {error}"),
        }
        Err(Refusal::Kernel(end(&self.power)))
    }

    fn wind_down(&mut self, caller: Caller, part: u64) -> Result<(), Refusal> {
        self.check(caller, needs::POWER)?;
        let is_part = |served: Option<&str>| match (part, served) {
            (wind_down::PROGRAMS, served) => matches!(served, None | Some("powerbox")),
            (wind_down::VAULT, served) => served == Some("vault"),
            (wind_down::FILES, served) => served == Some("files"),
            _ => false,
        };
        if part > wind_down::FILES {
            return Err(Refusal::Malformed);
        }
        self.supervisor.close();
        let mut ended = Ok(());
        for child in self.children.iter_mut() {
            if is_part(child.policy.serves) && child.badge != caller.badge {
                ended = ended.and(child.process.kill());
            }
        }
        Ok(ended?)
    }

    fn log(&mut self, caller: Caller) -> Result<Handle, Refusal> {
        let grants = &self.children.caller(caller.badge)?.grants;
        let granted = grants.at(syscall::clock_ns()) & (needs::LOG_READ | needs::LOG_WRITE);
        let rights = match granted {
            0 => return Err(Refusal::NotGranted),
            needs::LOG_READ => Rights::READ,
            needs::LOG_WRITE => Rights::WRITE,
            _ => READ_WRITE,
        };
        self.give(caller, Thing::Log(rights), granted, rights)
    }

    fn serial(&mut self, caller: Caller) -> Result<Serial, Refusal> {
        let ports = self.give(caller, Thing::SerialPorts, needs::SERIAL, READ_WRITE);
        let ports = OwnedHandle::new(ports?);
        let interrupt = self.give(caller, Thing::SerialInterrupt, needs::SERIAL, Rights::WRITE)?;
        Ok(Serial {
            ports: ports.into_raw(),
            interrupt,
        })
    }

    fn ps2(&mut self, caller: Caller) -> Result<Ps2, Refusal> {
        let data = self.give(caller, Thing::Ps2Data, needs::PS2, READ_WRITE);
        let data = OwnedHandle::new(data?);
        let control = self.give(caller, Thing::Ps2Control, needs::PS2, READ_WRITE);
        let control = OwnedHandle::new(control?);
        let keyboard = self.give(caller, Thing::KeyboardInterrupt, needs::PS2, Rights::WRITE);
        let keyboard = OwnedHandle::new(keyboard?);
        let mouse = self.give(caller, Thing::MouseInterrupt, needs::PS2, Rights::WRITE)?;
        Ok(Ps2 {
            data: data.into_raw(),
            control: control.into_raw(),
            keyboard: keyboard.into_raw(),
            mouse,
        })
    }

    fn screen(&mut self, caller: Caller) -> Result<Screen, Refusal> {
        let memory = self.give(caller, Thing::Screen, needs::FRAMEBUFFER, READ_WRITE)?;
        let memory = OwnedHandle::new(memory);
        let (_, frame) = self.devices.screen(&self.system)?;
        Ok(Screen {
            memory: Passable(memory.into_raw()),
            offset: frame.address % nonos_rt::abi::PAGE_BYTES as u64,
            width: frame.width,
            height: frame.height,
            stride_bytes: frame.stride_bytes,
            format: frame.format,
        })
    }

    fn tpm(&mut self, caller: Caller) -> Result<Tpm, Refusal> {
        let registers = self.give(caller, Thing::Tpm, needs::TPM_DEVICE, READ_WRITE)?;
        let registers = OwnedHandle::new(registers);
        let found = self.devices.tpm(&self.system)?;
        Ok(Tpm {
            registers: registers.into_raw(),
            physical: found.physical,
            start_method: found.start_method,
        })
    }

    fn gpu(&mut self, caller: Caller) -> Result<Gpu, Refusal> {
        let registers = self.give(caller, Thing::GpuRegisters, needs::VIRTIO_GPU, READ_WRITE)?;
        let registers = OwnedHandle::new(registers);
        let device = self.give(caller, Thing::Gpu, needs::VIRTIO_GPU, Rights::WRITE)?;
        let device = OwnedHandle::new(device);
        let place = self.devices.gpu()?.place;
        Ok(Gpu {
            registers: registers.into_raw(),
            device: device.into_raw(),
            common: place.common,
            notify: place.notify,
            notify_multiplier: place.notify_multiplier,
            specific: place.specific,
        })
    }

    fn audit(&mut self, caller: Caller) -> Result<Handle, Refusal> {
        self.give(caller, Thing::Audit, needs::AUDIT, Rights::READ)
    }

    fn kill(&mut self, caller: Caller, process: u64) -> Result<(), Refusal> {
        self.check(caller, needs::SUPERVISE)?;
        Ok(self.children.process(process)?.process.kill()?)
    }

    fn allow(
        &mut self,
        caller: Caller,
        process: u64,
        need: Name,
        seconds: u64,
    ) -> Result<(), Refusal> {
        let held = self.check(caller, needs::SUPERVISE)?;
        let bit = grants::need(need.as_str()).ok_or(Refusal::NoSuchNeed)?;
        let now_ns = syscall::clock_ns();
        let until_ns = match seconds {
            0 => 0,
            _ => now_ns.saturating_add(seconds.saturating_mul(SECOND_NS)),
        };
        let child = self.children.process(process)?;
        child.grants.allow(bit, held, until_ns, now_ns)?;
        // What an earlier permission left has expired, and would be found instead of what is made under this one.
        let cleared = child.revoke(bit);
        let (name, id) = (child.name, child.id);
        if let Err(error) = cleared {
            child.grants.revoke(bit, now_ns);
            return Err(Refusal::Kernel(error));
        }
        match seconds {
            0 => log!("the user allowed {name} (process {id}): {need}"),
            _ => log!("the user allowed {name} (process {id}) for {seconds} s: {need}"),
        }
        Ok(())
    }

    fn revoke(&mut self, caller: Caller, process: u64, need: Name) -> Result<(), Refusal> {
        self.check(caller, needs::SUPERVISE)?;
        let bit = grants::need(need.as_str()).ok_or(Refusal::NoSuchNeed)?;
        let child = self.children.process(process)?;
        let had = child.grants.revoke(bit, syscall::clock_ns());
        let (name, badge) = (child.name, child.badge);
        child.revoke(bit)?;
        if bit & (needs::SPAWN | needs::DESKTOP | needs::PROMPT) != 0 {
            self.children
                .iter_mut()
                .try_for_each(|other| other.revoke_from_spawner(badge))?;
        }
        if !had {
            return Err(Refusal::NotGranted);
        }
        log!("the user took from {name} (process {process}): {need}");
        Ok(())
    }

    fn service(&mut self, caller: Caller, index: u64) -> Result<ServiceState, Refusal> {
        self.check(caller, needs::SUPERVISE)?;
        self.supervisor.state(index).ok_or(Refusal::NoSuchService)
    }

    fn needs(&mut self, caller: Caller, process: u64) -> Result<Needs, Refusal> {
        self.check(caller, needs::SUPERVISE)?;
        let grants = &self.children.process(process)?.grants;
        Ok(Needs {
            asked: grants.asked(),
            granted: grants.at(syscall::clock_ns()),
        })
    }

    fn issue(&mut self, caller: Caller, service: Name) -> Result<Passable, Refusal> {
        let rights = Rights::WRITE.or(Rights::REVOKE);
        self.give_server(caller, service, Thing::Issuer, rights)
            .map(Passable)
    }

    fn client(&mut self, caller: Caller, badge: u64) -> Result<ClientOf, Refusal> {
        if self.children.caller(caller.badge)?.policy.serves.is_none() {
            return Err(Refusal::NotGranted);
        }
        let child = self.children.caller(badge & !BADGE_INPUT);
        let child = child.map_err(|_| Refusal::NoSuchProcess)?;
        Ok(ClientOf {
            module: child.name,
            process: child.id,
            storage_pages: child.policy.storage_pages,
        })
    }

    fn client_end(
        &mut self,
        caller: Caller,
        badge: u64,
        notification: Handle,
        bits: u64,
    ) -> Result<(), Refusal> {
        let notification = Notification::from_handle(notification);
        if self.children.caller(caller.badge)?.policy.serves.is_none() {
            return Err(Refusal::NotGranted);
        }
        let child = self.children.caller(badge & !BADGE_INPUT);
        let child = child.map_err(|_| Refusal::NoSuchProcess)?;
        Ok(child.process.watch(&notification, bits)?)
    }

    fn service_end(
        &mut self,
        caller: Caller,
        service: Name,
        notification: Handle,
        bits: u64,
    ) -> Result<(), Refusal> {
        let notification = Notification::from_handle(notification);
        let known = services::find(service.as_str()).ok_or(Refusal::NoSuchService)?;
        self.check(caller, known.need)?;
        let serves = |child: &&mut Child| child.policy.serves == Some(known.server);
        let server = self.children.iter_mut().find(serves);
        server.ok_or(Refusal::NoSuchProcess)?;
        let child = self.children.caller(caller.badge)?;
        child.watch_service(known.server, notification, bits)
    }
}

impl Init {
    /// A handle to the endpoint of the service that the caller serves.
    fn give_server(
        &mut self,
        caller: Caller,
        service: Name,
        thing: Thing,
        rights: Rights,
    ) -> Result<Handle, Refusal> {
        let child = self.children.caller(caller.badge)?;
        if child.policy.serves != Some(service.as_str()) {
            return Err(Refusal::NotGranted);
        }
        let endpoint = self.directory.endpoint(service)?;
        let handle = child.give(thing, 0, rights, syscall::clock_ns(), between!(endpoint))?;
        Ok(handle.into_raw())
    }

    /// The caller's handle to something that `init` holds itself.
    fn give(
        &mut self,
        caller: Caller,
        thing: Thing,
        needs: u64,
        rights: Rights,
    ) -> Result<Handle, Refusal> {
        let Self {
            children,
            devices,
            system,
            layout,
            log,
            audit,
            ..
        } = self;
        let child = children.caller(caller.badge)?;
        let make = |rights, until_ns| match thing {
            Thing::SystemInfo => between!(system)(rights, until_ns),
            Thing::KernelLayout => between!(layout)(rights, until_ns),
            Thing::Log(_) => between!(log)(rights, until_ns),
            Thing::Audit => between!(audit)(rights, until_ns),
            Thing::SerialPorts => between!(devices.serial()?.0)(rights, until_ns),
            Thing::SerialInterrupt => between!(devices.serial()?.1)(rights, until_ns),
            Thing::Ps2Data => between!(devices.ps2()?.data)(rights, until_ns),
            Thing::Ps2Control => between!(devices.ps2()?.control)(rights, until_ns),
            Thing::KeyboardInterrupt => between!(devices.ps2()?.keyboard)(rights, until_ns),
            Thing::MouseInterrupt => between!(devices.ps2()?.mouse)(rights, until_ns),
            Thing::Tpm => between!(devices.tpm(system)?.registers)(rights, until_ns),
            Thing::GpuRegisters => between!(devices.gpu()?.registers)(rights, until_ns),
            Thing::Gpu => between!(devices.gpu()?.device)(rights, until_ns),
            Thing::Screen => between!(devices.screen(system)?.0)(rights, until_ns),
            Thing::Service(_) | Thing::Server | Thing::Issuer => Err(Refusal::NoSuchService),
        };
        let handle = child.give(thing, needs, rights, syscall::clock_ns(), make)?;
        Ok(handle.into_raw())
    }
}

impl Server for Init {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        interface::dispatch(self, caller, request)
    }

    fn signal(&mut self, bits: u64) {
        self.reap(bits);
        self.start_due();
    }
}
