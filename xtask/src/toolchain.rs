//! The compiler for the system itself.
//!
//! The standard library is built from source with the project's flags, so the compiler must come with that
//! source: a rustup toolchain with the component `rust-src` (the active one first), else Debian's `rustc-web` with
//! `rust-web-src`. Both are stable compilers; RUSTC_BOOTSTRAP opens the unstable flags.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::process::{capture, find_program};

/// Oldest compiler that knows all flags of [`crate::build`].
const OLDEST_MINOR: u32 = 95;

/// A compiler with the source of its standard library.
#[derive(Clone, Debug)]
pub struct Toolchain {
    /// `cargo`.
    pub cargo: PathBuf,
    /// `rustc`.
    pub rustc: PathBuf,
    /// `rustdoc`.
    pub rustdoc: PathBuf,
    /// Folder of the standard library's source: `library` lies in it.
    pub source: PathBuf,
    version: String,
    origin: Origin,
}

#[derive(Clone, Debug)]
enum Origin {
    Rustup(String),
    Debian,
}

impl Toolchain {
    /// The compiler to use.
    ///
    /// # Errors
    /// When there is none; the error names the command that adds what is missing.
    pub fn find() -> Result<Self> {
        if let Some(toolchain) = Self::rustup().or_else(Self::debian) {
            return Ok(toolchain);
        }
        bail!(
            "no Rust compiler 1.{OLDEST_MINOR} or newer with the source of the standard library: \
             run `rustup component add rust-src`"
        )
    }

    /// A rustup toolchain with `rust-src`, the active one before the others.
    pub fn rustup() -> Option<Self> {
        let rustup = find_program("rustup")?;
        let list = capture(Command::new(rustup).args(["toolchain", "list", "--verbose"])).ok()?;
        let mut found: Vec<_> = list.lines().filter_map(parse_rustup_line).collect();
        found.sort_by_key(|entry| !entry.active);
        found
            .into_iter()
            .find_map(|entry| Self::at(&entry.folder, Origin::Rustup(entry.name)))
    }

    /// Debian's compiler, when its source is installed.
    pub fn debian() -> Option<Self> {
        Self::at(Path::new("/usr"), Origin::Debian)
    }

    /// The compiler installed below `root`, when it is new enough and its source is there.
    fn at(root: &Path, origin: Origin) -> Option<Self> {
        let source = root.join("lib/rustlib/src/rust");
        if !source.join("library/core/Cargo.toml").exists() {
            return None;
        }
        let [cargo, rustc, rustdoc] =
            ["cargo", "rustc", "rustdoc"].map(|name| root.join("bin").join(name));
        // Library paths that rustup or a surrounding cargo set are for another compiler.
        let version = capture(
            Command::new(&rustc)
                .arg("--version")
                .env_remove("LD_LIBRARY_PATH"),
        )
        .ok()?;
        let version = version.trim().to_owned();
        let usable = minor_version(&version)? >= OLDEST_MINOR && cargo.exists();
        usable.then_some(Self {
            cargo,
            rustc,
            rustdoc,
            source,
            version,
            origin,
        })
    }

    /// A cargo command with an environment that holds nothing of the cargo or rustup around it and nothing that
    /// would change what is built.
    pub fn cargo(&self, subcommand: &str) -> Command {
        // Cargo would look for its subcommand on the user's path and find another compiler's.
        let mut command = match subcommand {
            "clippy" => Command::new(self.cargo.with_file_name("cargo-clippy")),
            _ => Command::new(&self.cargo),
        };
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| !is_harmless(name)) {
                command.env_remove(name);
            }
        }
        command
            .env("CARGO", &self.cargo)
            .env("RUSTC", &self.rustc)
            .env("RUSTDOC", &self.rustdoc);
        command.env("RUSTC_BOOTSTRAP", "1").arg(subcommand);
        command
    }
}

impl fmt::Display for Toolchain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Rustup(name) => write!(
                f,
                "{} (rustup toolchain {name} with rust-src)",
                self.version
            ),
            Origin::Debian => write!(f, "{} (Debian, rust-web-src)", self.version),
        }
    }
}

/// Whether an environment variable may stay for a build of the system.
fn is_harmless(name: &str) -> bool {
    const KEPT: [&str; 4] = [
        "CARGO_HOME",
        "CARGO_BUILD_JOBS",
        "RUSTUP_HOME",
        "RUST_BACKTRACE",
    ];
    const KEPT_PREFIXES: [&str; 4] = ["CARGO_HTTP_", "CARGO_NET_", "CARGO_TERM_", "CARGO_REGISTR"];
    let of_rust = ["CARGO", "RUST", "CLIPPY", "LD_LIBRARY_PATH"]
        .iter()
        .any(|prefix| name.starts_with(prefix));
    !of_rust || KEPT.contains(&name) || KEPT_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

struct RustupEntry {
    name: String,
    folder: PathBuf,
    active: bool,
}

/// A line reads `NAME [(active, default)] FOLDER`.
fn parse_rustup_line(line: &str) -> Option<RustupEntry> {
    let (name, rest) = line.split_once(char::is_whitespace)?;
    let folder = &rest[rest.find('/')?..];
    let active = rest.contains("(active") || rest.contains("(default");
    Some(RustupEntry {
        name: name.to_owned(),
        folder: folder.trim().into(),
        active,
    })
}

/// The 95 of `rustc 1.95.0 (…)`.
fn minor_version(text: &str) -> Option<u32> {
    text.strip_prefix("rustc 1.")?
        .split('.')
        .next()?
        .parse()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rustup_lines_are_understood() {
        let entry = parse_rustup_line(
            "stable-x86_64-unknown-linux-gnu (active, default) /root/.rustup/toolchains/s",
        )
        .unwrap();
        assert!(entry.active);
        assert_eq!(entry.folder, Path::new("/root/.rustup/toolchains/s"));
        let entry = parse_rustup_line("nightly-x86_64-unknown-linux-gnu\t/home/a b/n").unwrap();
        assert!(!entry.active);
        assert_eq!(
            (entry.name.as_str(), entry.folder.as_path()),
            ("nightly-x86_64-unknown-linux-gnu", Path::new("/home/a b/n"))
        );
    }

    #[test]
    fn versions_are_understood() {
        assert_eq!(
            minor_version("rustc 1.96.0 (ac68faa20 2026-05-25)"),
            Some(96)
        );
        assert_eq!(minor_version("clang 19"), None);
    }

    #[test]
    fn flags_of_the_surrounding_cargo_do_not_reach_the_build() {
        for name in [
            "RUSTFLAGS",
            "CARGO_ENCODED_RUSTFLAGS",
            "CARGO_TARGET_DIR",
            "RUSTC_WRAPPER",
            "CARGO_PROFILE_RELEASE_LTO",
        ] {
            assert!(!is_harmless(name), "{name}");
        }
        for name in ["PATH", "HOME", "CARGO_HOME", "CARGO_HTTP_CAINFO"] {
            assert!(is_harmless(name), "{name}");
        }
    }
}
