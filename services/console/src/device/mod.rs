//! The devices of the console.

pub mod ps2;
pub mod screen;
pub mod serial;
