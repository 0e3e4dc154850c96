//! What the desktop shows, without the system: it is tested, and looked at, on the host.
//!
//! [`wallpaper`] lies behind all windows, the [`dock`] at the lower edge, the [`launcher`] comes when it is asked for. [`programs`]
//! says which programs there are for people.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

pub mod dock;
pub mod launcher;
pub mod programs;
pub mod wallpaper;
