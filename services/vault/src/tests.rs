//! The vault, as its callers meet it: what works, and each thing that is refused.

use core::convert::Infallible;

use nonos_abi::Name;
use nonos_crypto::passphrase::{Block, Cost, derive_key};
use nonos_crypto::{CryptoRng, Secret, ed25519, hash, hybrid, ml_dsa};
use nonos_proto::Refusal;
use nonos_proto::vault::{BLOB_BYTES, Encrypted, kind, status, uses};
use rand_core::{TryCryptoRng, TryRng};

use crate::World;
use crate::badge::{Badge, KeyBadge};
use crate::key::SIGNATURE_BYTES;
use crate::lock::CHECKED;
use crate::seal::{Absent, Approval, KEPT_BYTES, Object, Seal};
use crate::vault::{Caller, Started, Vault};

const SECOND_NS: u64 = 1_000_000_000;

/// Numbers that look random (SplitMix64), and repeat.
struct Noise(u64);

impl Noise {
    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }
}

impl TryRng for Noise {
    type Error = Infallible;
    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.draw() as u32)
    }
    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.draw())
    }
    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            chunk.copy_from_slice(&self.draw().to_le_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for Noise {}

/// A world where passphrases are cheap, unless the test says otherwise.
struct Fake {
    noise: Noise,
    now_ns: u64,
    argon2: bool,
}

impl Fake {
    fn new() -> Self {
        Self {
            noise: Noise(7),
            now_ns: 0,
            argon2: false,
        }
    }
}

impl World for Fake {
    fn random(&mut self) -> &mut dyn CryptoRng {
        &mut self.noise
    }

    fn now_ns(&self) -> u64 {
        self.now_ns
    }

    fn stretch(&mut self, passphrase: &[u8], salt: &[u8; 16]) -> Result<Secret<32>, Refusal> {
        if self.argon2 {
            let mut memory = vec![Block::new(); Cost::LEAST.blocks()];
            return derive_key(passphrase, salt, Cost::LEAST, &mut memory)
                .map_err(|_| Refusal::Malformed);
        }
        let joined = [&salt[..], passphrase].concat();
        Ok(Secret::taken_from(&mut hash::sha256(&joined)))
    }
}

/// A TPM: what it sealed, to which boot chain and which value, and what it keeps.
#[derive(Default)]
struct FakeTpm {
    /// Stands for PCRs 7 and 11.
    boot_chain: u64,
    sealed: Vec<(u64, Option<[u8; 32]>, [u8; 32])>,
    wrong: u32,
    kept: Option<[u8; KEPT_BYTES]>,
    broken: bool,
    /// It seals nothing more, and does all else.
    full: bool,
}

impl FakeTpm {
    fn works(&self) -> Result<(), Refusal> {
        match self.broken {
            true => Err(Refusal::DeviceFailed),
            false => Ok(()),
        }
    }
}

/// The update key's approval of a boot chain.
fn approval_of(boot_chain: u64) -> Approval {
    let mut approval = [9; 64];
    approval[..8].copy_from_slice(&boot_chain.to_le_bytes());
    approval
}

impl Seal for &mut FakeTpm {
    fn present(&self) -> bool {
        true
    }

    fn seal(&mut self, secret: &Secret<32>, auth: Option<&Secret<32>>) -> Result<Object, Refusal> {
        self.works()?;
        if self.full {
            return Err(Refusal::DeviceFailed);
        }
        self.sealed.push((
            self.boot_chain,
            auth.map(|auth| *auth.expose()),
            *secret.expose(),
        ));
        Object::new(&(self.sealed.len() as u64).to_le_bytes())
    }

    fn unseal(
        &mut self,
        object: &Object,
        auth: Option<&Secret<32>>,
        approval: Option<&Approval>,
    ) -> Result<Secret<32>, Refusal> {
        self.works()?;
        let number = object.as_slice().try_into().map_or(0, u64::from_le_bytes);
        let sealed = self.sealed.get((number as usize).wrapping_sub(1));
        let (boot_chain, right, mut secret) = *sealed.ok_or(Refusal::DeviceFailed)?;
        if boot_chain != self.boot_chain && approval != Some(&approval_of(self.boot_chain)) {
            return Err(Refusal::PolicyMismatch);
        }
        if self.wrong >= 3 {
            return Err(Refusal::LockedOut);
        }
        if right != auth.map(|auth| *auth.expose()) {
            self.wrong += 1;
            return Err(Refusal::WrongPassphrase);
        }
        Ok(Secret::taken_from(&mut secret))
    }

    fn load(&mut self) -> Result<Option<[u8; KEPT_BYTES]>, Refusal> {
        self.works()?;
        Ok(self.kept)
    }

    fn store(&mut self, kept: &[u8; KEPT_BYTES]) -> Result<(), Refusal> {
        self.works()?;
        self.kept = Some(*kept);
        Ok(())
    }
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

const USER: Caller = Caller {
    badge: Badge::Client {
        badge: 2,
        user: true,
    },
    module: Name::NONE,
    operation: 77,
};

fn user() -> Caller {
    Caller {
        module: name("shell"),
        ..USER
    }
}

fn module(text: &str) -> Caller {
    Caller {
        badge: Badge::Client {
            badge: 5,
            user: false,
        },
        module: name(text),
        operation: 77,
    }
}

fn holder(key: KeyBadge) -> Caller {
    Caller {
        badge: Badge::read(key.raw()),
        module: Name::NONE,
        operation: 77,
    }
}

fn limited(key: KeyBadge, uses: u64) -> Caller {
    holder(KeyBadge { uses, ..key })
}

fn open() -> (Vault<Absent>, Fake) {
    let mut world = Fake::new();
    let (vault, started) = Vault::start(Absent, &mut world);
    assert_eq!(started, Started::New);
    (vault, world)
}

/// A key `k` of the module `app`.
fn key<S: Seal>(vault: &mut Vault<S>, world: &mut Fake, kind: u64, uses: u64) -> KeyBadge {
    vault
        .create(world, module("app"), name("k"), kind, uses)
        .unwrap()
}

/// One that signs.
fn signing_key<S: Seal>(vault: &mut Vault<S>, world: &mut Fake) -> KeyBadge {
    key(vault, world, kind::ED25519, uses::SIGN)
}

fn flags<S: Seal>(vault: &Vault<S>) -> u64 {
    vault.status(0).flags
}

/// A key of each kind, with the use that is its own.
const KINDS: [(u64, u64); 7] = [
    (kind::ED25519, uses::SIGN),
    (kind::ML_DSA_65, uses::SIGN),
    (kind::HYBRID, uses::SIGN),
    (kind::AES_256_GCM, uses::ENCRYPT),
    (kind::AES_256_GCM, uses::DECRYPT),
    (kind::X_WING, uses::DECAPSULATE),
    (kind::HKDF, uses::DERIVE),
];

/// Every operation on a key that needs a use, with it.
fn attempts<S: Seal>(
    vault: &mut Vault<S>,
    world: &mut Fake,
    caller: Caller,
) -> Vec<(u64, Result<(), Refusal>)> {
    let with = Encrypted {
        version: 1,
        nonce: [0; 12],
        tag: [0; 16],
    };
    let ciphertext = [0; hybrid::CIPHERTEXT_BYTES];
    let mut out = [0; SIGNATURE_BYTES];
    vec![
        (
            uses::SIGN,
            vault.sign(world, caller, b"m", &mut out).map(drop),
        ),
        (
            uses::ENCRYPT,
            vault.encrypt(world, caller, b"", &mut [0; 4]).map(drop),
        ),
        (
            uses::DECRYPT,
            vault.decrypt(world, caller, with, b"", &mut [0; 4]),
        ),
        (
            uses::DECAPSULATE,
            vault.decapsulate(world, caller, 0, &ciphertext).map(drop),
        ),
        (
            uses::DERIVE,
            vault.derive(world, caller, 0, b"i", &mut [0; 32]),
        ),
        (uses::EXPORT, vault.export(world, caller, 0, &mut [0; 32])),
        (uses::WRAP, vault.wrap(world, caller, 0).map(drop)),
        (uses::MANAGE, vault.rotate(world, caller).map(drop)),
        (uses::MANAGE, vault.grant(world, caller, 0).map(drop)),
        (uses::MANAGE, vault.revoke(world, caller).map(drop)),
        (uses::MANAGE, vault.retire(world, caller, 1)),
        (uses::MANAGE, vault.destroy(world, caller)),
    ]
}

#[test]
fn a_handle_allows_exactly_the_uses_that_it_names() {
    for (kind, own) in KINDS {
        for allowed in [
            uses::NONE,
            own,
            uses::EXPORT,
            uses::WRAP,
            uses::MANAGE,
            own | uses::WRAP,
        ] {
            let (mut vault, mut world) = open();
            let wanted = Vault::create(
                &mut vault,
                &mut world,
                module("app"),
                name("k"),
                kind,
                own | uses::EXPORT,
            );
            let caller = limited(wanted.unwrap(), allowed);
            for (needed, outcome) in attempts(&mut vault, &mut world, caller) {
                let what = format!("kind {kind}, {allowed:#x} allowed, {needed:#x} needed");
                if allowed & needed == needed {
                    // Whatever the outcome, it was not for want of the use.
                    assert_ne!(outcome, Err(Refusal::UseNotAllowed), "{what}");
                } else {
                    assert_eq!(outcome, Err(Refusal::UseNotAllowed), "{what}");
                }
            }
        }
    }
}

#[test]
fn a_key_never_has_uses_that_its_kind_has_not_or_that_were_not_asked_for() {
    let (mut vault, mut world) = open();
    for (kind, own) in KINDS {
        for (_, other) in KINDS {
            let made = vault.create(
                &mut world,
                module("app"),
                name(&format!("k{kind}-{other}")),
                kind,
                other,
            );
            if other == own || kind == kind::AES_256_GCM && other & 6 != 0 {
                let key = made.unwrap();
                assert_eq!(key.uses, other | uses::WRAP | uses::MANAGE);
                vault.destroy(&world, holder(key)).unwrap();
            } else if kind > kind::HYBRID || other != uses::SIGN {
                assert_eq!(made, Err(Refusal::UseNotAllowed), "{kind} {other}");
            }
        }
    }
    let unknown = vault.create(&mut world, module("app"), name("k"), 7, 0);
    assert_eq!(unknown, Err(Refusal::Malformed));
    let unknown = vault.create(&mut world, module("app"), name("k"), kind::HKDF, 1 << 8);
    assert_eq!(unknown, Err(Refusal::UseNotAllowed));
    // A handle that a grant widened could export; none does.
    let key = key(&mut vault, &mut world, kind::HKDF, uses::DERIVE);
    let wider = vault.grant(&world, holder(key), uses::EXPORT);
    assert_eq!(wider, Err(Refusal::UseNotAllowed));
    let narrower = vault.grant(&world, holder(key), uses::DERIVE).unwrap();
    assert_eq!(narrower.uses, uses::DERIVE);
}

#[test]
fn only_the_users_program_locks_opens_wipes_and_reads_the_record() {
    let (mut vault, mut world) = open();
    vault.set_passphrase(&mut world, user(), b"secret").unwrap();
    let key = vault
        .create(&mut world, user(), name("k"), kind::ED25519, uses::SIGN)
        .unwrap();
    for caller in [module("app"), module("shell"), holder(key)] {
        let outcomes = [
            vault.lock(&mut world, caller),
            vault.unlock(&mut world, caller, b"secret"),
            vault.wipe(&mut world, caller),
            vault.set_passphrase(&mut world, caller, b"other"),
            vault.set_duress(&mut world, caller, b"other"),
            vault.set_auto_lock(&mut world, caller, 1),
            vault.keep(&mut world, caller, 1),
            vault.event(&world, caller, 0).map(drop),
        ];
        assert_eq!(outcomes, [Err(Refusal::NotGranted); 8]);
    }
    assert_eq!(flags(&vault), status::PASSPHRASE);
    assert_eq!(vault.status(0).keys, 1);
    assert_eq!(vault.status(0).denials, 24);
    vault.lock(&mut world, user()).unwrap();
    vault.unlock(&mut world, user(), b"secret").unwrap();
}

#[test]
fn a_handle_to_a_key_stands_for_no_module() {
    let (mut vault, mut world) = open();
    let key = key(&mut vault, &mut world, kind::HKDF, uses::DERIVE);
    let blob = vault.wrap(&world, holder(key), 0).unwrap();
    let refused = Some(Refusal::NotGranted);
    let caller = holder(key);
    let parts = (name("l"), kind::HKDF, uses::DERIVE);
    assert_eq!(
        vault
            .create(&mut world, caller, name("l"), kind::HKDF, 0)
            .err(),
        refused
    );
    assert_eq!(
        vault.import(&mut world, caller, parts, &mut [1; 32]).err(),
        refused
    );
    assert_eq!(vault.unwrap(&mut world, caller, &blob).err(), refused);
    assert_eq!(vault.open(&world, caller, name("k")).err(), refused);
    assert_eq!(vault.list(&world, caller, 0).err(), refused);
    assert_eq!(vault.module_key(&world, caller).err(), refused);
    assert_eq!(vault.watch(&world, caller).err(), refused);
}

#[test]
fn a_program_without_a_handle_to_the_key_cannot_use_it() {
    let (mut vault, mut world) = open();
    signing_key(&mut vault, &mut world);
    for (_, outcome) in attempts(&mut vault, &mut world, module("app")) {
        assert_eq!(outcome, Err(Refusal::NoSuchKey));
    }
    let opened = vault.open(&world, module("other"), name("k"));
    assert_eq!(opened, Err(Refusal::NoSuchKey));
    assert_eq!(
        vault.list(&world, module("other"), 0),
        Err(Refusal::NoSuchKey)
    );
    let outcome = vault.verify(&mut world, module("app"), b"", b"");
    assert_eq!(outcome, Err(Refusal::NoSuchKey));
    assert_eq!(
        vault.info(&world, module("app")).err(),
        Some(Refusal::NoSuchKey)
    );
}

#[test]
fn handles_of_a_destroyed_key_are_dead_also_for_the_next_key_in_its_place() {
    let (mut vault, mut world) = open();
    let old = signing_key(&mut vault, &mut world);
    vault.take_changes();
    vault.destroy(&world, holder(old)).unwrap();
    assert_eq!(vault.take_changes().destroyed, 1 << old.place);
    let new = signing_key(&mut vault, &mut world);
    assert_eq!(new.place, old.place);
    let caller = limited(old, uses::ALL);
    for (_, outcome) in attempts(&mut vault, &mut world, caller) {
        assert_eq!(outcome, Err(Refusal::Gone));
    }
    let beyond = limited(KeyBadge { place: 200, ..new }, uses::ALL);
    assert_eq!(
        vault.sign(&mut world, beyond, b"", &mut [0; 64]),
        Err(Refusal::Gone)
    );
    vault
        .sign(&mut world, holder(new), b"", &mut [0; 64])
        .unwrap();
}

#[test]
fn names_are_unique_and_places_are_bounded_for_each_module_and_for_all() {
    let (mut vault, mut world) = open();
    let mut create = |owner: &str, key: usize| {
        vault
            .create(
                &mut world,
                module(owner),
                name(&format!("k{key}")),
                kind::HKDF,
                uses::DERIVE,
            )
            .map(drop)
    };
    for owner in ["a", "b", "c", "d"] {
        for key in 0..16 {
            assert_eq!(create(owner, key), Ok(()));
            assert_eq!(create(owner, key), Err(Refusal::NameExists));
        }
        assert_eq!(create(owner, 16), Err(Refusal::Full));
    }
    assert_eq!(create("e", 0), Err(Refusal::Full));
    assert_eq!(vault.status(0).keys, 64);
    let listed: Vec<_> = (0..)
        .map_while(|index| vault.list(&world, module("b"), index).ok())
        .collect();
    assert_eq!(listed.len(), 16);
    assert_eq!(listed[3].name, name("k3"));
}

#[test]
fn signatures_verify_outside_the_vault_and_only_for_their_message() {
    let (mut vault, mut world) = open();
    for kind in [kind::ED25519, kind::ML_DSA_65, kind::HYBRID] {
        let key = vault
            .create(
                &mut world,
                module("app"),
                name(&format!("k{kind}")),
                kind,
                uses::SIGN,
            )
            .unwrap();
        let caller = holder(key);
        let mut public = [0; 4096];
        let length = vault
            .public_key(&mut world, caller, 0, &mut public)
            .unwrap();
        let public = &public[..length];
        let mut signature = [0; 4096];
        let length = vault
            .sign(&mut world, caller, b"message", &mut signature)
            .unwrap();
        let signature = &mut signature[..length];
        let curve = |key: &[u8], signature: &[u8]| {
            ed25519::verify(
                key.try_into().unwrap(),
                b"message",
                signature.try_into().unwrap(),
            )
        };
        let lattice = |key: &[u8], signature: &[u8]| {
            ml_dsa::verify(
                key.try_into().unwrap(),
                b"message",
                &[],
                signature.try_into().unwrap(),
            )
        };
        match kind {
            kind::ED25519 => curve(public, signature).unwrap(),
            kind::ML_DSA_65 => lattice(public, signature).unwrap(),
            _ => {
                curve(&public[..32], &signature[..64]).unwrap();
                lattice(&public[32..], &signature[64..]).unwrap();
            }
        }
        let mut check =
            |message: &[u8], signature: &[u8]| vault.verify(&mut world, caller, message, signature);
        assert_eq!(check(b"message", signature), Ok(()));
        assert_eq!(check(b"messagf", signature), Err(Refusal::NotAuthentic));
        assert_eq!(
            check(b"message", &signature[1..]),
            Err(Refusal::NotAuthentic)
        );
        for at in [0, length - 1] {
            signature[at] ^= 1;
            assert_eq!(check(b"message", signature), Err(Refusal::NotAuthentic));
            signature[at] ^= 1;
        }
        let short = vault.sign(&mut world, caller, b"", &mut [0; 63]);
        assert_eq!(short, Err(Refusal::TooShort));
    }
}

#[test]
fn both_halves_of_a_hybrid_signature_must_be_valid_and_their_keys_are_used_nowhere_else() {
    let (mut vault, mut world) = open();
    let seed = [5; 32];
    let mut make = |kind: u64| {
        let parts = (name(&format!("k{kind}")), kind, uses::SIGN);
        let key = vault
            .import(&mut world, module("app"), parts, &mut seed.clone())
            .unwrap();
        let mut public = vec![0; 4096];
        let length = vault
            .public_key(&mut world, holder(key), 0, &mut public)
            .unwrap();
        public.truncate(length);
        public
    };
    let both = make(kind::HYBRID);
    assert_ne!(both[..32], make(kind::ED25519));
    assert_ne!(both[32..], make(kind::ML_DSA_65));
}

#[test]
fn what_is_encrypted_is_decrypted_with_the_version_that_it_was_encrypted_with() {
    let (mut vault, mut world) = open();
    let both = uses::ENCRYPT | uses::DECRYPT;
    let key = key(&mut vault, &mut world, kind::AES_256_GCM, both);
    let caller = holder(key);
    let mut first = *b"first message";
    let of_first = vault
        .encrypt(&mut world, caller, b"beside", &mut first)
        .unwrap();
    assert_eq!(vault.rotate(&mut world, caller), Ok(2));
    let mut second = *b"second message";
    let of_second = vault
        .encrypt(&mut world, caller, b"beside", &mut second)
        .unwrap();
    assert_eq!((of_first.version, of_second.version), (1, 2));
    assert_ne!(of_first.nonce, of_second.nonce);
    let before = first;
    for wrong in [
        Encrypted {
            version: 2,
            ..of_first
        },
        Encrypted {
            tag: [0; 16],
            ..of_first
        },
    ] {
        let outcome = vault.decrypt(&mut world, caller, wrong, b"beside", &mut first);
        assert_eq!(outcome, Err(Refusal::NotAuthentic));
        assert_eq!(first, before);
    }
    for version in [0, 3] {
        let wrong = Encrypted {
            version,
            ..of_first
        };
        let outcome = vault.decrypt(&mut world, caller, wrong, b"beside", &mut first);
        assert_eq!(outcome, Err(Refusal::NoSuchVersion));
    }
    let outcome = vault.decrypt(&mut world, caller, of_first, b"besidf", &mut first);
    assert_eq!(outcome, Err(Refusal::NotAuthentic));
    vault
        .decrypt(&mut world, caller, of_first, b"beside", &mut first)
        .unwrap();
    assert_eq!(&first, b"first message");
    assert_eq!(vault.retire(&world, caller, 2), Err(Refusal::InUse));
    assert_eq!(vault.retire(&world, caller, 0), Err(Refusal::InUse));
    assert_eq!(vault.retire(&world, caller, 9), Err(Refusal::NoSuchVersion));
    vault.retire(&world, caller, 1).unwrap();
    let mut again = before;
    let outcome = vault.decrypt(&mut world, caller, of_first, b"beside", &mut again);
    assert_eq!(outcome, Err(Refusal::NoSuchVersion));
    vault
        .decrypt(&mut world, caller, of_second, b"beside", &mut second)
        .unwrap();
    assert_eq!(&second, b"second message");
}

#[test]
fn old_versions_verify_until_they_are_retired_and_there_are_four_at_most() {
    let (mut vault, mut world) = open();
    let key = signing_key(&mut vault, &mut world);
    let caller = holder(key);
    let mut old = [0; 64];
    vault.sign(&mut world, caller, b"m", &mut old).unwrap();
    for version in 2..=4 {
        assert_eq!(vault.rotate(&mut world, caller), Ok(version));
    }
    assert_eq!(vault.rotate(&mut world, caller), Err(Refusal::Full));
    assert_eq!(vault.info(&world, caller).unwrap().versions, 4);
    assert_eq!(vault.verify(&mut world, caller, b"m", &old), Ok(()));
    vault.retire(&world, caller, 1).unwrap();
    let refused = vault.verify(&mut world, caller, b"m", &old);
    assert_eq!(refused, Err(Refusal::NotAuthentic));
    assert_eq!(vault.rotate(&mut world, caller), Ok(5));
    let mut new = [0; 64];
    vault.sign(&mut world, caller, b"m", &mut new).unwrap();
    assert_ne!(new, old);
}

#[test]
fn a_secret_is_agreed_on_and_keys_are_derived() {
    let (mut vault, mut world) = open();
    let key = vault
        .create(
            &mut world,
            module("app"),
            name("x"),
            kind::X_WING,
            uses::DECAPSULATE,
        )
        .unwrap();
    let mut public = [0; hybrid::KEY_BYTES];
    vault
        .public_key(&mut world, holder(key), 0, &mut public)
        .unwrap();
    let (ciphertext, secret) = hybrid::encapsulate(&public, &mut Noise(9)).ok().unwrap();
    let agreed = vault
        .decapsulate(&mut world, holder(key), 0, &ciphertext)
        .ok()
        .unwrap();
    assert!(agreed.equals(&secret));
    let short = vault.decapsulate(&mut world, holder(key), 0, &ciphertext[1..]);
    assert_eq!(short.err(), Some(Refusal::Malformed));

    let parts = (name("d"), kind::HKDF, uses::DERIVE);
    let key = vault
        .import(&mut world, module("app"), parts, &mut [7; 32])
        .unwrap();
    let mut derive = |info: &[u8]| {
        let mut out = [0; 48];
        vault
            .derive(&mut world, holder(key), 0, info, &mut out)
            .unwrap();
        out
    };
    let (one, two) = (derive(b"one"), derive(b"two"));
    assert_ne!(one, two);
    assert_eq!(one, derive(b"one"));
    let too_long = vault.derive(&mut world, holder(key), 0, b"", &mut [0; 255 * 32 + 1]);
    assert_eq!(too_long, Err(Refusal::TooLong));
}

#[test]
fn what_is_imported_comes_out_only_when_it_is_exportable_and_is_wiped_where_it_was() {
    let (mut vault, mut world) = open();
    let mut secret = [9; 32];
    let parts = (name("k"), kind::HKDF, uses::DERIVE | uses::EXPORT);
    let key = vault
        .import(&mut world, module("app"), parts, &mut secret)
        .unwrap();
    assert_eq!(secret, [0; 32]);
    let mut out = [0; 32];
    vault.export(&mut world, holder(key), 0, &mut out).unwrap();
    assert_eq!(out, [9; 32]);
    let key = vault
        .create(
            &mut world,
            module("app"),
            name("l"),
            kind::HKDF,
            uses::DERIVE,
        )
        .unwrap();
    let mut out = [0; 32];
    let refused = vault.export(&mut world, holder(key), 0, &mut out);
    assert_eq!(refused, Err(Refusal::UseNotAllowed));
    assert_eq!(out, [0; 32]);
}

/// The key itself, in no form, is in anything that the vault gives out for it.
#[test]
fn no_reply_holds_the_secret_key_unless_it_is_exported() {
    let (mut vault, mut world) = open();
    let seed: [u8; 32] = core::array::from_fn(|i| (i * 37 + 11) as u8);
    for (kind, own) in KINDS {
        let parts = (name(&format!("k{kind}-{own}")), kind, own);
        let key = vault
            .import(&mut world, module("app"), parts, &mut seed.clone())
            .unwrap();
        let caller = holder(key);
        let mut replies = vec![0; 20_000];
        let (public, rest) = replies.split_at_mut(4096);
        let (signature, rest) = rest.split_at_mut(4096);
        let (message, rest) = rest.split_at_mut(64);
        let (derived, rest) = rest.split_at_mut(64);
        let _ = vault.public_key(&mut world, caller, 0, public);
        let _ = vault.sign(&mut world, caller, b"m", signature);
        let _ = vault.encrypt(&mut world, caller, b"", message);
        let _ = vault.derive(&mut world, caller, 0, b"", derived);
        let blob = vault.wrap(&world, caller, 0).unwrap();
        rest[..BLOB_BYTES].copy_from_slice(&blob);
        let held = replies.windows(16).any(|window| window == &seed[..16]);
        assert!(!held, "kind {kind}");
    }
}

#[test]
fn a_key_at_rest_comes_back_to_its_module_under_the_same_root_only() {
    let (mut vault, mut world) = open();
    let key = signing_key(&mut vault, &mut world);
    let mut before = [0; 64];
    vault
        .sign(&mut world, holder(key), b"m", &mut before)
        .unwrap();
    let blob = vault.wrap(&world, holder(key), 0).unwrap();
    let exists = vault.unwrap(&mut world, module("app"), &blob);
    assert_eq!(exists, Err(Refusal::NameExists));
    vault.destroy(&world, holder(key)).unwrap();
    let other = vault.unwrap(&mut world, module("other"), &blob);
    assert_eq!(other, Err(Refusal::NotGranted));
    for byte in 0..BLOB_BYTES {
        for bit in [1, 0x80] {
            let mut changed = blob;
            changed[byte] ^= bit;
            let outcome = vault.unwrap(&mut world, module("app"), &changed);
            // A changed owner is another module's; all else is noticed.
            let expected = [
                Refusal::NotAuthentic,
                Refusal::Malformed,
                Refusal::NotGranted,
            ];
            assert!(outcome.is_err_and(|why| expected.contains(&why)), "{byte}");
        }
    }
    let key = vault.unwrap(&mut world, module("app"), &blob).unwrap();
    assert_eq!(key.uses, uses::SIGN | uses::WRAP | uses::MANAGE);
    let mut after = [0; 64];
    vault
        .sign(&mut world, holder(key), b"m", &mut after)
        .unwrap();
    assert_eq!(before, after);
    vault.wipe(&mut world, user()).unwrap();
    let other_root = vault.unwrap(&mut world, module("app"), &blob);
    assert_eq!(other_root, Err(Refusal::NotAuthentic));
}

#[test]
fn while_it_is_locked_everything_that_needs_a_secret_is_refused_and_nothing_is_lost() {
    let (mut vault, mut world) = open();
    assert_eq!(
        vault.lock(&mut world, user()),
        Err(Refusal::NoPassphrase),
        "it could not be opened again"
    );
    let key = signing_key(&mut vault, &mut world);
    let blob = vault.wrap(&world, holder(key), 0).unwrap();
    let mut before = [0; 64];
    vault
        .sign(&mut world, holder(key), b"m", &mut before)
        .unwrap();
    let of_module = vault.module_key(&world, module("app")).ok().unwrap();
    vault.set_passphrase(&mut world, user(), b"secret").unwrap();
    vault.take_changes();
    assert!(vault.holds_secrets());
    vault.lock(&mut world, user()).unwrap();
    assert!(!vault.holds_secrets());
    assert!(vault.take_changes().state);
    assert_eq!(flags(&vault), status::LOCKED | status::PASSPHRASE);

    for (wanted, outcome) in attempts(&mut vault, &mut world, limited(key, uses::ALL)) {
        // Taking back what was granted needs no secret.
        let revoke = wanted == uses::MANAGE && outcome.is_ok();
        assert!(revoke || outcome == Err(Refusal::Locked), "{wanted:#x}");
    }
    let parts = (name("l"), kind::HKDF, uses::DERIVE);
    let locked = Some(Refusal::Locked);
    assert_eq!(
        vault
            .create(&mut world, module("app"), name("l"), kind::HKDF, 0)
            .err(),
        locked
    );
    assert_eq!(
        vault
            .import(&mut world, module("app"), parts, &mut [1; 32])
            .err(),
        locked
    );
    assert_eq!(vault.unwrap(&mut world, module("app"), &blob).err(), locked);
    assert_eq!(vault.module_key(&world, module("app")).err(), locked);
    assert_eq!(
        vault
            .public_key(&mut world, holder(key), 0, &mut [0; 32])
            .err(),
        locked
    );
    assert_eq!(
        vault.verify(&mut world, holder(key), b"m", &before).err(),
        locked
    );
    assert_eq!(vault.lock(&mut world, user()).err(), locked);
    assert_eq!(vault.set_passphrase(&mut world, user(), b"x").err(), locked);
    assert_eq!(vault.set_duress(&mut world, user(), b"x").err(), locked);
    assert_eq!(vault.set_auto_lock(&mut world, user(), 0).err(), locked);
    assert_eq!(vault.keep(&mut world, user(), 1).err(), locked);

    vault.unlock(&mut world, user(), b"secret").unwrap();
    assert!(vault.take_changes().state);
    assert_eq!(
        vault.unlock(&mut world, user(), b"secret"),
        Err(Refusal::NotLocked)
    );
    let mut after = [0; 64];
    vault
        .sign(&mut world, holder(key), b"m", &mut after)
        .unwrap();
    assert_eq!(before, after);
    let again = vault.module_key(&world, module("app")).ok().unwrap();
    assert!(again.equals(&of_module));
}

#[test]
fn wrong_passphrases_bar_further_tries_for_longer_and_longer() {
    let (mut vault, mut world) = open();
    vault.set_passphrase(&mut world, user(), b"secret").unwrap();
    vault.lock(&mut world, user()).unwrap();
    for (tries, wrong) in [&b"Secret"[..], b"", b"secret\0", b"secre"]
        .iter()
        .enumerate()
    {
        let outcome = vault.unlock(&mut world, user(), wrong);
        assert_eq!(outcome, Err(Refusal::WrongPassphrase));
        // Not even the right one.
        let outcome = vault.unlock(&mut world, user(), b"secret");
        assert_eq!(outcome, Err(Refusal::TooSoon));
        let wait_ns = (1 << tries) * SECOND_NS;
        let state = vault.status(world.now_ns);
        assert_eq!((state.wrong, state.wait_ns), (tries as u64 + 1, wait_ns));
        world.now_ns += wait_ns - 1;
        let outcome = vault.unlock(&mut world, user(), b"secret");
        assert_eq!(outcome, Err(Refusal::TooSoon));
        world.now_ns += 1;
    }
    vault.unlock(&mut world, user(), b"secret").unwrap();
    assert_eq!(vault.status(world.now_ns).wrong, 0);
    let long = vault.set_passphrase(&mut world, user(), &[b'x'; 129]);
    assert_eq!(long, Err(Refusal::TooLong));
}

#[test]
fn it_works_with_argon2() {
    let (mut vault, mut world) = open();
    world.argon2 = true;
    vault.set_passphrase(&mut world, user(), b"secret").unwrap();
    vault.lock(&mut world, user()).unwrap();
    let outcome = vault.unlock(&mut world, user(), b"Secret");
    assert_eq!(outcome, Err(Refusal::WrongPassphrase));
    world.now_ns += SECOND_NS;
    vault.unlock(&mut world, user(), b"secret").unwrap();
}

#[test]
fn a_new_passphrase_replaces_the_old_one_and_none_leaves_it_open() {
    let (mut vault, mut world) = open();
    vault.set_passphrase(&mut world, user(), b"old").unwrap();
    vault.set_passphrase(&mut world, user(), b"new").unwrap();
    vault.lock(&mut world, user()).unwrap();
    let outcome = vault.unlock(&mut world, user(), b"old");
    assert_eq!(outcome, Err(Refusal::WrongPassphrase));
    world.now_ns += SECOND_NS;
    vault.unlock(&mut world, user(), b"new").unwrap();
    vault.set_passphrase(&mut world, user(), b"").unwrap();
    assert_eq!(flags(&vault), 0);
    assert_eq!(vault.lock(&mut world, user()), Err(Refusal::NoPassphrase));
}

#[test]
fn it_locks_itself_when_nobody_used_it_for_the_time_that_is_set() {
    let (mut vault, mut world) = open();
    assert_eq!(vault.tick(u64::MAX), None, "it could not be opened again");
    let key = signing_key(&mut vault, &mut world);
    vault.set_passphrase(&mut world, user(), b"secret").unwrap();
    assert_eq!(vault.tick(0), Some(600 * SECOND_NS));
    vault.set_auto_lock(&mut world, user(), 60).unwrap();
    world.now_ns = 50 * SECOND_NS;
    vault
        .sign(&mut world, holder(key), b"m", &mut [0; 64])
        .unwrap();
    // What is refused is no use, and neither is looking at a key.
    world.now_ns = 80 * SECOND_NS;
    let refused = limited(key, uses::NONE);
    assert!(vault.sign(&mut world, refused, b"m", &mut [0; 64]).is_err());
    vault.info(&world, holder(key)).unwrap();
    assert_eq!(vault.tick(world.now_ns), Some(110 * SECOND_NS));
    assert_eq!(vault.tick(110 * SECOND_NS - 1), Some(110 * SECOND_NS));
    assert_eq!(flags(&vault) & status::LOCKED, 0);
    vault.take_changes();
    assert_eq!(vault.tick(110 * SECOND_NS), None);
    assert!(vault.take_changes().state);
    assert_eq!(flags(&vault) & status::LOCKED, status::LOCKED);
    world.now_ns = 120 * SECOND_NS;
    vault.unlock(&mut world, user(), b"secret").unwrap();
    assert_eq!(vault.tick(world.now_ns), Some(180 * SECOND_NS));
    vault.set_auto_lock(&mut world, user(), 0).unwrap();
    assert_eq!(vault.tick(u64::MAX), None);
    let long = vault.set_auto_lock(&mut world, user(), u64::MAX);
    assert_eq!(long, Err(Refusal::TooLong));
}

#[test]
fn a_wipe_leaves_nothing_also_while_it_is_locked() {
    for lock_first in [false, true] {
        let (mut vault, mut world) = open();
        let key = signing_key(&mut vault, &mut world);
        let old = vault.module_key(&world, module("app")).ok().unwrap();
        vault.set_passphrase(&mut world, user(), b"secret").unwrap();
        if lock_first {
            vault.lock(&mut world, user()).unwrap();
        }
        vault.take_changes();
        vault.wipe(&mut world, user()).unwrap();
        let changes = vault.take_changes();
        assert_eq!((changes.state, changes.destroyed), (true, 1 << key.place));
        assert_eq!((flags(&vault), vault.status(0).keys), (0, 0));
        let gone = vault.sign(&mut world, holder(key), b"", &mut [0; 64]);
        assert_eq!(gone, Err(Refusal::Gone));
        let new = vault.module_key(&world, module("app")).ok().unwrap();
        assert!(!new.equals(&old));
        assert_eq!(vault.lock(&mut world, user()), Err(Refusal::NoPassphrase));
    }
}

#[test]
fn the_duress_passphrase_destroys_everything_and_looks_like_the_right_one() {
    let (mut vault, mut world) = open();
    assert_eq!(
        vault.set_duress(&mut world, user(), b"duress"),
        Err(Refusal::NoPassphrase)
    );
    vault.set_passphrase(&mut world, user(), b"secret").unwrap();
    assert_eq!(
        vault.set_duress(&mut world, user(), b"secret"),
        Err(Refusal::SamePassphrase)
    );
    let key = signing_key(&mut vault, &mut world);
    let old = vault.module_key(&world, module("app")).ok().unwrap();
    vault.set_duress(&mut world, user(), b"duress").unwrap();
    vault.lock(&mut world, user()).unwrap();
    vault.unlock(&mut world, user(), b"secret").unwrap();
    let events = |vault: &mut Vault<Absent>, world: &Fake| {
        let events = (0..).map_while(|n| vault.event(world, user(), n).ok());
        let what = events.map(|event| (event.operation, event.outcome, event.module));
        what.collect::<Vec<_>>()
    };
    let of_right = (events(&mut vault, &world), flags(&vault));
    vault.lock(&mut world, user()).unwrap();
    vault.unlock(&mut world, user(), b"duress").unwrap();
    let unlock = of_right.0.last().copied();
    assert_eq!(events(&mut vault, &world), Vec::from_iter(unlock));
    assert_eq!(flags(&vault), of_right.1);
    assert_eq!(vault.status(0).keys, 0);
    let gone = vault.sign(&mut world, holder(key), b"", &mut [0; 64]);
    assert_eq!(gone, Err(Refusal::Gone));
    let new = vault.module_key(&world, module("app")).ok().unwrap();
    assert!(!new.equals(&old));
    // What opened it opens it again, and what opened it before does not.
    vault.lock(&mut world, user()).unwrap();
    assert_eq!(
        vault.unlock(&mut world, user(), b"secret"),
        Err(Refusal::WrongPassphrase)
    );
    world.now_ns += SECOND_NS;
    vault.unlock(&mut world, user(), b"duress").unwrap();
    assert!(
        vault
            .module_key(&world, module("app"))
            .ok()
            .unwrap()
            .equals(&new)
    );
    // It is an ordinary passphrase now: another duress passphrase can be set, and forgotten.
    vault.set_duress(&mut world, user(), b"again").unwrap();
    vault.set_duress(&mut world, user(), b"").unwrap();
    vault.lock(&mut world, user()).unwrap();
    assert_eq!(
        vault.unlock(&mut world, user(), b"again"),
        Err(Refusal::WrongPassphrase)
    );
}

#[test]
fn uses_and_refusals_are_recorded_with_the_module_and_without_secrets() {
    let (mut vault, mut world) = open();
    let key = signing_key(&mut vault, &mut world);
    world.now_ns = 5;
    let denied = limited(key, uses::NONE);
    assert!(vault.sign(&mut world, denied, b"m", &mut [0; 64]).is_err());
    vault
        .sign(&mut world, holder(key), b"m", &mut [0; 64])
        .unwrap();
    let event = vault.event(&world, user(), 1).unwrap();
    assert_eq!((event.sequence, event.time_ns), (1, 5));
    assert_eq!(event.module, name("app"));
    assert_eq!(event.outcome, u64::from(Refusal::UseNotAllowed.label()));
    let event = vault.event(&world, user(), 2).unwrap();
    assert_eq!((event.operation, event.outcome), (77, 0));
    assert_eq!(vault.event(&world, user(), 3), Err(Refusal::NoSuchKey));
    let state = vault.status(0);
    assert_eq!((state.uses, state.denials), (2, 1));
}

/// A vault on a TPM, with a root that the TPM keeps; what its module's key is.
fn kept(tpm: &mut FakeTpm, passphrase: &[u8]) -> Secret<32> {
    let mut world = Fake::new();
    let (mut vault, started) = Vault::start(tpm, &mut world);
    assert_eq!(started, Started::New);
    if !passphrase.is_empty() {
        vault
            .set_passphrase(&mut world, user(), passphrase)
            .unwrap();
    }
    vault.keep(&mut world, user(), 1).unwrap();
    vault.module_key(&world, module("app")).ok().unwrap()
}

/// The next start.
fn again(tpm: &mut FakeTpm) -> (Vault<&mut FakeTpm>, Fake, Started) {
    let mut world = Fake::new();
    world.noise = Noise(1234);
    let (vault, started) = Vault::start(tpm, &mut world);
    (vault, world, started)
}

#[test]
fn a_kept_root_is_there_after_a_restart_under_the_same_boot_chain_only() {
    let mut tpm = FakeTpm::default();
    let key = kept(&mut tpm, b"");
    let (mut vault, world, started) = again(&mut tpm);
    assert_eq!(started, Started::Opened);
    assert_eq!(flags(&vault), status::TPM | status::KEPT);
    assert!(
        vault
            .module_key(&world, module("app"))
            .ok()
            .unwrap()
            .equals(&key)
    );

    tpm.boot_chain = 1;
    let (mut vault, mut world, started) = again(&mut tpm);
    assert_eq!(started, Started::Locked);
    let other = status::LOCKED | status::TPM | status::KEPT | status::OTHER_BOOT_CHAIN;
    assert_eq!(flags(&vault), other);
    assert_eq!(
        vault.unlock(&mut world, user(), b""),
        Err(Refusal::PolicyMismatch)
    );
    assert_eq!(
        vault.unlock(&mut world, user(), b"x"),
        Err(Refusal::NoPassphrase)
    );
    assert_eq!(
        vault.module_key(&world, module("app")).err(),
        Some(Refusal::Locked)
    );
    // Another boot chain can only begin anew.
    vault.wipe(&mut world, user()).unwrap();
    assert_eq!(flags(&vault), status::TPM);
    assert!(
        !vault
            .module_key(&world, module("app"))
            .ok()
            .unwrap()
            .equals(&key)
    );
    tpm.boot_chain = 0;
    let (_, _, started) = again(&mut tpm);
    assert_eq!(started, Started::New);
}

/// Before the other system is booted, or after.
#[test]
fn an_approved_update_opens_the_root_and_takes_the_place_of_the_system_before() {
    for passphrase in [&b""[..], b"secret"] {
        for before in [false, true] {
            let mut tpm = FakeTpm::default();
            let key = kept(&mut tpm, passphrase);
            let open = |vault: &mut Vault<&mut FakeTpm>, world: &mut Fake| {
                if !passphrase.is_empty() {
                    vault.unlock(world, user(), passphrase).unwrap();
                }
                let found = vault.module_key(world, module("app"));
                assert!(found.ok().unwrap().equals(&key));
            };
            let (mut vault, mut world, _) = again(&mut tpm);
            open(&mut vault, &mut world);
            if !passphrase.is_empty() {
                vault.set_duress(&mut world, user(), b"duress").unwrap();
            }
            let approve = |vault: &mut Vault<&mut FakeTpm>, world: &mut Fake| {
                let others = vault.approve(world, module("app"), &approval_of(1));
                assert_eq!(others, Err(Refusal::NotGranted));
                vault.approve(world, user(), &approval_of(1)).unwrap();
            };
            if before {
                approve(&mut vault, &mut world);
            }
            drop(vault);

            tpm.boot_chain = 1;
            let (mut vault, mut world, started) = again(&mut tpm);
            if !before {
                assert_eq!(started, Started::Locked);
                approve(&mut vault, &mut world);
            } else if passphrase.is_empty() {
                assert_eq!(started, Started::Opened);
            }
            open(&mut vault, &mut world);
            assert_eq!(flags(&vault) & status::OTHER_BOOT_CHAIN, 0);
            drop(vault);
            // From now on without approval, and the one before not at all.
            assert_eq!(tpm.sealed.last().unwrap().0, 1);
            let (mut vault, mut world, _) = again(&mut tpm);
            open(&mut vault, &mut world);
            drop(vault);
            tpm.boot_chain = 0;
            let (mut vault, mut world, _) = again(&mut tpm);
            let outcome = vault.unlock(&mut world, user(), passphrase);
            assert_eq!(outcome, Err(Refusal::PolicyMismatch));
            if !passphrase.is_empty() {
                // What destroys everything still does.
                vault.unlock(&mut world, user(), b"duress").unwrap();
                let found = vault.module_key(&world, module("app"));
                assert!(!found.ok().unwrap().equals(&key));
            }
        }
    }
}

#[test]
fn an_approval_of_another_system_opens_nothing_and_one_that_cannot_be_kept_is_refused() {
    let mut tpm = FakeTpm::default();
    kept(&mut tpm, b"");
    tpm.boot_chain = 2;
    let (mut vault, mut world, _) = again(&mut tpm);
    let outcome = vault.approve(&mut world, user(), &approval_of(1));
    assert_eq!(outcome, Err(Refusal::PolicyMismatch));
    assert_ne!(flags(&vault) & status::LOCKED, 0);
    // The system that sealed is as good as before.
    drop(vault);
    tpm.boot_chain = 0;
    let (mut vault, mut world, started) = again(&mut tpm);
    assert_eq!(started, Started::Opened);
    vault.set_passphrase(&mut world, user(), b"secret").unwrap();
    vault.keep(&mut world, user(), 0).unwrap();
    let outcome = vault.approve(&mut world, user(), &approval_of(1));
    assert_eq!(outcome, Err(Refusal::NotStored));
    // An approval outlives another passphrase.
    vault.keep(&mut world, user(), 1).unwrap();
    vault.approve(&mut world, user(), &approval_of(1)).unwrap();
    vault.set_passphrase(&mut world, user(), b"other").unwrap();
    drop(vault);
    tpm.boot_chain = 1;
    let (mut vault, mut world, _) = again(&mut tpm);
    vault.unlock(&mut world, user(), b"other").unwrap();
}

/// When the TPM does not seal to the system that was approved, nothing is lost: the approval is good once more.
#[test]
fn an_update_that_the_tpm_does_not_seal_to_opens_again() {
    let mut tpm = FakeTpm::default();
    kept(&mut tpm, b"");
    let (mut vault, mut world, _) = again(&mut tpm);
    vault.approve(&mut world, user(), &approval_of(1)).unwrap();
    drop(vault);
    (tpm.boot_chain, tpm.full) = (1, true);
    for _ in 0..2 {
        let (_, _, started) = again(&mut tpm);
        assert_eq!(started, Started::Opened);
    }
}

#[test]
fn with_a_passphrase_both_are_needed_and_the_tpm_counts_wrong_ones() {
    let mut tpm = FakeTpm::default();
    let key = kept(&mut tpm, b"secret");
    let (mut vault, mut world, started) = again(&mut tpm);
    assert_eq!(started, Started::Locked);
    for _ in 0..3 {
        let outcome = vault.unlock(&mut world, user(), b"wrong");
        assert_eq!(outcome, Err(Refusal::WrongPassphrase));
        assert_eq!(vault.status(0).wait_ns, 0, "the TPM bars, not the vault");
    }
    let outcome = vault.unlock(&mut world, user(), b"secret");
    assert_eq!(outcome, Err(Refusal::LockedOut));
    // A restart does not help.
    let (mut vault, mut world, _) = again(&mut tpm);
    let outcome = vault.unlock(&mut world, user(), b"secret");
    assert_eq!(outcome, Err(Refusal::LockedOut));
    tpm.wrong = 0;
    tpm.boot_chain = 1;
    let (mut vault, mut world, _) = again(&mut tpm);
    let outcome = vault.unlock(&mut world, user(), b"secret");
    assert_eq!(outcome, Err(Refusal::PolicyMismatch));
    tpm.boot_chain = 0;
    let (mut vault, mut world, _) = again(&mut tpm);
    vault.unlock(&mut world, user(), b"secret").unwrap();
    assert!(
        vault
            .module_key(&world, module("app"))
            .ok()
            .unwrap()
            .equals(&key)
    );
}

/// The passphrase is part of the root's key, not only of what the TPM is told.
#[test]
fn a_tpm_that_gives_its_secret_to_everyone_does_not_give_the_root() {
    let mut tpm = FakeTpm::default();
    kept(&mut tpm, b"secret");
    let (mut vault, mut world, _) = again(&mut tpm);
    let auth = {
        let outcome = vault.unlock(&mut world, user(), b"wrong");
        assert_eq!(outcome, Err(Refusal::WrongPassphrase));
        world.stretch(b"wrong", &[0; 16]).ok().unwrap()
    };
    drop(auth);
    drop(vault);
    // Whatever value it is given from now on is right.
    struct Leaky<'a>(&'a mut FakeTpm);
    impl Seal for Leaky<'_> {
        fn present(&self) -> bool {
            true
        }
        fn seal(&mut self, _: &Secret<32>, _: Option<&Secret<32>>) -> Result<Object, Refusal> {
            Err(Refusal::DeviceFailed)
        }
        fn unseal(
            &mut self,
            _: &Object,
            _: Option<&Secret<32>>,
            _: Option<&Approval>,
        ) -> Result<Secret<32>, Refusal> {
            let mut secret = self.0.sealed[0].2;
            Ok(Secret::taken_from(&mut secret))
        }
        fn load(&mut self) -> Result<Option<[u8; KEPT_BYTES]>, Refusal> {
            Ok(self.0.kept)
        }
        fn store(&mut self, _: &[u8; KEPT_BYTES]) -> Result<(), Refusal> {
            Err(Refusal::DeviceFailed)
        }
    }
    let mut world = Fake::new();
    let (mut vault, _) = Vault::start(Leaky(&mut tpm), &mut world);
    let outcome = vault.unlock(&mut world, user(), b"wrong");
    assert_eq!(outcome, Err(Refusal::WrongPassphrase));
    vault.unlock(&mut world, user(), b"secret").unwrap();
}

