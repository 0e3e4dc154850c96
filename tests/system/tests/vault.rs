//! The vault: keys are used and not seen, it opens with the right passphrase only, and nothing secret is in memory while it is
//! locked. The root is found in a dump as an attacker would find it, by trying all of the vault's memory on a key at rest.

use nonos_image::Hex;
use std::fs;
use system_tests::attack;
use system_tests::images;
use system_tests::machine::{Machine, PROMPT};
use system_tests::paging::{Mapping, UPPER_HALF};
use system_tests::saved;
use system_tests::scratch::Scratch;
use system_tests::shell::row;
use system_tests::vault::{Seen, find_root, frames, hex_of, key_of_files, wrapping_key};
use xtask::keys::Keys;
use xtask::qemu::{FIRMWARE_VARS, MachineConfig};
use xtask::{update, vars};

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

#[test]
fn files_are_locked_with_the_vault_come_back_with_it_and_are_gone_when_it_is_wiped() {
    let mut machine = at_prompt();
    let root = find_root(&mut machine);
    // The shell hashes what is typed, and stores the hash without showing it.
    let contents = blake3::hash(b"some text\n").to_hex();
    says(&mut machine, "echo some text | hash > f", "");
    says(&mut machine, "mkdir d", "");
    set(&mut machine, "passphrase", PASSPHRASE);
    let wrapping = Seen::look(&mut machine).wrapping_key_of_files(&key_of_files(&root));
    let wrapping = wrapping.unwrap_or_else(|| machine.fail("no key that wraps those of files"));
    says(&mut machine, "vault lock", "locked");
    let seen = Seen::look(&mut machine);
    for (what, secret) in [
        ("the key that wraps those of files", &wrapping[..]),
        ("the root", &root[..]),
        ("the key of files", key_of_files(&root).expose()),
        ("what was stored", contents.as_bytes()),
    ] {
        let found = seen.frames_with(secret);
        machine.check(found.is_empty(), &format!("{what} in memory: {found:x?}"));
    }
    let locked = "locked: unlock the vault first";
    for command in ["cat f", "ls", "write g text", "cp f g", "rm f", "mkdir e"] {
        says(&mut machine, command, locked);
    }
    let output = unlock(&mut machine, PASSPHRASE);
    machine.check_contains(&output, "open");
    // What the file system needed of the vault for a moment is gone, from its stack, too.
    let found = Seen::look(&mut machine).frames_with(key_of_files(&root).expose());
    machine.check(
        found.is_empty(),
        &format!("the key of files in memory after unlock: {found:x?}"),
    );
    says(&mut machine, "cat f", &contents);
    says(&mut machine, "ls", "d/");

    // The files go with the root, and there is room for others at once.
    answered(&mut machine, "vault wipe", &[("all keys. ", "wipe")]);
    let left = machine.command("ls");
    machine.check_equal(left.trim(), "", "what is left after a wipe");
    says(&mut machine, "cat f", "not found");
    says(&mut machine, "write f other", "");
    says(&mut machine, "cat f", "other");
    let said = machine.command("log");
    machine.check_contains(&said, "all files are gone");

    // Another vault has another root.
    let number = machine.number_of("vault");
    says(&mut machine, &format!("kill {number}"), "");
    says(&mut machine, "cat f", "not found");
    says(&mut machine, "write f third", "");
    set(&mut machine, "passphrase", PASSPHRASE);
    says(&mut machine, "vault lock", "locked");
    says(&mut machine, "cat f", locked);
    // Under duress, too.
    let output = unlock(&mut machine, PASSPHRASE);
    machine.check_contains(&output, "open");
    says(&mut machine, "cat f", "third");
    set(&mut machine, "duress", DURESS);
    says(&mut machine, "vault lock", "locked");
    let output = unlock(&mut machine, DURESS);
    machine.check_contains(&output, "open");
    says(&mut machine, "cat f", "not found");
}

/// The key at rest that shows which root is there.
fn root_is_back(machine: &mut Machine, blob: &str) {
    let output = answered(machine, "vault unwrap", &[("at rest: ", blob)]);
    machine.check_contains(&output, "taken back");
}

fn approve(machine: &mut Machine, approval: &str) -> String {
    answered(machine, "vault approve", &[("approval: ", approval)])
}

