//! Requests of the other processes.

use nonos_proto::init::{self, Ps2, Screen, Serial, Spawned};
use nonos_proto::{Caller, Refusal};
use nonos_rt::abi::info::needs;
use nonos_rt::abi::{Handle, Message, Name, Rights, start};
use nonos_rt::object::{
    Archive, Endpoint, Hardware, KernelLayout, Log, Notification, Power, SystemInfo,
};
use nonos_rt::service::Server;

use crate::child::{Child, Start};
use crate::children::Children;
use crate::devices::Devices;
use crate::directory::Directory;
use crate::policy::{self, Policy};
use crate::supervisor::Supervisor;

/// The state of `init`.
pub struct Init {
    endpoint: Endpoint,
    ended: Notification,
    archive: Archive,
    system: SystemInfo,
    layout: KernelLayout,
    power: Power,
    log: Log,
    devices: Devices,
    pub(crate) children: Children,
    pub(crate) directory: Directory,
    pub(crate) supervisor: Supervisor,
}

impl Init {
    /// Takes charge of the handles that the kernel gave; nothing runs yet.
    pub fn new(endpoint: Endpoint, ended: Notification, log: Log) -> Self {
        Self {
            endpoint,
            ended,
            archive: Archive::from_handle(start::ARCHIVE),
            system: SystemInfo::from_handle(start::SYSTEM_INFO),
            layout: KernelLayout::from_handle(start::KERNEL_LAYOUT),
            power: Power::from_handle(start::POWER),
            log,
            devices: Devices::new(Hardware::from_handle(start::HARDWARE)),
            children: Children::new(),
            directory: Directory::new(),
            supervisor: Supervisor::new(),
        }
    }

    /// Starts a module under its policy.
    pub(crate) fn start(&mut self, name: Name, policy: &'static Policy) -> Result<&Child, Refusal> {
        let slot = self.children.free_slot().ok_or(Refusal::Full)?;
        let badge = self.children.next_badge();
        let start = Start {
            archive: &self.archive,
            endpoint: &self.endpoint,
            ended: (&self.ended, 1 << slot),
            badge,
        };
        let child = start.run(name, policy)?;
        self.children.insert(slot, child);
        self.children.by_badge(badge).ok_or(Refusal::Full)
    }

    fn child(&self, caller: Caller) -> Result<&Child, Refusal> {
        self.children
            .by_badge(caller.badge)
            .ok_or(Refusal::NotGranted)
    }

    /// Refuses unless the caller may have all of `needs`.
    fn check(&self, caller: Caller, needs: u64) -> Result<(), Refusal> {
        self.child(caller)?.check(needs)
    }
}

impl init::Init for Init {
    fn connect(&mut self, caller: Caller, service: Name) -> Result<Handle, Refusal> {
        let child = self.child(caller)?;
        // A service that no need stands for cannot be granted.
        let need = match service.as_str() {
            "console" => needs::CONSOLE,
            _ => return Err(Refusal::NoSuchService),
        };
        child.check(need)?;
        let badge = child.service_badge();
        self.directory.client(service, badge)
    }

    fn serve(&mut self, caller: Caller, service: Name) -> Result<Handle, Refusal> {
        if self.child(caller)?.policy.serves != Some(service.as_str()) {
            return Err(Refusal::NotGranted);
        }
        self.directory.server(service)
    }

    fn spawn(&mut self, caller: Caller, module: Name) -> Result<Spawned, Refusal> {
        self.check(caller, needs::SPAWN)?;
        let policy = policy::of(module.as_str());
        if policy.boot {
            return Err(Refusal::Reserved);
        }
        let child = self.start(module, policy)?;
        let process = child
            .process
            .copy(Rights::READ.or(Rights::EXECUTE).or(Rights::GRANT))?;
        Ok(Spawned {
            process: process.into_handle(),
            id: child.id,
        })
    }

    fn system_info(&mut self, caller: Caller) -> Result<Handle, Refusal> {
        self.check(caller, needs::SYSTEM_INFO)?;
        Ok(self
            .system
            .copy(Rights::READ.or(Rights::GRANT))?
            .into_handle())
    }

    fn kernel_layout(&mut self, caller: Caller) -> Result<Handle, Refusal> {
        self.check(caller, needs::KERNEL_LAYOUT)?;
        Ok(self
            .layout
            .copy(Rights::READ.or(Rights::GRANT))?
            .into_handle())
    }

    fn power(&mut self, caller: Caller) -> Result<Handle, Refusal> {
        self.check(caller, needs::POWER)?;
        Ok(self
            .power
            .copy(Rights::WRITE.or(Rights::GRANT))?
            .into_handle())
    }

    fn log(&mut self, caller: Caller) -> Result<Handle, Refusal> {
        let granted = self.child(caller)?.granted;
        let right = |need, right| {
            if granted & need != 0 {
                right
            } else {
                Rights::NONE
            }
        };
        let rights =
            right(needs::LOG_READ, Rights::READ).or(right(needs::LOG_WRITE, Rights::WRITE));
        if rights == Rights::NONE {
            return Err(Refusal::NotGranted);
        }
        Ok(self.log.copy(rights.or(Rights::GRANT))?.into_handle())
    }

    fn serial(&mut self, caller: Caller) -> Result<Serial, Refusal> {
        self.check(caller, needs::SERIAL)?;
        self.devices.serial()
    }

    fn ps2(&mut self, caller: Caller) -> Result<Ps2, Refusal> {
        self.check(caller, needs::PS2)?;
        self.devices.ps2()
    }

    fn screen(&mut self, caller: Caller) -> Result<Screen, Refusal> {
        self.check(caller, needs::FRAMEBUFFER)?;
        self.devices.screen(&self.system)
    }
}

impl Server for Init {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        init::dispatch(self, caller, request)
    }

    fn signal(&mut self, bits: u64) {
        self.reap(bits);
    }
}
