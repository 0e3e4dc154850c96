//! A terminal's window: what it shows, scrolling back, and selecting. The rest of the program serves the shell.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod select;
pub mod view;
pub mod waiting;