#[test]
fn duress_replaces_what_the_tpm_keeps_and_destroys_also_when_the_tpm_fails() {
    for (broken, full) in [(false, false), (true, false), (false, true)] {
        let mut tpm = FakeTpm::default();
        kept(&mut tpm, b"secret");
        let (mut vault, mut world, _) = again(&mut tpm);
        vault.unlock(&mut world, user(), b"secret").unwrap();
        vault.set_duress(&mut world, user(), b"duress").unwrap();
        let old = vault.module_key(&world, module("app")).ok().unwrap();
        vault.lock(&mut world, user()).unwrap();
        drop(vault);
        let (mut vault, mut world, _) = again(&mut tpm);
        (vault.tpm().broken, vault.tpm().full) = (broken, full);
        vault.unlock(&mut world, user(), b"duress").unwrap();
        assert!(
            !vault
                .module_key(&world, module("app"))
                .ok()
                .unwrap()
                .equals(&old)
        );
        vault.lock(&mut world, user()).unwrap();
        let outcome = vault.unlock(&mut world, user(), b"secret");
        assert_eq!(outcome, Err(Refusal::WrongPassphrase));
        world.now_ns += SECOND_NS;
        vault.unlock(&mut world, user(), b"duress").unwrap();
        drop(vault);
        if full {
            assert_eq!(tpm.kept, Some([0; KEPT_BYTES]));
        } else if !broken {
            let (mut vault, mut world, started) = again(&mut tpm);
            assert_eq!(started, Started::Locked);
            let outcome = vault.unlock(&mut world, user(), b"secret");
            assert_eq!(outcome, Err(Refusal::WrongPassphrase));
            vault.unlock(&mut world, user(), b"duress").unwrap();
        }
    }
}

