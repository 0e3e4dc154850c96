//! When the kernel cannot go on: the report says what happened and where, shows no secrets, and memory is wiped.

use serde_json::json;
use system_tests::canary::Canary;
use system_tests::images;
use system_tests::machine::{HALTED, Machine, STOPPED};
use system_tests::saved;

/// Sends an NMI at that moment; returns the report.
#[track_caller]
fn interrupt_at_level(machine: &mut Machine, level: u64) -> String {
    machine.stop_at_level(level);
    machine.inject_nmi();
    machine.go_on();
    machine.expect(STOPPED);
    machine.expect(HALTED)
}

#[test]
fn an_nmi_in_the_kernel_is_reported_with_symbols_and_memory_is_wiped() {
    let mut machine = saved::at_prompt(&images::system().machine_without_tpm());
    let canary = Canary::plant_with_secrets(&mut machine);
    let report = interrupt_at_level(&mut machine, 0);
    machine.check_contains(&report, "non-maskable interrupt (vector 2");
    let place = report
        .lines()
        .find_map(|line| line.strip_prefix("  at "))
        .unwrap_or_default();
    machine.check(
        place.contains("nonos_") && place.contains("(kernel + 0x"),
        "no symbol says where",
    );
    machine.check(
        report.contains("  perhaps called from nonos_"),
        "no symbol says who called",
    );
    machine.check(
        !report.contains(canary.text()),
        "the report shows what a user typed",
    );
    let drawn = machine.picture().drawn_pixels();
    machine.check(drawn > 500, "the screen shows no report");
    canary.expect_wiped(&mut machine);
    let halted = machine.monitor(
        "human-monitor-command",
        json!({ "command-line": "info registers" }),
    );
    machine.check(
        halted.as_str().is_some_and(|text| text.contains("HLT=1")),
        "the processor is not halted",
    );
}

#[test]
fn an_nmi_while_a_program_runs_shows_nothing_of_the_program() {
    let mut machine = saved::at_prompt(&images::with_adversaries().machine_without_tpm());
    let canary = Canary::plant(&mut machine);
    machine.command("run adv-spin &");
    let report = interrupt_at_level(&mut machine, 3);
    machine.check_contains(&report, "non-maskable interrupt (vector 2");
    machine.check_contains(&report, "while a program ran");
    machine.check(
        !report.contains("rax"),
        "the report shows the program's registers",
    );
    canary.expect_wiped(&mut machine);
}
