//! Debian packages that the build and the machine need, and how they get installed.
//!
//! What counts is whether the files are there, so other distributions work once the same programs are installed.
//! Packages are installed by root or with passwordless sudo; anyone else gets the one command to type.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::{find_program, progress, run};
use crate::qemu;
use crate::toolchain::Toolchain;

/// A file or program that shows that a package is installed.
enum Shown {
    Program(&'static str),
    File(&'static str),
}

/// What every build and run needs.
const ALWAYS: [(&str, Shown); 14] = [
    ("qemu-system-x86", Shown::Program(qemu::QEMU)),
    ("ovmf", Shown::File(qemu::FIRMWARE_CODE)),
    ("bochs", Shown::Program("bochs")),
    (
        "bochs-sdl",
        Shown::File("/usr/lib/x86_64-linux-gnu/bochs/plugins/libbx_sdl2_gui.so"),
    ),
    ("vgabios", Shown::File("/usr/share/vgabios/vgabios.bin")),
    ("swtpm", Shown::Program("swtpm")),
    ("tpm2-tools", Shown::Program("tpm2_checkquote")),
    ("sbsigntool", Shown::Program("sbsign")),
    ("mtools", Shown::Program("mcopy")),
    ("gdisk", Shown::Program("sgdisk")),
    ("openssl", Shown::Program("openssl")),
    ("lld-19", Shown::Program("ld.lld-19")),
    (
        "fonts-inter",
        Shown::File("/usr/share/fonts/opentype/inter/Inter-Regular.otf"),
    ),
    (
        "fonts-jetbrains-mono",
        Shown::File("/usr/share/fonts/truetype/jetbrains-mono/JetBrainsMono-Regular.ttf"),
    ),
];

/// What the compiler needs when rustup offers none with `rust-src`.
const DEBIAN_RUST: [(&str, Shown); 4] = [
    ("rustc-web", Shown::File("/usr/bin/rustc")),
    ("cargo-web", Shown::File("/usr/bin/cargo")),
    (
        "rust-web-src",
        Shown::File("/usr/lib/rustlib/src/rust/library/core/Cargo.toml"),
    ),
    ("rust-web-clippy", Shown::File("/usr/bin/cargo-clippy")),
];

/// What QEMU's window needs.
const WINDOW: (&str, Shown) = (
    "qemu-system-gui",
    Shown::File("/usr/lib/x86_64-linux-gnu/qemu/ui-gtk.so"),
);

/// Installs what is missing, and says which compiler was taken.
///
/// # Errors
/// When something is missing that cannot be installed from here; the error is the command to type.
pub fn ensure(window: bool) -> Result<Toolchain> {
    let missing = missing(window);
    if !missing.is_empty() {
        install(&missing)?;
    }
    Toolchain::find()
}

fn missing(window: bool) -> Vec<&'static str> {
    let mut needed: Vec<_> = ALWAYS.iter().collect();
    if window {
        needed.push(&WINDOW);
    }
    if Toolchain::rustup().is_none() && has_debian_rust() {
        needed.extend(&DEBIAN_RUST);
    }
    needed
        .into_iter()
        .filter(|(_, shown)| !shown.is_there())
        .map(|(package, _)| *package)
        .collect()
}

impl Shown {
    fn is_there(&self) -> bool {
        match self {
            Self::Program(name) => find_program(name).is_some(),
            Self::File(path) => Path::new(path).exists(),
        }
    }
}

/// Debian 12 has a recent compiler under the names of [`DEBIAN_RUST`]; later releases do not need these packages.
fn has_debian_rust() -> bool {
    fs::read_to_string("/etc/os-release")
        .is_ok_and(|text| text.lines().any(|line| line == "VERSION_CODENAME=bookworm"))
}

fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    if find_program("apt-get").is_none() {
        bail!("these Debian packages (or what they contain) are missing: {list}");
    }
    let Some(prefix) = privilege() else {
        bail!(
            "packages are missing; type this, then try again:\n  \
             sudo apt-get update && sudo apt-get install --yes --no-install-recommends {list}"
        );
    };
    progress(format!("installing Debian packages: {list}"));
    run(&mut apt(prefix, &["update"])).context("update the package lists")?;
    let mut words = vec!["install", "--yes", "--no-install-recommends"];
    words.extend(packages);
    run(&mut apt(prefix, &words)).context("install packages")
}

/// What to put before a command so that it runs as root: nothing, `sudo -n`, or `None` when this user cannot.
fn privilege() -> Option<&'static [&'static str]> {
    let effective_user = fs::read_to_string("/proc/self/status").ok()?;
    let root = effective_user.lines().any(|line| {
        line.strip_prefix("Uid:")
            .is_some_and(|ids| ids.split_whitespace().nth(1) == Some("0"))
    });
    if root {
        return Some(&[]);
    }
    let mut sudo = Command::new(find_program("sudo")?);
    sudo.args(["-n", "true"])
        .output()
        .is_ok_and(|output| output.status.success())
        .then_some(&["sudo", "-n"])
}

fn apt(prefix: &[&str], words: &[&str]) -> Command {
    let mut line: Vec<&str> = prefix.to_vec();
    line.extend([
        "env",
        "DEBIAN_FRONTEND=noninteractive",
        "apt-get",
        "--quiet",
        "-o",
        "Dpkg::Use-Pty=0",
    ]);
    line.extend(words);
    let mut command = Command::new(line[0]);
    command.args(&line[1..]).stdin(std::process::Stdio::null());
    command
}

/// Whether QEMU can open a window here.
pub fn has_display() -> bool {
    ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| env::var_os(name).is_some_and(|value| !value.is_empty()))
}
