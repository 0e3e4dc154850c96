//! The boot loader as it is stored: packed, behind the stub in `main.rs` that unpacks it.
//!
//! The build makes both one program for the firmware, so that the firmware's check and its measurement cover all bytes of both. The stub
//! decides nothing: it finds out whether it holds what was made ([`program::Packed::parse`]), unpacks it, gives its pages their access and
//! jumps. What it says no to is damage, in files that no firmware checks; against anybody's intent, Secure Boot is what protects both.
#![cfg_attr(not(any(test, feature = "pack")), no_std)]
#![forbid(unsafe_code)]

mod crc;
pub mod program;
