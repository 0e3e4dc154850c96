//! What must not boot, and that it does not: the firmware refuses the boot loader, or the boot loader refuses
//! the system image. Each refusal names its own check, nothing of the refused code runs, and a key turns the machine off.

use nonos_image::envelope::{ED25519_AT, ENVELOPE_BYTES, HEADER_BYTES, ML_DSA_AT, PADDING_AT};
use std::path::{Path, PathBuf};
use system_tests::images::{self, Image};
use system_tests::machine::{Machine, PROMPT};
use system_tests::saved;
use system_tests::scratch::Scratch;
use xtask::qemu::{FIRMWARE_VARS, MachineConfig};

const ED25519: &str = "image signature Ed25519: found a signature that is not valid";
const ML_DSA: &str = "image signature ML-DSA-65: found a signature that is not valid";
const BLAKE3: &str = "image payload BLAKE3: found ";

/// Expects that the boot loader refuses with these words, that nothing runs after it, and that a key turns the machine off.
#[track_caller]
fn expect_refusal(machine: &mut Machine, reason: &str) {
    if machine.expect_any(&["nonos boot: REFUSED: ", PROMPT]).0 == 1 {
        machine.fail("the system runs, although its image was to be refused");
    }
    let text = machine.expect("\n");
    machine.check(
        text.contains(reason),
        &format!("refused, but not because of {reason:?}"),
    );
    machine.press_until_off("spc");
    let end = machine.expect_end();
    machine.check_equal(end.as_str(), "guest-shutdown", "how the refusal ended");
    let transcript = machine.transcript();
    let after = transcript
        .rsplit("REFUSED")
        .next()
        .unwrap_or_default()
        .trim_end();
    machine.check(
        after.lines().count() == 1,
        "something was said after the refusal",
    );
    let mut lines = transcript.lines().filter(|line| line.starts_with("nonos"));
    machine.check(
        lines.all(|line| line.starts_with("nonos boot: ")),
        "the kernel has run before the refusal",
    );
}

/// Boots a system image that has the size of the good one, and expects its refusal.
#[track_caller]
fn expect_image_refused(image: &Image, system_image: &[u8], reason: &str) {
    let scratch = Scratch::new();
    let disk = image.disk_with(&scratch, Some(system_image));
    let config = MachineConfig {
        disk,
        ..image.machine_without_tpm()
    };
    expect_refusal(&mut saved::before_boot(&config, &image.files.disk), reason);
}

/// Flips one bit at each of these offsets, one boot each.
#[track_caller]
fn expect_flips_refused(offsets: &[usize], reason: &str) {
    let image = images::system();
    for &offset in offsets {
        println!("offset {offset}");
        let mut system_image = image.system_image();
        system_image[offset] ^= 1 << (offset % 8);
        expect_image_refused(image, &system_image, reason);
    }
}

#[test]
fn a_flipped_byte_in_the_header_is_refused() {
    let (magic, security_version, version, payload_bytes, hash) = (0, 16, 24, 56, 72);
    let fields = [magic, security_version, version, payload_bytes, hash];
    expect_flips_refused(&fields, ED25519);
    expect_flips_refused(&[104, 305, HEADER_BYTES - 1], ED25519);
}

#[test]
fn a_flipped_byte_in_the_ed25519_signature_is_refused() {
    expect_flips_refused(
        &[ED25519_AT, ED25519_AT + 31, ED25519_AT + 32, ML_DSA_AT - 1],
        ED25519,
    );
}

#[test]
fn a_flipped_byte_in_the_ml_dsa_signature_is_refused() {
    expect_flips_refused(
        &[ML_DSA_AT, ML_DSA_AT + 47, ML_DSA_AT + 1700, PADDING_AT - 1],
        ML_DSA,
    );
}

#[test]
fn a_flipped_byte_in_the_padding_is_refused() {
    expect_flips_refused(
        &[PADDING_AT, PADDING_AT + 100, ENVELOPE_BYTES - 1],
        "image header: found 0x",
    );
}

