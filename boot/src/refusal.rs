//! Every reason not to boot, in words: `<check>: found ..., expected ...`.

use core::fmt;

use nonos_abi::boot::entropy;
use nonos_image::Hex;
use nonos_image::archive::ArchiveError;
use nonos_image::image::{self, UnpackError};
use nonos_image::{elf, envelope};

use crate::{page_tables, rollback, tpm};

/// Largest system image that is read, in bytes.
pub const IMAGE_BYTES_MAX: u64 = 64 << 20;

/// Path of the system image on the volume that the boot loader came from.
pub const IMAGE_PATH: &str = "\\EFI\\NONOS\\system.img";

/// The check that failed.
#[derive(Clone, Copy, Debug)]
pub enum Refusal {
    /// The CPU cannot make pages non-executable.
    NoExecuteDisable,
    /// The firmware runs with 5-level paging.
    FiveLevelPaging,
    /// No system image at [`IMAGE_PATH`]; the firmware's status.
    ImageMissing(u64),
    /// The system image is longer than [`IMAGE_BYTES_MAX`].
    ImageTooLarge(u64),
    /// Fewer bytes could be read than the file has.
    ImageShortRead {
        /// Bytes read.
        found: u64,
        /// Bytes by the directory.
        expected: u64,
    },
    /// Signatures, header or hash of the system image.
    Image(image::Refusal),
    /// Rollback protection.
    Rollback(rollback::Refusal),
    /// The TPM failed.
    Tpm(tpm::Error),
    /// The event log of the firmware is not what its specification says.
    EventLog,
    /// The payload does not unpack.
    Unpack(UnpackError),
    /// The unpacked payload is no archive.
    Archive(ArchiveError),
    /// The payload holds no kernel.
    NoKernel,
    /// The kernel is no executable that can be loaded.
    Kernel(elf::Refusal),
    /// The kernel does not fit the memory set aside for it.
    KernelMemory,
    /// Not enough free contiguous memory.
    Memory {
        /// What for.
        what: &'static str,
        /// Pages asked for.
        pages: u64,
    },
    /// No room in the kernel's half of the address space.
    AddressSpace,
    /// Page tables could not be built.
    PageTables(page_tables::Error),
    /// The memory map has more ranges than the hand-over has room for.
    MemoryRanges,
    /// An ACPI table is missing or damaged.
    Acpi(&'static str),
    /// No source of entropy passed its health tests.
    Entropy {
        /// Those that are there and failed: bits of [`entropy`].
        failed: u64,
    },
    /// The firmware failed; its status.
    Firmware {
        /// At what.
        check: &'static str,
        /// EFI_STATUS.
        status: u64,
    },
}

impl From<rollback::Refusal> for Refusal {
    fn from(refusal: rollback::Refusal) -> Self {
        Self::Rollback(refusal)
    }
}

impl From<tpm::Error> for Refusal {
    fn from(error: tpm::Error) -> Self {
        Self::Tpm(error)
    }
}

impl From<page_tables::Error> for Refusal {
    fn from(error: page_tables::Error) -> Self {
        Self::PageTables(error)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoExecuteDisable => {
                f.write_str("processor: found no NX (execute disable), expected a processor with NX enabled")
            }
            Self::FiveLevelPaging => {
                f.write_str("processor: found 5-level paging on, expected 4-level paging (turn LA57 off in the firmware)")
            }
            Self::ImageMissing(status) => {
                write!(f, "system image: found no readable file (status {status:#x}), expected {IMAGE_PATH}")
            }
            Self::ImageTooLarge(found) => {
                write!(f, "system image: found {found} bytes, expected at most {IMAGE_BYTES_MAX}")
            }
            Self::ImageShortRead { found, expected } => {
                write!(f, "system image: found {found} readable bytes, expected {expected}")
            }
            Self::Image(refusal) => image_text(refusal, f),
            Self::Rollback(refusal) => refusal.fmt(f),
            Self::Tpm(error) => write!(f, "TPM: {error}"),
            Self::EventLog => f.write_str("event log: found a log that does not end, expected the TCG crypto agile format"),
            Self::Unpack(error) => write!(f, "image payload: found it corrupt ({error}), expected LZMA of the signed size"),
            Self::Archive(error) => write!(f, "image payload: found no archive ({error}), expected one"),
            Self::NoKernel => f.write_str("image payload: found no entry \"kernel\", expected one"),
            Self::Kernel(refusal) => write!(f, "kernel: found {refusal}, expected a static-PIE executable"),
            Self::KernelMemory => f.write_str("kernel: found a segment outside its memory, expected all inside"),
            Self::Memory { what, pages } => {
                write!(f, "memory: found no {pages} contiguous free pages for the {what}, expected them")
            }
            Self::AddressSpace => f.write_str("memory: found no room in the top 2 GiB, expected room for every area"),
            Self::PageTables(error) => write!(f, "page tables: found {error:?}, expected every area to be mappable"),
            Self::MemoryRanges => write!(
                f,
                "memory map: found more ranges, expected at most {}",
                nonos_abi::boot::MEMORY_RANGES
            ),
            Self::Acpi(table) => write!(f, "ACPI: found no valid {table}, expected one"),
            Self::Entropy { failed } => entropy_text(*failed, f),
            Self::Firmware { check, status } => {
                write!(f, "{check}: found firmware status {status:#x}, expected success")
            }
        }
    }
}

