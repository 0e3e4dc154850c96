//! What both programs of the bench know: the roles of the partner, and how one system call is timed.
//!
//! The time-stamp counter counts instructions here (QEMU with `-icount`). A figure is the smallest difference of two
//! readings over many rounds, less the difference of two readings with everything between them but the
//! system call. So the null call's figure is what runs from `syscall` to the instruction before the next.
#![no_std]

pub mod role;
pub mod timed;