#[test]
fn a_flipped_byte_in_the_payload_is_refused() {
    let end = images::system().system_image().len();
    let payload = end - ENVELOPE_BYTES;
    let middle = [
        ENVELOPE_BYTES + payload / 3,
        ENVELOPE_BYTES + payload / 2,
        ENVELOPE_BYTES + payload / 4 * 3,
    ];
    expect_flips_refused(&[ENVELOPE_BYTES, ENVELOPE_BYTES + 1], BLAKE3);
    expect_flips_refused(&middle, BLAKE3);
    expect_flips_refused(&[end - 2, end - 1], BLAKE3);
}

#[test]
fn a_refusal_that_nobody_reads_turns_the_machine_off() {
    let image = images::system();
    let scratch = Scratch::new();
    let mut system_image = image.system_image();
    system_image[0] ^= 1;
    let disk = image.disk_with(&scratch, Some(&system_image));
    let config = MachineConfig {
        disk,
        ..image.machine_without_tpm()
    };
    let mut machine = saved::before_boot(&config, &image.files.disk);
    machine.expect("nonos boot: REFUSED: ");
    let end = machine.expect_end();
    machine.check_equal(end.as_str(), "guest-shutdown", "how the refusal ended");
}

#[test]
fn an_image_signed_by_other_keys_is_refused() {
    let image = images::system();
    expect_image_refused(image, &image.signed_by(images::unknown_keys()), ED25519);
}

#[test]
fn a_valid_ed25519_signature_beside_an_ml_dsa_signature_by_another_key_is_refused() {
    let image = images::system();
    let mut system_image = image.with_security_version(xtask::image::SECURITY_VERSION);
    let foreign = image.signed_by(images::unknown_keys());
    assert_eq!(
        system_image[..ED25519_AT],
        foreign[..ED25519_AT],
        "both sign the same header"
    );
    system_image[ML_DSA_AT..PADDING_AT].copy_from_slice(&foreign[ML_DSA_AT..PADDING_AT]);
    expect_image_refused(image, &system_image, ML_DSA);
}

#[test]
fn a_valid_ml_dsa_signature_beside_an_ed25519_signature_by_another_key_is_refused() {
    let image = images::system();
    let mut system_image = image.with_security_version(xtask::image::SECURITY_VERSION);
    let foreign = image.signed_by(images::unknown_keys());
    system_image[ED25519_AT..ML_DSA_AT].copy_from_slice(&foreign[ED25519_AT..ML_DSA_AT]);
    expect_image_refused(image, &system_image, ED25519);
}

#[test]
fn a_list_of_modules_in_the_place_of_the_image_is_refused() {
    let image = images::system();
    let list = image.entry("modules.nonos");
    boot_refused(image, Some(&list), ED25519);
}

/// Boots from the start, with a disk that may have any other system image or none.
#[track_caller]
fn boot_refused(image: &Image, system_image: Option<&[u8]>, reason: &str) {
    let scratch = Scratch::new();
    let disk = image.disk_with(&scratch, system_image);
    expect_refusal(
        &mut Machine::start(MachineConfig {
            disk,
            ..image.machine_without_tpm()
        }),
        reason,
    );
}

#[test]
fn a_truncated_image_is_refused() {
    let image = images::system();
    let system_image = image.system_image();
    boot_refused(
        image,
        Some(&system_image[..system_image.len() - 1]),
        "image length: found ",
    );
    boot_refused(
        image,
        Some(&system_image[..ENVELOPE_BYTES]),
        "image length: found 0 bytes of payload",
    );
    boot_refused(
        image,
        Some(&system_image[..ENVELOPE_BYTES - 1]),
        "image length: found 4095 bytes",
    );
    boot_refused(image, Some(&[]), "image length: found 0 bytes");
}

#[test]
fn an_image_with_a_byte_too_many_is_refused() {
    let image = images::system();
    let mut system_image = image.system_image();
    system_image.push(0);
    boot_refused(image, Some(&system_image), "image length: found ");
}

