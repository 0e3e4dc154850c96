//! Primary keys: made from a seed of the TPM and a template, the same each time (part 1, 26.3). All are on the curve P-256.

use nonos_crypto::hash::sha256;
use nonos_crypto::p256::KEY_BYTES;

use crate::command::{Authority, Command, Entity, Error, Name, Request, Transport};
use crate::constant::{self, object};
use crate::wire::{Reader, Writer};

/// Most bytes of a public area here.
const PUBLIC_BYTES_MAX: usize = 128;

/// Policy of endorsement keys: whoever has the endorsement hierarchy's authorisation value may use them (TCG EK Credential
/// Profile 2.5, B.6.2: PolicyA).
const ENDORSEMENT_POLICY: [u8; 32] = [
    0x83, 0x71, 0x97, 0x67, 0x44, 0x84, 0xB3, 0xF8, 0x1A, 0x90, 0xCC, 0x8D, 0x46, 0xA5, 0xD7, 0x24,
    0xFD, 0x52, 0xD7, 0x6E, 0x06, 0x52, 0x0B, 0x64, 0xF2, 0xA1, 0xDA, 0x1B, 0x33, 0x14, 0x69, 0xAA,
];

/// What a key is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Purpose {
    /// To seal under, and to salt sessions to: the storage root key of the owner's hierarchy (TCG TPM 2.0 Provisioning
    /// Guidance 1.0, 7.5.1, on P-256).
    Storage,
    /// To sign quotes, and nothing that the TPM did not make itself: under the endorsement hierarchy.
    Attestation,
    /// The key that the TPM's maker certified (TCG EK Credential Profile 2.5, B.4.5, template L-2).
    Endorsement,
}

impl Purpose {
    fn hierarchy(self) -> u32 {
        match self {
            Self::Storage => constant::OWNER,
            Self::Attestation | Self::Endorsement => constant::ENDORSEMENT,
        }
    }

    /// The public area up to the point of the curve (TPMT_PUBLIC, part 2, 12.2.4).
    fn write(self, out: &mut Writer) {
        let own = object::FIXED_TPM | object::FIXED_PARENT | object::SENSITIVE_DATA_ORIGIN;
        let own = own | object::RESTRICTED;
        let unguarded = object::USER_WITH_AUTH | object::NO_DA;
        out.u16(constant::ECC);
        out.u16(constant::SHA256);
        match self {
            Self::Storage => out.u32(own | unguarded | object::DECRYPT),
            Self::Attestation => out.u32(own | unguarded | object::SIGN),
            Self::Endorsement => out.u32(own | object::ADMIN_WITH_POLICY | object::DECRYPT),
        }
        match self {
            Self::Storage | Self::Attestation => out.u16(0), // no policy
            Self::Endorsement => out.sized(&ENDORSEMENT_POLICY),
        }
        match self {
            Self::Storage | Self::Endorsement => {
                out.u16(constant::AES);
                out.u16(128);
                out.u16(constant::CFB);
                out.u16(constant::ALG_NULL); // no scheme
            }
            Self::Attestation => {
                out.u16(constant::ALG_NULL); // no cipher
                out.u16(constant::ECDSA);
                out.u16(constant::SHA256);
            }
        }
        out.u16(constant::P256);
        out.u16(constant::ALG_NULL); // no key derivation
    }
}

/// A key that the TPM holds.
pub struct Key {
    handle: u32,
    name: Name,
    /// Both coordinates.
    pub point: [u8; KEY_BYTES],
    public: [u8; PUBLIC_BYTES_MAX],
    public_bytes: usize,
}

