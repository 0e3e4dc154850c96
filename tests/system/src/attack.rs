//! What tests with attackers share: run one at the shell, and see that nothing else is worse than before.

use crate::images;
use crate::machine::Machine;
use crate::paging;
use crate::saved;
use crate::serial::text_without_log;

/// Numbers of CPUs that the tests run with.
pub const CPUS: [u32; 3] = [1, 2, 4];

/// A machine of so many CPUs with the attackers' modules, at the shell's prompt.
pub fn at_prompt(cpus: u32) -> Machine {
    saved::at_prompt(&images::with_adversaries().machine_with_cpus(cpus))
}

/// Runs an attacker in front and expects these words of it, in this order, and that nothing else is worse than before.
#[track_caller]
pub fn expect_repelled(cpus: u32, name: &str, expected: &[&str]) {
    let mut machine = at_prompt(cpus);
    let before = services(&mut machine);
    let output = machine.command(&format!("run {name}"));
    check_output(&machine, &output, expected);
    expect_unharmed(&mut machine, &before, name);
}

/// Expects these words of an attacker, in this order, and none that say that it succeeded.
#[track_caller]
pub fn check_output(machine: &Machine, output: &str, expected: &[&str]) {
    let output = text_without_log(output);
    for bad in ["ATTACK SUCCEEDED", "BROKEN"] {
        machine.check(!output.contains(bad), &format!("{bad} in:\n{output}"));
    }
    let mut rest = output.as_str();
    for words in expected {
        match rest.split_once(words) {
            Some((_, after)) => rest = after,
            None => machine.fail(&format!("expected {words:?} in:\n{output}")),
        }
    }
}

/// Expects the same services as before, no attacker, and page tables that keep the rules.
#[track_caller]
pub fn expect_unharmed(machine: &mut Machine, before: &[String], attacker: &str) {
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
pub fn services(machine: &mut Machine) -> Vec<String> {
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

/// Runs an attacker beside the shell and waits for its words: the number of its process.
#[track_caller]
pub fn run_beside(machine: &mut Machine, name: &str, words: &str) -> String {
    machine.send(&format!("run {name} &\r"));
    let (_, before) = machine.expect_any(&["runs as process "]);
    machine.check(!before.contains("unknown"), &before);
    let mut number = String::new();
    machine.wait_until("the number of the process", |machine| {
        let text = machine.pending();
        let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
        let complete = digits.len() < text.len() && !digits.is_empty();
        number = digits;
        complete
    });
    machine.expect(words);
    number
}

/// The attackers' modules that have their tests in other files than `adversaries.rs`.
pub fn is_tested_in(sources: &[&str], module: &str) -> bool {
    let quoted = format!("{module:?}");
    sources.iter().any(|source| source.contains(&quoted))
}
