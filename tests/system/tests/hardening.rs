//! What the compiler put into the binaries: that it is there, and that it stops what it is there for.

use serde_json::json;
use system_tests::altered;
use system_tests::attack::{at_prompt, run_beside};
use system_tests::gdb::{Debugger, Register};
use system_tests::images;
use system_tests::machine::{HALTED, Machine, STOPPED};
use system_tests::scratch::Scratch;
use xtask::harden::Report;
use xtask::qemu::MachineConfig;

/// Boots the kernel with some of its bytes changed, and returns its report.
fn report_of_altered_kernel(alter: impl FnOnce(&mut Vec<u8>, &dyn Fn(&str) -> usize)) -> String {
    let image = images::system();
    let scratch = Scratch::new();
    let system_image = altered::system_image(image, alter);
    let mut machine = Machine::start(MachineConfig {
        disk: image.disk_with(&scratch, Some(&system_image)),
        ..image.machine_with_cpus(2)
    });
    machine.expect(STOPPED);
    machine.expect(HALTED)
}

#[test]
fn the_binaries_hold_every_protection() {
    let report = Report::of(&images::system().files).expect("the binaries can be read");
    assert!(report.holds(), "\n{}", report.table());
}

#[test]
fn a_call_to_a_function_of_another_type_stops_the_kernel() {
    // The number of the type before the function that other CPUs are given to call.
    let report = report_of_altered_kernel(|kernel, place| {
        kernel[place("nonos_hal::run::run_cpu") - 4] ^= 1;
    });
    assert!(
        report.contains("kCFI: called a function of another type"),
        "{report}"
    );
    assert!(
        report.contains("  at nonos_hal::smp::start_cpu"),
        "{report}"
    );
}

/// A function with a protected stack that runs at every boot.
const VERIFY: &str = "nonos_image::list::verify";

#[test]
fn a_function_that_finds_its_stack_overwritten_stops_the_kernel() {
    // The function keeps the stack pointer and not the value it looks for at its end: as if somebody had written there meanwhile.
    const KEEP_RAX: [[u8; 4]; 2] = [[0x48, 0x89, 0x44, 0x24], [0x48, 0x89, 0x84, 0x24]];
    const RAX_TO_RSP: u8 = 0x20;
    let report = report_of_altered_kernel(|kernel, place| {
        let function = place(VERIFY);
        let first = kernel[function..]
            .windows(4)
            .position(|bytes| KEEP_RAX.iter().any(|keep| keep == bytes))
            .expect("the value is kept");
        kernel[function + first + 2] ^= RAX_TO_RSP;
    });
    assert!(
        report.contains("a function wrote past its part of the stack"),
        "{report}"
    );
    assert!(
        report.contains(&format!("  perhaps called from {VERIFY}")),
        "{report}"
    );
}

#[test]
fn a_check_that_fails_stops_the_kernel_and_the_report_says_where() {
    // What the compiler has a failed bound, sum or assertion lead to.
    const UD2: [u8; 2] = [0x0F, 0x0B];
    let report = report_of_altered_kernel(|kernel, place| {
        let function = place(VERIFY);
        kernel[function..function + UD2.len()].copy_from_slice(&UD2);
    });
    assert!(
        report.contains("a check in its code failed (vector 6"),
        "{report}"
    );
    assert!(
        report.contains(&format!("  at {VERIFY} + 0x0 ")),
        "{report}"
    );
    assert!(report.contains("  perhaps called from nonos_"), "{report}");
}

/// Where the compiler has the stack protector's value read, behind GS.
const STACK_GUARD: u64 = 0x28;
/// A processor's part of what GS points to.
const PER_PROCESSOR: u64 = 512;

/// Called by a protected function at each interrupt; and while a report is written.
const HANDLE: &str = "<nonos_kernel_core::kernel::Kernel>::handle";
const WRITE_REPORT: &str = "<nonos_hal::report::Report as core::fmt::Write>::write_str";

/// Changes what protected functions keep of their processor's value on the stack: of all that have called what is at this address. (A copy
/// that an earlier function has left there means nothing, and cannot be told from one that is kept.) Waits until it is called on this
/// processor.
fn overwrite_stack(debugger: &mut Debugger, called: u64, processor: u64) {
    let gs = loop {
        debugger.run_to(called);
        let gs = debugger.read(Register::GsBase);
        if gs % 4096 / PER_PROCESSOR == processor {
            break gs;
        }
        debugger.step();
    };
    let value = debugger.read_memory(gs + STACK_GUARD, 8).expect("a value");
    let changed: Vec<u8> = value.iter().map(|byte| !byte).collect();
    let mut copies = 0;
    let mut word = debugger.read(Register::Rsp);
    while let Some(found) = debugger.read_memory(word, 8) {
        if found == value && word != gs + STACK_GUARD {
            debugger.write_memory(word, &changed);
            copies += 1;
        }
        word += 8;
    }
    assert_ne!(copies, 0, "no protected function is on the stack");
}

/// The address of a function in the kernel of a machine that stands still.
fn address_of(machine: &mut Machine, function: &str) -> u64 {
    let image = images::with_adversaries();
    image.kernel_base(&machine.registers()) + image.kernel_function(function)
}

#[test]
fn the_kernel_stack_of_every_processor_is_protected() {
    for processor in [0, 1] {
        let mut machine = at_prompt(2);
        // Threads take turns on each processor.
        run_beside(&mut machine, "adv-all-cpus", "spinning on");
        machine.stop();
        let called = address_of(&mut machine, HANDLE);
        machine.debug(|debugger| overwrite_stack(debugger, called, processor));
        machine.expect(STOPPED);
        let report = machine.expect(HALTED);
        machine.check_contains(&report, "a function wrote past its part of the stack");
        machine.check_contains(&report, &format!("  on CPU {processor}\n"));
    }
}

#[test]
fn the_stacks_for_faults_are_protected_and_memory_is_wiped_nevertheless() {
    const DOUBLE_FAULT: &str = "double fault";
    type Cause = fn(&mut Machine);
    let causes: [(&str, Cause); 3] = [
        ("non-maskable interrupt", Machine::inject_nmi),
        ("machine check", |machine| {
            // Valid, uncorrected, enabled, context corrupt (SDM vol. 3, 15.3.2.2).
            let line = "mce 0 1 0xb200000000000000 5 0 0";
            machine.monitor("human-monitor-command", json!({ "command-line": line }));
        }),
        (DOUBLE_FAULT, |_| ()),
    ];
    for (name, cause) in causes {
        let mut machine = at_prompt(1);
        run_beside(&mut machine, "adv-all-cpus", "spinning on");
        machine.stop();
        let often_called = address_of(&mut machine, HANDLE);
        let called = address_of(&mut machine, WRITE_REPORT);
        cause(&mut machine);
        machine.debug(|debugger| {
            if name == DOUBLE_FAULT {
                // No stack: what the function pushes cannot be written, nor can the fault be delivered that this is.
                debugger.run_to(often_called);
                debugger.write(Register::Rsp, 16);
            }
            overwrite_stack(debugger, called, 0);
        });
        machine.expect(STOPPED);
        let report = machine.expect(HALTED);
        machine.check_contains(&report, name);
        machine.check_contains(&report, "nonos: another fault while stopping");
    }
}
