//! Starting one process: admit the module, make the process, give it its first handle, start it.

use init::grants::Grants;
use init::policy::Policy;
use nonos_proto::Refusal;
use nonos_proto::console::BADGE_INPUT;
use nonos_rt::abi::info::{ModuleInfo, module_state};
use nonos_rt::abi::{Error, Name, Rights, start};
use nonos_rt::handle::OwnedHandle;
use nonos_rt::object::{Archive, Budget, Endpoint, Notification, Process};

use crate::kept::{Kept, Terms, Thing};

/// Of so many services' ends a process can be told.
const SERVICE_WATCHES: usize = 4;

/// Who is told, and how, when a service ends.
struct ServiceWatch {
    service: &'static str,
    notification: Notification,
    bits: u64,
}

/// A process that `init` started.
pub struct Child {
    /// What callers are known by.
    pub badge: u64,
    /// Name of its module.
    pub name: Name,
    /// Number the kernel gave it.
    pub id: u64,
    /// When it was started.
    pub started_ns: u64,
    /// What it may have.
    pub grants: Grants,
    /// The policy it was started under.
    pub policy: &'static Policy,
    /// The process, all rights.
    pub process: Process,
    /// What it reaches as its console, when that is not the system's.
    pub console: Option<Endpoint>,
    /// Of which services' ends it is told. Here and not in the kernel, so that they go with this process and not with the service.
    watches: [Option<ServiceWatch>; SERVICE_WATCHES],
    /// What it was given.
    kept: Kept,
    /// Its way to call `init`: what the process holds is derived from this.
    _parent: Endpoint,
    /// Whoever asked for it, by badge, and what its handle to this process is derived from.
    spawner: Option<(u64, Process)>,
}

impl Child {
    /// A handle to a thing, when the child may have all of `needs` now. `make` derives the handle in between, with
    /// the rights and until the time that it is given.
    pub fn give(
        &mut self,
        thing: Thing,
        needs: u64,
        rights: Rights,
        now_ns: u64,
        make: impl FnOnce(Rights, u64) -> Result<OwnedHandle, Refusal>,
    ) -> Result<OwnedHandle, Refusal> {
        let until_ns = self.grants.check(needs, now_ns)?;
        self.kept
            .give(thing, Terms { needs, until_ns }, rights, make)
    }

    /// A handle to this process for whoever asked for it.
    pub fn for_spawner(&mut self, spawner: u64, until_ns: u64) -> Result<OwnedHandle, Refusal> {
        let rights = Rights::READ.or(Rights::EXECUTE).or(Rights::GRANT);
        let between = self
            .process
            .copy_until(rights.or(Rights::REVOKE), until_ns)?;
        let handle = between.copy(rights)?;
        self.spawner = Some((spawner, between));
        Ok(OwnedHandle::new(handle.into_handle()))
    }

    /// Takes this process from whoever asked for it.
    pub fn revoke_from_spawner(&mut self, spawner: u64) -> Result<(), Error> {
        if let Some((badge, between)) = &self.spawner
            && *badge == spawner
        {
            between.revoke()?;
            self.spawner = None;
        }
        Ok(())
    }

    /// Has it told, once, when the process ends that serves this now; the last call for a service counts.
    pub fn watch_service(
        &mut self,
        service: &'static str,
        notification: Notification,
        bits: u64,
    ) -> Result<(), Refusal> {
        let of_service = |watch: &Option<ServiceWatch>| {
            watch.as_ref().is_some_and(|watch| watch.service == service)
        };
        let slot = self.watches.iter().position(of_service);
        let slot = slot.or_else(|| self.watches.iter().position(Option::is_none));
        self.watches[slot.ok_or(Refusal::Full)?] = Some(ServiceWatch {
            service,
            notification,
            bits,
        });
        Ok(())
    }

    /// The process ended that served this.
    pub fn service_ended(&mut self, service: &str) {
        for slot in &mut self.watches {
            if let Some(watch) = slot.take_if(|watch| watch.service == service) {
                let _ = watch.notification.signal(watch.bits);
            }
        }
    }

    /// Takes back what the child was given for these needs.
    pub fn revoke(&mut self, needs: u64) -> Result<(), Error> {
        self.kept.revoke(needs)
    }

    /// Forgets what the child was given, after its end.
    pub fn forget(&mut self) {
        // What a process held was closed at its end. This reaches what it passed on, should it have been able to.
        let _ = self.kept.revoke_all();
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
    /// Most that it may have, whatever manifest and policy say: what its parent may have.
    pub most: u64,
    /// The time.
    pub now_ns: u64,
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
        let budget = Budget {
            budget_ns: policy.budget_ns,
            period_ns: policy.period_ns,
        };
        let process = Process::create(&module, priority, quota_pages, budget, policy.flags)?;
        let started = self.hand_over(&process);
        let (id, parent) = started.inspect_err(|_| {
            let _ = process.kill();
        })?;
        Ok(Child {
            badge: self.badge,
            name,
            id,
            started_ns: self.now_ns,
            grants: Grants::new(manifest.needs, policy.needs & self.most),
            policy,
            process,
            console: None,
            watches: [const { None }; SERVICE_WATCHES],
            kept: Kept::new(),
            _parent: parent,
            spawner: None,
        })
    }

    /// Gives the process its way to call `init`, asks to be told of its end, and starts it. Returns its number and
    /// what that way is derived from.
    fn hand_over(&self, process: &Process) -> Result<(u64, Endpoint), Refusal> {
        let id = process.read()?.id;
        let rights = Rights::WRITE.or(Rights::GRANT).or(Rights::REVOKE);
        let parent = self.endpoint.badge(self.badge, rights)?;
        let landed = process.grant(parent.handle(), Rights::WRITE, 0)?;
        if landed != start::PARENT {
            return Err(Refusal::Kernel(Error::InvalidArgument));
        }
        let (ended, bits) = self.ended;
        process.watch(ended, bits)?;
        process.start([0, 0])?;
        Ok((id, parent))
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
