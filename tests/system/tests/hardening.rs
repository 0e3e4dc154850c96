//! What the compiler put into the binaries: that it is there, and that it stops what it is there for.
//!
//! The kernels that are attacked here are the one of this checkout with a few bytes changed, properly signed with the tests' keys:
//! nothing in a kernel that a user boots helps an attacker.

use nonos_image::archive;
use std::fs;
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::scratch::Scratch;
use xtask::harden::Report;
use xtask::harden::code::Code;
use xtask::qemu::MachineConfig;

const STOPPED: &str = "nonos: the kernel stopped: ";
const HALTED: &str = "nonos: memory is wiped, the machine is halted";

/// Boots the kernel with some of its bytes changed, and returns its report.
fn report_of_altered_kernel(alter: impl FnOnce(&mut Vec<u8>, &Code)) -> String {
    let image = images::system();
    let linked = fs::read(&image.files.kernel_debug).expect("the build leaves the linked kernel");
    let code = Code::read(&linked).expect("the kernel can be read");
    let mut kernel = image.entry(archive::KERNEL);
    alter(&mut kernel, &code);
    let scratch = Scratch::new();
    let system_image = image.with_entries(&[(archive::KERNEL, kernel)]);
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
    let report = report_of_altered_kernel(|kernel, code| {
        let function = code
            .find("nonos_hal::run::run_cpu")
            .expect("the function is there");
        kernel[function as usize - 4] ^= 1;
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

#[test]
fn a_function_that_finds_its_stack_overwritten_stops_the_kernel() {
    // The function keeps another value than it looks for at its end: as if somebody had written there meanwhile.
    const LOAD: [u8; 3] = [0x48, 0x8B, 0x05];
    let report = report_of_altered_kernel(|kernel, code| {
        let function = code
            .find("nonos_image::envelope::verify")
            .expect("the function is there");
        let loads: Vec<_> = (function as usize..)
            .zip(kernel[function as usize..].windows(3))
            .filter(|(_, bytes)| *bytes == LOAD)
            .map(|(at, _)| at)
            .take(2)
            .collect();
        let target = |at: usize| {
            let displacement = kernel[at + 3..at + 7].try_into().expect("four bytes");
            at as i64 + 7 + i64::from(i32::from_le_bytes(displacement))
        };
        assert_eq!(
            target(loads[0]),
            target(loads[1]),
            "the value is loaded at both ends"
        );
        kernel[loads[0] + 3] ^= 8;
    });
    assert!(
        report.contains("a function wrote past its part of the stack"),
        "{report}"
    );
    assert!(
        report.contains("  called from nonos_image::envelope::verify"),
        "{report}"
    );
}
