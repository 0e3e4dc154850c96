//! What a TPM says without being asked for authority: random bytes, PCRs, properties, handles.

use crate::command::{Authority, Command, Entity, Error, Problem, Request, Transport};
use crate::constant;

/// Number of PCRs in a bank (PC Client platform profile, 4.6).
pub const PCRS: usize = 24;

/// The value of a PCR in the SHA-256 bank.
pub type Digest = [u8; 32];

/// Fills the start of `out` with random bytes (part 3, 16.1) and says how many the TPM gave.
///
/// # Errors
/// See [`Error`].
pub fn get_random(
    tpm: &mut dyn Transport,
    authorities: &mut [Authority<'_>],
    out: &mut [u8; 32],
) -> Result<usize, Error> {
    let mut request = Request::new(Command::GET_RANDOM, &[]);
    request.parameters.u16(out.len() as u16);
    let response = request.send(tpm, authorities)?;
    let mut parameters = response.parameters();
    let random = parameters.sized()?;
    parameters.end()?;
    let random = random.rest();
    let room = out.get_mut(..random.len()).ok_or(parameters.length())?;
    room.copy_from_slice(random);
    Ok(random.len())
}

/// Reads all PCRs of the SHA-256 bank (part 3, 22.4).
///
/// # Errors
/// See [`Error`]; also when the TPM has no such bank.
pub fn read_pcrs(tpm: &mut dyn Transport) -> Result<[Digest; PCRS], Error> {
    let mut values = [[0; 32]; PCRS];
    read_selected_pcrs(tpm, (1 << PCRS) - 1, &mut values)?;
    Ok(values)
}

/// Reads those PCRs of the SHA-256 bank that a selection names (bit n: PCR n), and leaves the other values as they are.
///
/// # Errors
/// See [`Error`]; also when the TPM lacks one of them.
pub fn read_selected_pcrs(
    tpm: &mut dyn Transport,
    selection: u32,
    values: &mut [Digest; PCRS],
) -> Result<(), Error> {
    let mut missing = selection;
    // A response holds at most eight digests; every one must make progress.
    while missing != 0 {
        let read = read_some_pcrs(tpm, missing, values)?;
        missing &= !read;
    }
    Ok(())
}

/// Reads some of the PCRs in a selection, at least one, and says which.
fn read_some_pcrs(
    tpm: &mut dyn Transport,
    selection: u32,
    values: &mut [Digest; PCRS],
) -> Result<u32, Error> {
    let mut request = Request::new(Command::PCR_READ, &[]);
    request.parameters.pcr_selection(selection);
    let response = request.send(tpm, &mut [])?;
    let mut response = response.parameters();
    response.u32()?; // update counter
    response.expect_u32("number of banks", 1)?;
    response.expect_u16("bank", constant::SHA256)?;
    response.expect_u8("selection length", 3)?;
    let [low, middle, high] = response.array()?;
    let read = u32::from_le_bytes([low, middle, high, 0]);
    response.check("PCRs not asked for", (read & !selection).into(), 0)?;
    let count = response.u32()?;
    response.check("number of digests", count.into(), read.count_ones().into())?;
    if read == 0 {
        return Err(Command::PCR_READ.error(Problem::Field {
            name: "number of SHA-256 PCRs",
            found: 0,
            expected: PCRS as u64,
        }));
    }
    for (index, value) in values.iter_mut().enumerate() {
        if read & 1 << index != 0 {
            response.expect_u16("digest length", 32)?;
            *value = response.array()?;
        }
    }
    response.end()?;
    Ok(read)
}

/// Extends a PCR of the SHA-256 bank (part 3, 22.2), which an empty authorisation value lets.
///
/// # Errors
/// See [`Error`].
pub fn extend_pcr(tpm: &mut dyn Transport, number: u32, digest: &Digest) -> Result<(), Error> {
    let pcr = [Entity::permanent(number)];
    let mut request = Request::new(Command::PCR_EXTEND, &pcr);
    request.parameters.u32(1); // digests
    request.parameters.u16(constant::SHA256);
    request.parameters.bytes(digest);
    let response = request.send(tpm, &mut [Authority::EmptyPassword])?;
    response.parameters().end()
}

/// Properties that are asked for by number (TPM_PT, part 2, 6.13).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u32)]
pub enum Property {
    /// Who made it: four letters.
    Manufacturer = 0x105,
    /// Version of the firmware, upper half.
    Firmware = 0x10B,
    /// Version of the firmware, lower half.
    FirmwareEnd = 0x10C,
    /// Bits of the state; [`Property::IN_LOCKOUT`].
    Permanent = 0x200,
    /// Wrong authorisation values that are not forgotten.
    LockoutCounter = 0x20E,
    /// How many are allowed.
    MostFailures = 0x20F,
    /// Seconds after which one is forgotten.
    LockoutInterval = 0x210,
    /// Seconds that a lockout of the lockout's own authorisation takes.
    LockoutRecovery = 0x211,
}

impl Property {
    /// In [`Property::Permanent`]: objects under dictionary-attack protection cannot be used.
    pub const IN_LOCKOUT: u32 = 1 << 9;
}

/// Reads a property (part 3, 30.2).
///
/// # Errors
/// See [`Error`]; also when the TPM does not have it.
pub fn property(tpm: &mut dyn Transport, property: Property) -> Result<u32, Error> {
    const TPM_CAP_TPM_PROPERTIES: u32 = 6;
    let number = property as u32;
    let response = capability(tpm, TPM_CAP_TPM_PROPERTIES, number, 1)?;
    let mut list = response.parameters();
    list.u8()?; // more to come
    list.expect_u32("capability", TPM_CAP_TPM_PROPERTIES)?;
    list.expect_u32("number of properties", 1)?;
    list.expect_u32("property", number)?;
    let value = list.u32()?;
    list.end()?;
    Ok(value)
}

/// First handle of the transient objects (part 2, 7.2), and of the two kinds of sessions that are loaded.
pub const HANDLE_RANGES: [u32; 2] = [0x8000_0000, 0x0200_0000];

/// The lowest handle in use from `first` on (part 3, 30.2); `None` when there is none.
///
/// # Errors
/// See [`Error`].
pub fn next_handle(tpm: &mut dyn Transport, first: u32) -> Result<Option<u32>, Error> {
    const TPM_CAP_HANDLES: u32 = 1;
    let response = capability(tpm, TPM_CAP_HANDLES, first, 1)?;
    let mut list = response.parameters();
    list.u8()?; // more to come
    list.expect_u32("capability", TPM_CAP_HANDLES)?;
    let count = list.u32()?;
    if count == 0 {
        list.end()?;
        return Ok(None);
    }
    list.check("number of handles", count.into(), 1)?;
    let handle = list.u32()?;
    list.end()?;
    Ok(Some(handle))
}

fn capability(
    tpm: &mut dyn Transport,
    capability: u32,
    first: u32,
    count: u32,
) -> Result<crate::Response, Error> {
    let mut request = Request::new(Command::GET_CAPABILITY, &[]);
    request.parameters.u32(capability);
    request.parameters.u32(first);
    request.parameters.u32(count);
    request.send(tpm, &mut [])
}

/// Takes an object or session out of the TPM's memory (part 3, 28.4).
///
/// # Errors
/// See [`Error`].
pub fn flush(tpm: &mut dyn Transport, handle: u32) -> Result<(), Error> {
    let mut request = Request::new(Command::FLUSH_CONTEXT, &[]);
    request.parameters.u32(handle); // a parameter here, though it is a handle
    request.send(tpm, &mut [])?.parameters().end()
}

/// Prepares the TPM for the end of its power (part 3, 9.4): it has written down what it counts, and need not take the end for an attack on
/// what it counts. The next command undoes that.
///
/// # Errors
/// See [`Error`].
pub fn shutdown(tpm: &mut dyn Transport) -> Result<(), Error> {
    let mut request = Request::new(Command::SHUTDOWN, &[]);
    request.parameters.u16(constant::CLEAR);
    request.send(tpm, &mut [])?.parameters().end()
}
