//! Where things lie: the repository, and what the build makes under `target/`.
//!
//! Nothing outside `target/` is ever written. `root` is fixed when xtask is compiled, so commands work from any directory.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_path_buf)
        .unwrap_or_default()
}

/// Everything that is made.
pub fn target() -> PathBuf {
    root().join("target")
}

/// Cargo's target directory for the system itself, apart from that of the host programs so that neither waits for the other.
pub fn system_target() -> PathBuf {
    target().join("system")
}

/// Developer keys, made on first use.
pub fn keys() -> PathBuf {
    target().join("keys")
}

/// What `cargo xtask image` writes.
pub fn image() -> PathBuf {
    target().join("image")
}

/// State of the machine of `cargo xtask run`: UEFI variables and TPM.
pub fn run() -> PathBuf {
    target().join("run")
}

/// Python environment with virt-firmware.
pub fn venv() -> PathBuf {
    target().join("venv")
}

/// A file's contents.
///
/// # Errors
/// When it cannot be read; the error names it.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("read {}", path.display()))
}

/// Leaves the file alone when it has these contents, so that its date says when it changed.
///
/// # Errors
/// When it cannot be written.
pub fn write_if_changed(file: &Path, contents: &[u8]) -> Result<()> {
    if fs::read(file).is_ok_and(|old| old == contents) {
        return Ok(());
    }
    fs::write(file, contents).with_context(|| format!("write {}", file.display()))
}
