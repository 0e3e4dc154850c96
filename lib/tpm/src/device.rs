//! A TPM as the driver has it: the storage key is made when it is first needed and stays in the TPM; after a failure of the bus
//! everything of ours in the TPM is taken out and made anew.
//!
//! Nobody else talks to the TPM: the firmware is done with it, so whatever is in its memory was left by a driver that ended.

use nonos_crypto::p256::KEY_BYTES;
use nonos_crypto::{CryptoRng, Secret};

use crate::command::{Command, Entity, Error, Problem, Transport};
use crate::constant::{DECRYPT, ENCRYPT, nv as attribute};
use crate::key::{Key, Purpose};
use crate::quote::{self, Quote};
use crate::seal::{self, Conditions, DATA_BYTES_MAX};
use crate::state::{self, Digest, PCRS, Property};
use crate::{nv, session};

/// NV index of the counter that the vault has.
const COUNTER_INDEX: u32 = 0x0180_4E50;
/// NV index of the area that the vault has.
const STORE_INDEX: u32 = 0x0180_4E51;
/// Bytes of that area.
pub const STORE_BYTES: u16 = 2048;

/// Attributes of both: the empty authorisation value of the index, which sessions use, reads and writes.
const OWN: u32 = attribute::AUTH_WRITE | attribute::AUTH_READ | attribute::NO_DA;

/// PCRs that may be extended after the firmware and the boot loader have done so: those of the operating system, of applications and
/// for tests (PC Client Platform Firmware Profile 1.06, 3.3.4).
const EXTENDABLE: core::ops::RangeInclusive<u32> = 8..=16;
/// PCR for applications.
const APPLICATION_PCR: u32 = 23;

/// Most objects and sessions that are taken out of a TPM: far above what any holds.
const LEFT_OVER_MAX: usize = 256;

/// Why something did not work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Failure {
    /// The TPM, or the way to it.
    Tpm(Error),
    /// The request does not make sense: lengths or contents.
    Malformed,
    /// There is nothing to read yet.
    NotStored,
}

/// What a failure means to who asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Meaning {
    /// PCRs, or an approval of others, are not what the policy wants.
    PolicyMismatch,
    /// The authorisation value is wrong; the TPM counts this.
    WrongAuth,
    /// Too many wrong authorisation values: the TPM takes none now.
    LockedOut,
    /// See [`Failure::Malformed`]; also a blob that is not of this TPM.
    Malformed,
    /// See [`Failure::NotStored`].
    NotStored,
    /// The TPM does not work.
    Device,
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Tpm(error)
    }
}

impl Failure {
    /// What it means (TPM_RC, part 2, 6.6).
    pub fn meaning(&self) -> Meaning {
        let error = match self {
            Self::Tpm(error) => error,
            Self::Malformed => return Meaning::Malformed,
            Self::NotStored => return Meaning::NotStored,
        };
        let of_policy = [Command::POLICY_OR, Command::VERIFY_SIGNATURE].contains(&error.command);
        match error.code() {
            Some(0x08E | 0x0A2) => Meaning::WrongAuth, // AUTH_FAIL, BAD_AUTH
            Some(0x921) => Meaning::LockedOut,         // LOCKOUT
            Some(0x09D | 0x128) => Meaning::PolicyMismatch, // POLICY_FAIL, PCR_CHANGED
            Some(0x084 | 0x09B) if of_policy => Meaning::PolicyMismatch, // VALUE, SIGNATURE
            // INTEGRITY, SIZE, VALUE, INSUFFICIENT, ...: of what was to be loaded.
            Some(_) if [Command::LOAD, Command::ACTIVATE_CREDENTIAL].contains(&error.command) => {
                Meaning::Malformed
            }
            _ => Meaning::Device,
        }
    }
}

/// What a TPM says of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct State {
    /// Four letters.
    pub manufacturer: [u8; 4],
    /// Version of its firmware.
    pub firmware: u64,
    /// It takes no authorisation values now.
    pub locked_out: bool,
    /// Wrong authorisation values that it has not forgotten.
    pub failures: u32,
    /// How many it takes before it locks.
    pub most_failures: u32,
    /// Seconds after which it forgets one.
    pub forgets_after_s: u32,
}

/// A TPM, and the generator for what must not be guessed.
pub struct Device<T, R> {
    /// The way to the TPM.
    pub transport: T,
    rng: R,
    storage: Option<Key>,
}

impl<T: Transport, R: CryptoRng> Device<T, R> {
    /// Sends nothing yet.
    pub const fn new(transport: T, rng: R) -> Self {
        Self {
            transport,
            rng,
            storage: None,
        }
    }

