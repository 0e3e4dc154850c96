//! Control-flow enforcement by the CPU (CET): indirect branches land where they may, returns go where the call came from. QEMU
//! emulates no CPU that has it, so this is tested in Bochs.

use system_tests::attack::at_prompt;
use system_tests::bochs::Bochs;
use system_tests::images;
use system_tests::machine::PROMPT;

/// What each attacker is stopped by.
const ATTACKERS: [(&str, &str); 3] = [
    (
        "adv-cet-branch",
        "ended by fault: control protection: CET, branched to what is no target of branches",
    ),
    (
        "adv-cet-return",
        "ended by fault: control protection: CET, returned elsewhere than it was called from",
    ),
    (
        "adv-cet-write",
        "ended by fault: page fault: write to address",
    ),
];

const ROWS: [&str; 2] = ["CET shadow stack", "CET IBT"];

fn row<'a>(status: &'a str, name: &str) -> &'a str {
    let mut lines = status.lines();
    let found = lines.find(|line| line.contains(name));
    found.unwrap_or_else(|| panic!("no row {name:?} in:\n{status}"))
}

#[test]
fn a_program_that_branches_or_returns_where_it_must_not_ends() {
    let image = images::with_adversaries();
    let mut machine = Bochs::boot(image, &image.system_image());
    machine.expect(PROMPT);
    let status = machine.command("status");
    for name in ROWS {
        machine.check_contains(row(&status, name), " on ");
    }
    for (name, end) in ATTACKERS {
        let output = machine.command(&format!("run {name}"));
        machine.check_contains(&output, &format!("{name} {end}"));
    }
    // Threads that come and go have what is theirs, and debug exceptions come back from a stack of their own.
    let output = machine.command("run adv-busy");
    machine.check_contains(&output, "14 shown, 0 failed");
    for _ in 0..2 {
        let output = machine.command("run adv-single-step");
        machine.check_contains(&output, "survived: the kernel was not stepped");
    }
    let output = machine.command("echo still here");
    machine.check_contains(&output, "still here");
}

#[test]
fn without_it_in_the_processor_the_status_says_so_and_the_attacks_succeed() {
    let mut machine = at_prompt(1);
    let status = machine.command("status");
    for name in ROWS {
        machine.check_contains(row(&status, name), "ABSENT");
    }
    // What stops them in the other test is the CPU and nothing else.
    for (name, _) in ATTACKERS {
        let output = machine.command(&format!("run {name}"));
        machine.check_contains(&output, "ATTACK SUCCEEDED");
    }
}
