//! The format of the system image and of modules, and what is inside: one implementation for the boot
//! loader, the kernel and the host tools.
//!
//! A signed file is an [`envelope`]: a 512-byte header, an Ed25519 and an ML-DSA-65 signature over it, zeros
//! up to 4096 bytes, and the body whose BLAKE3 hash stands in the header. Two kinds exist: the system
//! [`image`] (its body unpacks to an [`archive`]) and the [`list`] of a publisher's modules (its body is their
//! manifests, each with the hash of an ELF). The archive holds the kernel, its [`symbols`], the trust [`anchors`], the
//! lists and the ELF of each [`module`].
//!
//! Invariants:
//!
//! - Nothing of a file is interpreted before both signatures were checked, and a [`image::VerifiedImage`] or
//!   [`list::VerifiedList`] is made only by the function that checked everything.
//! - An ELF is a [`module::VerifiedModule`] only by the manifest of a verified list whose hash it has.
//! - Every byte of the 4096 of an envelope is signed, a signature, or zero, and the length of the file is
//!   fixed by the header: no byte can change without a refusal.
//! - No input makes the code panic, loop without bound or allocate beyond a signed size.
//!
//! Features: `verify` checks (no allocation); `unpack` adds decompression for the boot loader; `sign` adds
//! making keys, signing and packing for the host. Without any, the parsers of archive, ELF and symbols remain.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]
// Links name everything; with fewer features some of it is not there.
#![cfg_attr(not(feature = "sign"), allow(rustdoc::broken_intra_doc_links))]

#[cfg(feature = "sign")]
extern crate alloc;

pub mod archive;
mod bytes;
pub mod elf;
pub mod symbols;

#[cfg(feature = "verify")]
pub mod anchors;
#[cfg(feature = "verify")]
pub mod envelope;
#[cfg(feature = "verify")]
pub mod image;
#[cfg(feature = "verify")]
pub mod keys;
#[cfg(feature = "verify")]
pub mod list;
#[cfg(feature = "verify")]
pub mod module;
#[cfg(feature = "verify")]
pub mod signature;

#[cfg(feature = "sign")]
pub mod sign;
#[cfg(feature = "unpack")]
mod unpack;

pub use bytes::Hex;
