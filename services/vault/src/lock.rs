//! How the root is sealed: encrypted under a key that takes all of what it was sealed to, the TPM's secret and the passphrase.
//!
//! ```text
//! passphrase ─Argon2id, salt─▶ stretched ─HKDF─┬─ passphrase part ─┐
//!                                              ├─ auth ─▶ TPM ─────┤ PCR 7, PCR 11
//!                                              └─ duress tag       │
//!                                     root's key ◀─HKDF, salt── TPM's secret ‖ passphrase part
//! ```
//!
//! A part that was not sealed to is zeros. Kept in the TPM, the record is [`KEPT_BYTES`] long:
//!
//! | bytes | what |
//! |---|---|
//! | 0–3 | `NVR1` |
//! | 4 | bit 0: a passphrase, bit 1: a TPM |
//! | 5–7 | zero |
//! | 8–23 | salt |
//! | 24–55 | duress tag; random when there is none |
//! | 56–67, 68–83 | nonce and tag of the root |
//! | 84–115 | the root, encrypted with AES-256-GCM; bytes 0 to 23 are the associated data |
//! | 116–117 | length of what the TPM sealed, little endian |
//! | 118–725 | that, then zeros |
//! | 726–735 | zero |
//! | 736–767 | SHA-256 of all with zeros here: whether it was written whole |
//! | 768–831 | the update key's approval of another system; zeros when there is none |

use core::ops::Range;

use nonos_crypto::aead::{Aes256Gcm, NONCE_BYTES, Sealed};
use nonos_crypto::hash::sha256;
use nonos_crypto::kdf::HkdfSha256;
use nonos_crypto::secret::equal;
use nonos_crypto::{CryptoRng, Secret};
use nonos_proto::Refusal;
use zeroize::Zeroize;

use crate::hierarchy::{Root, labelled};
use crate::seal::{Approval, KEPT_BYTES, OBJECT_BYTES, Object, Seal};

/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;

const PASSPHRASE: u8 = 1;
const TPM: u8 = 2;

const MAGIC: &[u8; 4] = b"NVR1";
const BOUND_BYTES: usize = 24;
/// Where the hash is that says whether a record was written whole.
pub const CHECKED: Range<usize> = 736..768;
const APPROVAL_AT: usize = 768;
const NO_APPROVAL: Approval = [0; size_of::<Approval>()];
const _: () = assert!(APPROVAL_AT + size_of::<Approval>() == KEPT_BYTES);

/// What stands at [`CHECKED`] of a record. Not against attackers: that is the seal of the root.
fn check(bytes: &[u8; KEPT_BYTES]) -> [u8; 32] {
    let mut bytes = *bytes;
    bytes[CHECKED].fill(0);
    sha256(&bytes)
}

/// What follows from a passphrase at high cost, and what is made of it.
pub struct Stretched(HkdfSha256);

impl Stretched {
    /// What follows from a passphrase.
    pub fn new(stretched: &Secret<32>) -> Self {
        Self(HkdfSha256::extract(&[], stretched.expose()))
    }

    fn part(&self) -> Secret<32> {
        labelled(&self.0, b"nonos.vault.passphrase.v1")
    }

    fn auth(&self) -> Secret<32> {
        labelled(&self.0, b"nonos.vault.tpm-auth.v1")
    }

    fn duress(&self) -> Secret<32> {
        labelled(&self.0, b"nonos.vault.duress.v1")
    }

    /// Tells passphrases apart while the vault is open.
    pub fn check(&self) -> Secret<32> {
        labelled(&self.0, b"nonos.vault.check.v1")
    }
}

/// A sealed root. Nothing in it is secret; who has it can try passphrases, unless a TPM sealed it, too.
#[derive(Clone, Copy)]
pub struct Record {
    sealed_to: u8,
    salt: [u8; SALT_BYTES],
    duress: [u8; 32],
    sealed: Sealed,
    root: [u8; 32],
    object: Object,
    approval: Approval,
}

impl Record {
    /// Seals a root to the TPM when there is one, and to a passphrase when there is one, which was stretched with this salt.
    ///
    /// # Errors
    /// Those of [`Seal::seal`].
    pub fn seal(
        root: &Root,
        passphrase: Option<&Stretched>,
        salt: [u8; SALT_BYTES],
        tpm: &mut impl Seal,
        random: &mut dyn CryptoRng,
    ) -> Result<Self, Refusal> {
        let mut record = Self {
            sealed_to: 0,
            salt,
            duress: [0; 32],
            sealed: Sealed {
                nonce: [0; NONCE_BYTES],
                tag: [0; 16],
            },
            root: [0; 32],
            object: Object::NONE,
            approval: NO_APPROVAL,
        };
        let mut tpm_secret = None;
        if passphrase.is_some() {
            record.sealed_to |= PASSPHRASE;
        }
        if tpm.present() {
            record.sealed_to |= TPM;
            let secret = Secret::random(random);
            record.object = tpm.seal(&secret, passphrase.map(Stretched::auth).as_ref())?;
            tpm_secret = Some(secret);
        }
        if record.sealed_to == 0 {
            return Err(Refusal::NoPassphrase);
        }
        record.forget_duress(random);
        let key = record.key(tpm_secret, passphrase);
        record.root = *root.secret().expose();
        let bound = record.bound();
        match Aes256Gcm::new(key, random).seal(&bound, &mut record.root) {
            Ok(sealed) => {
                record.sealed = sealed;
                Ok(record)
            }
            Err(_) => {
                record.root.zeroize();
                Err(Refusal::KeyUsedUp)
            }
        }
    }

