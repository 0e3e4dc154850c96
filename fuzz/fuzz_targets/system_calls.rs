//! Bytes as system calls of several processes on one to four CPUs, with time, interrupts and faults in between. All invariants
//! are checked after every event, and errors against the table of system calls.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| nonos_kernel_core::testing::Player::play(bytes));
