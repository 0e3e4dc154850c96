//! The contract between the kernel and everything around it: the hand-over from the boot loader
//! ([`boot`]), and system calls ([`syscall`]), handles, rights, errors and the records that system
//! calls return ([`info`]) for user space.
//!
//! Types only, no behaviour beyond packing and unpacking, no dependencies, no `unsafe`. Whoever wants to
//! know what a program can ask of the kernel reads this crate and nothing else.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod boot;
pub mod cet;
pub mod date;
pub mod error;
pub mod handle;
pub mod info;
pub mod kcfi;
pub mod message;
pub mod name;
pub mod rights;
pub mod start;
pub mod syscall;
pub mod words;

pub use error::Error;
pub use handle::{Handle, ObjectKind};
pub use message::{Message, MessageInfo};
pub use name::Name;
pub use rights::Rights;
pub use syscall::Syscall;

/// Bytes in a page and in a frame: the only size that is mapped for user space (SDM vol. 3, 4.5).
pub const PAGE_BYTES: usize = 4096;

/// Most bytes that [`Syscall::Random`] gives at a time: what one key of the kernel's generator makes.
pub const RANDOM_BYTES_MAX: usize = 224;

/// First I/O address of each device. Nothing lies below, so that a device that was given no address faults.
pub const DEVICE_ADDRESS: u64 = 0x20_0000;

/// Pages from there on at which memory can be mapped for a device: 16 MiB.
pub const DEVICE_PAGES: u64 = 4096;

/// First address that user space can map. Nothing lies below, so that a null pointer with an offset faults.
pub const USER_START: u64 = 0x1_0000;

/// First address above user space: one page below the end of the lower canonical half, so that the
/// address after a `syscall` instruction is canonical wherever the instruction stands.
pub const USER_END: u64 = 0x0000_7FFF_FFFF_F000;
