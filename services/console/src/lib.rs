//! The parts of the console that know no hardware: they run and are tested on the host.
//!
//! Output: bytes of clients → [`nonos_terminal::ansi`] (what they mean) → [`nonos_terminal::grid`] (what the screen shows) → [`paint`]
//! (pixels), and again as bytes for the serial line. Only what the parser understands goes on, so no program
//! can send a terminal on the other end anything but text, colours and cursor movement.
//! Input: [`keys`] (scan codes → what a terminal sends) → [`nonos_terminal::queue`].
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod keys;
pub mod paint;
