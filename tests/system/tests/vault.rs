//! The vault: keys are used and not seen, it opens with the right passphrase only, and nothing secret is in memory while it is
//! locked. The root is found in a dump as an attacker would find it, by trying all of the vault's memory on a key at rest.

use nonos_crypto::Secret;
use nonos_crypto::aead::{Aes256Gcm, Sealed};
use nonos_crypto::kdf::HkdfSha256;
use std::collections::HashSet;
use system_tests::attack;
use system_tests::images;
use system_tests::machine::{Machine, PROMPT};
use system_tests::paging::{Mapping, UPPER_HALF};
use system_tests::saved;
use system_tests::shell::{bytes, row};

const PASSPHRASE: &str = "Waldmeister-Pfefferminz-77";
const DURESS: &str = "Himbeere-Sauerampfer-12";

fn at_prompt() -> Machine {
    saved::at_prompt(&images::system().machine_without_tpm())
}

/// Enters a command that asks for something which is not shown, as often as there are answers.
fn answered(machine: &mut Machine, command: &str, answers: &[(&str, &str)]) -> String {
    machine.last_command(command);
    for (prompt, answer) in answers {
        machine.expect(prompt);
        machine.send(&format!("{answer}\r"));
    }
    machine.expect(&format!("\n{PROMPT}"))
}

fn unlock(machine: &mut Machine, passphrase: &str) -> String {
    answered(machine, "vault unlock", &[("Passphrase: ", passphrase)])
}

fn set(machine: &mut Machine, what: &str, passphrase: &str) -> String {
    let answers = [("for none: ", passphrase), ("Again: ", passphrase)];
    answered(machine, &format!("vault {what}"), &answers)
}

#[track_caller]
fn says(machine: &mut Machine, command: &str, answer: &str) {
    let output = machine.command(command);
    machine.check_contains(&output, answer);
}

#[test]
fn keys_are_used_by_name_and_the_vault_opens_with_its_passphrase_only() {
    let mut machine = at_prompt();
    says(&mut machine, "vault", "it cannot be locked");
    says(&mut machine, "vault lock", "no passphrase is set");
    says(&mut machine, "vault keys", "no keys");
    says(&mut machine, "vault new mail hybrid", "made");
    says(&mut machine, "vault new mail ed25519", "this name already");
    says(&mut machine, "vault keys", "hybrid");
    says(&mut machine, "vault sign mail some text", "3309 bytes more");
    says(&mut machine, "vault verify mail some text", "is this key's");
    says(
        &mut machine,
        "vault verify mail other text",
        "not authentic",
    );
    says(&mut machine, "vault export mail", "not for this use");
    says(&mut machine, "vault sign none some text", "no such key");

    let output = set(&mut machine, "passphrase", PASSPHRASE);
    machine.check_contains(&output, "the passphrase is set");
    says(&mut machine, "vault lock", "locked");
    says(&mut machine, "vault", "locked");
    says(
        &mut machine,
        "vault sign mail some text",
        "unlock the vault",
    );
    says(&mut machine, "vault new other hkdf", "unlock the vault");
    let output = unlock(&mut machine, "Waldmeister-Pfefferminz-78");
    machine.check_contains(&output, "wrong passphrase");
    let output = unlock(&mut machine, PASSPHRASE);
    machine.check_contains(&output, "too soon");
    says(&mut machine, "vault", "1 in a row");
    machine.wait_until("the next try", |machine| {
        unlock(machine, PASSPHRASE).contains("open")
    });
    says(&mut machine, "vault verify mail some text", "is this key's");
    says(&mut machine, "vault rotate mail", "version 2");
    says(&mut machine, "vault verify mail some text", "is this key's");

    let secret = "00112233445566778899aabbccddeeff0123456789abcdef0123456789abcdef";
    let answers = [("digits: ", secret)];
    let output = answered(&mut machine, "vault import x hkdf export", &answers);
    machine.check_contains(&output, "imported");
    says(&mut machine, "vault export x", secret);
    let blob = hex_of(&machine.command("vault wrap x"));
    says(&mut machine, "vault destroy x", "destroyed");
    says(&mut machine, "vault export x", "no such key");
    let answers = [("at rest: ", blob.as_str())];
    let output = answered(&mut machine, "vault unwrap", &answers);
    machine.check_contains(&output, "taken back");
    says(&mut machine, "vault export x", secret);

    let log = machine.command("vault log");
    for what in [
        "sign",
        "refused: wrong passphrase",
        "refused: not authentic",
    ] {
        machine.check_contains(&log, what);
    }
    let output = answered(&mut machine, "vault wipe", &[("all keys. ", "no")]);
    machine.check_contains(&output, "given up");
    let output = answered(&mut machine, "vault wipe", &[("all keys. ", "wipe")]);
    machine.check_contains(&output, "wiped");
    says(&mut machine, "vault keys", "no keys");
    let answers = [("at rest: ", blob.as_str())];
    let output = answered(&mut machine, "vault unwrap", &answers);
    machine.check_contains(&output, "not authentic");
    let shown = machine.transcript().contains(PASSPHRASE);
    machine.check(!shown, "the passphrase was shown");
    let log = machine.command("log");
    machine.check_contains(&log, "vault: locked");
    machine.check(!log.contains(PASSPHRASE), "the passphrase is in the log");
}

