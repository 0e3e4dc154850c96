//! Interfaces of the services: one file each, as Rust types, from which client and server are generated.
//!
//! `interface!` takes a list of operations (number, name, arguments, result) and makes the server's
//! trait, `dispatch` (decodes a request and calls the server) and `Client` (encodes a call and decodes its
//! reply). Nobody marshals by hand, and what arrives is checked in one place: a request whose counts do
//! not fit its operation exactly is refused with [`Refusal::Malformed`] before the server sees it.
//!
//! An interface has a version, which every request carries beside the number of its operation: client and server of
//! different versions do not misunderstand each other, the request is refused with [`Refusal::WrongVersion`].
//!
//! Ownership of handles: a request copies its handles (the caller keeps its own), a reply moves them. They arrive without
//! GRANT, so that their receiver cannot pass them on, unless the interface says [`Passable`].
//! Handles that arrive in a message which is refused are closed by whoever received it, so that no peer
//! can fill another's handle table.
#![no_std]
#![forbid(unsafe_code)]

mod interface;
mod refusal;
mod value;
mod zone;

pub mod console;
pub mod desktop;
pub mod display;
pub mod files;
pub mod fonts;
pub mod init;
pub mod input;
pub mod lock;
pub mod open_with;
pub mod permissions;
pub mod powerbox;
pub mod prompt;
pub mod screen;
pub mod settings;
pub mod tpm;
pub mod usage;
pub mod vault;

pub use interface::{Caller, Ticket, Transport, transact, transact_lending};
pub use refusal::{CallError, Refusal};
pub use value::{Bytes, Lease, Lent, Packer, Passable, Unpacker, Value};
pub use zone::Zone;

#[cfg(test)]
mod tests;
