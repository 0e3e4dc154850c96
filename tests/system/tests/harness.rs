//! The harness itself, shown on a machine with nothing but its firmware: what it sees is there, before any
//! test of the system relies on it.

use std::fs::File;
use std::path::PathBuf;
use system_tests::cpu::{CR0_PG, EFER_LMA, Registers};
use system_tests::machine::Machine;
use system_tests::paging;
use system_tests::scratch::Scratch;
use xtask::qemu::{FIRMWARE_VARS, MachineConfig, TpmKind};

/// A disk with nothing on it.
fn empty_disk(scratch: &Scratch) -> PathBuf {
    let path = scratch.file("empty.img");
    File::create(&path)
        .and_then(|file| file.set_len(1 << 20))
        .expect("the scratch folder is writable");
    path
}

/// A machine without a system.
fn bare_machine(scratch: &Scratch, tpm: TpmKind) -> MachineConfig {
    MachineConfig {
        tpm,
        ..MachineConfig::new(empty_disk(scratch), FIRMWARE_VARS)
    }
}

/// A machine in the firmware's own shell.
fn firmware_shell(config: MachineConfig) -> Machine {
    let mut machine = Machine::start(config);
    machine.expect("seconds to skip");
    machine.press(&["esc"]);
    machine.expect("Shell> ");
    machine
}

#[test]
fn keys_memory_registers_and_screen_are_seen_from_outside() {
    let scratch = Scratch::new();
    let mut machine = firmware_shell(bare_machine(&scratch, TpmKind::None));
    for key in ["e", "c", "h", "o", "spc", "x", "7", "x"] {
        machine.press(&[key]);
    }
    machine.expect("echo x7x");
    machine.press(&["ret"]);
    machine.expect("\nx7x");
    // The shell keeps what a command returned in a variable, for which the firmware is in a mode of its own.
    let mut registers = Registers::default();
    machine.wait_until("the end of system-management mode", |machine| {
        registers = machine.registers();
        registers.smm == 0
    });
    assert_ne!(registers.cr0 & CR0_PG, 0);
    assert_ne!(registers.efer & EFER_LMA, 0);
    let dump = machine.dump_memory();
    let mappings = machine.mappings(&dump, registers.cr3);
    let code = mappings.iter().find(|mapping| mapping.holds(registers.rip));
    assert!(code.is_some_and(|page| page.executable), "{code:?}");
    // The firmware keeps none of the rules: the checks see that.
    let found = paging::violations(&mappings);
    for what in [
        "writable and executable",
        "kernel page in the lower half",
        "identity-mapped",
    ] {
        assert!(
            found.iter().any(|violation| violation.starts_with(what)),
            "{what}"
        );
    }
    assert!(!paging::writable_aliases_of_code(&mappings).is_empty());
    assert!(machine.picture().drawn_pixels() > 1000);
}

#[test]
fn a_saved_machine_goes_on_where_it_was_with_its_tpm() {
    for tpm in [TpmKind::None, TpmKind::Crb] {
        let scratch = Scratch::new();
        let config = bare_machine(&scratch, tpm);
        let mut machine = firmware_shell(config.clone());
        let saved = scratch.file("saved");
        machine.save(&saved);
        drop(machine);
        for _ in 0..2 {
            let mut machine = Machine::restore(config.clone(), &[], &saved);
            machine.send("echo still here\r");
            machine.expect("\nstill here");
            machine.send("reset -s\r");
            assert_eq!(machine.expect_end(), "guest-shutdown");
        }
    }
}

#[test]
fn a_reset_ends_the_machine_unless_it_may_restart() {
    let scratch = Scratch::new();
    let mut machine = firmware_shell(bare_machine(&scratch, TpmKind::None));
    machine.allow_restart();
    machine.send("reset\r");
    machine.expect_event("RESET");
    machine.expect("seconds to skip");
    machine.press(&["esc"]);
    machine.expect("Shell> ");
    let disk = scratch.file("empty.img");
    machine.send("reset -s\r");
    machine.expect_end();
    let mut machine = machine.start_again(&disk);
    machine.expect("seconds to skip");
    machine.press(&["esc"]);
    machine.expect("Shell> ");
    machine.send("reset\r");
    assert_eq!(machine.expect_end(), "guest-reset");
}