/// The same with the hash that fits.
fn resealed(changed: &[u8; KEPT_BYTES]) -> [u8; KEPT_BYTES] {
    let mut record = *changed;
    record[CHECKED].fill(0);
    let check = hash::sha256(&record);
    record[CHECKED].copy_from_slice(&check);
    record
}

#[test]
fn what_the_tpm_keeps_is_nothing_to_trust() {
    let mut tpm = FakeTpm::default();
    kept(&mut tpm, b"");
    let good = tpm.kept.unwrap();
    for byte in 0..KEPT_BYTES {
        let mut changed = good;
        changed[byte] ^= 0x40;
        tpm.kept = Some(changed);
        let (_, _, started) = again(&mut tpm);
        assert_eq!(started, Started::Unreadable, "{byte}");
        // Nor with the hash that fits.
        let record = resealed(&changed);
        if record != good {
            tpm.kept = Some(record);
            let (mut vault, world, started) = again(&mut tpm);
            if (24..56).contains(&byte) || byte >= 768 {
                let free = "the duress tag and the approval open nothing";
                assert_eq!(started, Started::Opened, "{free}");
            } else if started == Started::Locked {
                let key = vault.module_key(&world, module("app"));
                assert_eq!(key.err(), Some(Refusal::Locked), "{byte}");
            } else {
                assert_eq!(started, Started::Unreadable, "{byte}");
            }
        }
    }
    tpm.kept = Some(good);
    tpm.broken = true;
    let (_, _, started) = again(&mut tpm);
    assert_eq!(started, Started::TpmFailed);
}

