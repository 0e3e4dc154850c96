//! Pages of `docs/` that are written from the source, and must say what it says.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::paths;

/// A page, and how it is made.
pub struct Page {
    /// Its file, from the root of the repository.
    pub file: &'static str,
    /// The command that writes it.
    pub command: &'static str,
    /// What is to be in it.
    pub text: fn() -> Result<String>,
}

impl Page {
    /// Writes the page.
    ///
    /// # Errors
    /// When its source cannot be read or is not as it must be.
    pub fn write(&self) -> Result<()> {
        fs::write(paths::root().join(self.file), (self.text)()?)
            .with_context(|| format!("write {}", self.file))
    }

    /// Whether the page is what the source says.
    ///
    /// # Errors
    /// When it is not.
    pub fn check(&self) -> Result<()> {
        let found = fs::read_to_string(paths::root().join(self.file)).unwrap_or_default();
        let Self { file, command, .. } = self;
        ensure!(
            found == (self.text)()?,
            "{file} is not what the source says: `{command}` writes it"
        );
        Ok(())
    }
}
