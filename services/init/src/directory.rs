//! Services by name. `init` makes a service's endpoint and keeps it, so that clients stay connected while the
//! service restarts: their calls wait for the next process that serves the name.

use nonos_proto::Refusal;
use nonos_rt::abi::Name;
use nonos_rt::object::Endpoint;

use init::policy::MODULES;

/// Most services.
const MOST: usize = 16;

/// A service, with its endpoint while it is there or may come back.
struct Service {
    name: Name,
    endpoint: Option<Endpoint>,
}

/// The services that the policy names and someone asked for.
pub struct Directory {
    services: [Option<Service>; MOST],
}

impl Directory {
    /// No services yet.
    pub const fn new() -> Self {
        Self {
            services: [const { None }; MOST],
        }
    }

    /// The service comes back no more: callers that wait are told that it is gone, later ones that there is none.
    pub fn close(&mut self, service: Name) {
        if let Ok(entry) = self.entry(service) {
            entry.endpoint = None;
        }
    }

    /// The endpoint of a service, from which the server's and the clients' handles are derived.
    pub fn endpoint(&mut self, service: Name) -> Result<&Endpoint, Refusal> {
        self.entry(service)?
            .endpoint
            .as_ref()
            .ok_or(Refusal::NoSuchService)
    }

    /// The service, made when it is asked for the first time.
    fn entry(&mut self, name: Name) -> Result<&mut Service, Refusal> {
        if !MODULES
            .iter()
            .any(|policy| policy.serves == Some(name.as_str()))
        {
            return Err(Refusal::NoSuchService);
        }
        let found =
            |entry: &Option<Service>| entry.as_ref().is_some_and(|known| known.name == name);
        let index = self.services.iter().position(found);
        let index = index.or_else(|| self.services.iter().position(Option::is_none));
        let entry = &mut self.services[index.ok_or(Refusal::Full)?];
        if entry.is_none() {
            *entry = Some(Service {
                name,
                endpoint: Some(Endpoint::create()?),
            });
        }
        entry.as_mut().ok_or(Refusal::Full)
    }
}
