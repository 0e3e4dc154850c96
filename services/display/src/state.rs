//! What the trusted bar says of the machine.

use nonos_ui::{Color, Icon, Theme};

/// The state of the machine, as it was read from the kernel. What is not known counts as not there.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Machine {
    /// Secure Boot is on, and the system's signatures were checked and are valid.
    pub verified: bool,
    /// What was booted was measured into a TPM.
    pub measured: bool,
    /// There is a TPM.
    pub tpm: bool,
    /// Whether the vault is locked; nothing when nobody says.
    pub vault_locked: Option<bool>,
    /// Seconds since 1970, UTC, when the kernel's clock started; nothing when the firmware did not say.
    pub started_seconds: Option<u64>,
}

/// A part of that, as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Sign {
    /// What stands before it.
    pub icon: Icon,
    /// What it says.
    pub text: &'static str,
    /// Whether it is as it should be.
    pub good: bool,
}

impl Sign {
    /// Its colour.
    pub fn color(&self, theme: &Theme) -> Color {
        match self.good {
            true => theme.good,
            false => theme.warning,
        }
    }
}

impl Machine {
    /// What is shown, from the left.
    pub fn signs(&self) -> [Sign; 4] {
        let sign = |icon, text, good| Sign { icon, text, good };
        [
            match self.verified {
                true => sign(Icon::ShieldCheck, "Verified boot", true),
                false => sign(Icon::Warning, "Boot not verified", false),
            },
            match (self.measured, self.tpm) {
                (true, _) => sign(Icon::Chip, "Measured", true),
                (false, true) => sign(Icon::Chip, "Not measured", false),
                (false, false) => sign(Icon::Chip, "No TPM", false),
            },
            match self.vault_locked {
                Some(true) => sign(Icon::Lock, "Vault locked", true),
                Some(false) => sign(Icon::Unlock, "Vault open", true),
                None => sign(Icon::Lock, "Vault unknown", false),
            },
            sign(Icon::Network, "No network", true),
        ]
    }
}
