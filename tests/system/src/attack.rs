//! What tests with attackers share: run one at the shell, and see that nothing else is worse than before.

use crate::images;
use crate::machine::Machine;
use crate::paging;
use crate::saved;

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
    for bad in ["ATTACK SUCCEEDED", "BROKEN"] {
        machine.check(!output.contains(bad), &format!("{bad} in:\n{output}"));
    }
    let mut rest = output;
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
    wait_for_end(machine, attacker);
    let after = services(machine);
    machine.check_equal(after.as_slice(), before, "the system's processes");
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

/// Waits until no process of this name is left. With several processors the shell may answer before `init` has let go of a
/// process that has ended, so a single look proves nothing.
#[track_caller]
pub fn wait_for_end(machine: &mut Machine, name: &str) {
    machine.wait_until(&format!("the end of {name}"), |machine| {
        !machine.command("ps").contains(name)
    });
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
            ["init", "console", "vault", "shell"]
                .iter()
                .any(|name| line.ends_with(name))
        })
        .collect()
}

/// Runs a program beside the shell and waits for its words: the number of its process.
///
/// With several processors the words come before or after the shell's. Only when both are there can something be typed: words that
/// come later would tear its echo.
#[track_caller]
pub fn run_beside(machine: &mut Machine, name: &str, words: &str) -> String {
    let said = |machine: &Machine| machine.transcript().matches(words).count();
    let before = said(machine);
    let output = machine.command(&format!("run {name} &"));
    let number = output.split("runs as process ").nth(1);
    let number = number.and_then(|rest| rest.split_whitespace().next());
    let number = number.unwrap_or_else(|| machine.fail(&format!("{name} does not run: {output}")));
    machine.wait_until(words, |machine| said(machine) > before);
    number.to_owned()
}

/// The attackers' modules that have their tests in other files than `adversaries.rs`.
pub fn is_tested_in(sources: &[&str], module: &str) -> bool {
    let quoted = format!("{module:?}");
    sources.iter().any(|source| source.contains(&quoted))
}
