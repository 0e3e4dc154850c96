//! Services that end while they are in use, and what the user grants and takes back while a program runs.

use system_tests::images;
use system_tests::machine::{Machine, PROMPT};
use system_tests::saved;

fn at_prompt() -> Machine {
    saved::at_prompt(&images::system().machine_without_tpm())
}

/// The words of a service's line in `services`.
#[track_caller]
fn service(machine: &mut Machine, name: &str) -> Vec<String> {
    let services = machine.command("services");
    let line = services.lines().find(|line| line.starts_with(name));
    let line = line.unwrap_or_else(|| machine.fail(&format!("no {name} in:\n{services}")));
    line.split_whitespace().map(str::to_owned).collect()
}

/// Starts the program that asks for more than it is granted, beside the shell; returns its number.
#[track_caller]
fn start_meter(machine: &mut Machine) -> u64 {
    machine.send("run meter &\r");
    machine.expect("meter: waiting: not granted");
    machine.send("\r");
    machine.expect(PROMPT);
    machine.number_of("meter")
}

/// What the shell shows of the handles to an object.
#[track_caller]
fn handles(machine: &mut Machine, process: u64, object: &str) -> Vec<String> {
    let shown = machine.command(&format!("caps {process}"));
    let lines = shown.lines().filter(|line| line.contains(object));
    lines.map(str::to_owned).collect()
}

#[test]
fn a_console_that_is_killed_starts_again_and_the_shell_goes_on() {
    let mut machine = at_prompt();
    let console = machine.number_of("console");
    let shell = machine.number_of("shell");
    let output = machine.command(&format!("kill {console}"));
    machine.check_contains(&output, "console starts again in 100 ms");
    let output = machine.command("echo the same shell");
    machine.check_contains(&output, "the same shell");
    let after = machine.number_of("shell");
    machine.check_equal(after, shell, "the shell's process");
    let state = service(&mut machine, "console");
    machine.check_equal(
        state[2..].join(" ").as_str(),
        "1 running",
        "the console's state",
    );
    let output = machine.keyboard_command("echo keys work");
    machine.check_contains(&output, "keys work");
}

#[test]
fn a_shell_that_is_killed_starts_again_with_all_that_it_may_have() {
    let mut machine = at_prompt();
    let shell = machine.number_of("shell");
    machine.send(&format!("kill {shell}\r"));
    // The prompt that this was typed at is not seen again.
    machine.expect(&format!("kill {shell}\n"));
    machine.expect(PROMPT);
    let log = machine.command("log");
    machine.check_contains(&log, "shell starts again in 100 ms");
    let after = machine.number_of("shell");
    machine.check(after != shell, "it is another process");
    let output = machine.command("caps");
    machine.check_contains(
        &output,
        "console system-info power log-read spawn audit supervise",
    );
    machine.check_contains(&output, "documents");
}

#[test]
fn each_restart_waits_longer_than_the_one_before() {
    let mut machine = at_prompt();
    for wait in ["100 ms", "200 ms", "400 ms"] {
        let console = machine.number_of("console");
        let output = machine.command(&format!("kill {console}"));
        machine.check_contains(&output, &format!("console starts again in {wait}"));
    }
    let state = service(&mut machine, "console");
    machine.check_equal(
        state[2..].join(" ").as_str(),
        "3 running",
        "the console's state",
    );
}

#[test]
fn what_is_granted_to_a_running_program_can_be_revoked_at_once() {
    let mut machine = at_prompt();
    let meter = start_meter(&mut machine);
    machine.send(&format!("grant {meter} system-info\r"));
    machine.expect("KiB are free");
    machine.send("\r");
    machine.expect(PROMPT);
    let held = handles(&mut machine, meter, "system information");
    machine.check(
        held.len() == 1 && held[0].contains(" r---- "),
        &format!("{held:?}"),
    );
    machine.check(held[0].contains("never"), &held[0]);

    machine.send(&format!("revoke {meter} system-info\r"));
    machine.expect("its handles are dead");
    machine.expect("meter: the handle was revoked");
    machine.expect("meter: waiting: not granted");
    machine.send("\r");
    machine.expect(PROMPT);
    let held = handles(&mut machine, meter, "system information");
    machine.check(held.is_empty(), &format!("{held:?}"));
    let audit = machine.command("audit");
    let denial = audit.lines().find(|line| line.contains("meter"));
    let denial = denial.unwrap_or_default().to_owned();
    machine.check_contains(&denial, "revoked");
    machine.check_contains(&denial, "SystemRead");
    let output = machine.command(&format!("revoke {meter} system-info"));
    machine.check_contains(&output, "not granted to this program");
}

#[test]
fn what_is_granted_for_a_time_expires() {
    let mut machine = at_prompt();
    let meter = start_meter(&mut machine);
    machine.send(&format!("grant {meter} system-info 3\r"));
    machine.expect("KiB are free");
    machine.expect("meter: the handle has expired");
    machine.expect("meter: waiting: not granted");
    machine.send("\r");
    machine.expect(PROMPT);
    let audit = machine.command("audit");
    machine.check_contains(&audit, "expired");
    let output = machine.command(&format!("grant {meter} system-info"));
    machine.check_contains(&output, "until it ends or you revoke it");
}

#[test]
fn nothing_is_granted_that_the_manifest_does_not_ask_for_or_the_shell_does_not_hold() {
    let mut machine = at_prompt();
    let meter = start_meter(&mut machine);
    let console = machine.number_of("console");
    for (line, answer) in [
        (
            format!("grant {meter} power"),
            "manifest does not ask for it",
        ),
        (format!("grant {meter} console"), "may have it already"),
        (
            format!("grant {console} power"),
            "manifest does not ask for it",
        ),
        (
            format!("grant {meter} everything"),
            "there is no need named everything",
        ),
        ("grant 4000 power".to_owned(), "no process of this number"),
        ("grant 1 power".to_owned(), "no process of this number"),
        ("kill 1".to_owned(), "no process of this number"),
        ("revoke 4000 power".to_owned(), "no process of this number"),
        (
            format!("grant {meter} power 0"),
            "usage: grant PID NEED [SECONDS]",
        ),
        ("grant".to_owned(), "usage: grant PID NEED [SECONDS]"),
    ] {
        let output = machine.command(&line);
        machine.check_contains(&output, answer);
    }
    // Taken back from a driver and given back: the shell does not hold the serial port itself.
    let output = machine.command(&format!("revoke {console} log-write"));
    machine.check_contains(&output, "its handles are dead");
    let output = machine.command(&format!("grant {console} log-write"));
    machine.check_contains(&output, "does not hold it either");
}

#[test]
fn a_console_that_loses_the_screen_or_the_shell_its_console_starts_again() {
    let mut machine = at_prompt();
    let console = machine.number_of("console");
    machine.send(&format!("revoke {console} framebuffer\r"));
    machine.expect("console starts again");
    machine.expect(PROMPT);
    let shell = machine.number_of("shell");
    machine.send(&format!("revoke {shell} console\r"));
    machine.expect(&format!("revoke {shell} console\n"));
    machine.expect(PROMPT);
    let log = machine.command("log");
    machine.check_contains(&log, "shell starts again");
    let output = machine.command("echo all is well");
    machine.check_contains(&output, "all is well");
    let state = service(&mut machine, "console");
    machine.check_equal(
        state[2..].join(" ").as_str(),
        "1 running",
        "the console's state",
    );
}
