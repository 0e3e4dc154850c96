//! The parts of the shell that call nothing: they run and are tested on the host.
//!
//! [`editor`] turns keys into lines, [`command`] and [`vault`] lines into commands, [`report`] records of the kernel into
//! text a person reads. None of them holds state of the system: what is shown is what the record says.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod command;
pub mod editor;
pub mod keys;
pub mod report;
pub mod vault;
