//! Attackers in user space: each ends in a denial or in the end of its own process, and the system goes on
//! as if nothing had been: the same processes, the same rules in every page table, a shell that answers.

use system_tests::images;
use system_tests::machine::{Machine, PROMPT};
use system_tests::paging;
use system_tests::saved;

fn at_prompt() -> Machine {
    saved::at_prompt(&images::with_adversaries().machine_without_tpm())
}

/// Runs an attacker in front and expects these words of it, in this order, and that nothing else is worse than before.
#[track_caller]
fn expect_repelled(name: &str, expected: &[&str]) {
    let mut machine = at_prompt();
    let before = services(&mut machine);
    let output = machine.command(&format!("run {name}"));
    machine.check(!output.contains("ATTACK SUCCEEDED"), "the attack succeeded");
    let mut rest = output.as_str();
    for words in expected {
        match rest.split_once(words) {
            Some((_, after)) => rest = after,
            None => machine.fail(&format!("expected {words:?} in:\n{output}")),
        }
    }
    expect_unharmed(&mut machine, &before, name);
}

/// Expects the same services as before, no attacker, and page tables that keep the rules.
#[track_caller]
fn expect_unharmed(machine: &mut Machine, before: &[String], attacker: &str) {
    let after = services(machine);
    machine.check_equal(after.as_slice(), before, "the system's processes");
    let processes = machine.command("ps");
    machine.check(
        !processes.contains(attacker),
        "the attacker still has a process",
    );
    machine.stop();
    let dump = machine.dump_memory();
    let spaces = machine.address_spaces(&dump);
    for mappings in &spaces {
        let found = paging::violations(mappings);
        machine.check(found.is_empty(), &found.join("\n"));
    }
    let found = paging::writable_aliases_of_code(&spaces.concat());
    machine.check(found.is_empty(), &found.join("\n"));
}

/// Number and name of each service's process: one that was ended and started again has another number.
fn services(machine: &mut Machine) -> Vec<String> {
    let processes = machine.command("ps");
    let lines = processes.lines().map(|line| {
        line.split_whitespace()
            .take(2)
            .collect::<Vec<_>>()
            .join(" ")
    });
    lines
        .filter(|line| {
            ["init", "console", "shell"]
                .iter()
                .any(|name| line.ends_with(name))
        })
        .collect()
}

macro_rules! attackers {
    ($($test:ident: $module:literal => [$($words:literal),+];)+) => {
        $(
            #[test]
            fn $test() {
                expect_repelled($module, &[$($words),+]);
            }
        )+

        /// The attackers that have a test above.
        const TESTED: &[&str] = &[$($module),+];
    };
}

