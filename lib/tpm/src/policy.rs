//! Policies (part 1, 19.7): the digests that say under which conditions an object may be used, and the commands by which a
//! session shows that they are met.

use nonos_crypto::CryptoRng;
use nonos_crypto::hash::Sha256;
use nonos_crypto::p256::KEY_BYTES;

use crate::command::{Authority, Command, Entity, Error, Request, Transport};
use crate::constant;
use crate::key::{self, Key, skip_ticket};
use crate::session::{Kind, Session};
use crate::state::{self, Digest, PCRS};
use crate::wire::Writer;

/// What an update key signs beside the policy, so that its signatures are good for nothing else.
const REFERENCE: &[u8] = b"NONOS update";

/// A policy under construction: what the TPM's session would hold (part 1, 19.7.4).
fn extended(old: &Digest, command: Command, parts: &[&[u8]]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(old);
    hash.update(&command.code().to_be_bytes());
    for part in parts {
        hash.update(part);
    }
    hash.finish()
}

/// PCRs of the SHA-256 bank that a selection names (bit n: PCR n) have these values (part 3, 23.7).
pub fn pcrs(selection: u32, values: &[Digest; PCRS]) -> Digest {
    and_pcrs(&[0; 32], selection, values)
}

/// A policy is met, and PCRs have these values.
pub fn and_pcrs(policy: &Digest, selection: u32, values: &[Digest; PCRS]) -> Digest {
    let mut chosen = Sha256::new();
    for (index, value) in values.iter().enumerate() {
        if selection >> index & 1 != 0 {
            chosen.update(value);
        }
    }
    let mut list = Writer::new();
    list.pcr_selection(selection);
    extended(
        policy,
        Command::POLICY_PCR,
        &[list.as_slice(), &chosen.finish()],
    )
}

/// The holder of a key approved the policy that is met (part 3, 23.16).
pub fn approved_by(point: &[u8; KEY_BYTES]) -> Digest {
    let name = key::name(signer(point).as_slice());
    let first = extended(&[0; 32], Command::POLICY_AUTHORIZE, &[&name]);
    let mut hash = Sha256::new();
    hash.update(&first);
    hash.update(REFERENCE);
    hash.finish()
}

/// One of two policies is met (part 3, 23.6).
pub fn either(one: &Digest, other: &Digest) -> Digest {
    extended(&[0; 32], Command::POLICY_OR, &[one, other])
}

/// A policy is met, and the authorisation value is known (part 3, 23.17).
pub fn with_auth_value(policy: &Digest) -> Digest {
    extended(policy, Command::POLICY_AUTH_VALUE, &[])
}

/// The PCR of what is booted, whose other values the holder of an update key may approve: it says the same on every machine.
pub const APPROVED_PCR: u32 = 11;

/// Its selection.
pub const APPROVED: u32 = 1 << APPROVED_PCR;

/// The digest that the holder of an update key signs by ECDSA to approve the value that PCR 11 has here.
pub fn approval_digest(values: &[Digest; PCRS]) -> Digest {
    let mut hash = Sha256::new();
    hash.update(&pcrs(APPROVED, values));
    hash.update(REFERENCE);
    hash.finish()
}

fn signer(point: &[u8; KEY_BYTES]) -> Writer {
    let mut public = Writer::new();
    key::write_signer(&mut public, point);
    public
}

/// A session that is to meet a policy.
pub struct PolicySession(pub Session);

