//! What the boot loader decides, apart from the firmware that it asks.
//!
//! The program in `main.rs` talks to UEFI, reads and writes memory and jumps; everything that can be
//! decided without hardware is here, without `unsafe`, and is tested on the host:
//!
//! - [`rollback`]: whether an image is recent enough, over a [`tpm`] counter or any other store;
//! - [`tpm`]: the few TPM 2.0 commands that the loader sends, and where the firmware's measurement log ends;
//! - [`measure`]: what goes into the TPM's PCR 11;
//! - [`random`]: entropy from several sources, hashed to one seed, and numbers drawn from it;
//! - [`placement`]: where things go, physically and virtually (KASLR);
//! - [`kernel_image`]: the relocated kernel and the access each of its pages gets;
//! - [`page_tables`]: the final, W^X page tables, and [`transition`], those of the moments before;
//! - [`memory_map`]: the firmware's memory map as the kernel sees it;
//! - [`acpi`]: interrupt controllers, CPUs and power registers, and [`sleep_state`] and [`vm_generation`], the two values from AML;
//! - [`screen`]: what the user sees;
//! - [`refusal`]: every reason not to boot, in words.
//!
//! The chain of checks is a chain of types, each made only from the one before, so that skipping a check
//! does not compile: file, [`nonos_image::image::VerifiedImage`], [`rollback::AcceptedImage`],
//! [`measure::MeasuredImage`], [`payload::Payload`], [`kernel_image::KernelImage`], [`kernel_image::LoadedKernel`], and
//! only the last one runs.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod acpi;
mod dmar;
pub mod kernel_image;
pub mod measure;
pub mod memory_map;
pub mod page_tables;
pub mod payload;
pub mod placement;
pub mod random;
pub mod refusal;
pub mod report;
pub mod rollback;
pub mod screen;
pub mod sleep_state;
pub mod text;
pub mod tpm;
pub mod transition;
pub mod vm_generation;
pub mod wall_clock;

pub use refusal::Refusal;

/// Bytes in a page, as `u64`, for address arithmetic.
pub const PAGE: u64 = nonos_abi::PAGE_BYTES as u64;

/// Bytes in a large page (SDM vol. 3, 4.5.4).
pub const LARGE_PAGE: u64 = 512 * PAGE;

/// Whole pages that hold this many bytes.
pub const fn pages_for(bytes: u64) -> u64 {
    bytes.div_ceil(PAGE)
}

#[cfg(test)]
mod chain_tests;
