//! The system monitor, see the library.
#![no_std]
#![no_main]
#![forbid(unsafe_code)]

use monitor::Monitor;
use monitor::system::System;
use nonos_rt::abi::info::{MemoryStatus, ProcessInfo, Topic};
use nonos_rt::abi::{Error, info::CpuStatus};
use nonos_rt::object::SystemInfo;
use nonos_rt::{parent, syscall};

nonos_rt::entry!(main);

/// The running system.
struct Running(SystemInfo);

impl System for Running {
    fn now_ns(&self) -> u64 {
        syscall::clock_ns()
    }

    fn cpus(&self) -> u64 {
        let status = self.0.read::<CpuStatus>(Topic::Cpu, 0);
        status.map_or(1, |status| status.cpus)
    }

    fn memory(&self) -> Option<MemoryStatus> {
        self.0.read(Topic::Memory, 0).ok()
    }

    fn processes(&self, see: &mut dyn FnMut(ProcessInfo)) {
        for slot in 0.. {
            match self.0.read(Topic::Process, slot) {
                Ok(process) => see(process),
                Err(Error::NotFound) => {}
                Err(_) => return,
            }
        }
    }

    fn end(&mut self, process: u64) -> bool {
        parent::kill(process).is_ok()
    }
}

fn main() -> u64 {
    match parent::system_info() {
        Ok(system) => nonos_ui::app::run(Monitor::new(Running(system))),
        Err(_) => 1,
    }
}
