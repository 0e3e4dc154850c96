//! Modules and lists of them that were tampered with: the kernel refuses them, says why, and goes on. The image around them is
//! properly signed, as if whoever made it had been careless or deceived.

use nonos_abi::Name;
use nonos_image::envelope::{ED25519_AT, ENVELOPE_BYTES, HEADER_BYTES, ML_DSA_AT};
use nonos_image::module::Description;
use nonos_image::{anchors, archive, list};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::saved;
use xtask::keys::{Keys, PUBLISHER, Signer};
use xtask::qemu::MachineConfig;

/// A module that nobody tampered with, in the same image.
const INTACT: &str = "adv-not-granted";
/// The list of the image's own modules.
const LIST: &str = "modules.nonos";
/// A publisher that the image trusts, beside its own.
const SECOND: &str = "second";

/// Where the body of a list says what its first module needs (`nonos_image::module`).
const NEEDS_AT: usize = ENVELOPE_BYTES + 88;

macro_rules! tampered {
    ($($test:ident: $module:literal, $damage:expr => $reason:literal;)+) => {
        $(
            #[test]
            fn $test() {
                let mut machine = boot_tampered();
                expect_refused(&mut machine, $module, $reason);
            }
        )+

        /// What is done to each module: from its intact ELF to the one in the image.
        const DAMAGES: &[(&str, fn(Vec<u8>) -> Vec<u8>)] = &[$(($module, $damage)),+];
    };
}

tampered! {
    a_module_whose_program_was_altered_is_not_run:
        "adv-cli", |file| { let last = file.len() - 1; flip(file, last) } => "BLAKE3 hash does not match the manifest";
    a_truncated_module_is_not_run:
        "adv-wrmsr", |mut file| { file.pop(); file } => "BLAKE3 hash does not match the manifest";
    a_module_without_a_program_is_not_run:
        "adv-mov-cr", |_| Vec::new() => "BLAKE3 hash does not match the manifest";
    the_program_of_another_module_is_not_run_in_its_place:
        "adv-interrupt", |_| intact() => "BLAKE3 hash does not match the manifest";
    a_module_that_two_lists_name_is_not_run:
        "adv-leak", |file| file => "named by no valid list of modules, or by two";
}

#[test]
fn a_module_that_no_list_names_is_not_run() {
    let mut machine = boot_tampered();
    let reason = "named by no valid list of modules, or by two";
    expect_refused(&mut machine, "unlisted", reason);
}

#[test]
fn a_module_of_another_trusted_publisher_is_run() {
    let mut machine = boot_tampered();
    let output = machine.command("run of-second");
    // It runs, and is handed nothing: no policy names it.
    machine.check_contains(&output, "of-second ended: exit code 2");
    let modules = machine.command("modules");
    let line = line_of(&modules, "of-second");
    machine.check(line.contains(SECOND), &format!("modules says: {line}"));
}

/// Restores a machine whose image has all of [`DAMAGES`], a module in no list, and the list of another publisher, which names a module
/// of its own and one that is in the image's list.
fn boot_tampered() -> Machine {
    static DISK: OnceLock<PathBuf> = OnceLock::new();
    let disk = DISK.get_or_init(|| {
        let image = images::with_adversaries();
        let of_both = image.entry("adv-leak");
        let second = [("of-second", &intact()[..]), ("adv-leak", &of_both)];
        let second = signed_list(SECOND, &second, images::unknown_keys(), Signer::Publisher);
        let mut entries = vec![
            ("unlisted", intact()),
            ("of-second", intact()),
            ("modules.second", second),
            (archive::ANCHORS, trusting(&[SECOND])),
        ];
        for (name, damage) in DAMAGES {
            entries.push((name, damage(image.entry(name))));
        }
        image.variant("tampered-modules", &image.with_entries(&entries))
    });
    at_prompt(disk)
}

macro_rules! bad_lists {
    ($($test:ident: $publisher:literal, $list:expr => $reason:literal;)+) => {
        $(
            #[test]
            fn $test() {
                expect_list_refused($publisher, $reason);
            }
        )+

        /// The list of each publisher. Each names a module `of-` and the publisher, which is in the image.
        const BAD_LISTS: &[(&str, fn(&str) -> Vec<u8>)] = &[$(($publisher, $list)),+];
    };
}

