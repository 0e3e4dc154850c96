//! `cargo xtask size`: what each part takes, against its limit.

use std::path::Path;

use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;

use crate::image::ImageFiles;
use crate::libraries::{Libraries, Library};
use crate::{build::KERNEL, paths};

/// Limit for the stripped kernel, bytes.
pub const KERNEL_LIMIT: u64 = 221_000;
/// Limit for the boot loader, bytes.
pub const BOOT_LOADER_LIMIT: u64 = 300_000;
/// Limit for all that is stored: boot loader and system image, bytes.
pub const STORED_LIMIT: u64 = 1_000_000;

/// Libraries with less code are not in the table.
const LIBRARY_SHOWN: u64 = 1000;

/// Sizes in bytes.
#[derive(Serialize, Debug)]
pub struct Sizes {
    /// Stripped kernel.
    pub kernel_bytes: u64,
    /// Signed boot loader.
    pub boot_loader_bytes: u64,
    /// The boot loader's program, unpacked.
    pub boot_program_bytes: u64,
    /// System image as it is stored.
    pub image_bytes: u64,
    /// Its payload, unpacked.
    pub payload_bytes: u64,
    /// Modules.
    pub modules: BTreeMap<String, u64>,
    /// Code of libraries in kernel and modules, by the names of their crates.
    pub libraries: BTreeMap<String, Library>,
}

impl Sizes {
    /// Measures the files of an image.
    ///
    /// # Errors
    /// When one cannot be read.
    pub fn of(image: &ImageFiles) -> Result<Self> {
        let mut libraries = Libraries::default();
        libraries.add(KERNEL, &paths::read(&image.kernel_debug)?)?;
        for (name, path) in &image.linked_modules {
            libraries.add(name, &paths::read(path)?)?;
        }
        Ok(Self {
            libraries: libraries.into_map(),
            kernel_bytes: bytes(&image.kernel)?,
            boot_loader_bytes: bytes(&image.boot_loader)?,
            boot_program_bytes: bytes(&image.boot_program)?,
            image_bytes: bytes(&image.system_image)?,
            payload_bytes: bytes(&image.archive)?,
            modules: image
                .modules
                .iter()
                .map(|(name, path)| Ok((name.clone(), bytes(path)?)))
                .collect::<Result<_>>()?,
        })
    }

    /// Boot loader and system image.
    pub fn stored_bytes(&self) -> u64 {
        self.boot_loader_bytes + self.image_bytes
    }

    /// Whether kernel, boot loader and all that is stored keep their limits.
    pub fn within_limits(&self) -> bool {
        self.kernel_bytes <= KERNEL_LIMIT
            && self.boot_loader_bytes <= BOOT_LOADER_LIMIT
            && self.stored_bytes() <= STORED_LIMIT
    }

    /// For a person.
    pub fn table(&self) -> String {
        let limited = |size: u64, limit: u64| {
            let verdict = if size <= limit { "" } else { "  TOO LARGE" };
            format!("{:>10} of at most {:>7}{verdict}", size, limit)
        };
        let mut table = format!("{:<20} {:>10}\n", "part", "bytes");
        table += &format!(
            "{:<20} {}\n",
            "boot loader",
            limited(self.boot_loader_bytes, BOOT_LOADER_LIMIT)
        );
        table += &format!("{:<20} {:>10}\n", "  unpacked", self.boot_program_bytes);
        table += &format!(
            "{:<20} {}\n",
            "kernel",
            limited(self.kernel_bytes, KERNEL_LIMIT)
        );
        for (name, size) in &self.modules {
            table += &format!("{:<20} {size:>10}\n", format!("module {name}"));
        }
        let libraries = self.libraries.iter();
        let large = libraries.filter(|(_, library)| library.bytes >= LIBRARY_SHOWN);
        for (name, Library { bytes, programs }) in large {
            let name = format!("library {name}");
            table += &format!("{name:<30} {bytes:>10} in {programs:>2} programs\n");
        }
        table += &format!("{:<20} {:>10}\n", "payload, unpacked", self.payload_bytes);
        table += &format!("{:<20} {:>10}\n", "image", self.image_bytes);
        table += &format!(
            "{:<20} {}\n",
            "boot loader + image",
            limited(self.stored_bytes(), STORED_LIMIT)
        );
        table
    }
}

fn bytes(path: &Path) -> Result<u64> {
    Ok(paths::read(path)?.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_what_is_too_large() {
        let mut sizes = Sizes {
            kernel_bytes: KERNEL_LIMIT,
            boot_loader_bytes: 1,
            boot_program_bytes: 5,
            image_bytes: 2,
            payload_bytes: 3,
            modules: BTreeMap::new(),
            libraries: BTreeMap::new(),
        };
        assert!(sizes.within_limits() && !sizes.table().contains("TOO LARGE"));
        sizes.kernel_bytes += 1;
        assert!(!sizes.within_limits() && sizes.table().contains("TOO LARGE"));
        sizes.kernel_bytes -= 1;
        sizes.image_bytes = STORED_LIMIT;
        assert!(!sizes.within_limits() && sizes.table().contains("TOO LARGE"));
    }
}