#[test]
fn without_a_tpm_nothing_is_kept() {
    let (mut vault, mut world) = open();
    let refused = vault.keep(&mut world, user(), 1);
    assert_eq!(refused, Err(Refusal::NoSuchDevice));
    assert_eq!(vault.keep(&mut world, user(), 2), Err(Refusal::Malformed));
}

#[test]
fn with_a_tpm_it_locks_without_a_passphrase_and_forgets_what_it_is_told_to() {
    let mut tpm = FakeTpm::default();
    let key = kept(&mut tpm, b"");
    let (mut vault, mut world, _) = again(&mut tpm);
    vault.lock(&mut world, user()).unwrap();
    vault.unlock(&mut world, user(), b"").unwrap();
    assert!(
        vault
            .module_key(&world, module("app"))
            .ok()
            .unwrap()
            .equals(&key)
    );
    vault.keep(&mut world, user(), 0).unwrap();
    drop(vault);
    assert_eq!(tpm.kept, Some([0; KEPT_BYTES]));
    let (_, _, started) = again(&mut tpm);
    assert_eq!(started, Started::New);
}

#[test]
fn keys_can_be_neither_printed_nor_copied() {
    nonos_crypto::assert_secret! {
        crate::hierarchy::Root
        crate::key::Key
        crate::lock::Stretched
        crate::vault::Vault<Absent>
    }
}

