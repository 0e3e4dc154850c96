//! Data that the TPM gives back only to the software that sealed it, or to software that the holder of a key approved: sealed to
//! PCRs, an authorisation value and an update key.
//!
//! What is stored is a blob, which holds no secret and which nobody but this TPM can open:
//!
//! | bytes | what |
//! |---|---|
//! | 1 | version, 1 |
//! | 1 | bit 0: an authorisation value is needed; bit 1: there is an update key |
//! | 3 | selection of PCRs, lowest first |
//! | 96 | with an update key: policy of PCR 11 at sealing, and the key's point |
//! | 2 + n | private part (TPM2B_PRIVATE), encrypted and authenticated by the TPM |
//! | 2 + n | public part (TPM2B_PUBLIC) |

use nonos_crypto::CryptoRng;
use nonos_crypto::p256::KEY_BYTES;

use crate::command::{Authority, Command, Entity, Request, Transport};
use crate::constant::{self, DECRYPT, ENCRYPT, object};
use crate::device::Failure;
use crate::key::{self, Key, skip_ticket};
use crate::policy::{self, PolicySession};
use crate::session::{self, AUTH_BYTES_MAX, or_end};
use crate::state::{self, Digest, PCRS};
use crate::wire::{Reader, Writer};

/// Most bytes that are sealed at once: what every TPM takes (MAX_SYM_DATA, part 2, annex A).
pub const DATA_BYTES_MAX: usize = 128;
/// Longest blob.
pub const BLOB_BYTES_MAX: usize = 600;

const VERSION: u8 = 1;
const WITH_AUTH: u8 = 1;
const WITH_UPDATE_KEY: u8 = 1 << 1;

/// Who may unseal.
pub struct Conditions<'a> {
    /// PCRs of the SHA-256 bank that must have the values they have now: bit n is PCR n. At least one.
    pub selection: u32,
    /// What must be known, too. Nothing when it is empty; else the TPM counts wrong values and locks out.
    pub auth: &'a [u8],
    /// A key, both coordinates, whose holder may approve of other values of PCR 11, which must be selected then. The others must have
    /// the values they have now in any case.
    pub update_key: Option<&'a [u8; KEY_BYTES]>,
}

/// Seals data; returns the length of the blob.
///
/// # Errors
/// See [`Failure`].
pub fn seal(
    tpm: &mut dyn Transport,
    rng: &mut dyn CryptoRng,
    storage: &Key,
    conditions: &Conditions<'_>,
    data: &[u8],
    blob: &mut [u8],
) -> Result<usize, Failure> {
    let Conditions {
        selection,
        auth,
        update_key,
    } = *conditions;
    let sane = (1..1 << PCRS).contains(&selection)
        && (update_key.is_none() || selection & policy::APPROVED != 0)
        && auth.len() <= AUTH_BYTES_MAX
        && (1..=DATA_BYTES_MAX).contains(&data.len());
    // One that is all zeros is to a TPM the same as none.
    if !sane || !auth.is_empty() && auth.iter().all(|&byte| byte == 0) {
        return Err(Failure::Malformed);
    }
    let mut values = [[0; 32]; PCRS];
    state::read_selected_pcrs(tpm, selection, &mut values)?;
    let booted = policy::pcrs(policy::APPROVED, &values);
    let mut needed = match update_key {
        Some(point) => {
            let policy = policy::either(&booted, &policy::approved_by(point));
            match selection & !policy::APPROVED {
                0 => policy,
                others => policy::and_pcrs(&policy, others, &values),
            }
        }
        None => policy::pcrs(selection, &values),
    };
    if !auth.is_empty() {
        needed = policy::with_auth_value(&needed);
    }

    let entities = [storage.entity()];
    let mut request = Request::new(Command::CREATE, &entities);
    let out = &mut request.parameters;
    out.u16((2 + auth.len() + 2 + data.len()) as u16);
    out.sized(auth);
    out.sized(data);
    let mut public = Writer::new();
    write_public(&mut public, !auth.is_empty(), &needed);
    out.sized(public.as_slice());
    out.u16(0); // no outside information
    out.u32(0); // no PCRs at creation
    let response = session::once(tpm, rng, storage, DECRYPT | ENCRYPT, |tpm, authority| {
        request.send(tpm, &mut [authority])
    })?;
    let mut parameters = response.parameters();
    let private = parameters.sized()?;
    let made = parameters.sized()?;
    parameters.sized()?; // creation data
    parameters.sized()?; // its hash
    skip_ticket(&mut parameters)?;
    parameters.end()?;
    check_public(made, public.as_slice())?;

    let mut out = Writer::new();
    out.u8(VERSION);
    let flag = |set, bit| if set { bit } else { 0 };
    out.u8(flag(!auth.is_empty(), WITH_AUTH) | flag(update_key.is_some(), WITH_UPDATE_KEY));
    out.bytes(&selection.to_le_bytes()[..3]);
    if let Some(point) = update_key {
        out.bytes(&booted);
        out.bytes(point);
    }
    out.sized(private.rest());
    out.sized(made.rest());
    let bytes = out.as_slice();
    let room = blob.get_mut(..bytes.len()).ok_or(Failure::Malformed)?;
    room.copy_from_slice(bytes);
    Ok(bytes.len())
}