    /// Does something with the storage key, made now if there is none.
    fn with_storage<V>(
        &mut self,
        what: impl FnOnce(&mut dyn Transport, &mut dyn CryptoRng, &Key) -> Result<V, Failure>,
    ) -> Result<V, Failure> {
        let storage = match self.storage.take() {
            Some(key) => key,
            None => {
                empty(&mut self.transport)?;
                Key::create(&mut self.transport, Purpose::Storage)?
            }
        };
        let result = what(&mut self.transport, &mut self.rng, &storage);
        // When the bus failed, nobody knows what the TPM did.
        let lost = matches!(
            result,
            Err(Failure::Tpm(Error {
                problem: Problem::Transport(_) | Problem::NotAuthentic | Problem::Length,
                ..
            }))
        );
        if !lost {
            self.storage = Some(storage);
        }
        result
    }

    /// What the TPM says of itself.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn state(&mut self) -> Result<State, Failure> {
        let mut read = |which| state::property(&mut self.transport, which);
        let (high, low) = (read(Property::Firmware)?, read(Property::FirmwareEnd)?);
        Ok(State {
            manufacturer: read(Property::Manufacturer)?.to_be_bytes(),
            firmware: u64::from(high) << 32 | u64::from(low),
            locked_out: read(Property::Permanent)? & Property::IN_LOCKOUT != 0,
            failures: read(Property::LockoutCounter)?,
            most_failures: read(Property::MostFailures)?,
            forgets_after_s: read(Property::LockoutInterval)?,
        })
    }

    /// Prepares the TPM for power-off or restart.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn shutdown(&mut self) -> Result<(), Failure> {
        Ok(state::shutdown(&mut self.transport)?)
    }

    /// Random bytes, which nobody sees who listens on the bus; how many of them the TPM gave.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn random(&mut self) -> Result<(Secret<32>, usize), Failure> {
        self.with_storage(|tpm, rng, storage| {
            let mut bytes = [0; 32];
            let given = session::once(tpm, rng, storage, ENCRYPT, |tpm, authority| {
                state::get_random(tpm, &mut [authority], &mut bytes)
            });
            let secret = Secret::taken_from(&mut bytes);
            Ok((secret, given?))
        })
    }

    /// The value that a PCR of the SHA-256 bank has now.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn pcr(&mut self, number: u64) -> Result<Digest, Failure> {
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        let mut values = [[0; 32]; PCRS];
        if index >= PCRS {
            return Err(Failure::Malformed);
        }
        state::read_selected_pcrs(&mut self.transport, 1 << index, &mut values)?;
        Ok(values[index])
    }

    /// The values that all PCRs of the SHA-256 bank have now.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn pcrs(&mut self) -> Result<[Digest; PCRS], Failure> {
        Ok(state::read_pcrs(&mut self.transport)?)
    }

    /// Extends a PCR that is not the firmware's.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn extend(&mut self, number: u64, digest: &Digest) -> Result<(), Failure> {
        let allowed = |number: &u32| EXTENDABLE.contains(number) || *number == APPLICATION_PCR;
        let number = u32::try_from(number).ok().filter(allowed);
        let number = number.ok_or(Failure::Malformed)?;
        Ok(state::extend_pcr(&mut self.transport, number, digest)?)
    }

    /// See [`seal::seal`].
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn seal(
        &mut self,
        conditions: &Conditions<'_>,
        data: &[u8],
        blob: &mut [u8],
    ) -> Result<usize, Failure> {
        self.with_storage(|tpm, rng, storage| seal::seal(tpm, rng, storage, conditions, data, blob))
    }

    /// See [`seal::unseal`].
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn unseal(
        &mut self,
        blob: &[u8],
        auth: &[u8],
        approval: Option<&[u8; KEY_BYTES]>,
        data: &mut [u8; DATA_BYTES_MAX],
    ) -> Result<usize, Failure> {
        self.with_storage(|tpm, rng, storage| {
            seal::unseal(tpm, rng, storage, blob, auth, approval, data)
        })
    }

    /// See [`quote::quote`].
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn quote(&mut self, selection: u32, nonce: &[u8]) -> Result<Quote, Failure> {
        if selection >> PCRS != 0 || nonce.len() > quote::NONCE_BYTES_MAX {
            return Err(Failure::Malformed);
        }
        self.with_storage(|tpm, _, _| Ok(quote::quote(tpm, selection, nonce)?))
    }

    /// See [`quote::read_certificate`].
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn certificate(&mut self, offset: u16, out: &mut [u8]) -> Result<(usize, u16), Failure> {
        let found = quote::read_certificate(&mut self.transport, offset, out)?;
        found.ok_or(Failure::NotStored)
    }

    /// See [`quote::activate`].
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn activate(&mut self, credential: &[u8]) -> Result<(Secret<32>, usize), Failure> {
        self.with_storage(|tpm, rng, storage| Ok(quote::activate(tpm, rng, storage, credential)?))
    }

    /// The vault's counter.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn counter(&mut self) -> Result<u64, Failure> {
        let index = self.index(COUNTER_INDEX)?;
        let (index, _) = index
            .filter(|(_, written)| *written)
            .ok_or(Failure::NotStored)?;
        self.with_storage(|tpm, rng, storage| {
            let read = session::once(tpm, rng, storage, ENCRYPT, |tpm, authority| {
                nv::read_counter(tpm, index, authority)
            });
            Ok(read?)
        })
    }

    /// Increments the vault's counter, which is made when there is none; its new value.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn increment(&mut self) -> Result<u64, Failure> {
        let index = match self.index(COUNTER_INDEX)? {
            Some((index, _)) => index,
            None => self.define(COUNTER_INDEX)?,
        };
        self.with_storage(|tpm, rng, storage| {
            // Nothing to encrypt: the session authorises.
            let done = session::once(tpm, rng, storage, 0, |tpm, authority| {
                nv::increment(tpm, index, authority)
            });
            Ok(done?)
        })?;
        self.counter()
    }

    /// Reads bytes of the vault's area.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn load(&mut self, offset: u16, out: &mut [u8]) -> Result<(), Failure> {
        check_part(offset, out.len())?;
        let index = self.index(STORE_INDEX)?;
        let (index, _) = index
            .filter(|(_, written)| *written)
            .ok_or(Failure::NotStored)?;
        self.with_storage(|tpm, rng, storage| {
            let read = session::once(tpm, rng, storage, ENCRYPT, |tpm, authority| {
                nv::read(tpm, index, authority, offset, out)
            });
            Ok(read?)
        })
    }

    /// Writes bytes of the vault's area, which is made when there is none.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn store(&mut self, offset: u16, bytes: &[u8]) -> Result<(), Failure> {
        check_part(offset, bytes.len())?;
        let index = match self.index(STORE_INDEX)? {
            Some((index, _)) => index,
            None => self.define(STORE_INDEX)?,
        };
        self.with_storage(|tpm, rng, storage| {
            let written = session::once(tpm, rng, storage, DECRYPT, |tpm, authority| {
                nv::write(tpm, index, authority, offset, bytes)
            });
            Ok(written?)
        })
    }

    /// One of the vault's indices, and whether it was written; `None` when it is not defined. One that is defined otherwise than here is
    /// not used.
    fn index(&mut self, index: u32) -> Result<Option<(Entity, bool)>, Failure> {
        let Some(public) = nv::read_public(&mut self.transport, index)? else {
            return Ok(None);
        };
        let (attributes, bytes) = shape(index);
        let check =
            |name, found: u64, expected: u64| Command::NV_READ_PUBLIC.check(name, found, expected);
        check(
            "attributes",
            public.fixed_attributes().into(),
            attributes.into(),
        )?;
        check("policy length", public.policy_bytes.into(), 0)?;
        check("data length", public.data_bytes.into(), bytes.into())?;
        let entity = Entity::named(index, public.name);
        Ok(Some((entity, public.is_written())))
    }

    fn define(&mut self, index: u32) -> Result<Entity, Failure> {
        let (attributes, bytes) = shape(index);
        nv::define(&mut self.transport, index, attributes, bytes)?;
        let (entity, _) = self.index(index)?.ok_or(Failure::NotStored)?;
        Ok(entity)
    }
}

/// Attributes and length of an index.
const fn shape(index: u32) -> (u32, u16) {
    match index {
        COUNTER_INDEX => (OWN | attribute::TYPE_COUNTER, 8),
        _ => (OWN, STORE_BYTES),
    }
}

/// A part of the vault's area lies in it, and is no longer than a command can take.
fn check_part(offset: u16, bytes: usize) -> Result<(), Failure> {
    let fits = usize::from(offset) + bytes <= usize::from(STORE_BYTES);
    if fits && (1..=nv::PART_BYTES_MAX).contains(&bytes) {
        Ok(())
    } else {
        Err(Failure::Malformed)
    }
}

/// Takes all objects and sessions out of the TPM's memory.
fn empty(tpm: &mut dyn Transport) -> Result<(), Error> {
    for first in state::HANDLE_RANGES {
        for _ in 0..LEFT_OVER_MAX {
            let Some(handle) = state::next_handle(tpm, first)? else {
                break;
            };
            state::flush(tpm, handle)?;
        }
    }
    Ok(())
}
