//! The TPM of this machine, through its driver.
//!
//! The record that it keeps is there twice, and the first is written first: when writing is cut off one of them is whole.

use nonos_crypto::Secret;
use nonos_proto::tpm::{AUTH_BYTES_MAX, BLOB_BYTES_MAX, Client, STORE_BYTES};
use nonos_proto::{CallError, Refusal};
use nonos_rt::object::Endpoint;
use nonos_rt::{log, parent};
use vault::lock::Record;
use vault::seal::{Approval, KEPT_BYTES, OBJECT_BYTES, Object, Seal};

include!(concat!(env!("OUT_DIR"), "/update_key.rs"));

/// What is sealed to: PCR 7 (Secure Boot and its keys) and PCR 11 (the system image and the keys that it was verified with).
const SELECTION: u64 = 1 << 7 | 1 << 11;

/// Bytes of what is sealed, and of the value that authorises it.
const SECRET_BYTES: usize = 32;

/// Where the two copies of the record are.
const COPIES: [usize; 2] = [0, STORE_BYTES.0 / 2];

const _: () = assert!(BLOB_BYTES_MAX <= OBJECT_BYTES && SECRET_BYTES <= AUTH_BYTES_MAX);
const _: () = assert!(KEPT_BYTES <= STORE_BYTES.0 / 2);

type Kept = [u8; KEPT_BYTES];

/// The TPM, when there is one.
pub struct Tpm(Option<Client<Endpoint>>);

impl Tpm {
    /// Asks whether there is one. One that fails is there: what needs it is refused, and not done without it.
    pub fn find() -> Self {
        let driver = parent::connect("tpm-seal").map(Client);
        let found = driver.and_then(|driver| match driver.pcr(11) {
            Err(error @ CallError::Refused(Refusal::NoSuchDevice)) => Err(error),
            _ => Ok(driver),
        });
        Self(found.inspect_err(|error| log!("no TPM: {error}")).ok())
    }

    fn driver(&self) -> Result<&Client<Endpoint>, Refusal> {
        self.0.as_ref().ok_or(Refusal::NoSuchDevice)
    }

    /// A copy of the record; zeros when nothing was ever stored.
    fn copy(&self, at: usize) -> Result<Kept, Refusal> {
        let mut kept = [0; KEPT_BYTES];
        for (part, offset) in kept
            .chunks_mut(STORE_BYTES.1)
            .zip((at..).step_by(STORE_BYTES.1))
        {
            match self.driver()?.load(offset as u64, part) {
                Err(CallError::Refused(Refusal::NotStored)) => break,
                other => other.map_err(refusal)?,
            }
        }
        Ok(kept)
    }
}

/// What the vault makes of it.
fn refusal(error: CallError) -> Refusal {
    match error {
        CallError::Refused(Refusal::WrongAuth) => Refusal::WrongPassphrase,
        CallError::Refused(known @ (Refusal::PolicyMismatch | Refusal::LockedOut)) => known,
        _ => Refusal::DeviceFailed,
    }
}

/// Two values after each other; how many bytes the first has.
fn joined<const N: usize>(first: Option<&Secret<32>>, second: &[u8]) -> (Secret<N>, usize) {
    let length = first.map_or(0, |first| first.expose().len());
    let joined = Secret::written_by(|bytes| {
        let (left, right) = bytes.split_at_mut(length);
        if let Some(first) = first {
            left.copy_from_slice(first.expose());
        }
        right[..second.len()].copy_from_slice(second);
    });
    (joined, length)
}

impl Seal for Tpm {
    fn present(&self) -> bool {
        self.0.is_some()
    }

    fn seal(&mut self, secret: &Secret<32>, auth: Option<&Secret<32>>) -> Result<Object, Refusal> {
        let (given, auth_bytes) = joined::<{ 2 * SECRET_BYTES }>(auth, secret.expose());
        let given = &given.expose()[..auth_bytes + SECRET_BYTES];
        let mut blob = [0; BLOB_BYTES_MAX];
        let key = UPDATE_KEY.as_ref().map_or(&[][..], |key| key);
        let length = self
            .driver()?
            .seal(SELECTION, auth_bytes as u64, given, key, &mut blob)
            .map_err(refusal)?;
        let length = usize::try_from(length).map_err(|_| Refusal::DeviceFailed)?;
        Object::new(blob.get(..length).ok_or(Refusal::DeviceFailed)?)
    }

    fn unseal(
        &mut self,
        object: &Object,
        auth: Option<&Secret<32>>,
        approval: Option<&Approval>,
    ) -> Result<Secret<32>, Refusal> {
        let driver = self.driver()?;
        let approval = approval.map_or(&[][..], |approval| approval);
        let (proof, auth_bytes) =
            joined::<{ SECRET_BYTES + size_of::<Approval>() }>(auth, approval);
        let proof = &proof.expose()[..auth_bytes + approval.len()];
        let mut length = Ok(0);
        let secret = Secret::written_by(|bytes| {
            length = driver.unseal(auth_bytes as u64, object.as_slice(), proof, bytes);
        });
        match length.map_err(refusal)? {
            32 => Ok(secret),
            _ => Err(Refusal::DeviceFailed),
        }
    }

    fn load(&mut self) -> Result<Option<Kept>, Refusal> {
        let first = self.copy(COPIES[0])?;
        if first == [0; KEPT_BYTES] || Record::from_bytes(&first).is_some() {
            return Ok(Some(first));
        }
        let second = self.copy(COPIES[1])?;
        Ok(Some(match Record::from_bytes(&second) {
            Some(_) => second,
            None => first,
        }))
    }

    fn store(&mut self, kept: &Kept) -> Result<(), Refusal> {
        for at in COPIES {
            for (part, offset) in kept
                .chunks(STORE_BYTES.1)
                .zip((at..).step_by(STORE_BYTES.1))
            {
                self.driver()?.store(offset as u64, part).map_err(refusal)?;
            }
        }
        Ok(())
    }
}