#[test]
fn a_missing_image_is_refused() {
    boot_refused(
        images::system(),
        None,
        "system image: found no readable file",
    );
}

/// Boots version 2, then version 1, then version 2 again, on one machine.
fn expect_no_way_back(config: MachineConfig) {
    let image = images::system();
    let (old, new) = (Scratch::new(), Scratch::new());
    let old = image.disk_with(&old, Some(&image.with_security_version(1)));
    let new = image.disk_with(&new, Some(&image.with_security_version(2)));
    let mut machine = Machine::start(MachineConfig {
        disk: old.clone(),
        ..config
    });
    machine.expect_prompt();
    let mut machine = machine.start_again(&new);
    machine.expect_prompt();
    let mut machine = machine.start_again(&old);
    expect_refusal(
        &mut machine,
        "rollback: found security version 1, expected at least 2",
    );
    let mut machine = machine.start_again(&new);
    machine.expect_prompt();
}

#[test]
fn an_older_image_than_the_tpm_counter_allows_is_refused() {
    expect_no_way_back(images::system().machine());
}

#[test]
fn an_older_image_than_the_uefi_variable_allows_is_refused() {
    expect_no_way_back(images::system().machine_without_tpm());
}

/// Expects that the firmware refuses to start this boot loader.
#[track_caller]
fn expect_boot_loader_refused(boot_loader: &Path) {
    let image = images::system();
    let scratch = Scratch::new();
    let disk = image.disk_with_boot_loader(&scratch, boot_loader);
    let mut machine = Machine::start(MachineConfig {
        disk,
        ..image.machine_without_tpm()
    });
    if machine.expect_any(&["Access Denied", "nonos boot:"]).0 == 1 {
        machine.fail("the boot loader runs, although the firmware was to refuse it");
    }
}

#[test]
fn an_unsigned_boot_loader_is_refused_by_the_firmware() {
    expect_boot_loader_refused(&images::system().files.boot_loader_unsigned);
}

#[test]
fn a_boot_loader_signed_by_another_key_is_refused_by_the_firmware() {
    let scratch = Scratch::new();
    let signed = scratch.file("foreign.efi");
    let unsigned = &images::system().files.boot_loader_unsigned;
    images::unknown_keys()
        .sign_boot_loader(unsigned, &signed)
        .expect("sbsign signs");
    expect_boot_loader_refused(&signed);
}

/// The boot loader with one bit flipped, in the middle of the packed program.
fn flipped_boot_loader(scratch: &Scratch) -> PathBuf {
    let mut bytes = std::fs::read(&images::system().files.boot_loader).expect("the build left it");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    let flipped = scratch.file("flipped.efi");
    std::fs::write(&flipped, bytes).expect("the scratch folder is writable");
    flipped
}

#[test]
fn a_boot_loader_with_a_flipped_byte_is_refused_by_the_firmware() {
    expect_boot_loader_refused(&flipped_boot_loader(&Scratch::new()));
}

#[test]
fn a_damaged_boot_loader_is_refused_by_its_stub_where_the_firmware_checks_nothing() {
    let image = images::system();
    let scratch = Scratch::new();
    let mut machine = Machine::start(MachineConfig {
        disk: image.disk_with_boot_loader(&scratch, &flipped_boot_loader(&scratch)),
        vars: FIRMWARE_VARS.into(),
        ..image.machine_without_tpm()
    });
    machine.expect("nonos boot: REFUSED: boot loader: found it damaged");
    // The firmware has it back: it says so, and goes on without.
    if machine
        .expect_any(&["BdsDxe: failed to start", "nonos boot:"])
        .0
        == 1
    {
        machine.fail("the damaged boot loader runs");
    }
}

#[test]
fn a_processor_without_nx_is_refused() {
    let config = images::system().machine_without_tpm();
    expect_refusal(
        &mut Machine::start(MachineConfig {
            cpu_model: "max,-nx".into(),
            ..config
        }),
        "found no NX",
    );
}
