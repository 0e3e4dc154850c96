//! Several processors: all of them run, one that is busy disturbs nobody, and the end of the machine stops all.

use system_tests::attack::{run_beside, wait_for_end};
use system_tests::canary::Canary;
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::saved;
use system_tests::shell::row;
use xtask::qemu::MachineConfig;

/// A machine at the prompt.
#[track_caller]
fn machine(cpus: u32) -> Machine {
    saved::at_prompt(&MachineConfig {
        cpus,
        ..images::with_adversaries().machine_without_tpm()
    })
}

#[track_caller]
fn expect_processors(cpus: u32) {
    let mut machine = machine(cpus);
    let status = machine.command("status");
    let found = row(&status, "CPUs").unwrap_or("nothing");
    machine.check(
        found.split(' ').next() == Some(&cpus.to_string()),
        &format!("status says of the processors: {found}"),
    );
    machine.last_command("poweroff");
    let end = machine.expect_end();
    machine.check_equal(end.as_str(), "guest-shutdown", "how the machine ended");
}

#[test]
fn two_processors_run() {
    expect_processors(2);
}

#[test]
fn four_processors_run() {
    expect_processors(4);
}

#[test]
fn eight_processors_run() {
    expect_processors(8);
}

#[test]
fn busy_programs_on_other_processors_can_be_ended() {
    let mut machine = machine(4);
    let spin = |_| run_beside(&mut machine, "adv-spin", "spinning");
    let numbers: Vec<_> = (0..6).map(spin).collect();
    let list = machine.command("ps");
    machine.check_equal(list.matches("adv-spin").count(), 6, "programs that spin");
    for number in numbers {
        machine.command(&format!("kill {number}"));
    }
    wait_for_end(&mut machine, "adv-spin");
}

#[test]
fn memory_is_wiped_while_other_processors_are_busy() {
    let mut machine = machine(4);
    for _ in 0..3 {
        run_beside(&mut machine, "adv-spin", "spinning");
    }
    machine.keep_after_power_off();
    let canary = Canary::plant(&mut machine);
    machine.last_command("poweroff");
    machine.expect_event("SHUTDOWN");
    canary.expect_wiped(&mut machine);
}
