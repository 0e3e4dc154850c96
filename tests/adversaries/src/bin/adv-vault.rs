//! Asks the vault for what is not its to have: first without being connected to it, then, when the user has allowed that, through
//! its own connection and through handles to keys that allow less than it tries.
#![no_std]
#![no_main]

use adversaries::tries::Tries;
use adversaries::{Random, say, succeeded};
use nonos_abi::{Error, Handle, Message, MessageInfo, Name, Rights};
use nonos_proto::vault::{BLOB_BYTES, Client, Encrypted, kind, label, uses};
use nonos_proto::{CallError, Refusal};
use nonos_rt::object::{Endpoint, Notification};
use nonos_rt::{parent, syscall};

nonos_rt::entry!(main);

type Vault = Client<Endpoint>;

/// Random messages.
const ROUNDS: u64 = 1000;

fn main() -> u64 {
    let mut tries = Tries::new();
    let before = parent::connect("vault");
    tries.denied("the vault", before.map(drop), Refusal::NotGranted);
    let endpoint = tries.once_connected("vault");
    let copied = endpoint.badge(1 << 62 | 1, Rights::WRITE);
    let forged = copied.map(drop).map_err(CallError::Unreachable);
    tries.fails(
        "a badge of its own",
        forged,
        CallError::Unreachable(Error::MissingRight),
    );
    let vault = Client(endpoint);
    of_the_user(&mut tries, &vault);
    of_others(&mut tries, &vault);
    of_its_own_keys(&mut tries, &vault);
    at_rest(&mut tries, &vault);
    too_many(&mut tries, &vault);
    if !flood(&vault) {
        succeeded(
            &mut tries.terminal,
            format_args!("the vault does not answer any more"),
        );
        return adversaries::SUCCEEDED;
    }
    say(
        &mut tries.terminal,
        format_args!("denied: {ROUNDS} random messages, with handles"),
    );
    u64::from(tries.failed)
}

fn name(text: &str) -> Name {
    Name::new(text).unwrap_or_default()
}

fn of_the_user(tries: &mut Tries, vault: &Vault) {
    for (what, outcome) in [
        ("to open the vault", vault.unlock(b"guess")),
        ("to lock the vault", vault.lock()),
        ("to wipe the vault", vault.wipe()),
        ("to set the passphrase", vault.set_passphrase(b"mine")),
        ("to set a duress passphrase", vault.set_duress(b"mine")),
        ("to keep the vault open", vault.set_auto_lock(0)),
        ("to keep the root", vault.keep(1)),
        ("to read what others did", vault.event(0).map(drop)),
    ] {
        tries.denied(what, outcome, Refusal::NotGranted);
    }
}

fn of_others(tries: &mut Tries, vault: &Vault) {
    let opened = vault.open(name("mail")).map(drop);
    tries.denied("a key of the shell", opened, Refusal::NoSuchKey);
    tries.denied(
        "the list of others' keys",
        vault.list(0).map(drop),
        Refusal::NoSuchKey,
    );
    let signed = vault.sign(b"m", &mut [0; 64]).map(drop);
    tries.denied("signing without a key", signed, Refusal::NoSuchKey);
    let exported = vault.export(0, &mut [0; 32]);
    tries.denied("exporting without a key", exported, Refusal::NoSuchKey);
}

