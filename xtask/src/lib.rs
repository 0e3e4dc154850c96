//! What a developer types: build, sign, run, test, measure.
//!
//! The binary is a thin command line over this library; the system tests use the library to build images and to
//! start machines, so that what is tested is what `cargo xtask run` boots. Flow of a build:
//! [`toolchain`] → [`packages`] → [`keys`] → [`build`] → [`image`] → [`qemu`].
//!
//! Nothing outside `target/` is written, apart from Debian packages that are installed when the caller may.

#![forbid(unsafe_code)]

pub mod abi;
pub mod audit;
pub mod bench;
mod boot_program;
pub mod build;
pub mod check;
pub mod disk;
pub mod elf;
pub mod fuzz;
pub mod harden;
pub mod image;
pub mod keys;
pub mod libraries;
pub mod modules;
pub mod mutants;
pub mod packages;
pub mod page;
pub mod paths;
pub mod process;
pub mod qemu;
pub mod qmp;
pub mod run;
pub mod serial;
pub mod size;
pub mod status;
pub mod swtpm;
pub mod test;
pub mod toolchain;
pub mod update;
pub mod vars;
