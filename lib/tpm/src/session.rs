//! Sessions (part 1, 19): commands and responses are authenticated by HMAC and their first parameters encrypted, by keys that
//! come from a secret which only this program and the TPM know: it is agreed on with the key that the session is salted to.
//!
//! Who only listens on the bus learns nothing of what is encrypted, and who alters a command or its response is noticed. That
//! the salting key is one of the machine's TPM, and not one of somebody between, is not known from here: that takes the
//! endorsement certificate and a verifier ([`crate::quote`]).
//!
//! HMACs are SHA-256, encryption is AES-128 in CFB mode, which every TPM for PCs has (PC Client platform profile, 4.7).

use nonos_crypto::hash::Sha256;
use nonos_crypto::mac::HmacSha256;
use nonos_crypto::{CryptoRng, Secret, cfb, p256};

use crate::command::{Authority, Command, Entity, Error, Problem, Protection, Request, Transport};
use crate::constant::{self, DECRYPT, ENCRYPT};
use crate::key::Key;
use crate::state;
use crate::wire::{Reader, Writer};

/// Longest authorisation value: as long as the digests of its object (part 1, 19.6.4.2).
pub const AUTH_BYTES_MAX: usize = 32;

/// A random number that is used once.
type Nonce = [u8; 32];

/// What a session is for (TPM_SE, part 2, 6.11).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Kind {
    /// Authorises by knowledge of an authorisation value, which may be empty.
    Hmac = 0,
    /// Authorises by a policy that is met.
    Policy = 1,
}

/// A session that the TPM holds.
pub struct Session {
    handle: u32,
    key: Secret<32>,
    nonce_tpm: Nonce,
}

impl Session {
    /// Starts a session that is salted to a key (part 3, 11.1).
    ///
    /// # Errors
    /// See [`Error`].
    pub fn start(
        tpm: &mut dyn Transport,
        rng: &mut dyn CryptoRng,
        salted_to: &Key,
        kind: Kind,
    ) -> Result<Self, Error> {
        const COMMAND: Command = Command::START_AUTH_SESSION;
        let mut nonce_caller = [0; 32];
        rng.fill_bytes(&mut nonce_caller);
        let agreed = p256::agree(&salted_to.point, rng);
        let agreed = agreed.map_err(|_| COMMAND.error(Problem::BadKey))?;
        let entities = [salted_to.entity(), Entity::permanent(constant::NULL)];
        let mut request = Request::new(COMMAND, &entities).making_handle();
        let out = &mut request.parameters;
        out.sized(&nonce_caller);
        out.u16(2 + 32 + 2 + 32); // bytes of the encrypted salt: a point
        agreed
            .public
            .as_chunks::<32>()
            .0
            .iter()
            .for_each(|x| out.sized(x));
        out.u8(kind as u8);
        out.u16(constant::AES);
        out.u16(128);
        out.u16(constant::CFB);
        out.u16(constant::SHA256);
        let response = request.send(tpm, &mut [])?;
        let mut parameters = response.parameters();
        parameters.expect_u16("session nonce length", 32)?;
        let nonce_tpm = parameters.array()?;
        parameters.end()?;
        let salt = salt(&agreed, &salted_to.point);
        Ok(Self {
            handle: response.handle(),
            key: kdf_a(salt.expose(), b"ATH", &nonce_tpm, &nonce_caller),
            nonce_tpm,
        })
    }

    /// The session, as policy commands name it.
    pub fn entity(&self) -> Entity {
        Entity::permanent(self.handle)
    }

    /// Its handle.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// Uses the session for one command, with the authorisation value of what that works on first, if it asks for it. Attributes are
    /// those of [`crate::constant`].
    pub fn authorise<'a>(
        &'a mut self,
        rng: &mut dyn CryptoRng,
        auth: &[u8],
        attributes: u8,
    ) -> Use<'a> {
        let mut nonce_caller = [0; 32];
        rng.fill_bytes(&mut nonce_caller);
        // The TPM forgets zeros at the end of authorisation values (part 1, 19.6.4.3).
        let end = auth
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |i| i + 1);
        let auth = &auth[..end.min(AUTH_BYTES_MAX)];
        let value = Secret::written_by(|value: &mut [u8; 32 + AUTH_BYTES_MAX]| {
            value[..32].copy_from_slice(self.key.expose());
            value[32..32 + auth.len()].copy_from_slice(auth);
        });
        Use {
            session: self,
            value,
            value_bytes: 32 + auth.len(),
            attributes,
            nonce_caller,
        }
    }
}

/// Ends a session after a failure; success ended it.
pub(crate) fn or_end<T, E>(
    tpm: &mut dyn Transport,
    session: u32,
    result: Result<T, E>,
) -> Result<T, E> {
    result.inspect_err(|_| {
        // When this fails, too, the next start of the driver ends it.
        let _ = state::flush(tpm, session);
    })
}