/// The longest run of hexadecimal digits.
fn hex_of(output: &str) -> String {
    let runs = output.split(|c: char| !c.is_ascii_hexdigit());
    runs.max_by_key(|run| run.len()).unwrap_or("").to_owned()
}

/// The key that seeds are encrypted with (`docs/keys.md`).
fn wrapping_key(root: &[u8]) -> Secret<32> {
    let key = HkdfSha256::extract(&[], root).expand(b"nonos.vault.wrap.v1");
    key.unwrap_or_else(|_| unreachable!("32 bytes are few"))
}

/// Whether a key at rest (`docs/keys.md`) opens under a root.
fn opens(blob: &[u8], root: &[u8]) -> bool {
    let cipher = Aes256Gcm::for_protocol(wrapping_key(root), [0; 12]);
    let sealed = Sealed {
        nonce: blob[76..88].try_into().expect("12 bytes"),
        tag: blob[88..104].try_into().expect("16 bytes"),
    };
    let mut seed = blob[104..136].to_vec();
    cipher.open(&sealed, &blob[..76], &mut seed).is_ok()
}

/// Physical addresses of the frames that a set of mappings leads to.
fn frames<'a>(mappings: impl Iterator<Item = &'a Mapping>) -> impl Iterator<Item = u64> {
    mappings.flat_map(|page| (page.physical..page.physical + page.bytes).step_by(4096))
}

fn frame(dump: &[u8], address: u64) -> &[u8] {
    let from = address as usize;
    dump.get(from..from + 4096).unwrap_or_default()
}

fn holds(memory: &[u8], bytes: &[u8]) -> bool {
    memory.windows(bytes.len()).any(|window| window == bytes)
}

/// What a stopped machine has in memory, and where the vault's is.
struct Seen {
    dump: Vec<u8>,
    spaces: Vec<Vec<Mapping>>,
    /// Which of the spaces is the vault's.
    vault: usize,
}

impl Seen {
    /// Looks while the machine stands still.
    fn look(machine: &mut Machine) -> Self {
        machine.stop_at_level(0);
        let dump = machine.dump_memory();
        let spaces = machine.address_spaces(&dump);
        let is_vault = |space: &Vec<Mapping>| {
            let code = space.iter().filter(|page| page.user && !page.writable);
            frames(code).any(|at| holds(frame(&dump, at), b"nonos.vault.wrap.v1"))
        };
        let found: Vec<usize> = (0..spaces.len())
            .filter(|&index| is_vault(&spaces[index]))
            .collect();
        machine.check_equal(found.len(), 1, "address spaces of the vault");
        let vault = found[0];
        machine.go_on();
        Self {
            dump,
            spaces,
            vault,
        }
    }

    /// The memory that the vault writes to.
    fn of_vault(&self) -> HashSet<u64> {
        let pages = self.spaces[self.vault].iter();
        frames(pages.filter(|page| page.user && page.writable)).collect()
    }

    /// Where in memory bytes stand.
    fn frames_with(&self, bytes: &[u8]) -> Vec<u64> {
        let windows = self.dump.windows(bytes.len()).enumerate();
        let found = windows.filter(|(_, window)| *window == bytes);
        found.map(|(at, _)| at as u64 & !0xFFF).collect()
    }

    /// The root that a key at rest opens under, wherever in the vault's memory it is.
    fn root(&self, blob: &[u8]) -> Option<Vec<u8>> {
        let looks_random = |window: &[u8]| {
            let different: HashSet<&u8> = window.iter().collect();
            different.len() > 16
        };
        self.of_vault().into_iter().find_map(|at| {
            let mut windows = frame(&self.dump, at).windows(32);
            let root = windows.find(|window| looks_random(window) && opens(blob, window));
            root.map(<[u8]>::to_vec)
        })
    }
}

/// Makes a key and finds the root that it hangs on.
#[track_caller]
fn find_root(machine: &mut Machine) -> Vec<u8> {
    machine.command("vault new probe hkdf");
    let blob = bytes(&hex_of(&machine.command("vault wrap probe")));
    machine.check_equal(blob.len(), 136, "length of a key at rest");
    let root = Seen::look(machine).root(&blob);
    root.unwrap_or_else(|| machine.fail("the root is not in the open vault's memory"))
}

#[track_caller]
fn expect_in_memory(machine: &mut Machine, root: &[u8], is: bool, when: &str) {
    let seen = Seen::look(machine);
    let found = !seen.frames_with(root).is_empty();
    machine.check_equal(found, is, &format!("the root in memory {when}"));
    let derived = seen.frames_with(wrapping_key(root).expose());
    machine.check(
        derived.is_empty(),
        &format!("what is derived from the root in memory {when}: {derived:x?}"),
    );
}