/// Public area of sealed data up to its unique part (TPMT_PUBLIC, part 2, 12.2.4).
fn write_public(out: &mut Writer, with_auth: bool, policy: &Digest) {
    let counted = if with_auth { 0 } else { object::NO_DA };
    out.u16(constant::KEYED_HASH);
    out.u16(constant::SHA256);
    out.u32(object::FIXED_TPM | object::FIXED_PARENT | object::ADMIN_WITH_POLICY | counted);
    out.sized(policy);
    out.u16(constant::ALG_NULL); // no scheme
    out.u16(0); // unique part: the TPM's to choose
}

/// The TPM made what it was asked for.
fn check_public(mut made: Reader<'_>, asked: &[u8]) -> Result<(), Failure> {
    let fixed = &asked[..asked.len() - 2];
    let same = made.part(fixed.len())?.rest() == fixed;
    made.check("object that was asked for", same.into(), 1)?;
    made.sized()?; // unique part
    Ok(made.end()?)
}

/// What a blob says.
struct Blob<'a> {
    with_auth: bool,
    selection: u32,
    update_key: Option<(&'a Digest, &'a [u8; KEY_BYTES])>,
    /// Both parts, each led by its length.
    parts: &'a [u8],
    public: &'a [u8],
}

impl<'a> Blob<'a> {
    fn parse(blob: &'a [u8]) -> Option<Self> {
        let ([version, flags, low, middle, high], mut rest) = blob.split_first_chunk()?;
        if *version != VERSION || flags & !(WITH_AUTH | WITH_UPDATE_KEY) != 0 {
            return None;
        }
        let mut update_key = None;
        if flags & WITH_UPDATE_KEY != 0 {
            let (policy, after) = rest.split_first_chunk()?;
            let (point, after) = after.split_first_chunk()?;
            update_key = Some((policy, point));
            rest = after;
        }
        let mut parts = Reader::new(Command::LOAD, rest);
        parts.sized().ok()?;
        let public = parts.sized().ok()?.rest();
        parts.end().ok()?;
        Some(Self {
            with_auth: flags & WITH_AUTH != 0,
            selection: u32::from_le_bytes([*low, *middle, *high, 0]),
            update_key,
            parts: rest,
            public,
        })
    }
}

/// Unseals a blob; returns the length of the data. `approval` is the signature (r, then s) of the update key's holder under
/// [`policy::approval_digest`] of the present value of PCR 11, where it is not that at sealing.
///
/// # Errors
/// See [`Failure`].
pub fn unseal(
    tpm: &mut dyn Transport,
    rng: &mut dyn CryptoRng,
    storage: &Key,
    blob: &[u8],
    auth: &[u8],
    approval: Option<&[u8; 64]>,
    data: &mut [u8; DATA_BYTES_MAX],
) -> Result<usize, Failure> {
    let blob = Blob::parse(blob).ok_or(Failure::Malformed)?;
    if blob.with_auth == auth.is_empty() || auth.len() > AUTH_BYTES_MAX {
        return Err(Failure::Malformed);
    }
    let handle = load(tpm, storage, &blob)?;
    let item = Entity::named(handle, key::name(blob.public));
    let result = unseal_loaded(tpm, rng, storage, item, &blob, auth, approval, data);
    state::flush(tpm, handle)?;
    result
}

/// Loads sealed data (part 3, 12.2). Nothing of it is secret on its way.
fn load(tpm: &mut dyn Transport, storage: &Key, blob: &Blob<'_>) -> Result<u32, Failure> {
    let entities = [storage.entity()];
    let mut request = Request::new(Command::LOAD, &entities).making_handle();
    request.parameters.bytes(blob.parts);
    let response = request.send(tpm, &mut [Authority::EmptyPassword])?;
    Ok(response.handle())
}

#[allow(clippy::too_many_arguments, reason = "the one caller is above")]
fn unseal_loaded(
    tpm: &mut dyn Transport,
    rng: &mut dyn CryptoRng,
    storage: &Key,
    item: Entity,
    blob: &Blob<'_>,
    auth: &[u8],
    approval: Option<&[u8; 64]>,
    data: &mut [u8; DATA_BYTES_MAX],
) -> Result<usize, Failure> {
    let session = PolicySession::start(tpm, rng, storage)?;
    let handle = session.0.handle();
    let met = meet(tpm, &session, blob, approval);
    or_end(tpm, handle, met)?;
    let PolicySession(mut session) = session;
    let mut protection = session.authorise(rng, auth, ENCRYPT);
    let entities = [item];
    let request = Request::new(Command::UNSEAL, &entities);
    let response = request.send(tpm, &mut [Authority::Session(&mut protection)]);
    let response = or_end(tpm, handle, response.map_err(Failure::from))?;
    let mut parameters = response.parameters();
    let secret = parameters.sized()?.rest();
    parameters.end()?;
    let room = data.get_mut(..secret.len()).ok_or(parameters.length())?;
    room.copy_from_slice(secret);
    Ok(secret.len())
}

/// Has a session meet the policy of a blob.
fn meet(
    tpm: &mut dyn Transport,
    session: &PolicySession,
    blob: &Blob<'_>,
    approval: Option<&[u8; 64]>,
) -> Result<(), Failure> {
    match blob.update_key {
        Some((at_sealing, point)) => {
            session.pcrs(tpm, policy::APPROVED)?;
            if let Some(signature) = approval {
                session.approved(tpm, point, signature)?;
            }
            session.either(tpm, at_sealing, &policy::approved_by(point))?;
            let others = blob.selection & !policy::APPROVED;
            if others != 0 {
                session.pcrs(tpm, others)?;
            }
        }
        None => session.pcrs(tpm, blob.selection)?,
    }
    if blob.with_auth {
        session.auth_value(tpm)?;
    }
    Ok(())
}
