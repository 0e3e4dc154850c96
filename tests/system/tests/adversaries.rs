//! Attackers in user space: each ends in a denial or in the end of its own process, and the system goes on
//! as if nothing had been: the same processes, the same rules in every page table, a shell that answers.

use system_tests::attack::{
    CPUS, at_prompt, check_output, expect_repelled, expect_unharmed, is_tested_in, run_beside,
    services,
};
use system_tests::images;
use system_tests::machine::PROMPT;

macro_rules! attackers {
    ($($test:ident: $module:literal => [$($words:literal),+];)+) => {
        $(
            #[test]
            fn $test() {
                expect_repelled(1, $module, &[$($words),+]);
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
    reading_the_time_stamp_counter_without_permission_ends_the_process: "adv-rdtsc" => ["ended by fault: general protection"];
    so_does_the_other_instruction_that_reads_it: "adv-rdtscp" => ["ended by fault: general protection"];
    reading_a_performance_counter_ends_the_process: "adv-rdpmc" => ["ended by fault: general protection"];
    using_protection_keys_ends_the_process: "adv-wrpkru" => ["ended by fault: invalid opcode"];
    writing_xcr0_ends_the_process: "adv-xsetbv" => ["ended by fault: general protection"];
    using_avx_512_ends_the_process: "adv-avx512" => ["ended by fault: invalid opcode"];
    calling_an_interrupt_vector_ends_the_process: "adv-interrupt" => ["ended by fault: general protection"];
    reading_the_descriptor_table_register_ends_the_process: "adv-sgdt" => ["ended by fault: general protection"];
    a_breakpoint_ends_the_process: "adv-breakpoint" => ["ended by fault: breakpoint"];
    dividing_by_zero_ends_the_process: "adv-divide" => ["ended by fault: divide error"];
    an_invalid_opcode_ends_the_process: "adv-opcode" => ["ended by fault: invalid opcode"];
    calling_through_a_mistyped_pointer_ends_the_process: "adv-mistyped-call" =>
        ["ended by fault: invalid opcode: kCFI, called a function of another type"];
    writing_past_a_buffer_on_the_stack_ends_the_process: "adv-smash" => ["ended: exit code 102"];
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
        ["denied: all registers but the process's own number were zero", "ended: exit code 0"];
    what_a_program_leaves_in_extended_registers_no_other_finds: "adv-extended" =>
        ["denied: the upper halves of all AVX registers were zero at the start", "kept their registers", "ended: exit code 0"];
    random_system_calls_do_no_harm: "adv-random-calls" => ["survived:", "ended: exit code 0"];
}

#[test]
fn a_program_that_never_calls_the_kernel_starves_nobody_and_can_be_ended() {
    let mut machine = at_prompt(1);
    let before = services(&mut machine);
    machine.send("run adv-spin\r");
    machine.expect("spinning");
    machine.send("\x03");
    let output = machine.expect(&format!("\n{PROMPT}"));
    machine.check_contains(&output, "adv-spin ended: killed");

    let number = run_beside(&mut machine, "adv-spin", "spinning");
    let output = machine.command("echo beside it");
    machine.check_contains(&output, "beside it");
    machine.command(&format!("kill {number}"));
    expect_unharmed(&mut machine, &before, "adv-spin");
}

#[test]
fn one_attacker_after_another_leaves_the_system_unharmed() {
    for cpus in CPUS {
        let mut machine = at_prompt(cpus);
        let before = services(&mut machine);
        for name in TESTED {
            let output = machine.command(&format!("run {name}"));
            check_output(&machine, &output, &[&format!("{name} ended")]);
        }
        expect_unharmed(&mut machine, &before, "adv-");
    }
}

#[test]
fn every_attacker_has_its_test() {
    let attackers = images::with_adversaries().modules("adv-");
    assert!(!attackers.is_empty(), "the image has no attackers");
    let elsewhere = [
        include_str!("capabilities.rs"),
        include_str!("cet.rs"),
        include_str!("random.rs"),
        include_str!("scheduling.rs"),
        include_str!("tpm.rs"),
        include_str!("vault.rs"),
    ];
    let tested_here = |name: &str| TESTED.contains(&name) || name == "adv-spin";
    let known = |name: &&String| tested_here(name) || is_tested_in(&elsewhere, name);
    let untested: Vec<_> = attackers.iter().filter(|name| !known(name)).collect();
    assert!(untested.is_empty(), "no test for {untested:?}");
}
