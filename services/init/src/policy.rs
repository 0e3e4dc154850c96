//! The system's policy: `system.toml`, compiled in.

/// What can show the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Device {
    /// The frame buffer that the firmware set up.
    Framebuffer,
    /// A GPU of virtio's, where there is no frame buffer.
    VirtioGpu,
}

/// What the policy says about one module.
#[derive(Debug)]
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
    /// What it may store in files, pages of 4 KiB.
    pub storage_pages: u64,
    /// CPU time that it may use in each period, nanoseconds; 0 for no limit.
    pub budget_ns: u64,
    /// Length of the period, nanoseconds.
    pub period_ns: u64,
    /// What shows the screen, when the module is only for machines where that does.
    pub device: Option<Device>,
    /// How it is run: bits of [`nonos_abi::info::process_flags`].
    pub flags: u64,
}

include!(concat!(env!("OUT_DIR"), "/policy.rs"));

/// The policy for a module: that of [`OTHERS`] when the list does not name it.
pub fn of(name: &str) -> &'static Policy {
    MODULES
        .iter()
        .find(|policy| policy.name == name)
        .unwrap_or(&OTHERS)
}

/// The modules that `init` starts and supervises, in the order of their start.
pub fn supervised() -> impl Iterator<Item = &'static Policy> {
    MODULES
        .iter()
        .filter(|policy| policy.boot && policy.name != "init")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_of_this_checkout_starts_the_console_before_its_clients() {
        let started: Vec<_> = supervised().map(|policy| policy.name).collect();
        let place = |name| started.iter().position(|&other| other == name).unwrap();
        assert!(place("console") < place("shell"), "{started:?}");
        assert!(!started.contains(&"init"));
    }

    #[test]
    fn a_module_that_is_not_listed_cannot_use_all_of_a_cpu() {
        let others = of("no-such-module");
        assert!(0 < others.budget_ns && others.budget_ns < others.period_ns);
        assert!(supervised().all(|policy| policy.priority > others.priority));
        assert!(!others.boot && !others.input && others.serves.is_none());
        assert_eq!(
            others.flags,
            nonos_abi::info::process_flags::COARSE_CLOCK,
            "and has the coarse clock alone"
        );
    }
}
