//! The vault: keys that other programs use and do not see.
//!
//! A caller comes through the handle that `init` connected it with, or through a handle to a key, which the vault gave it. A key
//! belongs to the module that made it, under a name. What a handle to a key allows is in its badge: bits of [`uses`], never more
//! than the key's own. Handles arrive without GRANT; the one of [`Client::grant`] is for passing on.
//!
//! While the vault is locked, everything that needs a secret is refused with [`crate::Refusal::Locked`]; handles and keys stay.

use nonos_abi::message::MESSAGE_WORDS;
use nonos_abi::{Handle, Name};

use crate::interface::interface;
use crate::value::{Packer, Passable, Unpacker, Value, parts};

/// Most bytes of a message, of what stands beside it, and of an `info`.
pub const LONGEST_MESSAGE: usize = 16 << 10;
/// Most bytes of a passphrase.
pub const LONGEST_PASSPHRASE: usize = 128;
/// Bytes of a key at rest ([`Client::wrap`]).
pub const BLOB_BYTES: usize = 136;
/// Bytes of an approval ([`Client::approve`]).
pub const APPROVAL_BYTES: usize = crate::tpm::APPROVAL_BYTES;
/// Bytes of every secret key, as it is imported and exported.
pub const SECRET_BYTES: usize = 32;

/// In the badge of a caller: it asks the user which keys programs may use, and may do nothing but see and lend them.
pub const BADGE_LENDER: u64 = 1 << 61;

/// What a key is for.
pub mod kind {
    /// Signatures: Ed25519.
    pub const ED25519: u64 = 1;
    /// Signatures: ML-DSA-65, hedged, with an empty context.
    pub const ML_DSA_65: u64 = 2;
    /// Signatures: Ed25519, then ML-DSA-65, both over the message. Valid when both are.
    pub const HYBRID: u64 = 3;
    /// Encryption: AES-256-GCM.
    pub const AES_256_GCM: u64 = 4;
    /// Key agreement: X-Wing.
    pub const X_WING: u64 = 5;
    /// Keys from this one: HKDF-SHA-256.
    pub const HKDF: u64 = 6;
    /// Names of the kinds, from 1 on.
    pub const NAMES: [&str; 6] = [
        "ed25519",
        "ml-dsa-65",
        "hybrid",
        "aes-256-gcm",
        "x-wing",
        "hkdf",
    ];
}

/// What a holder may do with a key.
pub mod uses {
    /// Only see what it is, its public key, and verify.
    pub const NONE: u64 = 0;
    /// Sign.
    pub const SIGN: u64 = 1;
    /// Encrypt.
    pub const ENCRYPT: u64 = 1 << 1;
    /// Decrypt.
    pub const DECRYPT: u64 = 1 << 2;
    /// Get the secret out of a ciphertext.
    pub const DECAPSULATE: u64 = 1 << 3;
    /// Derive keys.
    pub const DERIVE: u64 = 1 << 4;
    /// Get the secret key itself. A key has it from the beginning or never.
    pub const EXPORT: u64 = 1 << 5;
    /// Get the key at rest.
    pub const WRAP: u64 = 1 << 6;
    /// Rotate, retire, destroy, grant, revoke.
    pub const MANAGE: u64 = 1 << 7;
    /// All.
    pub const ALL: u64 = 0xFF;
    /// What the user may lend to a program of another module.
    pub const LENDABLE: u64 = SIGN | ENCRYPT | DECRYPT | DECAPSULATE | DERIVE;
    /// What a key of every kind can have.
    pub const OF_EVERY_KIND: u64 = EXPORT | WRAP | MANAGE;
    /// Names of the bits, lowest first.
    pub const NAMES: [&str; 8] = [
        "sign",
        "encrypt",
        "decrypt",
        "decapsulate",
        "derive",
        "export",
        "wrap",
        "manage",
    ];

    /// Names of these uses.
    pub fn named(uses: u64) -> impl Iterator<Item = &'static str> {
        let names = NAMES.into_iter().enumerate();
        names.filter_map(move |(bit, name)| (uses >> bit & 1 != 0).then_some(name))
    }
}

