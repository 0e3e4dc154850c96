//! What the compiler put into the binaries: that it is there, and that it stops what it is there for.

use system_tests::altered;
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
const VERIFY: &str = "nonos_image::module::verify";

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
