//! The system's policy: `system.toml`, compiled in.

/// What the policy says about one module.
pub struct Policy {
    /// Name in the image.
    pub name: &'static str,
    /// What it may have: bits of [`nonos_abi::info::needs`].
    pub needs: u64,
    /// Started with the system and not by request.
    pub boot: bool,
    /// Started again when it ends.
    pub restart: bool,
    /// May read what the user types.
    pub input: bool,
    /// The service it may serve.
    pub serves: Option<&'static str>,
    /// Highest priority.
    pub priority: u64,
    /// Largest memory quota.
    pub quota_pages: u64,
}

include!(concat!(env!("OUT_DIR"), "/policy.rs"));

/// The policy for a module: that of [`OTHERS`] when the list does not name it.
pub fn of(name: &str) -> &'static Policy {
    MODULES
        .iter()
        .find(|policy| policy.name == name)
        .unwrap_or(&OTHERS)
}
