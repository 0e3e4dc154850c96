//! Control-flow enforcement by the CPU (CET): indirect branches land where they may, returns go where the call came from. QEMU
//! emulates no CPU that has it, so this is tested in Bochs.

use system_tests::altered;
use system_tests::attack::at_prompt;
use system_tests::bochs::Bochs;
use system_tests::images;
use system_tests::machine::{HALTED, PROMPT, STOPPED};

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

/// The row of a table in what the shell says.
fn row<'a>(status: &'a str, name: &str) -> &'a str {
    let mut lines = status.lines();
    let found = lines.find(|line| line.contains(name));
    found.unwrap_or_else(|| panic!("no row {name:?} in:\n{status}"))
}

/// Numbers of CPUs that the tests run with.
const CPUS: [u32; 2] = [1, 2];

#[test]
fn a_program_that_branches_or_returns_where_it_must_not_ends() {
    CPUS.into_iter().for_each(programs_that_stray_end);
}

fn programs_that_stray_end(cpus: u32) {
    let image = images::with_adversaries();
    let mut machine = Bochs::boot_with_cpus(cpus, image, &image.system_image());
    machine.expect(PROMPT);
    let status = machine.command("status");
    machine.check_contains(row(&status, "CPUs"), &format!(" {cpus} running"));
    // In part says that it is not on in the kernel.
    for name in ROWS {
        machine.check_contains(row(&status, name), " on  ");
    }
    let status = machine.command("status --mitigations");
    machine.check_contains(row(&status, "ITS"), "far jumps");
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
    // This processor has AVX-512, which is off, and keeps programs' registers as XSAVEOPT does that leaves out what has not changed.
    let output = machine.command("run adv-avx512");
    machine.check_contains(&output, "adv-avx512 ended by fault: invalid opcode");
    let output = machine.command("run adv-extended");
    machine.check_contains(&output, &format!("denied: {} threads kept", 2 * cpus));
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

/// Boots a kernel with some of its bytes changed and waits for the prompt.
fn altered_at_prompt(cpus: u32, alter: impl FnOnce(&mut Vec<u8>, &dyn Fn(&str) -> usize)) -> Bochs {
    let image = images::with_adversaries();
    let system_image = altered::system_image(image, alter);
    let mut machine = Bochs::boot_with_cpus(cpus, image, &system_image);
    machine.expect(PROMPT);
    machine
}

/// Runs a program that ends by a fault, and returns the report of the kernel's end.
fn report_at_fault(machine: &mut Bochs) -> String {
    machine.last_command("run adv-null");
    machine.expect(STOPPED);
    let report = machine.expect(HALTED);
    // All CPUs halted, by an interrupt that has a shadow stack of its own.
    machine.check_no_shutdown();
    report
}

/// Runs when a program ends by a fault.
const END_PROCESS: &str = "<nonos_kernel_core::kernel::Kernel>::end_process";

#[test]
fn a_function_of_the_kernel_that_overwrites_its_return_address_stops_it() {
    // add qword ptr [rsp], 1; ret
    const OVERWRITE: &[u8] = &[0x48, 0x83, 0x04, 0x24, 0x01, 0xC3];
    for cpus in CPUS {
        let mut machine = altered_at_prompt(cpus, |kernel, place| {
            altered::replace(kernel, place(END_PROCESS), &[], OVERWRITE);
        });
        let report = report_at_fault(&mut machine);
        let cause = "CET: returned elsewhere (vector 21, error code 0x1)";
        machine.check_contains(&report, cause);
        machine.check_contains(&report, &format!("  at {END_PROCESS}"));
    }
}

#[test]
fn on_a_processor_that_tracks_no_branches_the_kernel_has_shadow_stacks_and_retpolines() {
    // As on AMD's: what the kernel learns from CPUID of branch tracking is no. xor eax, eax; ret
    const TRACKING: &str = "nonos_hal::protection::has_branch_tracking";
    const NO: &[u8] = &[0x31, 0xC0, 0xC3];
    // add qword ptr [rsp], 1; ret
    const OVERWRITE: &[u8] = &[0x48, 0x83, 0x04, 0x24, 0x01, 0xC3];
    let mut machine = altered_at_prompt(2, |kernel, place| {
        altered::replace(kernel, place(TRACKING), &[], NO);
        altered::replace(kernel, place(END_PROCESS), &[], OVERWRITE);
    });
    // Until here lines of the log were written, with indirect branches, before and after the kernel had its shadow stacks.
    let status = machine.command("status");
    machine.check_contains(row(&status, "CET shadow stack"), " on  ");
    machine.check_contains(row(&status, "CET IBT"), "IN PART");
    let status = machine.command("status --mitigations");
    machine.check_contains(row(&status, "ITS"), "retpolines, aligned returns");
    let report = report_at_fault(&mut machine);
    let cause = "CET: returned elsewhere (vector 21, error code 0x1)";
    machine.check_contains(&report, cause);
    machine.check_contains(&report, &format!("  at {END_PROCESS}"));
}

#[test]
fn a_branch_of_the_kernel_to_what_is_no_target_stops_it() {
    // Called through a table for each piece of a line of the log, some of them after the kernel enforces its control flow.
    const FUNCTION: &str = "<nonos_kernel_core::log::Line as core::fmt::Write>::write_str";
    const ENDBR64: &[u8] = &[0xF3, 0x0F, 0x1E, 0xFA];
    const NOTHING: &[u8] = &[0x0F, 0x1F, 0x40, 0x00];
    let image = images::with_adversaries();
    let system_image = altered::system_image(image, |kernel, place| {
        altered::replace(kernel, place(FUNCTION), ENDBR64, NOTHING);
    });
    let mut machine = Bochs::boot_with_cpus(2, image, &system_image);
    machine.expect(STOPPED);
    let report = machine.expect(HALTED);
    machine.check_no_shutdown();
    let cause = "CET: branched elsewhere (vector 21, error code 0x3)";
    machine.check_contains(&report, cause);
    machine.check_contains(&report, &format!("  at {FUNCTION}"));
}

#[test]
fn a_fault_without_a_stack_is_reported_on_stacks_of_its_own() {
    // xor esp, esp; push rax: neither this nor the fault that it is can be pushed.
    const NO_STACK: &[u8] = &[0x31, 0xE4, 0x50];
    let mut machine = altered_at_prompt(1, |kernel, place| {
        altered::replace(kernel, place(END_PROCESS), &[], NO_STACK);
    });
    let report = report_at_fault(&mut machine);
    machine.check_contains(&report, "double fault (vector 8");
    machine.check_contains(&report, &format!("  at {END_PROCESS}"));
}

#[test]
fn a_kernel_that_stops_enforcing_its_control_flow_is_stopped() {
    // No branches are tracked any more, and the stacks that gates select have other shadow stacks.
    for (register, value, cause) in [
        (0xA2, 1, "S_CET was changed to 0x1"),
        (0xA8, 8, "the kernel's shadow stack was replaced"),
    ] {
        // mov ecx, 0x600 + register; mov eax, value; cdq; wrmsr; ret
        let code = [
            0xB9, register, 0x06, 0, 0, 0xB8, value, 0, 0, 0, 0x99, 0x0F, 0x30, 0xC3,
        ];
        let mut machine = altered_at_prompt(1, |kernel, place| {
            altered::replace(kernel, place(END_PROCESS), &[], &code);
        });
        let report = report_at_fault(&mut machine);
        machine.check_contains(&report, cause);
    }
}

#[test]
fn debug_exceptions_in_the_kernel_come_back_each_time() {
    // In the way of every interrupt from user space there is a fence of three bytes: int1, which is on shadow stacks of its own.
    const FENCE: &[u8] = &[0x0F, 0xAE, 0xE8];
    const INT1: &[u8] = &[0xF1, 0x90, 0x90];
    let mut machine = altered_at_prompt(1, |kernel, place| {
        let start = place("nonos_interrupted");
        let fence = kernel[start..].windows(3).position(|bytes| bytes == FENCE);
        let fence = start + fence.expect("there is a fence");
        altered::replace(kernel, fence, FENCE, INT1);
    });
    for _ in 0..2 {
        let output = machine.command("run adv-null");
        machine.check_contains(&output, "adv-null ended by fault: page fault");
    }
}