/// That there is no entropy, and which sources failed.
fn entropy_text(failed: u64, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    f.write_str("entropy: found no source that passes its health tests")?;
    for (bit, name) in entropy::NAMES.iter().enumerate() {
        if failed & 1 << bit != 0 {
            write!(f, " ({name} failed)")?;
        }
    }
    f.write_str(", expected one at least")
}

/// What is wrong with the system image.
fn image_text(refusal: &image::Refusal, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const SIGNATURE: &str = "found a signature that is not valid, expected one by the built-in key";
    match refusal {
        image::Refusal::Length { found } => {
            write!(
                f,
                "image length: found {found} bytes, expected at least {}",
                envelope::ENVELOPE_BYTES
            )
        }
        image::Refusal::Ed25519 => write!(f, "image signature Ed25519: {SIGNATURE}"),
        image::Refusal::MlDsa => write!(f, "image signature ML-DSA-65: {SIGNATURE}"),
        image::Refusal::BodyLength { found, expected } => {
            write!(
                f,
                "image length: found {found} bytes of payload, expected {expected}"
            )
        }
        image::Refusal::Hash { found, expected } => {
            write!(
                f,
                "image payload BLAKE3: found {}, expected {}",
                Hex(found),
                Hex(expected)
            )
        }
        image::Refusal::Padding { offset, found } | image::Refusal::Reserved { offset, found } => {
            write!(
                f,
                "image header: found {found:#04x} at byte {offset}, expected 0x00"
            )
        }
        other => write!(
            f,
            "image header: found another format ({other}), expected a NONOS system image"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_names_check_found_and_expected() {
        let refusals = [
            Refusal::NoExecuteDisable,
            Refusal::FiveLevelPaging,
            Refusal::ImageMissing(14),
            Refusal::ImageTooLarge(1 << 40),
            Refusal::ImageShortRead {
                found: 1,
                expected: 2,
            },
            Refusal::Image(image::Refusal::Length { found: 3 }),
            Refusal::Image(image::Refusal::Ed25519),
            Refusal::Image(image::Refusal::MlDsa),
            Refusal::Image(image::Refusal::Padding {
                offset: 4000,
                found: 1,
            }),
            Refusal::Image(image::Refusal::Magic {
                found: *b"NONOSMOD",
                expected: image::MAGIC,
            }),
            Refusal::Image(image::Refusal::Format { found: 2 }),
            Refusal::Image(image::Refusal::Field { field: "version" }),
            Refusal::Image(image::Refusal::BodyLength {
                found: 1,
                expected: 2,
            }),
            Refusal::Image(image::Refusal::Hash {
                found: [1; 32],
                expected: [2; 32],
            }),
            Refusal::Tpm(tpm::Error {
                command: tpm::Command::NV_READ,
                problem: tpm::Problem::Code(1),
            }),
            Refusal::Tpm(tpm::Error {
                command: tpm::Command::NV_READ,
                problem: tpm::Problem::Length,
            }),
            Refusal::EventLog,
            Refusal::Unpack(UnpackError::Buffer {
                found: 1,
                expected: 2,
            }),
            Refusal::Archive(ArchiveError::Magic),
            Refusal::NoKernel,
            Refusal::Kernel(elf::Refusal::Ident),
            Refusal::KernelMemory,
            Refusal::Memory {
                what: "kernel",
                pages: 3,
            },
            Refusal::AddressSpace,
            Refusal::PageTables(page_tables::Error::Mapped),
            Refusal::MemoryRanges,
            Refusal::Acpi("MADT"),
            Refusal::Entropy { failed: 0b10101 },
            Refusal::Firmware {
                check: "measured boot",
                status: 7,
            },
        ];
        for refusal in refusals {
            let text = refusal.to_string();
            let found = text.find(": found ").expect(&text);
            assert!(text[found..].contains(", expected "), "{text}");
            assert!(text.is_ascii());
        }
    }
}
