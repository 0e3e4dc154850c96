//! The file system itself: it calls nothing, and runs and is tested on the host.
//!
//! Everything lies in pages of memory ([`pages`]). A file or directory is a *node* ([`node`]), a record in a page of nodes; a file's
//! contents are blocks of a page each, found through its node ([`blocks`]). Each node has a key of its own ([`keys`]): it seals the
//! blocks of a file, and the names in a directory. An index of keyed hashes ([`volume`]) finds a name without reading the
//! others. [`objects`] are the handles that programs hold.
//!
//! What a dump of memory shows while nothing is read or written: how many files there are, how they are nested, their sizes and the lengths of
//! their names. Not their contents, and not their names: these are sealed with AES-256-GCM. The key of a node
//! lies there in clear while somebody has it open, and otherwise wrapped by the key of the file system; that lies there in clear
//! until [`volume::Volume::lock`].
//!
//! Invariants: no key seals two messages with one nonce, as nonces are counted in the node and never go back; what is not authentic
//! is an error and never data; a page holds plaintext only while a request works on it.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

pub mod blocks;
pub mod keys;
pub mod node;
pub mod objects;
pub mod pages;
#[cfg(test)]
mod tests;
pub mod volume;