parts! {
    /// State of the vault.
    pub struct Status {
        /// Bits of [`status`].
        pub flags: u64,
        /// Keys, of all modules.
        pub keys: u64,
        /// Operations that used a secret.
        pub uses: u64,
        /// Operations that were refused.
        pub denials: u64,
        /// Wrong passphrases in a row.
        pub wrong: u64,
        /// Until a passphrase may be tried again, nanoseconds. A TPM keeps its own time.
        pub wait_ns: u64,
        /// Locks itself after so many seconds without use; 0 for never.
        pub auto_lock_seconds: u64,
    }
}

/// Bits of [`Status::flags`].
pub mod status {
    /// Locked.
    pub const LOCKED: u64 = 1;
    /// A passphrase is set.
    pub const PASSPHRASE: u64 = 1 << 1;
    /// There is a TPM, and the root is sealed to it when the vault is locked.
    pub const TPM: u64 = 1 << 2;
    /// The sealed root is kept in the TPM: it is there after a restart.
    pub const KEPT: u64 = 1 << 3;
    /// The TPM does not unseal the root: other software was booted than it was sealed to.
    pub const OTHER_BOOT_CHAIN: u64 = 1 << 4;
}

parts! {
    /// What a key is.
    pub struct KeyInfo {
        /// Its name.
        pub name: Name,
        /// One of [`kind`].
        pub kind: u64,
        /// What it can be used for, and through a handle: what that allows.
        pub uses: u64,
        /// The present version.
        pub version: u64,
        /// Versions that exist.
        pub versions: u64,
    }
}

parts! {
    /// Whose a key is.
    pub struct Owner {
        /// The module.
        pub module: Name,
        /// When its present version was made or taken back, nanoseconds.
        pub since_ns: u64,
    }
}

parts! {
    /// A key that the user may lend.
    pub struct Offer {
        /// What it is known by, as long as the vault runs: no other key is ever known by it.
        pub number: u64,
        /// One of [`kind`].
        pub kind: u64,
        /// What it can be lent for: bits of [`uses::LENDABLE`].
        pub uses: u64,
        /// The module that owns it.
        pub module: Name,
    }
}

parts! {
    /// Something that was done or refused.
    pub struct Event {
        /// Its number.
        pub sequence: u64,
        /// When, nanoseconds.
        pub time_ns: u64,
        /// Number of the operation in this interface.
        pub operation: u64,
        /// 0 when it was done; else the label of the refusal.
        pub outcome: u64,
        /// The module that asked or, through a handle to a key, that owns the key.
        pub module: Name,
    }
}

/// What decrypts a message, beside the key. Not secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Encrypted {
    /// Version of the key.
    pub version: u32,
    /// Nonce.
    pub nonce: [u8; 12],
    /// Tag.
    pub tag: [u8; 16],
}

/// Version and nonce in two words, the tag in two.
impl Value for Encrypted {
    const WORDS: usize = 4;
    const HANDLES: usize = 0;

    fn pack(&self, out: &mut Packer) {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&self.version.to_le_bytes());
        bytes[4..16].copy_from_slice(&self.nonce);
        bytes[16..].copy_from_slice(&self.tag);
        for chunk in bytes.as_chunks().0 {
            out.word(u64::from_le_bytes(*chunk));
        }
    }

    fn unpack(input: &mut Unpacker<'_>) -> Option<Self> {
        let mut bytes = [0; 32];
        for chunk in bytes.as_chunks_mut().0 {
            *chunk = input.word()?.to_le_bytes();
        }
        Some(Self {
            version: u32::from_le_bytes(*bytes.first_chunk()?),
            nonce: *bytes[4..].first_chunk()?,
            tag: *bytes[16..].first_chunk()?,
        })
    }
}

const _: () = assert!(Encrypted::WORDS + 4 == MESSAGE_WORDS);

interface! {
    /// The vault.
    pub trait Vault, version 1;

    /// Its state.
    1 => answered status() -> Status;

    /// Opens it. An empty passphrase where none is set. For the user, as all up to `destroy_key`.
    2 => answered unlock(; passphrase: read) -> ();

    /// Locks it: no secret is left in its memory when this returns. Needs a passphrase or a TPM.
    3 => answered lock() -> ();

    /// Destroys the root and all keys, and starts with a new root and no passphrase.
    4 => answered wipe() -> ();

    /// Sets the passphrase that opens it; an empty one for none. The duress passphrase is forgotten.
    5 => answered set_passphrase(; passphrase: read) -> ();

    /// Sets a passphrase that destroys everything and then opens an empty vault; an empty one for none. Needs a
    /// passphrase.
    6 => answered set_duress(; passphrase: read) -> ();