bad_lists! {
    a_list_with_a_bad_ed25519_signature_is_not_used:
        "ed25519", |publisher| flip(second_list(publisher), ED25519_AT + 5) => "Ed25519 signature is not valid";
    a_list_with_a_bad_ml_dsa_signature_is_not_used:
        "ml-dsa", |publisher| flip(second_list(publisher), ML_DSA_AT + 100) => "ML-DSA-65 signature is not valid";
    a_list_with_a_reserved_byte_of_its_header_set_is_not_used:
        "reserved", |publisher| flip(second_list(publisher), HEADER_BYTES - 1) => "Ed25519 signature is not valid";
    a_list_with_a_byte_of_its_padding_set_is_not_used:
        "padding", |publisher| flip(second_list(publisher), ENVELOPE_BYTES - 1) => "padding: found 0x01";
    a_list_whose_manifest_asks_for_more_is_not_used:
        "more", |publisher| flip(second_list(publisher), NEEDS_AT) => "BLAKE3 hash is wrong";
    a_truncated_list_is_not_used:
        "truncated", |publisher| { let mut list = second_list(publisher); list.pop(); list } => "body has the wrong length";
    a_list_that_ends_before_its_body_is_not_used:
        "short", |publisher| second_list(publisher)[..HEADER_BYTES].to_vec() => "too short";
    a_list_signed_by_another_publishers_key_is_not_used:
        "stranger", |publisher| list_by(publisher, own_keys(), Signer::Publisher) => "Ed25519 signature is not valid";
    a_list_signed_by_the_image_key_is_not_used:
        "image", |publisher| list_by(publisher, own_keys(), Signer::Image) => "Ed25519 signature is not valid";
    a_list_by_an_unknown_publisher_is_not_used:
        "unknown", second_list => "publisher \"unknown\" is not trusted";
    a_list_of_another_publisher_is_not_used_in_its_place:
        "renamed", |_| second_list(SECOND) => "what is signed has an invalid publisher";
    a_list_does_not_count_twice:
        "twice", |_| images::with_adversaries().entry(LIST) => "Ed25519 signature is not valid";
}

/// Restores a machine whose image has all of [`BAD_LISTS`]; expects that the kernel has refused one of them, with its module, and that a
/// module of the image's own list still runs.
#[track_caller]
fn expect_list_refused(publisher: &str, reason: &str) {
    static DISK: OnceLock<PathBuf> = OnceLock::new();
    let disk = DISK.get_or_init(|| {
        let image = images::with_adversaries();
        let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
        for (publisher, bad) in BAD_LISTS {
            entries.push((format!("modules.{publisher}"), bad(publisher)));
            entries.push((format!("of-{publisher}"), intact()));
        }
        let publishers = BAD_LISTS.iter().map(|(publisher, _)| *publisher);
        let trusted: Vec<_> = publishers.filter(|name| *name != "unknown").collect();
        entries.push((archive::ANCHORS.to_owned(), trusting(&trusted)));
        let entries: Vec<_> = entries
            .iter()
            .map(|(name, contents)| (name.as_str(), contents.clone()))
            .collect();
        image.variant("bad-lists", &image.with_entries(&entries))
    });
    let mut machine = at_prompt(disk);
    let log = machine.command("log");
    machine.check_contains(&log, &format!("modules.{publisher} refused: {reason}"));
    expect_refused(&mut machine, &format!("of-{publisher}"), "");
}

fn at_prompt(disk: &Path) -> Machine {
    let config = MachineConfig {
        disk: disk.to_path_buf(),
        ..images::with_adversaries().machine_without_tpm()
    };
    saved::at_prompt(&config)
}

fn flip(mut file: Vec<u8>, offset: usize) -> Vec<u8> {
    file[offset] ^= 1;
    file
}

fn own_keys() -> &'static Keys {
    &images::with_adversaries().keys
}

