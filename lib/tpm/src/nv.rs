//! Non-volatile indices: counters and small areas that stay when the machine is off (part 3, 31).

use crate::command::{Authority, Command, Entity, Error, Problem, Request, Transport};
use crate::constant;

/// Most bytes that one command reads or writes here; every TPM for PCs takes more.
pub const PART_BYTES_MAX: usize = 512;

/// The public area of an index.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Public {
    /// TPMA_NV, part 2, 13.4: bits of [`crate::constant::nv`].
    pub attributes: u32,
    /// Bytes of its policy; 0 for none.
    pub policy_bytes: u16,
    /// Bytes that it holds.
    pub data_bytes: u16,
    /// Its name. Whatever the TPM says of it, it is the hash of what is above where there is cryptography.
    pub name: crate::Name,
}

impl Public {
    /// It was written at least once.
    pub const fn is_written(&self) -> bool {
        self.attributes & constant::nv::WRITTEN != 0
    }

    /// Attributes that do not change while it is used.
    pub const fn fixed_attributes(&self) -> u32 {
        self.attributes & !(constant::nv::WRITTEN | constant::nv::WRITE_LOCKED)
    }
}

/// Reads the public area of an index (part 3, 31.6); `None` when it is not defined.
///
/// # Errors
/// See [`Error`].
pub fn read_public(tpm: &mut dyn Transport, index: u32) -> Result<Option<Public>, Error> {
    let entities = [Entity::permanent(index)];
    let request = Request::new(Command::NV_READ_PUBLIC, &entities);
    let response = match request.send(tpm, &mut []) {
        Err(Error {
            problem: Problem::Code(constant::RC_NO_SUCH_HANDLE),
            ..
        }) => return Ok(None),
        other => other?,
    };
    let mut response = response.parameters();
    let mut public = response.sized()?;
    let bytes = public.rest();
    public.expect_u32("index", index)?;
    public.expect_u16("name algorithm", constant::SHA256)?;
    let attributes = public.u32()?;
    let policy_bytes = public.sized()?.rest().len() as u16;
    let data_bytes = public.u16()?;
    public.end()?;
    let mut name = response.sized()?;
    response.end()?;
    let said = name.array()?;
    name.end()?;
    let name = name_of(bytes, said);
    Ok(Some(Public {
        attributes,
        policy_bytes,
        data_bytes,
        name,
    }))
}

/// The name that a public area has. Authorisations are bound to it, so that the TPM's word is not taken for it.
#[cfg(feature = "sessions")]
fn name_of(public: &[u8], _: crate::Name) -> crate::Name {
    crate::key::name(public)
}

/// The name that the TPM says; nothing depends on it here.
#[cfg(not(feature = "sessions"))]
fn name_of(_: &[u8], said: crate::Name) -> crate::Name {
    said
}

/// Defines an index without policy and with an empty authorisation value (part 3, 31.3). The owner's is empty, too.
///
/// # Errors
/// See [`Error`].
pub fn define(
    tpm: &mut dyn Transport,
    index: u32,
    attributes: u32,
    data_bytes: u16,
) -> Result<(), Error> {
    let owner = [Entity::permanent(constant::OWNER)];
    let mut request = Request::new(Command::NV_DEFINE_SPACE, &owner);
    let out = &mut request.parameters;
    out.u16(0); // empty authorisation value for the index
    out.u16(14); // bytes of the public area that follows
    out.u32(index);
    out.u16(constant::SHA256);
    out.u32(attributes);
    out.u16(0); // no policy
    out.u16(data_bytes);
    let response = request.send(tpm, &mut [Authority::EmptyPassword])?;
    response.parameters().end()
}

/// An index as a command uses it, authorised by its own authorisation value.
const fn twice(index: Entity) -> [Entity; 2] {
    [index, index]
}

/// Increments a counter (part 3, 31.8).
///
/// # Errors
/// See [`Error`].
pub fn increment(
    tpm: &mut dyn Transport,
    index: Entity,
    authority: Authority<'_>,
) -> Result<(), Error> {
    let request = Request::new(Command::NV_INCREMENT, &twice(index)).send(tpm, &mut [authority]);
    request?.parameters().end()
}

/// Locks an index against writing until the machine starts anew (part 3, 31.11).
///
/// # Errors
/// See [`Error`].
pub fn write_lock(tpm: &mut dyn Transport, index: Entity) -> Result<(), Error> {
    let entities = twice(index);
    let request = Request::new(Command::NV_WRITE_LOCK, &entities);
    let response = request.send(tpm, &mut [Authority::EmptyPassword])?;
    response.parameters().end()
}

/// Reads bytes of an index from `offset` on, all of `out` (part 3, 31.13).
///
/// # Errors
/// See [`Error`].
pub fn read(
    tpm: &mut dyn Transport,
    index: Entity,
    authority: Authority<'_>,
    offset: u16,
    out: &mut [u8],
) -> Result<(), Error> {
    let entities = twice(index);
    let mut request = Request::new(Command::NV_READ, &entities);
    request.parameters.u16(out.len() as u16);
    request.parameters.u16(offset);
    let response = request.send(tpm, &mut [authority])?;
    let mut parameters = response.parameters();
    parameters.expect_u16("data length", out.len() as u16)?;
    let data = parameters.part(out.len())?;
    parameters.end()?;
    out.copy_from_slice(data.rest());
    Ok(())
}

/// Reads a counter.
///
/// # Errors
/// See [`Error`].
pub fn read_counter(
    tpm: &mut dyn Transport,
    index: Entity,
    authority: Authority<'_>,
) -> Result<u64, Error> {
    let mut value = [0; 8];
    read(tpm, index, authority, 0, &mut value)?;
    Ok(u64::from_be_bytes(value))
}

/// Writes bytes to an index from `offset` on (part 3, 31.7).
///
/// # Errors
/// See [`Error`].
pub fn write(
    tpm: &mut dyn Transport,
    index: Entity,
    authority: Authority<'_>,
    offset: u16,
    bytes: &[u8],
) -> Result<(), Error> {
    let entities = twice(index);
    let mut request = Request::new(Command::NV_WRITE, &entities);
    request.parameters.sized(bytes);
    request.parameters.u16(offset);
    let response = request.send(tpm, &mut [authority])?;
    response.parameters().end()
}
