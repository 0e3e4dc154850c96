//! What clients may have done, by the name that they connected to.

use nonos_proto::tpm::{
    self as interface, APPROVAL_BYTES, AUTH_BYTES_MAX, BADGE_POWER, BADGE_QUOTE, BADGE_SEAL,
    BLOB_BYTES_MAX, DATA_BYTES_MAX, Quote, Replayed, STORE_BYTES, State, Tpm, UPDATE_KEY_BYTES,
    interface_kind,
};
use nonos_proto::{Bytes, Caller, Lease, Refusal};
use nonos_rt::abi::Message;
use nonos_rt::log;
use nonos_rt::object::SystemInfo;
use nonos_rt::random::Kernel;
use nonos_rt::service::{Server, read_lent, write_lent};
use nonos_tpm::device::{Device, Failure, Meaning};
use nonos_tpm::event_log;
use nonos_tpm::quote::NONCE_BYTES_MAX;
use nonos_tpm::seal::{self, Conditions};
use tpm::interface::{Interface, Kind};
use zeroize::Zeroizing;

use crate::event_log::EventLog;
use crate::hardware::Hardware;

/// Most bytes of a credential.
const CREDENTIAL_BYTES_MAX: usize = 512;

const _: () = {
    assert!(DATA_BYTES_MAX == seal::DATA_BYTES_MAX);
    assert!(BLOB_BYTES_MAX == seal::BLOB_BYTES_MAX);
    assert!(AUTH_BYTES_MAX == nonos_tpm::session::AUTH_BYTES_MAX);
    assert!(STORE_BYTES.0 == nonos_tpm::device::STORE_BYTES as usize);
    assert!(STORE_BYTES.1 == nonos_tpm::nv::PART_BYTES_MAX);
};

/// The driver.
pub struct Service {
    /// The TPM, when there is one.
    pub device: Option<Device<Interface<Hardware>, Kernel>>,
    /// For the event log.
    pub system: SystemInfo,
}

/// Bytes that a client lent, copied out of its reach, and wiped when dropped.
struct Lent<const MOST: usize> {
    bytes: Zeroizing<[u8; MOST]>,
    length: usize,
}

impl<const MOST: usize> Lent<MOST> {
    fn read(lease: Lease) -> Result<Self, Refusal> {
        let mut bytes = Zeroizing::new([0; MOST]);
        let length = usize::try_from(lease.length).unwrap_or(usize::MAX);
        let room = bytes.get_mut(..length).ok_or(Refusal::Malformed)?;
        read_lent(lease, 0, room)?;
        Ok(Self { bytes, length })
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }

    /// What comes first, of this length, and the rest.
    fn split(&self, first_bytes: u64) -> Result<(&[u8], &[u8]), Refusal> {
        let first = usize::try_from(first_bytes).unwrap_or(usize::MAX);
        let parts = self.as_slice().split_at_checked(first);
        parts.ok_or(Refusal::Malformed)
    }
}

/// Nothing, or exactly so many bytes.
fn optional<const N: usize>(bytes: &[u8]) -> Result<Option<&[u8; N]>, Refusal> {
    match bytes {
        [] => Ok(None),
        _ => bytes.try_into().map(Some).map_err(|_| Refusal::Malformed),
    }
}

/// A selection of PCRs.
fn selection(bits: u64) -> Result<u32, Refusal> {
    u32::try_from(bits).map_err(|_| Refusal::Malformed)
}

/// An offset in the TPM's memory.
fn offset(offset: u64) -> Result<u16, Refusal> {
    u16::try_from(offset).map_err(|_| Refusal::Malformed)
}

/// Refuses clients that connected to another name.
fn check(caller: Caller, badge: u64) -> Result<(), Refusal> {
    if caller.badge & badge == badge {
        Ok(())
    } else {
        Err(Refusal::NotGranted)
    }
}