#[test]
fn no_other_mapping_reaches_the_vaults_memory_not_even_one_of_the_kernel() {
    let mut machine = at_prompt();
    let root = find_root(&mut machine);
    let seen = Seen::look(&mut machine);
    let own = seen.of_vault();
    let places = seen.frames_with(&root);
    machine.check(!places.is_empty(), "the root is nowhere");
    let elsewhere: Vec<&u64> = places.iter().filter(|at| !own.contains(at)).collect();
    machine.check(
        elsewhere.is_empty(),
        &format!("the root is in memory that is not the vault's: {elsewhere:x?}"),
    );
    for (index, space) in seen.spaces.iter().enumerate() {
        let of_kernel = |page: &&Mapping| page.address >= UPPER_HALF || !page.user;
        let others = |page: &&Mapping| index != seen.vault || of_kernel(page);
        let reached: Vec<u64> = frames(space.iter().filter(others))
            .filter(|at| own.contains(at))
            .collect();
        machine.check(
            reached.is_empty(),
            &format!("address space {index} maps the vault's memory: {reached:x?}"),
        );
    }
}

#[test]
fn nothing_secret_is_left_in_memory_by_lock_wipe_and_duress() {
    let mut machine = at_prompt();
    let root = find_root(&mut machine);
    set(&mut machine, "passphrase", PASSPHRASE);
    let output = set(&mut machine, "duress", DURESS);
    machine.check_contains(&output, "the duress passphrase is set");
    expect_in_memory(&mut machine, &root, true, "while it is open");
    says(&mut machine, "vault lock", "locked");
    expect_in_memory(&mut machine, &root, false, "after lock");
    let typed = Seen::look(&mut machine).frames_with(PASSPHRASE.as_bytes());
    machine.check(typed.is_empty(), "the passphrase is still in memory");
    let output = unlock(&mut machine, PASSPHRASE);
    machine.check_contains(&output, "open");
    expect_in_memory(&mut machine, &root, true, "after unlock");

    says(&mut machine, "vault lock", "locked");
    let output = unlock(&mut machine, DURESS);
    machine.check_contains(&output, "open");
    expect_in_memory(&mut machine, &root, false, "after duress");
    says(&mut machine, "vault keys", "no keys");
    let log = machine.command("log") + &machine.command("vault log");
    machine.check(!log.contains("duress "), "the log tells of the duress");
    let state = machine.command("vault");
    machine.check_equal(row(&state, "Passphrase"), Some("set"), "the passphrase");

    let root = find_root(&mut machine);
    let output = answered(&mut machine, "vault wipe", &[("all keys. ", "wipe")]);
    machine.check_contains(&output, "wiped");
    expect_in_memory(&mut machine, &root, false, "after wipe");
}

#[test]
fn a_program_gets_no_more_from_the_vault_than_its_handles_allow() {
    let mut machine = attack::at_prompt(1);
    let before = attack::services(&mut machine);
    says(&mut machine, "vault new mail ed25519", "made");
    says(&mut machine, "vault sign mail some text", "");
    let number = attack::run_beside(&mut machine, "adv-vault", "waiting for the vault");
    says(
        &mut machine,
        &format!("grant {number} vault"),
        "may have vault",
    );
    // Nothing is typed while it speaks: that would tear the echo.
    machine.wait_until("the attacker's last words", |machine| {
        let said = machine.transcript();
        ["random messages, with handles", "does not answer any more"]
            .iter()
            .any(|last| said.contains(last))
    });
    // The vault lets go of what the attacker gave it.
    machine.wait_until("the attacker's end", |machine| {
        machine.command("vault status");
        !machine.command("ps").contains("adv-vault")
    });
    let said = machine.transcript();
    let (_, said) = said
        .split_once("waiting for the vault")
        .unwrap_or_else(|| machine.fail("it does not wait"));
    attack::check_output(
        &machine,
        said,
        &[
            "denied: to open the vault: not granted",
            "denied: to read what others did: not granted",
            "denied: a key of the shell: no such key",
            "denied: exporting a key that is not exportable: the key is not for this use",
            "denied: destroying through it: the key is not for this use",
            "denied: signing through what was taken back: the handle was revoked",
            "denied: signing with a destroyed key",
            "denied: a key at rest with another seed: not authentic",
            "denied: a key at rest of another module: not granted",
            "denied: more keys than its share: the service has no room",
            "random messages, with handles",
            "adv-vault ended: exit code 0",
        ],
    );
    // It flooded the record: what is left of it are refusals of this module.
    let log = machine.command("vault log");
    machine.check_contains(&log, "adv-vault");
    machine.check_contains(&log, "refused: ");
    says(&mut machine, "vault verify mail some text", "is this key's");
    attack::expect_unharmed(&mut machine, &before, "adv-vault");
}