    /// Locks itself after so many seconds without use; 0 for never.
    7 => answered set_auto_lock(seconds: u64) -> ();

    /// Keeps the sealed root in the TPM over restarts (1), or not (0).
    8 => answered keep(on: u64) -> ();

    /// The first event from this number on; [`crate::Refusal::NoSuchKey`] when there is none.
    9 => answered event(sequence: u64) -> Event;

    /// Takes the update key's approval of another system, before or after that is booted: when it does not find the boot chain that the kept
    /// root is sealed to, it opens with that, and is sealed to it from then on. [`crate::Refusal::NotStored`] when no root is kept.
    10 => answered approve(; approval: read) -> ();

    /// Key `index` of all modules; [`crate::Refusal::NoSuchKey`] past the last.
    11 => answered key(index: u64) -> KeyInfo;

    /// Whose that key is.
    12 => answered owner(index: u64) -> Owner;

    /// Makes a new version of a module's key; the others stay for what was made with them.
    13 => answered rotate_key(module: Name, name: Name) -> u64;

    /// Destroys a module's key. All handles to it are dead when this returns.
    14 => answered destroy_key(module: Name, name: Name) -> ();

    /// Makes a key. Its handle allows all its uses. MANAGE and WRAP come with every key.
    16 => answered create(name: Name, kind: u64, uses: u64) -> Handle;

    /// Makes a key of this secret.
    17 => answered import(name: Name, kind: u64, uses: u64; secret: read) -> Handle;

    /// Takes back a key at rest of the caller's module, under the name that it had.
    18 => answered unwrap(; blob: read) -> Handle;

    /// A handle to a key of the caller's module.
    19 => answered open(name: Name) -> Handle;

    /// Key `index` of the caller's module; [`crate::Refusal::NoSuchKey`] past the last.
    20 => answered list(index: u64) -> KeyInfo;

    /// 32 bytes that only the caller's module gets, the same for as long as the root is the same.
    21 => answered module_key(; key: write) -> ();

    /// Has bits of a notification signalled when the vault is locked, opened or wiped. The last caller's counts, for
    /// each module.
    22 => answered watch(notification: Handle, bits: u64) -> ();

    /// Key `index` of all modules, and its name, of [`Name::BYTES`]; [`crate::Refusal::NoSuchKey`] past the last. For the power box.
    23 => answered offer(index: u64; name: write) -> Offer;

    /// A handle that allows these uses ([`uses::LENDABLE`]) of the key of this number. WRITE, GRANT and REVOKE. What is lent is
    /// dead when the key's owner takes back what was granted, the key is destroyed, or the caller ends. For the power box.
    24 => answered lend(number: u64, uses: u64) -> Passable;

    /// What the key is. Through a handle to a key, as all below.
    32 => answered info() -> KeyInfo;

    /// The public key of a version (0: the present one): its length.
    33 => answered public_key(version: u64; key: write) -> u64;

    /// Signs with the present version: the length of the signature.
    34 => answered sign(; message: read, signature: write) -> u64;

    /// Whether it is a signature of any version that exists.
    35 => answered verify(; message: read, signature: read) -> ();

    /// Encrypts in place with the present version.
    36 => answered encrypt(; beside: read, message: change) -> Encrypted;

    /// Decrypts in place. What is not authentic stays as it was.
    37 => answered decrypt(with: Encrypted; beside: read, message: change) -> ();

    /// The secret in a ciphertext to a version (0: the present one), 32 bytes.
    38 => answered decapsulate(version: u64; ciphertext: read, secret: write) -> ();

    /// A key that follows from a version (0: the present one) and `info`, as long as wanted.
    39 => answered derive(version: u64; info: read, key: write) -> ();

    /// The secret key of a version (0: the present one).
    40 => answered export(version: u64; secret: write) -> ();

    /// The key of a version (0: the present one) at rest.
    41 => answered wrap(version: u64; blob: write) -> ();

    /// Makes a new version; the others stay for what was made with them.
    42 => answered rotate() -> u64;

    /// Destroys a version that is not the present one.
    43 => answered retire(version: u64) -> ();

    /// Destroys the key. All handles to it are dead when this returns.
    44 => answered destroy() -> ();

    /// A handle that allows these uses, for so many seconds (0: for as long as the key exists).
    45 => answered grant(uses: u64, seconds: u64) -> Passable;

    /// Takes back every handle that was granted.
    46 => answered revoke() -> ();
}
