//! `Random`: bytes from the kernel's generator.
//!
//! It needs no handle: random bytes tell nothing about anybody and give power over nothing, the work is bounded and at the caller's
//! cost, and no caller can use the generator up.

use nonos_abi::boot::entropy::NAMES;
use nonos_abi::{Error, RANDOM_BYTES_MAX};

use zeroize::Zeroizing;

use super::Outcome;
use crate::arena::ProcessId;
use crate::kernel::Kernel;
use crate::machine::Machine;
use crate::user::Allegation;

impl Kernel {
    pub(super) fn sys_random(
        &mut self,
        process: ProcessId,
        pointer: u64,
        length: u64,
        machine: &mut impl Machine,
    ) -> Result<Outcome, Error> {
        if length > RANDOM_BYTES_MAX as u64 {
            return Err(Error::InvalidArgument);
        }
        let length = length as usize;
        let to = Allegation::new(pointer, length)?;
        if length > 0 {
            self.random.stir(machine);
            self.report_failed_sources(machine);
            let mut bytes = Zeroizing::new([0; RANDOM_BYTES_MAX]);
            self.random.fill(&mut *bytes);
            self.copy_out(process, to, &bytes[..length], machine)?;
        }
        Ok(Outcome::One(self.random.epoch(machine)))
    }

    fn report_failed_sources(&mut self, machine: &mut impl Machine) {
        let failed = self.random.newly_failed();
        for (bit, name) in NAMES.iter().enumerate() {
            if failed & 1 << bit != 0 {
                let text = format_args!("entropy: {name} FAILED its health test, counts no more");
                self.log(text, machine);
            }
        }
    }
}
