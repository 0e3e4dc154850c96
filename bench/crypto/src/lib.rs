//! What the measurements of `lib/crypto` share: the algorithms, on the host and in ring 3, random bytes, and statistics.

#![cfg_attr(not(any(unix, windows)), no_std)]
#![forbid(unsafe_code)]

mod algorithms;
mod noise;
#[cfg(any(unix, windows))]
mod times;

pub use algorithms::{MESSAGE_BYTES, NAMES, with_call};
pub use noise::Noise;
#[cfg(any(unix, windows))]
pub use times::Times;