#[test]
fn the_user_sees_and_replaces_the_keys_of_all_modules_and_uses_none() {
    let (mut vault, mut world) = open();
    let mail = module("mail");
    world.now_ns = 7;
    let key = vault
        .create(&mut world, mail, name("k"), kind::ED25519, uses::SIGN)
        .unwrap();
    vault
        .create(&mut world, user(), name("k"), kind::HKDF, uses::DERIVE)
        .unwrap();
    let owner = vault.owner(&world, user(), 0).unwrap();
    assert_eq!((owner.module, owner.since_ns), (name("mail"), 7));
    let info = vault.key(&world, user(), 0).unwrap();
    assert_eq!((info.kind, info.version), (kind::ED25519, 1));
    assert_eq!(
        vault.owner(&world, user(), 1).unwrap().module,
        name("shell")
    );
    assert_eq!(vault.key(&world, user(), 2).err(), Some(Refusal::NoSuchKey));
    assert_eq!(
        vault.key(&world, user(), u64::MAX).err(),
        Some(Refusal::NoSuchKey)
    );

    world.now_ns = 9;
    let rotated = vault.rotate_key(&mut world, user(), name("mail"), name("k"));
    assert_eq!(rotated, Ok(2));
    assert_eq!(vault.owner(&world, user(), 0).unwrap().since_ns, 9);

    // Nobody else.
    let refused = Some(Refusal::NotGranted);
    for caller in [module("mail"), module("other"), holder(key)] {
        let (owner, k) = (name("mail"), name("k"));
        assert_eq!(vault.key(&world, caller, 0).err(), refused);
        assert_eq!(vault.owner(&world, caller, 0).err(), refused);
        let rotated = vault.rotate_key(&mut world, caller, owner, k);
        assert_eq!(rotated.err(), refused);
        assert_eq!(vault.destroy_key(&world, caller, owner, k).err(), refused);
    }

    vault.set_passphrase(&mut world, user(), b"secret").unwrap();
    vault.lock(&mut world, user()).unwrap();
    let (owner, k) = (name("mail"), name("k"));
    let locked = Some(Refusal::Locked);
    assert_eq!(vault.rotate_key(&mut world, user(), owner, k).err(), locked);
    assert_eq!(vault.destroy_key(&world, user(), owner, k).err(), locked);
    vault.unlock(&mut world, user(), b"secret").unwrap();
    vault.take_changes();
    vault.destroy_key(&world, user(), owner, k).unwrap();
    assert_eq!(vault.take_changes().destroyed, 1 << key.place);
    let info = vault.public_key(&mut world, holder(key), 0, &mut [0; 32]);
    assert_eq!(info.err(), Some(Refusal::Gone));
    let again = vault.destroy_key(&world, user(), owner, k);
    assert_eq!(again.err(), Some(Refusal::NoSuchKey));
}