    /// The root, with the approval of the system that runs when one is given.
    ///
    /// # Errors
    /// [`Refusal::WrongPassphrase`]; those of [`Seal::unseal`].
    pub fn open(
        &self,
        passphrase: Option<&Stretched>,
        approval: Option<&Approval>,
        tpm: &mut impl Seal,
    ) -> Result<Root, Refusal> {
        let tpm_secret = match self.sealed_to & TPM {
            0 => None,
            _ => {
                let auth = passphrase.map(Stretched::auth);
                Some(tpm.unseal(&self.object, auth.as_ref(), approval)?)
            }
        };
        let cipher = Aes256Gcm::for_protocol(self.key(tpm_secret, passphrase), [0; NONCE_BYTES]);
        let mut result = Ok(());
        let root = Secret::written_by(|bytes| {
            *bytes = self.root;
            result = cipher.open(&self.sealed, &self.bound(), bytes);
        });
        match result {
            Ok(()) => Ok(Root::from_secret(root)),
            Err(_) => Err(Refusal::WrongPassphrase),
        }
    }

    fn bound(&self) -> [u8; BOUND_BYTES] {
        let mut bound = [0; BOUND_BYTES];
        bound[..4].copy_from_slice(MAGIC);
        bound[4] = self.sealed_to;
        bound[8..].copy_from_slice(&self.salt);
        bound
    }

    fn key(&self, tpm: Option<Secret<32>>, passphrase: Option<&Stretched>) -> Secret<32> {
        let passphrase = passphrase.map(Stretched::part);
        let parts = Secret::<64>::written_by(|bytes| {
            for (half, part) in bytes.chunks_exact_mut(32).zip([tpm, passphrase]) {
                if let Some(part) = part {
                    half.copy_from_slice(part.expose());
                }
            }
        });
        let from = HkdfSha256::extract(&self.salt, parts.expose());
        labelled(&from, b"nonos.vault.root.v1")
    }

    /// Whether it takes a passphrase.
    pub fn has_passphrase(&self) -> bool {
        self.sealed_to & PASSPHRASE != 0
    }

    /// Whether it takes the TPM.
    pub fn has_tpm(&self) -> bool {
        self.sealed_to & TPM != 0
    }

    /// The salt that passphrases are stretched with.
    pub fn salt(&self) -> &[u8; SALT_BYTES] {
        &self.salt
    }

    /// A passphrase destroys everything from now on.
    pub fn set_duress(&mut self, passphrase: &Stretched) {
        self.duress = *passphrase.duress().expose();
    }

    /// None does. The tag is random, so that nobody sees whether there is one.
    pub fn forget_duress(&mut self, random: &mut dyn CryptoRng) {
        random.fill_bytes(&mut self.duress);
    }

    /// Has the duress passphrase of another record with the same salt.
    pub fn set_duress_of(&mut self, other: &Self) {
        self.duress = other.duress;
    }

    /// The update key's approval of another system.
    pub fn approval(&self) -> Option<&Approval> {
        (self.approval != NO_APPROVAL).then_some(&self.approval)
    }

    /// Another system may open it.
    pub fn approve(&mut self, approval: &Approval) {
        self.approval = *approval;
    }

    /// Whether it is the passphrase that destroys everything.
    pub fn is_duress(&self, passphrase: &Stretched) -> bool {
        equal(passphrase.duress().expose(), &self.duress)
    }

    /// The record as it is kept.
    pub fn to_bytes(&self) -> [u8; KEPT_BYTES] {
        let mut bytes = [0; KEPT_BYTES];
        let object = self.object.as_slice();
        bytes[..BOUND_BYTES].copy_from_slice(&self.bound());
        bytes[24..56].copy_from_slice(&self.duress);
        bytes[56..68].copy_from_slice(&self.sealed.nonce);
        bytes[68..84].copy_from_slice(&self.sealed.tag);
        bytes[84..116].copy_from_slice(&self.root);
        bytes[116..118].copy_from_slice(&(object.len() as u16).to_le_bytes());
        bytes[118..118 + object.len()].copy_from_slice(object);
        bytes[APPROVAL_AT..].copy_from_slice(&self.approval);
        let check = check(&bytes);
        bytes[CHECKED].copy_from_slice(&check);
        bytes
    }

    /// What was kept; `None` when it is no record.
    pub fn from_bytes(bytes: &[u8; KEPT_BYTES]) -> Option<Self> {
        let length = usize::from(u16::from_le_bytes(*bytes[116..].first_chunk()?));
        if length > OBJECT_BYTES {
            return None;
        }
        let record = Self {
            sealed_to: bytes[4],
            salt: *bytes[8..].first_chunk()?,
            duress: *bytes[24..].first_chunk()?,
            sealed: Sealed {
                nonce: *bytes[56..].first_chunk()?,
                tag: *bytes[68..].first_chunk()?,
            },
            root: *bytes[84..].first_chunk()?,
            object: Object::new(bytes.get(118..118 + length)?).ok()?,
            approval: *bytes[APPROVAL_AT..].first_chunk()?,
        };
        let known = record.sealed_to & !(PASSPHRASE | TPM) == 0 && record.sealed_to != 0;
        (known && record.to_bytes() == *bytes).then_some(record)
    }
}
