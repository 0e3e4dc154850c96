//! What convinces somebody else: quotes, signed by a key of the TPM, and the proof that this key lives in the TPM whose
//! endorsement key the maker certified.
//!
//! A verifier takes the endorsement certificate ([`read_certificate`]), makes a credential for the name of the attestation key that
//! only the TPM with that endorsement key can open ([`activate`]; `tpm2_makecredential`), and believes quotes of the
//! attestation key from then on ([`quote`]; `tpm2_checkquote`).

use nonos_crypto::{CryptoRng, Secret};

use crate::command::{Authority, Command, Entity, Error, Problem, Request, Transport};
use crate::constant::{self, ENCRYPT};
use crate::key::{Key, Purpose};
use crate::nv;
use crate::policy::PolicySession;
use crate::session::or_end;
use crate::state;
use crate::wire::{Reader, Writer};

/// Most bytes of a nonce: those of a digest.
pub const NONCE_BYTES_MAX: usize = 32;

/// NV index of the certificate of the endorsement key on P-256 (TCG EK Credential Profile 2.5, 2.2.1.5.1).
const CERTIFICATE_INDEX: u32 = 0x01C0_000A;
/// TPM_GENERATED_VALUE (part 2, 6.2): no key that is restricted signs other data that begins so.
const GENERATED: u32 = 0xFF54_4347;
/// TPM_ST_ATTEST_QUOTE (part 2, 6.9).
const QUOTE: u16 = 0x8018;

/// What goes to the verifier.
pub struct Quote {
    /// Public area of the attestation key (TPM2B_PUBLIC).
    pub public: Writer,
    /// What was signed (TPMS_ATTEST).
    pub attested: Writer,
    /// The signature (TPMT_SIGNATURE).
    pub signature: Writer,
}

/// Signs the values of PCRs (bit n: PCR n) and a nonce (part 3, 18.4).
///
/// # Errors
/// See [`Error`].
pub fn quote(tpm: &mut dyn Transport, selection: u32, nonce: &[u8]) -> Result<Quote, Error> {
    with_key(tpm, Purpose::Attestation, |tpm, key| {
        let entities = [key.entity()];
        let mut request = Request::new(Command::QUOTE, &entities);
        request.parameters.sized(nonce);
        request.parameters.u16(constant::ALG_NULL); // the key's own scheme
        request.parameters.pcr_selection(selection);
        let response = request.send(tpm, &mut [Authority::EmptyPassword])?;
        let mut parameters = response.parameters();
        let attested = parameters.sized()?;
        check(attested, nonce)?;
        let mut quote = Quote {
            public: Writer::new(),
            attested: Writer::new(),
            signature: Writer::new(),
        };
        quote.public.sized(key.public());
        quote.attested.bytes(attested.rest());
        quote.signature.bytes(signature(&mut parameters)?);
        parameters.end()?;
        Ok(quote)
    })
}

/// What was signed begins as a quote with this nonce does; the verifier looks at all of it.
fn check(mut attested: Reader<'_>, nonce: &[u8]) -> Result<(), Error> {
    attested.expect_u32("attestation magic", GENERATED)?;
    attested.expect_u16("attestation type", QUOTE)?;
    attested.sized()?; // qualified name of the key
    let same = attested.sized()?.rest() == nonce;
    attested.check("quoted nonce that was given", same.into(), 1)
}

/// Reads over an ECDSA signature; its bytes.
fn signature<'a>(parameters: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let whole = parameters.rest();
    parameters.expect_u16("signature scheme", constant::ECDSA)?;
    parameters.expect_u16("signature hash", constant::SHA256)?;
    parameters.sized()?;
    parameters.sized()?;
    let bytes = whole.len() - parameters.rest().len();
    Ok(&whole[..bytes])
}

/// Makes a primary key, does something with it, and takes it out of the TPM again.
pub(crate) fn with_key<T>(
    tpm: &mut dyn Transport,
    purpose: Purpose,
    what: impl FnOnce(&mut dyn Transport, &Key) -> Result<T, Error>,
) -> Result<T, Error> {
    let key = Key::create(tpm, purpose)?;
    let result = what(tpm, &key);
    let flushed = state::flush(tpm, key.handle());
    let result = result?;
    flushed.map(|()| result)
}

/// Reads bytes of the endorsement key's certificate (X.509, DER) from `offset` on, as many as there are and `out` holds; how many,
/// and how long the certificate is. `None` when the maker put none into this TPM.
///
/// # Errors
/// See [`Error`].
pub fn read_certificate(
    tpm: &mut dyn Transport,
    offset: u16,
    out: &mut [u8],
) -> Result<Option<(usize, u16)>, Error> {
    let Some(public) = nv::read_public(tpm, CERTIFICATE_INDEX)?.filter(nv::Public::is_written)
    else {
        return Ok(None);
    };
    let left = usize::from(public.data_bytes.saturating_sub(offset));
    let bytes = left.min(out.len()).min(nv::PART_BYTES_MAX);
    if bytes > 0 {
        let index = Entity::permanent(CERTIFICATE_INDEX);
        nv::read(
            tpm,
            index,
            Authority::EmptyPassword,
            offset,
            &mut out[..bytes],
        )?;
    }
    Ok(Some((bytes, public.data_bytes)))
}

/// Opens a credential (TPM2B_ID_OBJECT, then TPM2B_ENCRYPTED_SECRET, both with their lengths) that was made for the attestation key
/// (part 3, 12.5): what is in it, and how many bytes that has.
///
/// # Errors
/// See [`Error`]; also when it was made for another key or another TPM.
pub fn activate(
    tpm: &mut dyn Transport,
    rng: &mut dyn CryptoRng,
    storage: &Key,
    credential: &[u8],
) -> Result<(Secret<32>, usize), Error> {
    const COMMAND: Command = Command::ACTIVATE_CREDENTIAL;
    with_key(tpm, Purpose::Attestation, |tpm, attestation| {
        with_key(tpm, Purpose::Endorsement, |tpm, endorsement| {
            let session = PolicySession::start(tpm, rng, storage)?;
            let handle = session.0.handle();
            let met = session.endorsement(tpm);
            or_end(tpm, handle, met)?;
            let PolicySession(mut session) = session;
            let mut protection = session.authorise(rng, &[], ENCRYPT);
            let entities = [attestation.entity(), endorsement.entity()];
            let mut request = Request::new(COMMAND, &entities);
            request.parameters.bytes(credential);
            let mut authorities = [
                Authority::EmptyPassword,
                Authority::Session(&mut protection),
            ];
            let response = request.send(tpm, &mut authorities);
            let response = or_end(tpm, handle, response)?;
            let mut parameters = response.parameters();
            let found = parameters.sized()?.rest();
            parameters.end()?;
            if found.len() > 32 {
                return Err(COMMAND.error(Problem::Length));
            }
            let secret = Secret::written_by(|own: &mut [u8; 32]| {
                own[..found.len()].copy_from_slice(found);
            });
            Ok((secret, found.len()))
        })
    })
}
