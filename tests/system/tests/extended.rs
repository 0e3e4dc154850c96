//! The registers of x87, SSE and AVX: each thread's its own, by each of the instructions that keep them apart.

use system_tests::attack::{check_output, expect_unharmed, services};
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::saved;
use system_tests::shell::words;
use xtask::qemu::MachineConfig;

/// CPU models on which XSAVEOPT, XSAVE and FXSAVE are used.
const WITH_XSAVEOPT: &str = "max";
const WITH_XSAVE: &str = "max,-xsaveopt";
const WITH_FXSAVE: &str = "max,-xsave";

#[track_caller]
fn machine(cpu_model: &str, cpus: u32) -> Machine {
    saved::at_prompt(&MachineConfig {
        cpu_model: cpu_model.into(),
        ..images::with_adversaries().machine_with_cpus(cpus)
    })
}

#[test]
fn each_thread_has_its_own_registers_and_finds_nothing_of_others() {
    for (cpu_model, cpus) in [(WITH_XSAVEOPT, 2), (WITH_XSAVE, 1)] {
        let mut machine = machine(cpu_model, cpus);
        let before = services(&mut machine);
        // The second finds nothing of the first.
        for _ in 0..2 {
            let output = machine.command("run adv-extended");
            let expected = [
                "denied: the upper halves of all AVX registers were zero at the start",
                &format!("denied: {} threads kept their registers", 2 * cpus),
                "adv-extended ended: exit code 0",
            ];
            check_output(&machine, &output, &expected);
        }
        expect_unharmed(&mut machine, &before, "adv-extended");
    }
}

#[test]
fn without_avx_a_program_that_uses_it_ends() {
    // The second has AVX and a flaw for which it is off.
    for cpu_model in [WITH_FXSAVE, "Skylake-Server"] {
        let mut machine = machine(cpu_model, 1);
        let status = machine.command("status");
        machine.check_equal(words(&status, "XCR0 bits on"), vec!["none"], cpu_model);
        let output = machine.command("run adv-extended");
        let expected = [
            "denied: 2 threads kept their registers",
            "trying: AVX",
            "adv-extended ended by fault: invalid opcode",
        ];
        check_output(&machine, &output, &expected);
    }
}

#[test]
fn the_monitor_shows_the_registers_that_the_status_names() {
    for (cpu_model, expected) in [
        (WITH_XSAVEOPT, vec!["x87", "SSE", "AVX"]),
        (WITH_FXSAVE, vec!["none"]),
    ] {
        let mut machine = machine(cpu_model, 1);
        let status = machine.command("status");
        let named = words(&status, "XCR0 bits on");
        machine.check_equal(named.clone(), expected, cpu_model);
        let shown = machine.monitor_text("info registers");
        for (name, register) in [("AVX", "YMM15="), ("AVX-512", "ZMM")] {
            machine.check_equal(
                shown.contains(register),
                named.contains(&name),
                &format!("whether {register} is shown on {cpu_model}"),
            );
        }
    }
}
