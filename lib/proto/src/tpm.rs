//! The TPM 2.0, as programs have it. A secret crosses its bus only encrypted (`nonos_tpm::session`).
//!
//! The driver serves one name; there are three names to connect to, each with a need of its own, that say what a client may do:
//! `tpm`, and beside what that allows `tpm-quote` and `tpm-seal`. `init` writes it into the badge.
//!
//! PCRs are those of the SHA-256 bank. A machine without a TPM refuses everything with [`crate::Refusal::NoSuchDevice`].

use crate::interface::interface;
use crate::value::{Bytes, parts};

/// In the badge of a caller: it connected to `tpm-quote`.
pub const BADGE_QUOTE: u64 = 1 << 61;
/// In the badge of a caller: it connected to `tpm-seal`.
pub const BADGE_SEAL: u64 = 1 << 60;
/// In the badge of `init`, which turns the machine off.
pub const BADGE_POWER: u64 = 1 << 59;

/// Most bytes of what is sealed.
pub const DATA_BYTES_MAX: usize = 128;
/// Most bytes of an authorisation value.
pub const AUTH_BYTES_MAX: usize = 32;
/// Bytes of an update key: both coordinates of a point on P-256.
pub const UPDATE_KEY_BYTES: usize = 64;
/// Bytes of an approval: an ECDSA signature, r and s.
pub const APPROVAL_BYTES: usize = 64;
/// Most bytes of a sealed blob.
pub const BLOB_BYTES_MAX: usize = 600;
/// Bytes that can be stored, and most of them at a time.
pub const STORE_BYTES: (usize, usize) = (2048, 512);
/// Most bytes of a quote with key and signature.
pub const QUOTE_BYTES_MAX: usize = 1024;

parts! {
    /// What the TPM says of itself.
    pub struct State {
        /// One of [`interface_kind`].
        pub interface: u64,
        /// Its maker, four letters, the first in the highest byte.
        pub manufacturer: u64,
        /// Version of its firmware: four numbers of 16 bits.
        pub firmware: u64,
        /// Whether it is locked: it takes no authorisation values (0 or 1).
        pub locked_out: u64,
        /// Wrong authorisation values that it has not forgotten.
        pub failures: u64,
        /// How many it takes before it locks.
        pub most_failures: u64,
        /// Seconds after which it forgets one.
        pub forgets_after_s: u64,
    }
}

/// Values of [`State::interface`].
pub mod interface_kind {
    /// Command response buffer.
    pub const CRB: u64 = 1;
    /// FIFO (TIS).
    pub const FIFO: u64 = 2;
}

parts! {
    /// The event log beside the PCRs: bit n is PCR n.
    pub struct Replayed {
        /// Events in the log.
        pub events: u64,
        /// PCRs that the log extends.
        pub extended: u64,
        /// Of these, the ones whose value now is what follows from the log.
        pub matching: u64,
    }
}

parts! {
    /// Lengths of the three parts of a quote, which follow each other.
    pub struct Quote {
        /// Public area of the attestation key (TPM2B_PUBLIC).
        pub public_bytes: u64,
        /// What was signed (TPMS_ATTEST).
        pub attested_bytes: u64,
        /// The signature (TPMT_SIGNATURE).
        pub signature_bytes: u64,
    }
}

interface! {
    /// The TPM.
    pub trait Tpm, version 1;

    /// What it says of itself.
    1 => answered state() -> State;

    /// Up to 32 random bytes: to be mixed into others, never to be used alone.
    2 => answered random() -> Bytes;

    /// The value of a PCR, 32 bytes.
    3 => answered pcr(number: u64) -> Bytes;

    /// Replays the event log. [`crate::Refusal::Damaged`] when it is none.
    4 => answered replay() -> Replayed;

    /// Signs PCRs (bit n: PCR n) and a nonce of up to 32 bytes. Needs `tpm-quote`.
    5 => answered quote(selection: u64; nonce: read, quote: write) -> Quote;

    /// Reads the endorsement key's certificate (DER) from `offset` on, at most 512 bytes at a time; its whole length. Needs `tpm-quote`.
    6 => answered certificate(offset: u64; certificate: write) -> u64;

    /// Opens a credential (TPM2B_ID_OBJECT, TPM2B_ENCRYPTED_SECRET) for the attestation key; length of what is in it. Needs `tpm-quote`.
    7 => answered activate(; credential: read, secret: write) -> u64;

    /// Seals data to the present values of PCRs (bit n: PCR n); length of the blob, which is no secret. `secret` is an authorisation value,
    /// of `auth_bytes` or none, then the data; `update_key` is empty, or the key whose holder may approve of other values of PCR 11.
    /// With an authorisation value the TPM counts wrong ones. Needs `tpm-seal`, as all below.
    8 => answered seal(selection: u64, auth_bytes: u64; secret: read, update_key: read, blob: write) -> u64;

    /// Unseals a blob; length of the data. `proof` is the authorisation value, then, where PCR 11 is another than at sealing, the approval of
    /// its present value (`nonos_tpm::policy::approval_digest`). [`crate::Refusal::PolicyMismatch`], [`crate::Refusal::WrongAuth`],
    /// [`crate::Refusal::LockedOut`].
    9 => answered unseal(auth_bytes: u64; blob: read, proof: read, data: write) -> u64;

    /// A counter that only ever grows. [`crate::Refusal::NotStored`] before it was incremented.
    10 => answered counter() -> u64;

    /// Increments the counter; its new value.
    11 => answered increment() -> u64;

    /// Reads what was stored from `offset` on. [`crate::Refusal::NotStored`] when nothing was.
    12 => answered load(offset: u64; bytes: write) -> ();

    /// Stores bytes that stay when the machine is off.
    13 => answered store(offset: u64; bytes: read) -> ();

    /// Extends PCR 8 to 16 or 23 by a digest of 32 bytes.
    14 => answered extend(number: u64; digest: read) -> ();

    /// Prepares for power-off or restart, so that the TPM does not count the end as a wrong try. For `init` alone.
    15 => answered shutdown() -> ();
}