attackers! {
    switching_interrupts_off_ends_the_process: "adv-cli" => ["ended by fault: general protection"];
    writing_a_control_register_ends_the_process: "adv-mov-cr" => ["ended by fault: general protection"];
    writing_a_model_specific_register_ends_the_process: "adv-wrmsr" => ["ended by fault: general protection"];
    reading_a_port_ends_the_process: "adv-port" => ["ended by fault: general protection"];
    calling_an_interrupt_vector_ends_the_process: "adv-interrupt" => ["ended by fault: general protection"];
    reading_the_descriptor_table_register_ends_the_process: "adv-sgdt" => ["ended by fault: general protection"];
    a_breakpoint_ends_the_process: "adv-breakpoint" => ["ended by fault: breakpoint"];
    dividing_by_zero_ends_the_process: "adv-divide" => ["ended by fault: divide error"];
    an_invalid_opcode_ends_the_process: "adv-opcode" => ["ended by fault: invalid opcode"];
    reading_kernel_memory_ends_the_process: "adv-kernel-read" =>
        ["ended by fault: page fault: read from address 0xffffffff8"];
    writing_kernel_memory_ends_the_process: "adv-kernel-write" =>
        ["ended by fault: page fault: ", "address 0xffffffff8"];
    jumping_into_the_kernel_ends_the_process: "adv-kernel-jump" =>
        ["ended by fault: page fault: execute address 0xffffffff8"];
    reading_through_a_null_pointer_ends_the_process: "adv-null" =>
        ["ended by fault: page fault: read from address 0x0 (nothing mapped)"];
    writing_own_code_ends_the_process: "adv-write-code" =>
        ["ended by fault: page fault: write to address", "(not allowed)"];
    writing_own_constants_ends_the_process: "adv-write-constant" =>
        ["ended by fault: page fault: write to address", "(not allowed)"];
    executing_own_data_ends_the_process: "adv-execute-data" =>
        ["ended by fault: page fault: execute address", "(not allowed)"];
    executing_own_stack_ends_the_process: "adv-execute-stack" =>
        ["ended by fault: page fault: execute address", "(not allowed)"];
    overflowing_the_stack_ends_the_process: "adv-stack-overflow" =>
        ["ended by fault: page fault: write to address", "(nothing mapped)"];
    stepping_into_a_system_call_does_not_step_the_kernel: "adv-single-step" =>
        ["survived: the kernel was not stepped", "ended by fault: single-step or debug exception"];
    bad_stacks_and_flags_at_system_calls_do_not_matter: "adv-sysret" =>
        ["survived with flags", "ended by fault: general protection"];
    forged_handles_are_denied: "adv-bad-handle" => ["denied: no such handle", "ended: exit code 0"];
    messages_that_fit_no_operation_are_denied: "adv-bad-message" =>
        ["denied: an unknown operation", "random messages to each service", "ended: exit code 0"];
    what_was_not_granted_is_denied: "adv-not-granted" =>
        ["denied: power", "denied: running a module", "ended: exit code 0"];
    nothing_of_others_is_found_in_registers_messages_and_memory: "adv-leak" =>
        ["denied: all registers were zero at the start", "ended: exit code 0"];
    random_system_calls_do_no_harm: "adv-random-calls" => ["survived:", "ended: exit code 0"];
}

#[test]
fn a_program_that_never_calls_the_kernel_starves_nobody_and_can_be_ended() {
    let mut machine = at_prompt();
    let before = services(&mut machine);
    machine.send("run adv-spin\r");
    machine.expect("spinning");
    machine.send("\x03");
    let output = machine.expect(&format!("\n{PROMPT}"));
    machine.check_contains(&output, "adv-spin ended: killed");

    let output = machine.command("run adv-spin &");
    let number = output.split("runs as process ").nth(1);
    let number = number
        .and_then(|rest| rest.split_whitespace().next())
        .map(str::to_owned);
    let number =
        number.unwrap_or_else(|| machine.fail("the program does not run beside the shell"));
    machine.wait_until("the program's own words", |machine| {
        machine.transcript().matches("spinning").count() == 2
    });
    let output = machine.command("echo beside it");
    machine.check_contains(&output, "beside it");
    machine.command(&format!("kill {number}"));
    expect_unharmed(&mut machine, &before, "adv-spin");
}

#[test]
fn one_attacker_after_another_leaves_the_system_unharmed() {
    let mut machine = at_prompt();
    let before = services(&mut machine);
    for name in TESTED {
        let output = machine.command(&format!("run {name}"));
        machine.check_contains(&output, &format!("{name} ended"));
    }
    expect_unharmed(&mut machine, &before, "adv-");
}

#[test]
fn every_attacker_has_its_test() {
    let attackers = images::with_adversaries().modules("adv-");
    assert!(!attackers.is_empty(), "the image has no attackers");
    let tested_elsewhere = ["adv-spin"];
    let known = |name: &&String| {
        TESTED.contains(&name.as_str()) || tested_elsewhere.contains(&name.as_str())
    };
    let untested: Vec<_> = attackers.iter().filter(|name| !known(name)).collect();
    assert!(untested.is_empty(), "no test for {untested:?}");
}
