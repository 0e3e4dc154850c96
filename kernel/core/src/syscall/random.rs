//! `Random`: bytes from the kernel's generator.
//!
//! It needs no handle: random bytes tell nothing about anybody and give power over nothing, the work is bounded and at the caller's
//! cost, and no caller can use the generator up.

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
        let mut bytes = Zeroizing::new([0; RANDOM_BYTES_MAX]);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let bytes = bytes.get_mut(..length).ok_or(Error::InvalidArgument)?;
        let to = Allegation::new(pointer, length)?;
        self.random.fill(bytes);
        self.copy_out(process, to, bytes, machine)?;
        Ok(Outcome::One(0))
    }
}
