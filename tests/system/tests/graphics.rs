//! The desktop on a GPU of virtio's, where the firmware sets up no frame buffer: the same as on one, and the GPU reaches the driver's memory
//! alone.

use system_tests::desk::{at_prompt, at_prompt_with_gpu, launch_and_see, press_and_see};
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::qtest::Qtest;
use system_tests::scratch::Scratch;
use system_tests::shell::{is_marked, row};
use xtask::qemu::{Graphics, MachineConfig};

/// Instructions that 10 seconds may cost in which nobody does anything.
const IDLE_GOAL: u64 = 5_000_000;

/// A machine with a GPU that shows what one with a frame buffer does.
fn on_gpu(arguments: &[&str]) -> Machine {
    let mut usual = at_prompt();
    let mut machine = at_prompt_with_gpu(arguments);
    machine.wait_until("the desktop as on a frame buffer", |machine| {
        let picture = usual.picture();
        picture.drawn_pixels() > 500_000 && picture.changed_pixels(&machine.picture()) == Some(0)
    });
    machine
}

/// The GPU's memory is all that it wanted.
#[track_caller]
fn check_confined(machine: &mut Machine) {
    let report = machine.command("status");
    let confined = row(&report, "IOMMU").unwrap_or_default();
    machine.check_contains(confined, "on in 1 of 1: DMA is confined");
    machine.check(!is_marked(&report, "IOMMU"), &report);
    machine.check_equal(row(&report, "Stopped DMA"), None, &report);
}

#[test]
fn the_desktop_on_a_gpu_is_that_on_a_frame_buffer_and_rests_when_nothing_happens() {
    let mut machine = on_gpu(&[]);
    let processes = machine.command("ps");
    machine.check(!processes.contains("framebuffer"), &processes);
    // Keys, a window, and a pointer that moves.
    machine.settle();
    let before = machine.picture();
    launch_and_see(&mut machine, "secu");
    machine.point(150, 120);
    press_and_see(&mut machine, &["alt", "f4"], 100_000);
    machine.point(-150, -120);
    // But for the dock, which had the keyboard, and the pointer, perhaps.
    machine.wait_until("the desktop as it was", |machine| {
        let changed = machine.picture().changed_pixels(&before);
        changed.is_some_and(|changed| changed < 20_000)
    });
    check_confined(&mut machine);
    machine.settle();
    let (start, counted) = (machine.clock_seconds(), machine.instructions());
    machine.wait_until("ten seconds", |machine| {
        machine.clock_seconds() > start + 10
    });
    let cost = machine.instructions() - counted;
    machine.check(cost < IDLE_GOAL, &format!("{cost} instructions at rest"));
}

#[test]
fn a_driver_of_a_gpu_that_ends_comes_back_and_windows_stay() {
    let mut machine = on_gpu(&[]);
    launch_and_see(&mut machine, "secu");
    machine.settle();
    let before = machine.picture();
    let [driver, compositor] = ["virtio-gpu", "display"].map(|name| machine.number_of(name));
    machine.command(&format!("kill {driver}"));
    machine.wait_until("another driver", |machine| {
        let processes = machine.command("ps");
        processes.contains("virtio-gpu") && machine.number_of("virtio-gpu") != driver
    });
    machine.wait_until("the desktop as it was", |machine| {
        machine.picture().changed_pixels(&before) == Some(0)
    });
    press_and_see(&mut machine, &["alt", "f4"], 100_000);
    let now = machine.number_of("display");
    machine.check_equal(now, compositor, "the compositor");
    check_confined(&mut machine);
}

/// Where the common configuration of the machine's GPU is, from outside: in the 64-bit range of its fifth register, at the beginning.
fn registers(qtest: &mut Qtest) -> u64 {
    const IDENTITY: u32 = 0x1050_1AF4;
    let slots = (0..32).map(|slot| slot << 3);
    let gpu = slots
        .into_iter()
        .find(|&gpu| qtest.read_config(gpu, 0) == IDENTITY);
    let gpu = gpu.expect("the machine has a GPU");
    let [low, high] = [0x20, 0x24].map(|register| qtest.read_config(gpu, register));
    u64::from(high) << 32 | u64::from(low & !0xF)
}

#[test]
fn a_gpu_that_forgets_all_is_started_again() {
    let scratch = Scratch::new();
    let socket = scratch.file("qtest.sock");
    let listen = format!("unix:{},server=on,wait=off", socket.display());
    let mut machine = on_gpu(&["-qtest", &listen, "-qtest-log", "none"]);
    let before = machine.picture();
    let driver = machine.number_of("virtio-gpu");
    let mut qtest = Qtest::connect(&socket);
    let registers = registers(&mut qtest);
    // Device status and the number of a queue: 0 resets it.
    qtest.write_word(registers + 0x14, 0);
    // Nothing of this is seen: the driver finds out that nobody answers.
    machine.wait_until("another driver", |machine| {
        machine.push_mouse(1, 0);
        let processes = machine.command("ps");
        processes.contains("virtio-gpu") && machine.number_of("virtio-gpu") != driver
    });
    let log = machine.command("log");
    machine.check_contains(&log, "the GPU does not answer");
    machine.wait_until("the desktop as it was, but for the pointer", |machine| {
        let changed = machine.picture().changed_pixels(&before);
        changed.is_some_and(|changed| changed < 20_000)
    });
    check_confined(&mut machine);
}

#[test]
fn without_an_iommu_no_gpu_is_used_and_the_log_says_why() {
    let config = MachineConfig {
        graphics: Graphics::None,
        ..images::with_desktop().machine_without_tpm()
    };
    let mut machine = Machine::start_with(config, &["-device", "virtio-gpu-pci"]);
    machine.expect_prompt();
    let report = machine.command("status");
    machine.check(is_marked(&report, "IOMMU"), &report);
    machine.wait_until("why there is no screen", |machine| {
        let log = machine.command("log");
        log.contains("without an IOMMU the GPU would reach all memory")
    });
}