impl Service {
    /// Has the TPM do something. What the TPM itself did wrong goes to the log; a command's name and a code are no secret.
    fn ask<T>(
        &mut self,
        what: impl FnOnce(&mut Device<Interface<Hardware>, Kernel>) -> Result<T, Failure>,
    ) -> Result<T, Refusal> {
        let device = self.device.as_mut().ok_or(Refusal::NoSuchDevice)?;
        what(device).map_err(|failure| match failure.meaning() {
            Meaning::PolicyMismatch => Refusal::PolicyMismatch,
            Meaning::WrongAuth => Refusal::WrongAuth,
            Meaning::LockedOut => Refusal::LockedOut,
            Meaning::Malformed => Refusal::Malformed,
            Meaning::NotStored => Refusal::NotStored,
            Meaning::Device => {
                if let Failure::Tpm(error) = failure {
                    log!("the TPM failed: {error}");
                }
                Refusal::DeviceFailed
            }
        })
    }
}

impl Tpm for Service {
    fn state(&mut self, _: Caller) -> Result<State, Refusal> {
        let state = self.ask(Device::state)?;
        let kind = self.device.as_ref().map(|device| device.transport.kind());
        Ok(State {
            interface: match kind {
                Some(Kind::Fifo) => interface_kind::FIFO,
                _ => interface_kind::CRB,
            },
            manufacturer: u32::from_be_bytes(state.manufacturer).into(),
            firmware: state.firmware,
            locked_out: state.locked_out.into(),
            failures: state.failures.into(),
            most_failures: state.most_failures.into(),
            forgets_after_s: state.forgets_after_s.into(),
        })
    }

    fn random(&mut self, _: Caller) -> Result<Bytes, Refusal> {
        let (bytes, given) = self.ask(Device::random)?;
        Ok(Bytes::prefix_of(&bytes.expose()[..given]))
    }

    fn pcr(&mut self, _: Caller, number: u64) -> Result<Bytes, Refusal> {
        let digest = self.ask(|device| device.pcr(number))?;
        Ok(Bytes::prefix_of(&digest))
    }

    fn replay(&mut self, _: Caller) -> Result<Replayed, Refusal> {
        let found = self.ask(Device::pcrs)?;
        let mut log = EventLog::find(&self.system).ok_or(Refusal::NotStored)?;
        let replayed = event_log::replay(&mut log).ok_or(Refusal::Damaged)?;
        Ok(Replayed {
            events: replayed.events,
            extended: replayed.extended.into(),
            matching: replayed.matching(&found).into(),
        })
    }

    fn quote(
        &mut self,
        caller: Caller,
        pcrs: u64,
        nonce: Lease,
        quote: Lease,
    ) -> Result<Quote, Refusal> {
        check(caller, BADGE_QUOTE)?;
        let pcrs = selection(pcrs)?;
        let nonce = Lent::<NONCE_BYTES_MAX>::read(nonce)?;
        let made = self.ask(|device| device.quote(pcrs, nonce.as_slice()))?;
        let mut at = 0;
        let mut append = |part: &[u8]| {
            write_lent(quote, at, part)?;
            at += part.len() as u64;
            Ok::<_, Refusal>(part.len() as u64)
        };
        Ok(Quote {
            public_bytes: append(made.public.as_slice())?,
            attested_bytes: append(made.attested.as_slice())?,
            signature_bytes: append(made.signature.as_slice())?,
        })
    }

    fn certificate(&mut self, caller: Caller, from: u64, out: Lease) -> Result<u64, Refusal> {
        check(caller, BADGE_QUOTE)?;
        let from = offset(from)?;
        let mut part = [0; STORE_BYTES.1];
        let room = part
            .len()
            .min(usize::try_from(out.length).unwrap_or(usize::MAX));
        let (bytes, whole) = self.ask(|device| device.certificate(from, &mut part[..room]))?;
        write_lent(out, 0, &part[..bytes])?;
        Ok(whole.into())
    }

