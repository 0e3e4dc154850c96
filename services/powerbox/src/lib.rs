//! The parts of the power box that call nothing: they run and are tested on the host.
//!
//! [`ask`] is what programs ask for and what the user says, [`dialog`] how the user is asked for documents and [`keys`] for keys, [`permissions`]
//! the list of what was given.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod ask;
pub mod dialog;
pub mod keys;
pub mod permissions;

/// A window in which the user is asked.
pub trait Question: nonos_ui::App {
    /// What the user said since the last call, if anything: nothing chosen stands for no.
    fn answer(&mut self) -> Option<Option<ask::Chosen>>;
}