#[test]
fn the_user_lends_uses_of_a_key_and_nothing_else_of_it() {
    let (mut vault, mut world) = open();
    let lender = Caller {
        badge: Badge::Lender(9),
        ..module("powerbox")
    };
    let all = uses::SIGN | uses::EXPORT;
    let key = vault
        .create(&mut world, module("mail"), name("k"), kind::ED25519, all)
        .unwrap();
    let (offer, called) = vault.offer(&world, lender, 0).unwrap();
    assert_eq!((offer.module, called), (name("mail"), name("k")));
    assert_eq!((offer.kind, offer.uses), (kind::ED25519, uses::SIGN));
    let none = vault.offer(&world, lender, 1).err();
    assert_eq!(none, Some(Refusal::NoSuchKey));

    let lent = vault
        .lend(&world, lender, offer.number, uses::SIGN)
        .unwrap();
    assert_eq!((lent.place, lent.uses), (key.place, uses::SIGN));
    let mut out = [0; 64];
    assert!(vault.sign(&mut world, holder(lent), b"m", &mut out).is_ok());
    let denied = Some(Refusal::UseNotAllowed);
    assert_eq!(vault.rotate(&mut world, holder(lent)).err(), denied);
    assert_eq!(vault.grant(&world, holder(lent), uses::SIGN).err(), denied);
    let seed = &mut [0; 32];
    assert_eq!(
        vault.export(&mut world, holder(lent), 0, seed).err(),
        denied
    );
    for uses in [
        uses::NONE,
        uses::EXPORT,
        uses::MANAGE,
        uses::DERIVE,
        all,
        u64::MAX,
    ] {
        let lent = vault.lend(&world, lender, offer.number, uses);
        assert_eq!(lent.err(), denied, "{uses:#x}");
    }

    // Nobody else lends, and who lends does nothing else.
    let refused = Some(Refusal::NotGranted);
    for caller in [user(), module("mail"), module("powerbox"), holder(key)] {
        assert_eq!(vault.offer(&world, caller, 0).err(), refused);
        let lent = vault.lend(&world, caller, offer.number, uses::SIGN);
        assert_eq!(lent.err(), refused);
    }
    assert_eq!(vault.key(&world, lender, 0).err(), refused);
    assert_eq!(vault.open(&world, lender, name("k")).err(), refused);
    assert_eq!(vault.module_key(&world, lender).err(), refused);
    let wiped = vault.wipe(&mut world, lender).err();
    assert_eq!(wiped, refused);

    // Not while it is locked, and no other key by the number of one that is gone.
    vault.set_passphrase(&mut world, user(), b"secret").unwrap();
    vault.lock(&mut world, user()).unwrap();
    let lent = vault.lend(&world, lender, offer.number, uses::SIGN);
    assert_eq!(lent.err(), Some(Refusal::Locked));
    vault.unlock(&mut world, user(), b"secret").unwrap();
    vault
        .destroy_key(&world, user(), name("mail"), name("k"))
        .unwrap();
    vault
        .create(&mut world, module("mail"), name("k"), kind::ED25519, all)
        .unwrap();
    for number in [offer.number, u64::MAX, offer.number | 1 << 62] {
        let lent = vault.lend(&world, lender, number, uses::SIGN);
        assert_eq!(lent.err(), Some(Refusal::Gone), "{number:#x}");
    }
}
