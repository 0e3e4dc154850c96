//! What the `nonos-image` program does, as a library: whoever builds images calls the same functions.
//!
//! - [`files`]: reading and writing keys and other files;
//! - [`manifest`]: the TOML text that describes a module;
//! - [`commands`]: one function per subcommand, each returning what it prints;
//! - [`inspect`]: showing what a file claims.
//!
//! No function prints or exits. Every error names the file and the check.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod commands;
pub mod error;
pub mod files;
pub mod inspect;
pub mod manifest;

pub use error::Error;