    fn activate(
        &mut self,
        caller: Caller,
        credential: Lease,
        secret: Lease,
    ) -> Result<u64, Refusal> {
        check(caller, BADGE_QUOTE)?;
        let credential = Lent::<CREDENTIAL_BYTES_MAX>::read(credential)?;
        let (found, bytes) = self.ask(|device| device.activate(credential.as_slice()))?;
        write_lent(secret, 0, &found.expose()[..bytes])?;
        Ok(bytes as u64)
    }

    fn seal(
        &mut self,
        caller: Caller,
        pcrs: u64,
        auth_bytes: u64,
        secret: Lease,
        update_key: Lease,
        blob: Lease,
    ) -> Result<u64, Refusal> {
        check(caller, BADGE_SEAL)?;
        let secret = Lent::<{ AUTH_BYTES_MAX + DATA_BYTES_MAX }>::read(secret)?;
        let (auth, data) = secret.split(auth_bytes)?;
        let update_key = Lent::<UPDATE_KEY_BYTES>::read(update_key)?;
        let conditions = Conditions {
            selection: selection(pcrs)?,
            auth,
            update_key: optional(update_key.as_slice())?,
        };
        let mut out = [0; BLOB_BYTES_MAX];
        let bytes = self.ask(|device| device.seal(&conditions, data, &mut out))?;
        write_lent(blob, 0, &out[..bytes])?;
        Ok(bytes as u64)
    }

    fn unseal(
        &mut self,
        caller: Caller,
        auth_bytes: u64,
        blob: Lease,
        proof: Lease,
        data: Lease,
    ) -> Result<u64, Refusal> {
        check(caller, BADGE_SEAL)?;
        let blob = Lent::<BLOB_BYTES_MAX>::read(blob)?;
        let proof = Lent::<{ AUTH_BYTES_MAX + APPROVAL_BYTES }>::read(proof)?;
        let (auth, approval) = proof.split(auth_bytes)?;
        let approval = optional(approval)?;
        let mut out = Zeroizing::new([0; DATA_BYTES_MAX]);
        let bytes = self.ask(|device| device.unseal(blob.as_slice(), auth, approval, &mut out))?;
        write_lent(data, 0, &out[..bytes])?;
        Ok(bytes as u64)
    }

    fn counter(&mut self, caller: Caller) -> Result<u64, Refusal> {
        check(caller, BADGE_SEAL)?;
        self.ask(Device::counter)
    }

    fn increment(&mut self, caller: Caller) -> Result<u64, Refusal> {
        check(caller, BADGE_SEAL)?;
        self.ask(Device::increment)
    }

    fn load(&mut self, caller: Caller, from: u64, out: Lease) -> Result<(), Refusal> {
        check(caller, BADGE_SEAL)?;
        let from = offset(from)?;
        let mut part = Zeroizing::new([0; STORE_BYTES.1]);
        let length = usize::try_from(out.length).unwrap_or(usize::MAX);
        let part = part.get_mut(..length).ok_or(Refusal::Malformed)?;
        self.ask(|device| device.load(from, part))?;
        Ok(write_lent(out, 0, part)?)
    }

    fn store(&mut self, caller: Caller, from: u64, bytes: Lease) -> Result<(), Refusal> {
        check(caller, BADGE_SEAL)?;
        let from = offset(from)?;
        let bytes = Lent::<{ STORE_BYTES.1 }>::read(bytes)?;
        self.ask(|device| device.store(from, bytes.as_slice()))
    }

    fn extend(&mut self, caller: Caller, number: u64, digest: Lease) -> Result<(), Refusal> {
        check(caller, BADGE_SEAL)?;
        let digest = Lent::<32>::read(digest)?;
        let digest = optional(digest.as_slice())?.ok_or(Refusal::Malformed)?;
        self.ask(|device| device.extend(number, digest))
    }

    fn shutdown(&mut self, caller: Caller) -> Result<(), Refusal> {
        check(caller, BADGE_POWER)?;
        self.ask(Device::shutdown)
    }
}

impl Server for Service {
    fn request(&mut self, caller: Caller, request: &Message) -> Result<Option<Message>, Refusal> {
        interface::dispatch(self, caller, request)
    }

    fn signal(&mut self, _: u64) {}
}
