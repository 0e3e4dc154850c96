//! The calculator, see the library.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use calculator::Calculator;

nonos_rt::entry!(main);

fn main() -> u64 {
    nonos_ui::app::run(Calculator::default())
}
