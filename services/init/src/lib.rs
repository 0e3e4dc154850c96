//! The parts of `init` that call nothing: they run and are tested on the host.
//!
//! [`policy`] is what `system.toml` says, in the order of starts; [`grants`] is what one process may have, by manifest,
//! policy, and what the user allowed and took back; [`backoff`] says when a program that ended runs again; [`pci`] finds devices on
//! the bus.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod backoff;
#[cfg(test)]
mod compile;
pub mod grants;
pub mod pci;
pub mod policy;
pub mod services;

/// Numbers for tests, the same each time (Marsaglia's xorshift64).
#[cfg(test)]
fn draws() -> impl FnMut() -> u64 {
    let mut state = 88_172_645_463_325_252_u64;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    }
}
