//! What the compiler put into the binaries: that it is there, and that it stops what it is there for.
//!
//! The kernels that are attacked here are the one of this checkout with a few bytes changed, properly signed with the tests' keys:
//! nothing in a kernel that a user boots helps an attacker.

use nonos_image::archive;
use nonos_image::elf::Executable;
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
///
/// It is told where in the file functions are.
fn report_of_altered_kernel(alter: impl FnOnce(&mut Vec<u8>, &dyn Fn(&str) -> usize)) -> String {
    let image = images::system();
    let linked = fs::read(&image.files.kernel_debug).expect("the build leaves the linked kernel");
    let code = Code::read(&linked).expect("the kernel can be read");
    let mut kernel = image.entry(archive::KERNEL);
    let original = kernel.clone();
    let executable = Executable::parse(&original).expect("the kernel can be loaded");
    let place = |name: &str| {
        let address = code.find(name).expect("the function is there");
        let mut segments = executable.segments().iter();
        let inside = segments.find_map(|segment| {
            let from = address.checked_sub(segment.virtual_offset)? as usize;
            (from < segment.file_bytes).then_some(segment.file_offset + from)
        });
        inside.expect("the function is loaded")
    };
    alter(&mut kernel, &place);
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
