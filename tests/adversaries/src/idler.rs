//! A process as small as one can be: it waits for what it was given, if it was given anything, and ends.
#![no_std]
#![no_main]

use adversaries::calls;
use adversaries::roles::THING;

nonos_rt::entry!(main);

fn main() {
    let _ = calls::wait(THING);
}
