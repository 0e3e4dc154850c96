//! Services by name. `init` makes a service's endpoint and keeps it, so that clients stay connected while the
//! service restarts: their calls wait for the next process that serves the name.

use nonos_proto::Refusal;
use nonos_rt::abi::{Handle, Name, Rights};
use nonos_rt::object::Endpoint;

use crate::policy::MODULES;

/// Most services.
const MOST: usize = 16;

/// Endpoints of the services that the policy names.
pub struct Directory {
    services: [Option<(Name, Endpoint)>; MOST],
}

impl Directory {
    /// No endpoints yet.
    pub const fn new() -> Self {
        Self {
            services: [const { None }; MOST],
        }
    }

    /// A client's handle to a service.
    pub fn client(&mut self, service: Name, badge: u64) -> Result<Handle, Refusal> {
        Ok(self
            .endpoint(service)?
            .badge(badge, Rights::WRITE.or(Rights::GRANT))?
            .into_handle())
    }

    /// The server's handle.
    pub fn server(&mut self, service: Name) -> Result<Handle, Refusal> {
        Ok(self
            .endpoint(service)?
            .copy(Rights::READ.or(Rights::GRANT))?
            .into_handle())
    }

    /// The service comes back no more: callers that wait are told that it is gone.
    pub fn close(&mut self, service: &str) {
        for entry in &mut self.services {
            entry.take_if(|(name, _)| name.as_str() == service);
        }
    }

    fn endpoint(&mut self, service: Name) -> Result<&Endpoint, Refusal> {
        if !MODULES
            .iter()
            .any(|policy| policy.serves == Some(service.as_str()))
        {
            return Err(Refusal::NoSuchService);
        }
        let found = self
            .services
            .iter()
            .position(|entry| entry.as_ref().is_some_and(|(name, _)| *name == service));
        let free = || self.services.iter().position(Option::is_none);
        let entry = &mut self.services[found.or_else(free).ok_or(Refusal::Full)?];
        if entry.is_none() {
            *entry = Some((service, Endpoint::create()?));
        }
        entry
            .as_ref()
            .map(|(_, endpoint)| endpoint)
            .ok_or(Refusal::Full)
    }
}