/// The same image under other firmware variables, with a boot loader that these trust.
fn with_other_secure_boot_keys(config: &MachineConfig, folder: &Scratch) -> MachineConfig {
    let keys = images::unknown_keys();
    let image = images::system();
    let boot_loader = folder.file("BOOTX64.EFI");
    let signed = keys.sign_boot_loader(&image.files.boot_loader_unsigned, &boot_loader);
    signed.expect("the boot loader can be signed");
    let empty = fs::read(FIRMWARE_VARS).expect("the firmware is installed");
    let enrolled = vars::enrol(&empty, keys).expect("keys can be enrolled");
    let file = folder.file("other-vars.fd");
    fs::write(&file, enrolled).expect("the scratch folder is writable");
    MachineConfig {
        disk: image.disk_with_boot_loader(folder, &boot_loader),
        vars: file,
        ..config.clone()
    }
}

#[test]
fn a_root_that_the_tpm_keeps_opens_under_the_same_boot_chain_or_an_approved_update() {
    let image = images::system();
    let (here, elsewhere) = (Scratch::new(), Scratch::new());
    let config = image.machine();
    let mut machine = Machine::start(config.clone());
    machine.expect_prompt();
    says(&mut machine, "vault", "sealed to PCRs 7 and 11");
    says(&mut machine, "vault new probe hkdf", "made");
    let blob = hex_of(&machine.command("vault wrap probe"));
    says(&mut machine, "vault keep on", "the TPM keeps the root");

    let mut machine = machine.start_again(&config.disk);
    machine.expect_prompt();
    let state = machine.command("vault");
    machine.check_equal(row(&state, "State"), Some("open"), "the same system");
    root_is_back(&mut machine, &blob);
    let output = set(&mut machine, "passphrase", PASSPHRASE);
    machine.check_contains(&output, "the passphrase is set");

    // The same programs, but another image: PCR 11 is another.
    let other = image.with_entries(&[]);
    let keys = Keys::developer().expect("the keys are there");
    let approval_of = |bytes: &[u8]| {
        let approval = update::approval(bytes, &keys).expect("the image is signed");
        Hex(&approval).to_string()
    };
    let mut machine = machine.start_again(&image.disk_with(&here, Some(&other)));
    machine.expect_prompt();
    let other_software = "the TPM does not unseal: other software was booted";
    let output = unlock(&mut machine, PASSPHRASE);
    machine.check_contains(&output, other_software);
    says(&mut machine, "vault", "LOCKED: the TPM does not unseal");
    says(&mut machine, "vault new other hkdf", "unlock the vault");
    says(&mut machine, "ls", "unlock the vault");
    let output = approve(&mut machine, &approval_of(&image.system_image()));
    machine.check_contains(&output, "keeps the approval");
    let output = unlock(&mut machine, PASSPHRASE);
    machine.check_contains(&output, other_software);
    let output = approve(&mut machine, &approval_of(&other));
    machine.check_contains(&output, "keeps the approval");
    let output = unlock(&mut machine, DURESS);
    machine.check_contains(&output, "wrong passphrase");
    let report = machine.command("tpm");
    machine.check_contains(&report, "1 of at most");
    let output = unlock(&mut machine, PASSPHRASE);
    machine.check_contains(&output, "open");
    root_is_back(&mut machine, &blob);
    says(&mut machine, "ls", "");
    // An authorisation value was used: an end of power that the TPM is not told of would count as one more wrong try.
    machine.last_command("poweroff");
    machine.expect_end();

    // It is sealed to the update now: the system before opens it no more.
    let mut machine = machine.start_again(&config.disk);
    machine.expect_prompt();
    let report = machine.command("tpm");
    machine.check_contains(&report, "1 of at most");
    let output = unlock(&mut machine, PASSPHRASE);
    machine.check_contains(&output, other_software);

    // Other Secure Boot keys: PCR 7 is another, which no update key approves.
    let other = with_other_secure_boot_keys(&config, &elsewhere);
    let vars = MachineConfig::run_vars(machine.scratch().path());
    machine.last_command("poweroff");
    machine.expect_end();
    fs::copy(&other.vars, vars).expect("the scratch folder is writable");
    let mut machine = machine.start_again(&other.disk);
    machine.expect_prompt();
    let output = approve(&mut machine, &approval_of(&image.system_image()));
    machine.check_contains(&output, "keeps the approval");
    let output = unlock(&mut machine, PASSPHRASE);
    machine.check_contains(&output, other_software);

    // A TPM that fails is an error, and nothing that is there is lost.
    answered(&mut machine, "vault wipe", &[("all keys. ", "wipe")]);
    says(&mut machine, "vault new mail ed25519", "made");
    machine.signal_tpm("KILL");
    let output = set(&mut machine, "passphrase", PASSPHRASE);
    machine.check_contains(&output, "the device failed or did not answer");
    says(&mut machine, "vault sign mail some text", "");
    says(&mut machine, "vault verify mail some text", "is this key's");
}
