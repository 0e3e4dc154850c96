//! Modules that were tampered with: the kernel refuses them, says why, and goes on. The image around them is
//! properly signed, as if whoever made it had been careless or deceived.

use nonos_abi::Name;
use nonos_image::envelope::{ED25519_AT, ENVELOPE_BYTES, HEADER_BYTES, ML_DSA_AT};
use nonos_image::module::{self, Description};
use std::path::PathBuf;
use std::sync::OnceLock;
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::saved;
use xtask::keys::{Keys, PUBLISHER, Signer};
use xtask::qemu::MachineConfig;

/// A module that nobody tampered with, in the same image.
const INTACT: &str = "adv-not-granted";

/// Where the manifest says what the module needs (`nonos_image::module`).
const NEEDS_AT: usize = 136;

macro_rules! tampered {
    ($($test:ident: $module:literal, $damage:expr => $reason:literal;)+) => {
        $(
            #[test]
            fn $test() {
                expect_refused($module, $reason);
            }
        )+

        /// What is done to each module: from its intact file to the one in the image.
        const DAMAGES: &[(&str, fn(Vec<u8>) -> Vec<u8>)] = &[$(($module, $damage)),+];
    };
}

tampered! {
    a_module_whose_program_was_altered_is_not_run:
        "adv-cli", |file| { let last = file.len() - 1; flip(file, last) } => "BLAKE3 hash does not match the manifest";
    a_module_with_a_bad_ed25519_signature_is_not_run:
        "adv-divide", |file| flip(file, ED25519_AT + 5) => "Ed25519 signature is invalid";
    a_module_with_a_bad_ml_dsa_signature_is_not_run:
        "adv-opcode", |file| flip(file, ML_DSA_AT + 100) => "ML-DSA-65 signature is invalid";
    a_module_whose_manifest_asks_for_more_is_not_run:
        "adv-port", |file| flip(file, NEEDS_AT) => "Ed25519 signature is invalid";
    a_module_with_a_reserved_byte_of_the_manifest_set_is_not_run:
        "adv-null", |file| flip(file, HEADER_BYTES - 1) => "Ed25519 signature is invalid";
    a_module_with_a_byte_of_its_padding_set_is_not_run:
        "adv-sgdt", |file| flip(file, ENVELOPE_BYTES - 1) => "malformed";
    a_truncated_module_is_not_run:
        "adv-wrmsr", |mut file| { file.pop(); file } => "malformed";
    a_module_without_a_program_is_not_run:
        "adv-mov-cr", |file| file[..ENVELOPE_BYTES].to_vec() => "malformed";
    a_module_signed_by_another_key_is_not_run:
        "adv-leak", |file| sign_anew(&file, "adv-leak", images::unknown_keys(), Signer::Publisher, PUBLISHER)
        => "Ed25519 signature is invalid";
    a_module_by_an_unknown_publisher_is_not_run:
        "adv-spin", |file| sign_anew(&file, "adv-spin", images::unknown_keys(), Signer::Publisher, "somebody")
        => "publisher is not trusted";
    a_module_signed_by_the_image_key_is_not_run:
        "adv-sysret", |file| sign_anew(&file, "adv-sysret", own_keys(), Signer::Image, PUBLISHER)
        => "Ed25519 signature is invalid";
    the_module_of_another_name_is_not_run_in_its_place:
        "adv-interrupt", |_| images::with_adversaries().module(INTACT) => "malformed";
}

fn flip(mut file: Vec<u8>, offset: usize) -> Vec<u8> {
    file[offset] ^= 1;
    file
}

fn own_keys() -> &'static Keys {
    &images::with_adversaries().keys
}

/// The same program with a manifest of this name, signed by another pair of keys in the name of `publisher`.
fn sign_anew(file: &[u8], name: &str, keys: &Keys, signer: Signer, publisher: &str) -> Vec<u8> {
    let valid = |text| Name::new(text).expect("a valid name");
    let description = Description {
        name: valid(name),
        publisher: valid(publisher),
        version: valid("1"),
        security_version: 1,
        priority: 8,
        quota_pages: 256,
        needs: 0,
    };
    let signed = module::build(
        &description,
        &file[ENVELOPE_BYTES..],
        &images::secret(keys, signer),
    );
    signed.expect("a valid description")
}

/// A disk whose image has all of [`DAMAGES`].
fn disk() -> &'static PathBuf {
    static DISK: OnceLock<PathBuf> = OnceLock::new();
    DISK.get_or_init(|| {
        let image = images::with_adversaries();
        let damaged = DAMAGES
            .iter()
            .map(|(name, damage)| (*name, damage(image.module(name))));
        image.variant(
            "tampered-modules",
            &image.with_entries(&damaged.collect::<Vec<_>>()),
        )
    })
}

/// Runs a module that was tampered with, expects its refusal, and that an intact one still runs.
#[track_caller]
fn expect_refused(module: &str, reason: &str) {
    let image = images::with_adversaries();
    let config = MachineConfig {
        disk: disk().clone(),
        ..image.machine_without_tpm()
    };
    let mut machine = saved::at_prompt(&config);
    let output = machine.command(&format!("run {module}"));
    machine.check_contains(&output, &format!("{module} refused: {reason}"));
    let modules = machine.command("modules");
    let line = modules
        .lines()
        .find(|line| line.starts_with(module))
        .unwrap_or_default();
    machine.check(line.contains(reason), &format!("modules says: {line}"));
    let processes = machine.command("ps");
    machine.check(
        !processes.contains(module),
        "the refused module has a process",
    );
    let output = machine.command(&format!("run {INTACT}"));
    machine.check_contains(&output, &format!("{INTACT} ended: exit code 0"));
}

/// Boots the system with a damaged file of one of its own modules.
fn boot_with(module: &str, damage: impl Fn(Vec<u8>) -> Vec<u8>) -> Machine {
    let image = images::system();
    let system_image = image.with_entries(&[(module, damage(image.module(module)))]);
    let disk = image.variant(&format!("tampered-{module}"), &system_image);
    Machine::start(MachineConfig {
        disk,
        ..image.machine_without_tpm()
    })
}

#[test]
fn an_init_that_was_altered_stops_the_kernel() {
    let mut machine = boot_with("init", |file| flip(file, ENVELOPE_BYTES + 1));
    machine.expect("the kernel stopped");
    let reason = machine.expect("machine is halted");
    machine.check_contains(&reason, "BLAKE3 hash does not match the manifest");
}

#[test]
fn a_shell_that_was_altered_is_not_started() {
    let mut machine = boot_with("shell", |file| flip(file, ML_DSA_AT));
    machine.expect("cannot start shell");
    let reason = machine.expect("\n");
    machine.check_contains(&reason, "ML-DSA-65 signature is invalid");
}
