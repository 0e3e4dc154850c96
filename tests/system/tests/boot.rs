//! A good image boots, on every machine it is meant for, and says truly what it found.

use sha2::{Digest, Sha256};
use system_tests::images::{self, Image};
use system_tests::machine::{Machine, PROMPT};
use system_tests::shell::{is_marked, row};
use xtask::keys::Signer;
use xtask::qemu::{FIRMWARE_VARS, MachineConfig, TpmKind};

/// Boots from power-on to the prompt.
#[track_caller]
fn boot(config: MachineConfig) -> Machine {
    let mut machine = Machine::start(config);
    machine.expect_prompt();
    machine
}

#[test]
fn a_good_image_boots_under_secure_boot_with_a_tpm() {
    let mut machine = boot(images::system().machine());
    let status = machine.command("status");
    for (label, value) in [
        ("Secure Boot", "on"),
        ("Ed25519", "image signature checked, valid"),
        ("ML-DSA-65", "image signature checked, valid"),
        ("TPM 2.0", "present, image measured into PCR 11"),
        ("Rollback counter", "kept in the TPM"),
        ("W^X", "held"),
    ] {
        let found = row(&status, label).unwrap_or("nothing");
        machine.check(
            found.contains(value),
            &format!("status says of {label}: {found}"),
        );
        machine.check(
            !is_marked(&status, label),
            &format!("status warns of {label}"),
        );
    }
    let transcript = machine.transcript();
    for check in [
        "image signature Ed25519",
        "image signature ML-DSA-65",
        "image payload BLAKE3",
    ] {
        machine.check_contains(&transcript, check);
    }
}

#[test]
fn it_boots_with_the_other_kind_of_tpm() {
    let mut machine = boot(MachineConfig {
        tpm: TpmKind::Tis,
        ..images::system().machine()
    });
    let status = machine.command("status");
    machine.check_contains(
        row(&status, "TPM 2.0").unwrap_or_default(),
        "present, image measured",
    );
}

#[test]
fn it_boots_and_works_with_64_mb() {
    let mut machine = boot(MachineConfig {
        memory_mb: 64,
        ..images::system().machine()
    });
    let answer = machine.command("echo enough memory");
    machine.check_contains(&answer, "enough memory");
    let status = machine.command("status");
    machine.check_contains(
        row(&status, "Memory").unwrap_or_default(),
        "free for programs",
    );
}

#[test]
fn it_boots_with_more_memory_than_lies_below_4_gib() {
    boot(MachineConfig {
        memory_mb: 5120,
        ..images::system().machine_without_tpm()
    });
}

#[test]
fn it_boots_with_several_cpus() {
    boot(MachineConfig {
        cpus: 4,
        ..images::system().machine_without_tpm()
    });
}

#[test]
fn it_boots_on_an_intel_processor() {
    let cpu_model = "max,vendor=GenuineIntel".to_owned();
    boot(MachineConfig {
        cpu_model,
        ..images::system().machine_without_tpm()
    });
}

#[test]
fn it_boots_without_a_tpm_and_says_so() {
    let mut machine = boot(images::system().machine_without_tpm());
    let status = machine.command("status");
    for (label, value) in [
        ("TPM 2.0", "ABSENT"),
        ("PCRs", "absent"),
        ("Rollback counter", "UEFI VARIABLE only"),
    ] {
        machine.check_contains(row(&status, label).unwrap_or_default(), value);
        machine.check(
            is_marked(&status, label),
            &format!("status does not warn of {label}"),
        );
    }
}

#[test]
fn it_says_that_secure_boot_is_off_where_the_firmware_checks_nothing() {
    let vars = FIRMWARE_VARS.into();
    let mut machine = Machine::start(MachineConfig {
        vars,
        ..images::system().machine()
    });
    match machine.expect_any(&[PROMPT, "REFUSED"]).0 {
        0 => {
            let status = machine.command("status");
            machine.check_contains(row(&status, "Secure Boot").unwrap_or_default(), "OFF");
            machine.check(
                is_marked(&status, "Secure Boot"),
                "status does not warn of it",
            );
        }
        _ => {
            let reason = machine.expect("\n");
            machine.check_contains(&reason, "Secure Boot");
        }
    }
}

#[test]
fn pcr_11_follows_from_the_signed_image_and_its_keys() {
    let image = images::system();
    let mut machine = boot(image.machine());
    let status = machine.command("status");
    machine.check_contains(
        &status,
        &format!("PCR 11  {}", hex(&expected_pcr_11(image))),
    );
}

/// What a verifier computes from the image file: three events, each extended by its SHA-256 hash.
fn expected_pcr_11(image: &Image) -> [u8; 32] {
    let file = image.system_image();
    let header = file.first_chunk().expect("the image has a header");
    let header = nonos_image::image::Header::read(header).expect("the build makes valid headers");
    let version = format!(
        "nonos: version {}, security version {}",
        header.version.as_str(),
        header.security_version
    );
    let keys = image
        .keys
        .public(Signer::Image)
        .expect("the build left the keys")
        .to_bytes();
    let events: [&[u8]; 3] = [&header.payload_hash, version.as_bytes(), &keys];
    events.iter().fold([0; 32], |pcr, event| {
        Sha256::new()
            .chain_update(pcr)
            .chain_update(Sha256::digest(event))
            .finalize()
            .into()
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
