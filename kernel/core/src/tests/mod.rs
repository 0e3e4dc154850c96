//! The kernel on a fake machine: one file per family of system calls. [`crate::testing::World`] checks all
//! invariants after each event.

mod random;