/// An ELF that its own list names.
fn intact() -> Vec<u8> {
    images::with_adversaries().entry(INTACT)
}

/// The image's publisher, and these with keys that sign nothing else.
fn trusting(publishers: &[&str]) -> Vec<u8> {
    let public = |keys: &Keys| images::secret(keys, Signer::Publisher).public();
    let mut trusted = vec![(name(PUBLISHER), public(own_keys()))];
    for publisher in publishers {
        trusted.push((name(publisher), public(images::unknown_keys())));
    }
    anchors::build(&trusted).expect("the names are distinct")
}

/// A good list of a module `of-` and the publisher.
fn second_list(publisher: &str) -> Vec<u8> {
    list_by(publisher, images::unknown_keys(), Signer::Publisher)
}

fn list_by(publisher: &str, keys: &Keys, signer: Signer) -> Vec<u8> {
    let module = format!("of-{publisher}");
    signed_list(publisher, &[(&module, &intact())], keys, signer)
}

fn signed_list(publisher: &str, modules: &[(&str, &[u8])], keys: &Keys, signer: Signer) -> Vec<u8> {
    let described = |(module, elf): &(&str, _)| {
        let description = Description {
            name: name(module),
            publisher: name(publisher),
            version: name("1"),
            security_version: 1,
            priority: 8,
            quota_pages: 256,
            needs: 0,
        };
        (description, *elf)
    };
    let modules: Vec<_> = modules.iter().map(described).collect();
    let signed = list::build(name(publisher), &modules, &images::secret(keys, signer));
    signed.expect("valid descriptions")
}

fn name(text: &str) -> Name {
    Name::new(text).expect("a valid name")
}

fn line_of<'a>(modules: &'a str, module: &str) -> &'a str {
    let mut lines = modules.lines();
    lines
        .find(|line| line.starts_with(module))
        .unwrap_or_default()
}

/// Runs a module that was tampered with, expects its refusal, and that an intact one still runs.
#[track_caller]
fn expect_refused(machine: &mut Machine, module: &str, reason: &str) {
    let output = machine.command(&format!("run {module}"));
    machine.check_contains(&output, &format!("{module} refused: {reason}"));
    let modules = machine.command("modules");
    let line = line_of(&modules, module);
    let says = line.contains("refused") && line.contains(reason);
    machine.check(says, &format!("modules says: {line}"));
    let processes = machine.command("ps");
    machine.check(
        !processes.contains(module),
        "the refused module has a process",
    );
    let output = machine.command(&format!("run {INTACT}"));
    machine.check_contains(&output, &format!("{INTACT} ended: exit code 0"));
}

/// Boots the system with a damaged module or list of its own.
fn boot_with(module: &str, damage: impl Fn(Vec<u8>) -> Vec<u8>) -> Machine {
    let image = images::system();
    let system_image = image.with_entries(&[(module, damage(image.entry(module)))]);
    let disk = image.variant(&format!("tampered-{module}"), &system_image);
    Machine::start(MachineConfig {
        disk,
        ..image.machine_without_tpm()
    })
}

#[test]
fn an_init_that_was_altered_stops_the_kernel() {
    let mut machine = boot_with("init", |file| flip(file, 1));
    machine.expect("the kernel stopped");
    let reason = machine.expect("machine is halted");
    machine.check_contains(&reason, "BLAKE3 hash does not match the manifest");
}

#[test]
fn a_list_of_all_modules_that_was_altered_stops_the_kernel() {
    let mut machine = boot_with(LIST, |file| flip(file, ML_DSA_AT));
    machine.expect("modules.nonos refused: ML-DSA-65 signature is not valid");
    machine.expect("the kernel stopped");
    let reason = machine.expect("machine is halted");
    machine.check_contains(&reason, "ML-DSA-65 signature is invalid");
}

#[test]
fn a_shell_that_was_altered_is_not_started() {
    let mut machine = boot_with("shell", |file| flip(file, 1));
    machine.expect("cannot start shell");
    let reason = machine.expect("\n");
    machine.check_contains(&reason, "BLAKE3 hash does not match the manifest");
}
