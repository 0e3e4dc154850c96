//! TPM 2.0: the commands that this system sends, encoded and decoded by hand, without heap.
//!
//! Two dozen commands with mostly fixed parameters do not need a TPM library. [`wire`] reads and writes the big-endian
//! encoding (TPM 2.0 Library, part 1, 18) with a check at every step; [`command`] puts a command together and takes its
//! response apart; [`state`] and [`nv`] are what boot loader and driver both send. Every length and every field of a response that
//! is fixed is checked; anything unexpected is an [`Error`] that names the command.
//!
//! With the feature `sessions`: [`session`] authorises commands and encrypts their parameters by sessions that are salted
//! to a key of the TPM, so that who listens on the bus learns no secret and who alters it is noticed; [`key`] makes such keys,
//! [`policy`] says under which PCRs something may be used, [`seal`], [`quote`] and [`device`] are what the driver does for others.
//!
//! Numbers of sections are those of the TPM 2.0 Library specification 1.59 where nothing else is said.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(test)]
extern crate std;

pub mod command;
pub mod constant;
pub mod event_log;
pub mod nv;
pub mod state;
pub mod wire;

#[cfg(feature = "sessions")]
pub mod device;
#[cfg(feature = "sessions")]
pub mod key;
#[cfg(feature = "sessions")]
pub mod policy;
#[cfg(feature = "sessions")]
pub mod quote;
#[cfg(feature = "sessions")]
pub mod seal;
#[cfg(feature = "sessions")]
pub mod session;

pub use command::{
    Authority, Command, Entity, Error, Name, Problem, Protection, Request, Response, Transport,
};
pub use state::{Digest, PCRS, get_random, read_pcrs};
