//! Random numbers: the generator that the kernel has one of and a program can have of its own, and the tests that sources of
//! entropy must pass in boot loader and kernel.
//!
//! No source of entropy is here: whoever makes a [`Generator`] gives it a key that nobody else knows.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(feature = "generator")]
mod generator;
pub mod health;

#[cfg(feature = "generator")]
pub use generator::{BLOCK_BYTES, Generator, KEY_BYTES};
