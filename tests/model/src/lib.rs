//! Small models of what is hard to get right, explored exhaustively: every order of every step.
//!
//! - `capabilities`: handles, lineage, revocation, expiry, calls and replies of a few processes, by `stateright`.
//! - `cpus`: what CPUs do to each other (entering the kernel, stop, shootdown, kick, halt), by `loom`.
//!
//! A model says what the kernel does in a few lines and leaves out what does not matter to the property. Each can be broken
//! in many ways on purpose: a test for each shows that the property that is then false is found to be false.
#![forbid(unsafe_code)]

#[cfg(test)]
mod capabilities;
#[cfg(test)]
mod cpus;
