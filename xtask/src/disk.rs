//! The bootable disk image: a GPT with one EFI system partition, made without root by `sgdisk` and `mtools`.
//!
//! Identifiers are fixed, so the same files give the same partition table. The image is sparse; most of it is empty.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::process::{capture, program};

/// Where the firmware looks for a boot loader on a disk without boot entries (UEFI 2.10, 3.5.1.1).
pub const BOOT_LOADER_PATH: &str = "EFI/BOOT/BOOTX64.EFI";

/// Where the boot loader looks for the system image.
pub const SYSTEM_IMAGE_PATH: &str = "EFI/NONOS/system.img";

const SECTOR_BYTES: u64 = 512;
/// First sector of the partition: 1 MiB, the usual alignment.
const FIRST_SECTOR: u64 = 2048;
/// 64 MiB: FAT32 needs 65,525 clusters, at least.
const PARTITION_SECTORS: u64 = 131_072;
/// Behind the partition, for the second copy of the GPT, rounded up.
const END_SECTORS: u64 = 2048;

/// Writes a disk image with these files; without a system image the boot loader stands alone.
///
/// # Errors
/// When a file cannot be read or written, or a tool fails.
pub fn write(disk: &Path, boot_loader: &Path, system_image: Option<&Path>) -> Result<()> {
    if let Some(folder) = disk.parent() {
        fs::create_dir_all(folder).with_context(|| format!("make {}", folder.display()))?;
    }
    // A new file: a machine that still runs from the old one keeps it.
    let new = disk.with_extension("new");
    let file = File::create(&new).with_context(|| format!("make {}", new.display()))?;
    file.set_len((FIRST_SECTOR + PARTITION_SECTORS + END_SECTORS) * SECTOR_BYTES)?;
    partition(&new)?;
    let partition = format!("{}@@{}", new.display(), FIRST_SECTOR * SECTOR_BYTES);
    let sectors = PARTITION_SECTORS.to_string();
    mtools(
        "mformat",
        &partition,
        &["-F", "-T", &sectors, "-v", "NONOS", "-N", "4e4f4e4f", "::"],
    )?;
    mtools("mmd", &partition, &["::EFI", "::EFI/BOOT", "::EFI/NONOS"])?;
    copy(&partition, boot_loader, BOOT_LOADER_PATH)?;
    if let Some(image) = system_image {
        copy(&partition, image, SYSTEM_IMAGE_PATH)?;
    }
    fs::rename(&new, disk).with_context(|| format!("write {}", disk.display()))
}

/// Adds a file to a disk image.
///
/// # Errors
/// As [`write()`].
pub fn add(disk: &Path, file: &Path, to: &str) -> Result<()> {
    let partition = format!("{}@@{}", disk.display(), FIRST_SECTOR * SECTOR_BYTES);
    copy(&partition, file, to)
}

fn partition(disk: &Path) -> Result<()> {
    let last = FIRST_SECTOR + PARTITION_SECTORS - 1;
    let mut sgdisk = program("sgdisk")?;
    sgdisk.args([
        "--clear",
        "--disk-guid=4E4F4E4F-5300-4001-8000-6E6F6E6F7301",
    ]);
    sgdisk.arg(format!("--new=1:{FIRST_SECTOR}:{last}"));
    sgdisk.args([
        "--typecode=1:EF00",
        "--change-name=1:NONOS",
        "--partition-guid=1:4E4F4E4F-5300-4001-8000-6E6F6E6F7302",
    ]);
    capture(sgdisk.arg(disk)).context("partition the disk image")?;
    Ok(())
}

fn copy(partition: &str, file: &Path, to: &str) -> Result<()> {
    let from = file.to_string_lossy();
    mtools("mcopy", partition, &["-o", &from, &format!("::{to}")])
}

fn mtools(name: &str, partition: &str, args: &[&str]) -> Result<()> {
    let mut tool: Command = program(name)?;
    // Images are smaller than mtools thinks a disk with this geometry must be.
    tool.env("MTOOLS_SKIP_CHECK", "1")
        .args(["-i", partition])
        .args(args);
    capture(&mut tool)?;
    Ok(())
}
