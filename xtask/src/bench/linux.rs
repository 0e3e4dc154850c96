//! A Linux of Debian in the same emulator, with one program, which measures what Linux has alike (`bench/linux`).
//!
//! The kernel is the newest of `linux-image-cloud-amd64`, fetched with the computer's own `apt-get` and unpacked, not
//! installed. It boots without firmware of ours, from QEMU's `-kernel`: only what runs after that is counted.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::calls;
use super::figures::Linux;
use super::machine::{self, Running};
use crate::packages;
use crate::paths;
use crate::process::{capture, find_program, program, progress, run};
use crate::qemu::{self, MachineConfig};

/// Depends on the newest kernel image for virtual machines.
const PACKAGE: &str = "linux-image-cloud-amd64";

/// Target of the measuring programs.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Measures with Debian's settings and without mitigations.
///
/// # Errors
/// When the package cannot be had, a build fails or the machine does not come to its end.
pub fn measure() -> Result<Linux> {
    let folder = folder()?;
    let (version, kernel) = kernel(&folder)?;
    let initramfs = folder.join("initramfs.cpio");
    let [measure, small] = programs(["linux-measure", "linux-small"])?;
    let files = [
        entry("init", EXECUTABLE, &measure)?,
        entry("small", EXECUTABLE, &small)?,
    ];
    fs::write(&initramfs, archive(&files)?).context("write the initramfs")?;
    let figures = |options| -> Result<_> {
        progress(format!("measuring Linux {version} {options}"));
        let said = boot(&kernel, &initramfs, options)?;
        Ok(calls::parse(&said, OVERHEAD)?.least())
    };
    Ok(Linux {
        default: figures("")?,
        mitigations_off: figures("mitigations=off")?,
        version,
    })
}

/// What OpenSSL says, by the lines of its arguments, in a Linux in which nothing else runs. A second is 10⁹ instructions there.
///
/// # Errors
/// As [`measure`], or when OpenSSL is not installed.
pub fn openssl(arguments: &[String]) -> Result<String> {
    let folder = folder()?;
    let (version, kernel) = kernel(&folder)?;
    let [init] = programs(["linux-openssl"])?;
    let program = find_program("openssl").context("openssl is not installed")?;
    let mut files = vec![
        entry("init", EXECUTABLE, &init)?,
        entry("openssl", EXECUTABLE, &paths::read(&program)?)?,
        entry("arguments", EXECUTABLE, arguments.join("\n").as_bytes())?,
    ];
    let libraries = capture(Command::new("ldd").arg(&program))?;
    let places = libraries
        .split_whitespace()
        .filter(|word| word.starts_with('/'));
    let mut folders = BTreeSet::new();
    for place in places {
        for folder in Path::new(place).ancestors().skip(1) {
            let name = folder.to_string_lossy();
            folders.insert(name.trim_start_matches('/').to_owned());
        }
        let contents = paths::read(Path::new(place))?;
        files.push(entry(place.trim_start_matches('/'), EXECUTABLE, &contents)?);
    }
    folders.remove("");
    let folders = folders.iter().map(|name| entry(name, FOLDER, &[]));
    let all = [folders.collect::<Result<Vec<_>>>()?, files].concat();
    let initramfs = paths::target().join("linux/openssl.cpio");
    fs::write(&initramfs, archive(&all)?).context("write the initramfs")?;
    progress(format!("measuring OpenSSL on Linux {version}"));
    boot(&kernel, &initramfs, "")
}

fn folder() -> Result<PathBuf> {
    let folder = paths::target().join("linux");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    Ok(folder)
}

/// The newest kernel: its version and file.
fn kernel(folder: &Path) -> Result<(String, PathBuf)> {
    let dependencies = capture(program("apt-cache")?.args(["depends", PACKAGE]))
        .context("the lists of a Debian are needed: `apt-get update`")?;
    let package = dependencies
        .lines()
        .find_map(|line| line.trim().strip_prefix("Depends: "))
        .with_context(|| format!("{PACKAGE} depends on no kernel"))?;
    let version = package.trim_start_matches("linux-image-").to_owned();
    let unpacked = folder.join(package);
    let kernel = unpacked.join(format!("boot/vmlinuz-{version}"));
    if !kernel.exists() {
        progress(format!("fetching {package} from Debian"));
        let fetched = folder.join("fetched");
        fs::create_dir_all(&fetched).with_context(|| format!("make {}", fetched.display()))?;
        run(program("apt-get")?
            .args(["--quiet", "download", package])
            .current_dir(&fetched))?;
        let package_file = fs::read_dir(&fetched)?
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.to_string_lossy().contains(package))
            .context("apt-get left no package")?;
        run(program("dpkg-deb")?
            .arg("--extract")
            .args([&package_file, &unpacked]))?;
    }
    ensure!(kernel.exists(), "{package} has no {}", kernel.display());
    Ok((version, kernel))
}

