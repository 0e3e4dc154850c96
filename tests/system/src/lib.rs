//! What the tests on booted images share: machines, and ways to look at them from outside.
//!
//! The tests themselves are in `tests/`, one file per subject. They believe only what they see from outside:
//! the serial line, the screen, the monitor, guest memory. A tool that is missing fails them, none is skipped.
#![forbid(unsafe_code)]

pub mod altered;
pub mod attack;
pub mod bochs;
pub mod canary;
pub mod cpu;
pub mod desk;
pub mod edu;
pub mod gdb;
pub mod images;
pub mod machine;
pub mod paging;
pub mod ps2;
pub mod qtest;
pub mod referee;
pub mod saved;
pub mod scratch;
pub mod screen;
pub mod shell;
pub mod terminal;
pub mod vault;
