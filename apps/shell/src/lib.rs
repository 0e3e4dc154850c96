//! The parts of the shell that call nothing: they run and are tested on the host.
//!
//! [`editor`] turns keys into lines, [`pipeline`], [`command`] and [`vault`] lines into commands, [`text`] is what `edit` edits, [`hex`] shows and reads bytes, [`report`] turns records of the kernel into
//! text a person reads. None of them holds state of the system: what is shown is what the record says.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod command;
pub mod editor;
pub mod hex;
pub mod keys;
pub mod pipeline;
pub mod report;
pub mod text;
pub mod vault;