/// Builds programs for Linux.
fn programs<const N: usize>(names: [&str; N]) -> Result<[Vec<u8>; N]> {
    progress("building the programs for Linux");
    let mut cargo = packages::ensure(false)?.cargo("build");
    let target = paths::target().join("linux/build");
    run(cargo
        .current_dir(paths::root())
        .env("CARGO_TARGET_DIR", &target)
        .env(
            "CARGO_ENCODED_RUSTFLAGS",
            "-Ctarget-feature=+crt-static\x1f-Crelocation-model=static",
        )
        .args(["--release", "--package", "bench-linux", "--target", TARGET]))?;
    let built = target.join(TARGET).join("release");
    let mut programs = [const { Vec::new() }; N];
    for (program, name) in programs.iter_mut().zip(names) {
        *program = paths::read(&built.join(name))?;
    }
    Ok(programs)
}

/// Instructions between two readings of the counter in `bench/linux`.
const OVERHEAD: u64 = 7;

/// What the machine says until the end.
fn boot(kernel: &Path, initramfs: &Path, options: &str) -> Result<String> {
    let folder = machine::fresh_folder()?;
    let like = MachineConfig::new("", "");
    let mut qemu = Command::new(qemu::QEMU);
    qemu.args([
        "-machine",
        "q35",
        "-nodefaults",
        "-no-user-config",
        "-no-reboot",
    ]);
    qemu.args(["-display", "none", "-cpu", &like.cpu_model]);
    qemu.args(["-m", &like.memory_mb.to_string(), "-smp", "1"]);
    qemu.args(qemu::INSTRUCTION_COUNTING.split(' '));
    qemu.arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initramfs);
    qemu.args([
        "-append",
        &format!("console=ttyS0 quiet panic=-1 {options}"),
    ]);
    qemu.args(qemu::PIPED_SERIAL.split(' '));
    qemu.args(["-serial", "chardev:serial"]);
    let mut running = Running::start(&qemu, &folder)?;
    running.wait_for("bench: end")
}

/// Modes: a file that everyone may execute, and a folder.
const EXECUTABLE: u32 = 0o100_755;
const FOLDER: u32 = 0o040_755;

/// A file in a "new ASCII" archive of cpio (linux/Documentation/driver-api/early-userspace/buffer-format.rst).
fn entry(name: &str, mode: u32, contents: &[u8]) -> Result<Vec<u8>> {
    let length = u32::try_from(contents.len()).context("a file of more than 4 GiB")?;
    let name_length = name.len() as u32 + 1;
    // Number, mode, user, group, links, time, length, devices, length of the name, checksum.
    let fields = [0, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0];
    let mut entry = b"070701".to_vec();
    for field in fields {
        entry.extend(format!("{field:08X}").bytes());
    }
    entry.extend(name.bytes().chain([0]));
    entry.resize(entry.len().next_multiple_of(4), 0);
    entry.extend(contents);
    entry.resize(entry.len().next_multiple_of(4), 0);
    Ok(entry)
}

/// An initramfs of these entries.
fn archive(entries: &[Vec<u8>]) -> Result<Vec<u8>> {
    Ok([entries.concat(), entry("TRAILER!!!", 0, &[])?].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_archive_are_aligned_and_end_with_the_trailer() {
        let file = |name, contents: &[u8]| entry(name, EXECUTABLE, contents).unwrap();
        let archive = archive(&[file("init", &[1; 5]), file("small", &[2; 4])]).unwrap();
        assert!(archive.len().is_multiple_of(4) && archive.starts_with(b"070701"));
        let text: String = archive.iter().map(|&byte| byte as char).collect();
        assert!(text.contains("init\0") && text.trim_end_matches('\0').ends_with("TRAILER!!!"));
        assert_eq!(text.match_indices("070701").count(), 3);
        assert!(
            text.match_indices("070701")
                .all(|(at, _)| at.is_multiple_of(4))
        );
    }
}
