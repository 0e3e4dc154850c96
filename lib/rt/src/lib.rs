//! The runtime of every user-space program: entry and panic, system calls, objects, IPC.
//!
//! Layers, lowest first: [`syscall`] is the only file that enters the kernel and, with [`mapping`], [`mmio`],
//! [`thread`], [`stack_guard`], [`heap`] and [`entry!`], the only unsafe code of user space; [`handle`] owns handles; [`object`] gives each kind of object its
//! operations; [`service`] calls and serves interfaces of `nonos-proto`; [`parent`] is `init` as its
//! children see it; [`random`] gives random numbers; [`terminal`] is the console; [`files`] are files and directories; [`thread`] runs a function beside others. [`heap`] is there for programs that ask for it (feature `heap`); the others ask for memory by the page.
//!
//! Invariant: a [`handle::OwnedHandle`] is closed exactly once, by its owner; safe code cannot unmap memory that
//! it still has a reference to.
#![no_std]
#![deny(unsafe_code)]

pub mod files;
pub mod handle;
#[cfg(all(feature = "heap", not(any(unix, windows))))]
pub mod heap;
pub mod log;
pub mod mapping;
pub mod mmio;
pub mod object;
pub mod parent;
pub mod powerbox;
pub mod random;
pub mod scrub;
pub mod service;
#[cfg(not(any(unix, windows)))]
pub mod stack_guard;
pub mod start;
pub mod syscall;
pub mod terminal;
pub mod thread;

pub use nonos_abi as abi;
pub use nonos_proto as proto;
