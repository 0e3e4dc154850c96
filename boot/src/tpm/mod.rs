//! What the loader asks of a TPM 2.0: its rollback counter, PCRs, random bytes.
//!
//! `nonos_tpm` encodes the commands and checks every length and every field of the responses that is fixed. Anything
//! unexpected is an [`Error`] that names the command; a caller that needs the TPM refuses to boot then.

use nonos_tpm::constant::nv as constant;
use nonos_tpm::{Authority, Entity, nv};
pub use nonos_tpm::{Command, Error, PCRS, Problem, Transport, event_log, read_pcrs};

/// NV index of the rollback counter, in the range for the owner's use (TCG registry of reserved TPM 2.0
/// handles, 2.2: 01800000 to 01BFFFFF).
pub const ROLLBACK_INDEX: u32 = 0x0180_4E4F;

/// Attributes of the counter. The index's own empty password reads and increments it, no lockout applies, and after
/// [`write_lock`] it stays as it is until the machine starts anew.
const COUNTER: u32 = constant::AUTH_WRITE
    | constant::TYPE_COUNTER
    | constant::WRITE_STCLEAR
    | constant::AUTH_READ
    | constant::NO_DA;

/// Bytes of a counter.
const COUNTER_BYTES: u16 = 8;

/// The counter, for commands that an empty password authorises: nothing is bound to its name.
const INDEX: Entity = Entity::permanent(ROLLBACK_INDEX);

/// The public area of the rollback counter, as far as it is not fixed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CounterState {
    /// It has been incremented at least once.
    pub written: bool,
    /// It cannot be incremented before the next start of the machine.
    pub write_locked: bool,
}

/// Reads the public area of [`ROLLBACK_INDEX`]; `None` when it is not defined.
///
/// # Errors
/// See [`Error`]; also when the index is anything but the counter that [`define_counter`] makes.
pub fn read_counter_state(tpm: &mut dyn Transport) -> Result<Option<CounterState>, Error> {
    let Some(public) = nv::read_public(tpm, ROLLBACK_INDEX)? else {
        return Ok(None);
    };
    let check =
        |name, found: u64, expected: u64| Command::NV_READ_PUBLIC.check(name, found, expected);
    check(
        "attributes",
        public.fixed_attributes().into(),
        COUNTER.into(),
    )?;
    check("policy length", public.policy_bytes.into(), 0)?;
    check(
        "data length",
        public.data_bytes.into(),
        COUNTER_BYTES.into(),
    )?;
    Ok(Some(CounterState {
        written: public.is_written(),
        write_locked: public.attributes & constant::WRITE_LOCKED != 0,
    }))
}

/// Defines [`ROLLBACK_INDEX`] as a counter, with an empty owner password.
///
/// # Errors
/// See [`Error`].
pub fn define_counter(tpm: &mut dyn Transport) -> Result<(), Error> {
    nv::define(tpm, ROLLBACK_INDEX, COUNTER, COUNTER_BYTES)
}

/// Increments [`ROLLBACK_INDEX`].
///
/// # Errors
/// See [`Error`].
pub fn increment_counter(tpm: &mut dyn Transport) -> Result<(), Error> {
    nv::increment(tpm, INDEX, Authority::EmptyPassword)
}

/// Reads [`ROLLBACK_INDEX`].
///
/// # Errors
/// See [`Error`].
pub fn read_counter(tpm: &mut dyn Transport) -> Result<u64, Error> {
    nv::read_counter(tpm, INDEX, Authority::EmptyPassword)
}

/// Locks [`ROLLBACK_INDEX`] against increments until the machine starts anew.
///
/// # Errors
/// See [`Error`].
pub fn write_lock(tpm: &mut dyn Transport) -> Result<(), Error> {
    nv::write_lock(tpm, INDEX)
}

/// Fills the start of `out` with random bytes and says how many the TPM gave.
///
/// # Errors
/// See [`Error`].
pub fn get_random(tpm: &mut dyn Transport, out: &mut [u8; 32]) -> Result<usize, Error> {
    nonos_tpm::get_random(tpm, &mut [], out)
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
