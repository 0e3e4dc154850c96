//! Names that programs connect to. Part of the build script, too.

use nonos_abi::info::needs;
use nonos_proto::{display, files, lock, open_with, permissions, prompt, tpm, vault};

/// A name to connect to.
#[derive(Debug)]
pub struct Service {
    name: &'static str,
    /// The need that lets a program connect to it.
    pub need: u64,
    /// Name that its server serves: several names can lead to one, for clients that may do different things.
    pub server: &'static str,
    /// What the client's badge tells the server of that.
    pub badge: u64,
}

/// All names. What is not here cannot be granted.
const SERVICES: &[Service] = &[
    service("console", needs::CONSOLE, "console", 0),
    service("vault", needs::VAULT, "vault", 0),
    service("files", needs::FILES, "files", 0),
    service(
        "documents",
        needs::DOCUMENTS,
        "files",
        files::BADGE_DOCUMENTS,
    ),
    service("screen", needs::SCREEN, "screen", 0),
    service("fonts", needs::FONTS, "fonts", 0),
    service("display", needs::DISPLAY, "display", 0),
    service("desktop", needs::DESKTOP, "display", display::BADGE_DESKTOP),
    service(
        "settings",
        needs::SETTINGS,
        "display",
        display::BADGE_SETTINGS,
    ),
    service("powerbox", needs::POWERBOX, "powerbox", 0),
    service(
        "permissions",
        needs::SETTINGS,
        "powerbox",
        permissions::BADGE_PERMISSIONS,
    ),
    service(
        "open-with",
        needs::OPEN_WITH,
        "powerbox",
        open_with::BADGE_OPEN_WITH,
    ),
    service("prompt", needs::PROMPT, "display", prompt::BADGE_PROMPT),
    service("lender", needs::PROMPT, "vault", vault::BADGE_LENDER),
    service("lock", needs::LOCK, "display", lock::BADGE_LOCK),
    service("input", needs::INPUT, "display", display::BADGE_INPUT),
    service("tpm", needs::TPM, "tpm", 0),
    service("tpm-quote", needs::TPM_QUOTE, "tpm", tpm::BADGE_QUOTE),
    service("tpm-seal", needs::TPM_SEAL, "tpm", tpm::BADGE_SEAL),
];

const fn service(name: &'static str, need: u64, server: &'static str, badge: u64) -> Service {
    Service {
        name,
        need,
        server,
        badge,
    }
}

/// The service that a name stands for.
pub fn find(name: &str) -> Option<&'static Service> {
    SERVICES.iter().find(|service| service.name == name)
}

/// The needs that let a program connect to a server, by the name that it serves.
pub fn needs_for(server: &str) -> u64 {
    let of_server = SERVICES.iter().filter(|service| service.server == server);
    of_server.fold(0, |needs, service| needs | service.need)
}
