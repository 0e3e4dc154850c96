//! The registers of the machine's TPM.

use nonos_rt::mmio;
use nonos_rt::syscall;

/// Registers, and the kernel's clock.
pub struct Hardware(pub mmio::Registers);

impl tpm::Registers for Hardware {
    fn read_8(&mut self, offset: usize) -> u8 {
        self.0.read_8(offset)
    }

    fn read_32(&mut self, offset: usize) -> u32 {
        self.0.read_32(offset)
    }

    fn write_8(&mut self, offset: usize, value: u8) {
        self.0.write_8(offset, value);
    }

    fn write_32(&mut self, offset: usize, value: u32) {
        self.0.write_32(offset, value);
    }

    fn now_ns(&self) -> u64 {
        syscall::clock_ns()
    }

    fn sleep(&mut self, ns: u64) {
        let _ = syscall::sleep_until(syscall::clock_ns().saturating_add(ns));
    }
}