/// Does one command under a session of its own, which authorises by an empty value and ends with it.
pub(crate) fn once<T>(
    tpm: &mut dyn Transport,
    rng: &mut dyn CryptoRng,
    salted_to: &Key,
    attributes: u8,
    command: impl FnOnce(&mut dyn Transport, Authority<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let mut session = Session::start(tpm, rng, salted_to, Kind::Hmac)?;
    let handle = session.handle;
    let mut protection = session.authorise(rng, &[], attributes);
    let result = command(tpm, Authority::Session(&mut protection));
    or_end(tpm, handle, result)
}

/// The secret that a session starts from: KDFe (part 1, 11.4.10.3) with the label SECRET.
fn salt(agreed: &p256::Agreed, theirs: &[u8; p256::KEY_BYTES]) -> Secret<32> {
    let mut hash = Sha256::new();
    hash.update(&1u32.to_be_bytes());
    hash.update(agreed.shared.expose());
    hash.update(b"SECRET\0");
    hash.update(&agreed.public[..32]);
    hash.update(&theirs[..32]);
    let mut bytes = hash.finish();
    Secret::taken_from(&mut bytes)
}

/// 256 bits from a key: KDFa (part 1, 11.4.10.2).
fn kdf_a(key: &[u8], label: &[u8], u: &Nonce, v: &Nonce) -> Secret<32> {
    let mut hmac = HmacSha256::new(key);
    hmac.update(&1u32.to_be_bytes());
    hmac.update(label);
    hmac.update(&[0]);
    hmac.update(u);
    hmac.update(v);
    hmac.update(&256u32.to_be_bytes());
    let mut bytes = hmac.finish();
    Secret::taken_from(&mut bytes)
}

/// A session that is used for one command.
pub struct Use<'a> {
    session: &'a mut Session,
    /// The session's key, then the authorisation value.
    value: Secret<{ 32 + AUTH_BYTES_MAX }>,
    value_bytes: usize,
    attributes: u8,
    nonce_caller: Nonce,
}

impl Use<'_> {
    fn value(&self) -> &[u8] {
        self.value
            .expose()
            .get(..self.value_bytes)
            .unwrap_or_default()
    }

    /// Key and initialisation vector of the first parameter (part 1, 21.3).
    fn cipher(&self, newer: &Nonce, older: &Nonce) -> (Secret<16>, [u8; 16]) {
        let bytes = kdf_a(self.value(), b"CFB", newer, older);
        let [key, iv] = *bytes.expose().as_chunks::<16>().0 else {
            unreachable!("32 bytes are twice 16")
        };
        (Secret::written_by(|own| *own = key), iv)
    }

    /// HMAC of a command or response (part 1, 19.6.5 and 19.6.8).
    fn hmac(
        &self,
        parameters: &[u8; 32],
        newer: &Nonce,
        older: &Nonce,
        attributes: u8,
    ) -> HmacSha256 {
        let mut hmac = HmacSha256::new(self.value());
        hmac.update(parameters);
        hmac.update(newer);
        hmac.update(older);
        hmac.update(&[attributes]);
        hmac
    }
}

/// The contents of the first parameter, a TPM2B.
fn first_parameter(parameters: &mut [u8]) -> Option<&mut [u8]> {
    let (length, rest) = parameters.split_first_chunk_mut()?;
    rest.get_mut(..usize::from(u16::from_be_bytes(*length)))
}

impl Protection for Use<'_> {
    fn authorise(
        &mut self,
        command: Command,
        entities: &[Entity],
        parameters: &mut [u8],
        area: &mut Writer,
    ) {
        let (caller, tpm) = (self.nonce_caller, self.session.nonce_tpm);
        if self.attributes & DECRYPT != 0
            && let Some(secret) = first_parameter(parameters)
        {
            let (key, iv) = self.cipher(&caller, &tpm);
            cfb::encrypt(&key, &iv, secret);
        }
        let mut hash = Sha256::new();
        hash.update(&command.code().to_be_bytes());
        for entity in entities {
            entity.visit_name(|name| {
                hash.update(name);
            });
        }
        hash.update(parameters);
        let hmac = self.hmac(&hash.finish(), &caller, &tpm, self.attributes);
        area.u32(self.session.handle);
        area.sized(&caller);
        area.u8(self.attributes);
        area.sized(&hmac.finish());
    }

    fn check(
        &mut self,
        command: Command,
        parameters: &[u8],
        area: &mut Reader<'_>,
    ) -> Result<(), Error> {
        area.expect_u16("session nonce length", 32)?;
        let newer = area.array()?;
        area.expect_u8("session attributes", self.attributes)?;
        area.expect_u16("session HMAC length", 32)?;
        let tag = area.array()?;
        let mut hash = Sha256::new();
        hash.update(&0u32.to_be_bytes()); // the response code, success
        hash.update(&command.code().to_be_bytes());
        hash.update(parameters);
        self.hmac(&hash.finish(), &newer, &self.nonce_caller, self.attributes)
            .verify(&tag)
            .map_err(|_| command.error(Problem::NotAuthentic))?;
        self.session.nonce_tpm = newer;
        Ok(())
    }

    fn decrypt(&mut self, command: Command, parameters: &mut [u8]) -> Result<(), Error> {
        if self.attributes & ENCRYPT != 0 {
            let secret = first_parameter(parameters).ok_or(command.error(Problem::Length))?;
            let (key, iv) = self.cipher(&self.session.nonce_tpm, &self.nonce_caller);
            cfb::decrypt(&key, &iv, secret);
        }
        Ok(())
    }
}
