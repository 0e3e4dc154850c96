//! Power-off and restart really happen, and nothing of what users did stays in memory.

use system_tests::canary::Canary;
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::saved;

fn at_prompt() -> Machine {
    saved::at_prompt(&images::system().machine_without_tpm())
}

#[test]
fn poweroff_turns_the_machine_off() {
    let mut machine = at_prompt();
    machine.last_command("poweroff");
    let end = machine.expect_end();
    machine.check_equal(end.as_str(), "guest-shutdown", "how the machine ended");
}

#[test]
fn reboot_restarts_the_machine() {
    let mut machine = at_prompt();
    machine.allow_restart();
    machine.last_command("reboot");
    machine.expect_event("RESET");
    machine.expect_prompt();
    let output = machine.command("echo here again");
    machine.check_contains(&output, "here again");
}

#[test]
fn memory_is_wiped_at_poweroff() {
    expect_wiped_by("poweroff");
}

#[test]
fn memory_is_wiped_before_a_restart() {
    expect_wiped_by("reboot");
}

fn expect_wiped_by(command: &str) {
    let mut machine = at_prompt();
    machine.keep_after_power_off();
    let canary = Canary::plant_with_secrets(&mut machine);
    machine.last_command(command);
    machine.expect_event("SHUTDOWN");
    canary.expect_wiped(&mut machine);
}
