//! The parts of the power box that call nothing: they run and are tested on the host.
//!
//! [`ask`] is what programs ask for and what the user says, [`dialog`] how the user is asked, [`permissions`] the list of what was given.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod ask;
pub mod dialog;
pub mod permissions;