fn of_its_own_keys(tries: &mut Tries, vault: &Vault) {
    let made = vault.create(name("own"), kind::ED25519, uses::SIGN);
    let Some(own) = tries.works("a key of its own", made) else {
        return;
    };
    let own = Client(Endpoint::from_handle(own));
    let mut signature = [0; 64];
    tries.works("signing with it", own.sign(b"m", &mut signature));
    let with = Encrypted {
        version: 1,
        nonce: [0; 12],
        tag: [0; 16],
    };
    for (what, outcome) in [
        (
            "exporting a key that is not exportable",
            own.export(0, &mut [0; 32]),
        ),
        (
            "encrypting with a key that signs",
            own.encrypt(b"", &mut [0; 8]).map(drop),
        ),
        (
            "decrypting with a key that signs",
            own.decrypt(with, b"", &mut [0; 8]),
        ),
        (
            "deriving from a key that signs",
            own.derive(0, b"", &mut [0; 32]),
        ),
        (
            "decapsulating with a key that signs",
            own.decapsulate(0, &[0; 1120], &mut [0; 32]),
        ),
        (
            "granting what the key has not",
            own.grant(uses::EXPORT, 0).map(drop),
        ),
    ] {
        tries.denied(what, outcome, Refusal::UseNotAllowed);
    }
    let long = own.sign(&[0; 17 << 10], &mut signature).map(drop);
    tries.denied("signing 17 KiB", long, Refusal::TooLong);
    let exportable = vault
        .create(name("wide"), kind::ED25519, uses::ALL)
        .map(drop);
    tries.denied("a key with all uses", exportable, Refusal::UseNotAllowed);

    let Some(limited) = tries.works("a handle for signing alone", own.grant(uses::SIGN, 0)) else {
        return;
    };
    let limited = Client(Endpoint::from_handle(limited.0));
    tries.works("signing through it", limited.sign(b"m", &mut signature));
    for (what, outcome) in [
        ("rotating through it", limited.rotate().map(drop)),
        ("destroying through it", limited.destroy()),
        (
            "granting through it",
            limited.grant(uses::SIGN, 0).map(drop),
        ),
        ("taking back through it", limited.revoke()),
        (
            "the key at rest through it",
            limited.wrap(0, &mut [0; BLOB_BYTES]),
        ),
    ] {
        tries.denied(what, outcome, Refusal::UseNotAllowed);
    }
    let made = limited.create(name("more"), kind::HKDF, uses::DERIVE);
    tries.denied("a new key through it", made.map(drop), Refusal::NotGranted);
    let of_module = limited.module_key(&mut [0; 32]);
    tries.denied(
        "the module's key through it",
        of_module,
        Refusal::NotGranted,
    );
    tries.works("taking it back", own.revoke());
    let revoked = CallError::Unreachable(Error::Revoked);
    let signed = limited.sign(b"m", &mut signature).map(drop);
    tries.fails("signing through what was taken back", signed, revoked);
    tries.works(
        "signing with the own handle",
        own.sign(b"m", &mut signature),
    );
    tries.works("destroying the key", own.destroy());
    // The answer came first, then the handles went: one of the two says no.
    match own.sign(b"m", &mut signature).map(drop) {
        Err(CallError::Refused(Refusal::Gone)) | Err(CallError::Unreachable(Error::Revoked)) => {
            say(
                &mut tries.terminal,
                format_args!("denied: signing with a destroyed key"),
            );
        }
        outcome => tries.fails("signing with a destroyed key", outcome, revoked),
    }
}

fn at_rest(tries: &mut Tries, vault: &Vault) {
    let made = vault.create(name("rest"), kind::HKDF, uses::DERIVE);
    let Some(key) = tries.works("a key to keep", made) else {
        return;
    };
    let key = Client(Endpoint::from_handle(key));
    let mut blob = [0; BLOB_BYTES];
    tries.works("the key at rest", key.wrap(0, &mut blob));
    tries.works("destroying it", key.destroy());
    let changed = |at: usize| {
        let mut changed = blob;
        changed[at] ^= 1;
        changed
    };
    let take = |blob: &[u8]| vault.unwrap(blob).map(drop);
    tries.denied(
        "a key at rest with another seed",
        take(&changed(110)),
        Refusal::NotAuthentic,
    );
    tries.denied(
        "a key at rest with another version",
        take(&changed(8)),
        Refusal::Malformed,
    );
    tries.denied(
        "a key at rest of another module",
        take(&changed(13)),
        Refusal::NotGranted,
    );
    tries.denied("half a key at rest", take(&blob[..64]), Refusal::Malformed);
    tries.works("taking it back", take(&blob));
}

fn too_many(tries: &mut Tries, vault: &Vault) {
    let mut made = 0;
    let outcome = loop {
        // Names of one letter each.
        let letter = [b'a' + made as u8];
        let name = name(core::str::from_utf8(&letter).unwrap_or_default());
        match vault.create(name, kind::HKDF, uses::DERIVE) {
            Ok(key) => drop(Endpoint::from_handle(key)),
            Err(error) => break Err(error),
        }
        made += 1;
        if made == 26 {
            break Ok(());
        }
    };
    tries.denied("more keys than its share", outcome, Refusal::Full);
}

/// Sends random messages, each with handles; tells whether the vault still answers as it should.
fn flood(vault: &Vault) -> bool {
    let mut random = Random(11);
    let Ok(gift) = Notification::create() else {
        return false;
    };
    for _ in 0..ROUNDS {
        let handles = random.below(5) as usize;
        let message = Message {
            info: MessageInfo::new(
                label(random.below(50) as u8),
                random.below(9) as usize,
                handles,
            ),
            words: core::array::from_fn(|_| random.draw()),
            handles: [gift.handle(); 4],
        };
        let _ = syscall::call(vault.0.handle(), &message).map(|reply| {
            let handles = reply.handles.into_iter();
            let some = handles.filter(|&handle| handle != Handle::NONE);
            some.for_each(|handle| drop(Endpoint::from_handle(handle)));
        });
    }
    vault.status().is_ok()
}
