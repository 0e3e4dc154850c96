//! Starting one process: admit the module, make the process, give it its first handle, start it.

use nonos_proto::Refusal;
use nonos_proto::console::BADGE_INPUT;
use nonos_rt::abi::info::{ModuleInfo, module_state};
use nonos_rt::abi::{Error, Name, Rights, start};
use nonos_rt::object::{Archive, Budget, Endpoint, Notification, Process};

use crate::policy::Policy;

/// A process that `init` started.
pub struct Child {
    /// What callers are known by.
    pub badge: u64,
    /// Name of its module.
    pub name: Name,
    /// Number the kernel gave it.
    pub id: u64,
    /// What it may have: manifest ∩ policy.
    pub granted: u64,
    /// The policy it was started under.
    pub policy: &'static Policy,
    /// The process, all rights.
    pub process: Process,
}

impl Child {
    /// Whether the child may have all of `needs`.
    pub fn check(&self, needs: u64) -> Result<(), Refusal> {
        if self.granted & needs == needs {
            Ok(())
        } else {
            Err(Refusal::NotGranted)
        }
    }

    /// Badge for the services that it connects to.
    pub fn service_badge(&self) -> u64 {
        self.badge | if self.policy.input { BADGE_INPUT } else { 0 }
    }
}

/// What a start needs beside the module.
pub struct Start<'a> {
    /// Modules of the image.
    pub archive: &'a Archive,
    /// The endpoint of `init`.
    pub endpoint: &'a Endpoint,
    /// Where the end of the process is signalled, and with which bits.
    pub ended: (&'a Notification, u64),
    /// The child's badge.
    pub badge: u64,
}

impl Start<'_> {
    /// Verifies the module and starts a process of it.
    pub fn run(&self, name: Name, policy: &'static Policy) -> Result<Child, Refusal> {
        let module = self
            .archive
            .admit(name.as_str())
            .map_err(|error| match error {
                Error::NotFound => Refusal::NoSuchModule,
                error => Refusal::Kernel(error),
            })?;
        let manifest = self.manifest(name)?;
        let priority = policy.priority.min(manifest.priority);
        let quota_pages = policy.quota_pages.min(manifest.quota_pages);
        let process = Process::create(&module, priority, quota_pages, Budget::UNLIMITED)?;
        if let Err(refusal) = self.hand_over(&process) {
            let _ = process.kill();
            return Err(refusal);
        }
        let child = Child {
            badge: self.badge,
            name,
            id: process.read()?.id,
            granted: manifest.needs & policy.needs,
            policy,
            process,
        };
        Ok(child)
    }

    /// Gives the process its way to call `init`, asks to be told of its end, and starts it.
    fn hand_over(&self, process: &Process) -> Result<(), Refusal> {
        let parent = self
            .endpoint
            .badge(self.badge, Rights::WRITE.or(Rights::GRANT))?;
        let landed = process.grant(parent.handle(), Rights::WRITE, 0)?;
        if landed != start::PARENT {
            return Err(Refusal::Kernel(Error::InvalidArgument));
        }
        let (ended, bits) = self.ended;
        process.watch(ended, bits)?;
        process.start([0, 0])?;
        Ok(())
    }

    /// The manifest of an admitted module.
    fn manifest(&self, name: Name) -> Result<ModuleInfo, Refusal> {
        for index in 0.. {
            let info = self.archive.module(index)?;
            if info.name == name && info.state == module_state::ADMITTED {
                return Ok(info);
            }
        }
        Err(Refusal::NoSuchModule)
    }
}