impl Key {
    /// Makes a primary key (part 3, 24.1). The hierarchies' authorisation values are empty.
    ///
    /// # Errors
    /// See [`Error`]; also when the TPM made another key than it was asked for.
    pub fn create(tpm: &mut dyn Transport, purpose: Purpose) -> Result<Self, Error> {
        const COMMAND: Command = Command::CREATE_PRIMARY;
        let mut template = Writer::new();
        purpose.write(&mut template);
        let fixed_bytes = template.as_slice().len();
        // The point is the TPM's to choose; the maker's template has zeros in its place.
        let zeros = if purpose == Purpose::Endorsement {
            32
        } else {
            0
        };
        (0..2).for_each(|_| template.sized(&[0; 32][..zeros]));

        let hierarchy = [Entity::permanent(purpose.hierarchy())];
        let mut request = Request::new(COMMAND, &hierarchy).making_handle();
        let out = &mut request.parameters;
        out.u16(4); // bytes of the sensitive part: empty authorisation value, no data
        out.u32(0);
        out.sized(template.as_slice());
        out.u16(0); // no outside information
        out.u32(0); // no PCRs at creation
        let response = request.send(tpm, &mut [Authority::EmptyPassword])?;
        let mut parameters = response.parameters();
        let mut public = parameters.sized()?;
        parameters.sized()?; // creation data
        parameters.sized()?; // its hash
        skip_ticket(&mut parameters)?;
        parameters.sized()?; // the name, which is the hash of the public area
        parameters.end()?;

        let whole = public.rest();
        let fixed = public.part(fixed_bytes)?;
        let same = fixed.rest() == &template.as_slice()[..fixed_bytes];
        COMMAND.check("key that was asked for", same.into(), 1)?;
        let mut point = [0; KEY_BYTES];
        for coordinate in point.as_chunks_mut::<32>().0 {
            // Zeros at the front may be left out.
            let bytes = public.sized()?.rest();
            let start = 32usize.checked_sub(bytes.len()).ok_or(public.length())?;
            coordinate[start..].copy_from_slice(bytes);
        }
        public.end()?;
        let mut key = Self {
            handle: response.handle(),
            name: name(whole),
            point,
            public: [0; PUBLIC_BYTES_MAX],
            public_bytes: whole.len(),
        };
        let room = key.public.get_mut(..whole.len()).ok_or(public.length())?;
        room.copy_from_slice(whole);
        Ok(key)
    }

    /// The key, as commands name it.
    pub fn entity(&self) -> Entity {
        Entity::named(self.handle, self.name)
    }

    /// Its handle.
    pub fn handle(&self) -> u32 {
        self.handle
    }

    /// Its public area (TPMT_PUBLIC).
    pub fn public(&self) -> &[u8] {
        &self.public[..self.public_bytes]
    }
}

/// The name of what has this public area (part 1, 16).
pub fn name(public: &[u8]) -> Name {
    let mut name = [0; 34];
    name[..2].copy_from_slice(&constant::SHA256.to_be_bytes());
    name[2..].copy_from_slice(&sha256(public));
    name
}

/// Reads over a ticket (TPMT_TK, part 2, 10.7.3); its bytes.
pub(crate) fn skip_ticket<'a>(parameters: &mut Reader<'a>) -> Result<&'a [u8], Error> {
    let whole = parameters.rest();
    parameters.u16()?; // tag
    parameters.u32()?; // hierarchy
    parameters.sized()?; // digest
    let bytes = whole.len() - parameters.rest().len();
    Ok(&whole[..bytes])
}

/// The public area of a key outside that signs by ECDSA with SHA-256.
pub(crate) fn write_signer(out: &mut Writer, point: &[u8; KEY_BYTES]) {
    out.u16(constant::ECC);
    out.u16(constant::SHA256);
    out.u32(object::USER_WITH_AUTH | object::SIGN);
    out.u16(0); // no policy
    out.u16(constant::ALG_NULL); // no cipher
    out.u16(constant::ECDSA);
    out.u16(constant::SHA256);
    out.u16(constant::P256);
    out.u16(constant::ALG_NULL); // no key derivation
    point.as_chunks::<32>().0.iter().for_each(|x| out.sized(x));
}
