//! What the system's console and the terminals on the desktop share.
//!
//! [`ansi`] says what a stream of text means, [`grid`] holds the cells that show it, [`palette`] the colours, [`keys`] says what keys send, [`queue`] holds what was typed and not read yet;
//! `serve` answers the clients of a console.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod ansi;
pub mod grid;
pub mod keys;
pub mod palette;
pub mod queue;
#[cfg(feature = "serve")]
pub mod serve;
