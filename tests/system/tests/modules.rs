//! Modules that were tampered with: the kernel refuses them, says why, and goes on. The image around them is
//! properly signed, as if whoever made it had been careless or deceived.

use nonos_abi::Name;
use nonos_image::envelope::{ED25519_AT, HEADER_BYTES, ML_DSA_AT};
use nonos_image::module::{self, Description};
use system_tests::images::{self, Image};
use system_tests::machine::Machine;
use system_tests::scratch::Scratch;
use xtask::keys::{Keys, PUBLISHER, Signer};

/// The module that is tampered with. It needs nothing but the console.
const VICTIM: &str = "adv-bad-handle";

/// Boots with this file in the victim's place, runs it, and expects its refusal.
#[track_caller]
fn expect_refused(file: &[u8], reason: &str) {
    let image = images::with_adversaries();
    let scratch = Scratch::new();
    let mut machine = boot(image, &scratch, VICTIM, file);
    machine.expect_prompt();
    let output = machine.command(&format!("run {VICTIM}"));
    machine.check_contains(&output, &format!("{VICTIM} refused: {reason}"));
    let modules = machine.command("modules");
    machine.check_contains(&modules, reason);
    let processes = machine.command("ps");
    machine.check(
        !processes.contains(VICTIM),
        "the refused module has a process",
    );
    let output = machine.command("run adv-not-granted");
    machine.check_contains(&output, "ended");
}

fn boot(image: &Image, scratch: &Scratch, name: &str, file: &[u8]) -> Machine {
    let disk = image.disk_with(scratch, Some(&image.with_entry(name, file)));
    Machine::start(xtask::qemu::MachineConfig {
        disk,
        ..image.machine_without_tpm()
    })
}

/// The victim with one bit of one byte flipped.
fn flipped(offset: usize) -> Vec<u8> {
    let mut file = images::with_adversaries().module(VICTIM);
    file[offset] ^= 1;
    file
}

#[test]
fn a_module_whose_program_was_altered_is_not_run() {
    let last = images::with_adversaries().module(VICTIM).len() - 1;
    expect_refused(&flipped(last), "BLAKE3 hash does not match the manifest");
}

#[test]
fn a_module_with_a_bad_ed25519_signature_is_not_run() {
    expect_refused(&flipped(ED25519_AT + 5), "Ed25519 signature is invalid");
}

#[test]
fn a_module_with_a_bad_ml_dsa_signature_is_not_run() {
    expect_refused(&flipped(ML_DSA_AT + 100), "ML-DSA-65 signature is invalid");
}

#[test]
fn a_module_whose_manifest_asks_for_more_is_not_run() {
    // The lowest byte of what it needs (`nonos_image::module`).
    const NEEDS_AT: usize = 136;
    let mut file = images::with_adversaries().module(VICTIM);
    file[NEEDS_AT] |= nonos_abi::info::needs::POWER as u8;
    expect_refused(&file, "Ed25519 signature is invalid");
}

#[test]
fn a_module_with_a_flipped_reserved_byte_is_not_run() {
    expect_refused(&flipped(HEADER_BYTES - 1), "Ed25519 signature is invalid");
}

#[test]
fn a_truncated_module_is_not_run() {
    let file = images::with_adversaries().module(VICTIM);
    expect_refused(&file[..file.len() - 1], "malformed");
}

/// The victim's program, signed anew by `keys` in the name of `publisher`.
fn signed_by(keys: &Keys, publisher: &str) -> Vec<u8> {
    let file = images::with_adversaries().module(VICTIM);
    let elf = &file[nonos_image::envelope::ENVELOPE_BYTES..];
    let name = |text| Name::new(text).expect("a valid name");
    let description = Description {
        name: name(VICTIM),
        publisher: name(publisher),
        version: name("1"),
        security_version: 1,
        priority: 8,
        quota_pages: 256,
        needs: 0,
    };
    module::build(&description, elf, &images::secret(keys, Signer::Publisher))
        .expect("a valid description")
}

#[test]
fn a_module_signed_by_another_key_is_not_run() {
    expect_refused(
        &signed_by(images::unknown_keys(), PUBLISHER),
        "Ed25519 signature is invalid",
    );
}

#[test]
fn a_module_by_an_unknown_publisher_is_not_run() {
    expect_refused(
        &signed_by(images::unknown_keys(), "somebody"),
        "publisher is not trusted",
    );
}

#[test]
fn a_module_signed_by_the_image_key_is_not_run() {
    let keys = &images::with_adversaries().keys;
    let file = images::with_adversaries().module(VICTIM);
    let elf = &file[nonos_image::envelope::ENVELOPE_BYTES..];
    let name = |text| Name::new(text).expect("a valid name");
    let description = Description {
        name: name(VICTIM),
        publisher: name(PUBLISHER),
        version: name("1"),
        security_version: 1,
        priority: 8,
        quota_pages: 256,
        needs: 0,
    };
    let signed =
        module::build(&description, elf, &images::secret(keys, Signer::Image)).expect("valid");
    expect_refused(&signed, "Ed25519 signature is invalid");
}

#[test]
fn the_module_of_another_name_is_not_run_in_its_place() {
    let other = images::with_adversaries().module("adv-not-granted");
    expect_refused(&other, "malformed");
}

#[test]
fn an_init_that_was_altered_stops_the_kernel() {
    let image = images::system();
    let scratch = Scratch::new();
    let mut file = image.module("init");
    *file.last_mut().expect("init is not empty") ^= 1;
    let mut machine = boot(image, &scratch, "init", &file);
    machine.expect("the kernel stopped");
    let reason = machine.expect("machine is halted");
    machine.check_contains(&reason, "BLAKE3 hash does not match the manifest");
}

#[test]
fn a_shell_that_was_altered_is_not_started() {
    let image = images::system();
    let scratch = Scratch::new();
    let mut file = image.module("shell");
    file[ML_DSA_AT] ^= 1;
    let mut machine = boot(image, &scratch, "shell", &file);
    machine.expect("cannot start shell");
    let reason = machine.expect("\n");
    machine.check_contains(&reason, "ML-DSA-65 signature is invalid");
}
