//! A Linux of Debian in the same emulator, with one program, which measures what Linux has alike (`bench/linux`).
//!
//! The kernel is the newest of `linux-image-cloud-amd64`, fetched with the computer's own `apt-get` and unpacked, not
//! installed. It boots without firmware of ours, from QEMU's `-kernel`: only what runs after that is counted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::calls;
use super::figures::Linux;
use super::machine::{self, Running};
use crate::packages;
use crate::paths;
use crate::process::{capture, program, progress, run};
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
    let folder = paths::target().join("linux");
    fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    let (version, kernel) = kernel(&folder)?;
    let initramfs = folder.join("initramfs.cpio");
    fs::write(&initramfs, archive(&programs()?)?).context("write the initramfs")?;
    let figures = |options| -> Result<_> {
        progress(format!("measuring Linux {version} {options}"));
        Ok(boot(&kernel, &initramfs, options)?.least())
    };
    Ok(Linux {
        default: figures("")?,
        mitigations_off: figures("mitigations=off")?,
        version,
    })
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

/// Builds the programs: that of init and the one it starts.
fn programs() -> Result<[Vec<u8>; 2]> {
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
    Ok([
        paths::read(&built.join("linux-measure"))?,
        paths::read(&built.join("linux-small"))?,
    ])
}

/// Instructions between two readings of the counter in `bench/linux`.
const OVERHEAD: u64 = 7;

fn boot(kernel: &Path, initramfs: &Path, options: &str) -> Result<calls::Calls> {
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
    calls::parse(&running.wait_for("bench: end")?, OVERHEAD)
}

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

/// An initramfs.
fn archive([measure, small]: &[Vec<u8>; 2]) -> Result<Vec<u8>> {
    /// A file that everyone may execute.
    const EXECUTABLE: u32 = 0o100_755;
    let entries = [
        entry("init", EXECUTABLE, measure)?,
        entry("small", EXECUTABLE, small)?,
        entry("TRAILER!!!", 0, &[])?,
    ];
    Ok(entries.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_the_archive_are_aligned_and_end_with_the_trailer() {
        let archive = archive(&[vec![1; 5], vec![2; 4]]).unwrap();
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
