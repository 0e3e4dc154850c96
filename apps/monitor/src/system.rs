//! What the monitor asks the system for.

use nonos_abi::info::{MemoryStatus, ProcessInfo};

/// The system.
pub trait System {
    /// Nanoseconds since it started.
    fn now_ns(&self) -> u64;

    /// CPUs that run.
    fn cpus(&self) -> u64;

    /// Memory; `None` when it cannot be read.
    fn memory(&self) -> Option<MemoryStatus>;

    /// Tells of all processes.
    fn processes(&self, see: &mut dyn FnMut(ProcessInfo));

    /// Ends a process: whether that was done.
    fn end(&mut self, process: u64) -> bool;
}
