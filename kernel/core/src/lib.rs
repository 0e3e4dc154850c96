//! The kernel's logic in safe Rust.
#![no_std]
#![forbid(unsafe_code)]

pub mod machine;