impl PolicySession {
    /// Starts it.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn start(
        tpm: &mut dyn Transport,
        rng: &mut dyn CryptoRng,
        salted_to: &Key,
    ) -> Result<Self, Error> {
        Session::start(tpm, rng, salted_to, Kind::Policy).map(Self)
    }

    /// Takes the values that the PCRs have now.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn pcrs(&self, tpm: &mut dyn Transport, selection: u32) -> Result<(), Error> {
        self.send(tpm, Command::POLICY_PCR, |out| {
            out.u16(0); // whatever the values are
            out.pcr_selection(selection);
        })
    }

    /// Has the TPM check that the holder of a key approved of the present value of PCR 11, by a signature (r, then s).
    ///
    /// # Errors
    /// See [`Error`]; also when the signature is not good.
    pub fn approved(
        &self,
        tpm: &mut dyn Transport,
        point: &[u8; KEY_BYTES],
        signature: &[u8; 64],
    ) -> Result<(), Error> {
        let mut values = [[0; 32]; PCRS];
        state::read_selected_pcrs(tpm, APPROVED, &mut values)?;
        let public = signer(point);
        let handle = load_external(tpm, public.as_slice())?;
        let digest = approval_digest(&values);
        let name = key::name(public.as_slice());
        let result = verify(tpm, Entity::named(handle, name), &digest, signature);
        let flushed = state::flush(tpm, handle);
        let ticket = result?;
        flushed?;
        self.send(tpm, Command::POLICY_AUTHORIZE, |out| {
            out.sized(&pcrs(APPROVED, &values));
            out.sized(REFERENCE);
            out.sized(&name);
            out.bytes(ticket.as_slice());
        })
    }

    /// What was met so far is one of two policies.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn either(
        &self,
        tpm: &mut dyn Transport,
        one: &Digest,
        other: &Digest,
    ) -> Result<(), Error> {
        self.send(tpm, Command::POLICY_OR, |out| {
            out.u32(2);
            out.sized(one);
            out.sized(other);
        })
    }

    /// The session will be used with the authorisation value.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn auth_value(&self, tpm: &mut dyn Transport) -> Result<(), Error> {
        self.send(tpm, Command::POLICY_AUTH_VALUE, |_| ())
    }

    /// Whoever has the authorisation value of the endorsement hierarchy, which is empty, is here (part 3, 23.4).
    ///
    /// # Errors
    /// See [`Error`].
    pub fn endorsement(&self, tpm: &mut dyn Transport) -> Result<(), Error> {
        let entities = [Entity::permanent(constant::ENDORSEMENT), self.0.entity()];
        let mut request = Request::new(Command::POLICY_SECRET, &entities);
        let out = &mut request.parameters;
        out.u16(0); // any session
        out.u16(0); // any command
        out.u16(0); // no reference
        out.u32(0); // no end
        let response = request.send(tpm, &mut [Authority::EmptyPassword])?;
        let mut parameters = response.parameters();
        parameters.sized()?; // time of the end
        skip_ticket(&mut parameters)?;
        parameters.end()
    }

    fn send(
        &self,
        tpm: &mut dyn Transport,
        command: Command,
        write: impl FnOnce(&mut Writer),
    ) -> Result<(), Error> {
        let entities = [self.0.entity()];
        let mut request = Request::new(command, &entities);
        write(&mut request.parameters);
        request.send(tpm, &mut [])?.parameters().end()
    }
}

/// Loads a public key (part 3, 12.3).
fn load_external(tpm: &mut dyn Transport, public: &[u8]) -> Result<u32, Error> {
    let mut request = Request::new(Command::LOAD_EXTERNAL, &[]).making_handle();
    request.parameters.u16(0); // no secret
    request.parameters.sized(public);
    request.parameters.u32(constant::OWNER);
    Ok(request.send(tpm, &mut [])?.handle())
}

/// Has the TPM check a signature (part 3, 20.1); its ticket that says so.
fn verify(
    tpm: &mut dyn Transport,
    key: Entity,
    digest: &Digest,
    signature: &[u8; 64],
) -> Result<Writer, Error> {
    let entities = [key];
    let mut request = Request::new(Command::VERIFY_SIGNATURE, &entities);
    let out = &mut request.parameters;
    out.sized(digest);
    out.u16(constant::ECDSA);
    out.u16(constant::SHA256);
    signature
        .as_chunks::<32>()
        .0
        .iter()
        .for_each(|half| out.sized(half));
    let response = request.send(tpm, &mut [])?;
    let mut parameters = response.parameters();
    let mut ticket = Writer::new();
    ticket.bytes(skip_ticket(&mut parameters)?);
    parameters.end()?;
    Ok(ticket)
}
