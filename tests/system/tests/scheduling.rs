//! Programs that want everything for themselves, on machines with one, two and four CPUs: others go on, and they can be ended.

use system_tests::attack::{
    CPUS, at_prompt, check_output, expect_unharmed, run_beside, services, wait_for_end,
};
use system_tests::machine::Machine;

/// What the shell says of memory and of the number of processes, when all programs have ended.
#[track_caller]
fn memory(machine: &mut Machine) -> String {
    wait_for_end(machine, "adv-");
    machine.command("mem")
}

/// A machine that ran a program once: what that made and keeps is there.
fn warm(cpus: u32) -> (Machine, Vec<String>, String) {
    let mut machine = at_prompt(cpus);
    machine.command("run adv-null");
    let before = services(&mut machine);
    let memory = memory(&mut machine);
    (machine, before, memory)
}

/// Runs a program beside the shell, has the shell do things meanwhile, ends it; nothing of it is left.
#[track_caller]
fn expect_others_go_on(name: &str, words: &str) {
    for cpus in CPUS {
        let (mut machine, before, memory_before) = warm(cpus);
        let number = run_beside(&mut machine, name, words);
        let output = machine.command("echo beside it");
        machine.check_contains(&output, "beside it");
        let output = machine.command("run adv-not-granted");
        check_output(&machine, &output, &["denied: power", "ended: exit code 0"]);
        let output = machine.command("ps");
        machine.check_contains(&output, name);
        machine.command(&format!("kill {number}"));
        machine.command("run adv-null");
        let memory_after = memory(&mut machine);
        machine.check_equal(memory_after, memory_before, "memory afterwards");
        expect_unharmed(&mut machine, &before, name);
    }
}

#[test]
fn a_program_that_spins_on_all_processors_starves_nobody_and_can_be_ended() {
    expect_others_go_on("adv-all-cpus", "spinning on");
}

#[test]
fn a_flood_of_calls_signals_and_timers_stops_nobody() {
    expect_others_go_on("adv-flood", "flooding with");
}

#[test]
fn whoever_takes_all_it_can_get_is_refused_alone() {
    for cpus in CPUS {
        let (mut machine, before, memory_before) = warm(cpus);
        let number = run_beside(&mut machine, "adv-hoard", "holding");
        let output = machine.transcript();
        let expected = [
            "denied: hoarding notifications",
            "denied: hoarding endpoints",
            "denied: hoarding timers",
            "denied: hoarding small memories: the process's quota is used up",
            "denied: hoarding large memories: the process's quota is used up",
            "denied: hoarding threads",
            "denied: hoarding mappings",
            "denied: hoarding handles, kept",
            " 0 failed",
        ];
        check_output(&machine, &output, &expected);
        let output = machine.command("run adv-not-granted");
        check_output(&machine, &output, &["denied: power", "ended: exit code 0"]);
        machine.command(&format!("kill {number}"));
        machine.command("run adv-null");
        let memory_after = memory(&mut machine);
        machine.check_equal(memory_after, memory_before, "memory afterwards");
        expect_unharmed(&mut machine, &before, "adv-hoard");
    }
}

#[test]
fn a_million_random_system_calls_from_all_processors_do_no_harm() {
    for cpus in CPUS {
        let (mut machine, before, memory_before) = warm(cpus);
        let output = machine.command("run adv-fuzz");
        check_output(&machine, &output, &["survived: ", "ended: exit code 0"]);
        machine.command("run adv-null");
        let memory_after = memory(&mut machine);
        machine.check_equal(memory_after, memory_before, "memory afterwards");
        let status = machine.command("status");
        machine.check_contains(&status, "Secure Boot");
        expect_unharmed(&mut machine, &before, "adv-fuzz");
    }
}
