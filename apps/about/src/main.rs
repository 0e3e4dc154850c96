//! About this system, see the library.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use about::{About, Facts};
use nonos_rt::abi::info::Topic;
use nonos_rt::{parent, syscall};

nonos_rt::entry!(main);

fn main() -> u64 {
    let Ok(system) = parent::system_info() else {
        return 1;
    };
    nonos_ui::app::run(About::new(move || Facts {
        boot: system.read(Topic::Boot, 0).ok(),
        cpu: system.read(Topic::Cpu, 0).ok(),
        memory: system.read(Topic::Memory, 0).ok(),
        running_ns: syscall::clock_ns(),
    }))
}
