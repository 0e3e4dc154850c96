//! Which need stands for which service. Part of the build script, too.

use nonos_abi::info::needs;

/// Names of services, with the need that lets a program connect to each.
const SERVICES: &[(&str, u64)] = &[("console", needs::CONSOLE), ("vault", needs::VAULT)];

/// The need that lets a program connect to a service. A service that no need stands for cannot be granted.
pub fn need_for(service: &str) -> Option<u64> {
    SERVICES
        .iter()
        .find(|(name, _)| *name == service)
        .map(|&(_, need)| need)
}
