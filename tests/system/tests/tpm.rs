//! The TPM as the running system has it, with `tpm2-tools` as the verifier.

use nonos_image::Hex;
use sha2::{Digest, Sha256};
use std::fs;
use std::process::Command;
use system_tests::attack;
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::shell::{bytes, row};
use xtask::qemu::{MachineConfig, TpmKind};

const NONCE: &str = "00112233445566778899aabbccddeeff";

fn boot(tpm: TpmKind) -> Machine {
    let mut machine = Machine::start(MachineConfig {
        tpm,
        ..images::system().machine()
    });
    machine.expect_prompt();
    machine
}

/// The value of a PCR that `tpm` shows, and what it says of it.
fn pcr(report: &str, number: u32) -> (Vec<u8>, String) {
    let start = format!("{number:>2} ");
    let line = report
        .lines()
        .find_map(|line| line.get(2..)?.strip_prefix(&start));
    let line = line.unwrap_or_else(|| panic!("no PCR {number} in:\n{report}"));
    let (value, said) = line.split_once(' ').unwrap_or((line, ""));
    (bytes(value), said.trim().to_owned())
}

/// A part of what `tpm quote` shows: the indented lines below its name.
fn part(quote: &str, name: &str) -> Vec<u8> {
    let lines = quote.lines().skip_while(|line| line.trim_end() != name);
    let lines = lines.skip(1).take_while(|line| line.starts_with("  "));
    bytes(&lines.map(str::trim).collect::<String>())
}

fn a_quote_is_good_and_the_event_log_fits(kind: TpmKind, interface: &str) {
    let mut machine = boot(kind);
    let report = machine.command("tpm");
    machine.check_equal(row(&report, "Interface"), Some(interface), "interface");
    machine.check_equal(row(&report, "Manufacturer"), Some("IBM"), "manufacturer");
    machine.check_contains(
        row(&report, "Event log").unwrap_or_default(),
        "all PCRs that they extend fit",
    );
    let status = machine.command("status");
    let mut quoted = Sha256::new();
    for number in [0, 1, 2, 3, 4, 5, 6, 7, 11] {
        let (value, said) = pcr(&report, number);
        machine.check_equal(said.as_str(), "fits", "what is said of a PCR");
        // PCR 5 is extended once more when the firmware's services end, after the boot loader read it.
        if number != 5 {
            machine.check_contains(&status, &Hex(&value).to_string());
        }
        quoted.update(value);
    }

    let quote = machine.command(&format!("tpm quote {NONCE}"));
    let attested = part(&quote, "attested");
    machine.check(
        attested.ends_with(&quoted.finalize()),
        "the quote is of other PCRs",
    );
    for name in ["public", "attested", "signature"] {
        let file = machine.scratch().file(name);
        fs::write(file, part(&quote, name)).expect("the scratch folder is writable");
    }
    let check = |nonce: &str| {
        let line = ["-u", "public", "-m", "attested", "-s", "signature"];
        let mut tool = Command::new("tpm2_checkquote");
        tool.args(line).args(["-g", "sha256", "-q", nonce]);
        tool.current_dir(machine.scratch().path());
        let output = tool.output().expect("tpm2-tools are installed");
        output.status.success()
    };
    machine.check(check(NONCE), "tpm2_checkquote refuses the quote");
    let other = NONCE.replace("ff", "fe");
    machine.check(!check(&other), "tpm2_checkquote takes another nonce");
    let refused = machine.command("tpm quote 0g");
    machine.check_contains(&refused, "hexadecimal digits");
}

#[test]
fn a_quote_is_good_and_the_event_log_fits_through_the_command_response_buffer() {
    a_quote_is_good_and_the_event_log_fits(TpmKind::Crb, "command response buffer");
}

#[test]
fn a_quote_is_good_and_the_event_log_fits_through_the_fifo() {
    a_quote_is_good_and_the_event_log_fits(TpmKind::Tis, "FIFO (TIS)");
}

#[test]
fn without_a_tpm_the_driver_says_so() {
    let mut machine = boot(TpmKind::None);
    for command in ["tpm", "tpm quote"] {
        let said = machine.command(command);
        machine.check_contains(&said, "this machine has no such device");
    }
}

#[test]
fn a_tpm_that_ends_is_an_error_and_the_system_goes_on() {
    for kind in [TpmKind::Crb, TpmKind::Tis] {
        let mut machine = boot(kind);
        let failed = "the TPM: the device failed or did not answer";
        // The emulator ends: whatever it is asked, it answers with a failure or not at all.
        machine.signal_tpm("KILL");
        let said = machine.command("tpm");
        machine.check_contains(&said, failed);
        let said = machine.command("services");
        let driver = said.lines().find(|line| line.starts_with("tpm "));
        machine.check_contains(driver.unwrap_or_default(), "running");
    }
}

#[test]
fn a_program_gets_no_more_of_the_tpm_than_the_names_that_it_may_connect_to() {
    let mut machine = attack::at_prompt(1);
    let before = attack::services(&mut machine);
    let number = attack::run_beside(&mut machine, "adv-tpm", "waiting for the tpm");
    let refused = machine.command(&format!("grant {number} tpm-seal"));
    machine.check_contains(&refused, "does not ask for it");
    // Nothing is typed while it speaks: that would tear the echo.
    for (need, last) in [
        ("tpm", "waiting for the tpm-quote"),
        ("tpm-quote", "that was all"),
    ] {
        let output = machine.command(&format!("grant {number} {need}"));
        machine.check_contains(&output, &format!("may have {need}"));
        machine.wait_until(last, |machine| machine.transcript().contains(last));
    }
    let said = machine.transcript();
    let (_, said) = said
        .split_once("connecting to tpm: ")
        .unwrap_or_else(|| machine.fail("it tries nothing"));
    let of_sealing = [
        "denied: sealing: not granted",
        "denied: unsealing: not granted",
        "denied: the counter: not granted",
        "denied: incrementing the counter: not granted",
        "denied: what the vault keeps: not granted",
        "denied: overwriting what the vault keeps: not granted",
        "denied: extending a PCR: not granted",
        "denied: preparing it for the end of power: not granted",
    ];
    let of_quoting = [
        "denied: a quote: not granted",
        "denied: the certificate: not granted",
        "denied: opening a credential: not granted",
    ];
    let allowed = [
        "denied: a quote: this machine has no such device",
        "denied: the certificate: this machine has no such device",
        "denied: opening a credential: this machine has no such device",
    ];
    let expected = [&of_quoting[..], &of_sealing, &allowed, &of_sealing].concat();
    attack::check_output(&machine, said, &expected);
    attack::expect_unharmed(&mut machine, &before, "adv-tpm");
}
