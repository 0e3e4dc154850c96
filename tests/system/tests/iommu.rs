//! A device that reads and writes memory as it likes: stopped and reported where the machine has an IOMMU, and not where it has none.

use nonos_abi::{DEVICE_ADDRESS, PAGE_BYTES};
use std::fs;
use system_tests::attack::{expect_unharmed, services};
use system_tests::edu::{self, COPY_BYTES, Edu};
use system_tests::images;
use system_tests::machine::{HALTED, Machine};
use system_tests::paging::UPPER_HALF;
use system_tests::shell::{is_marked, row};
use xtask::qemu::MachineConfig;

const IOMMU: [&str; 2] = ["-device", "intel-iommu,intremap=on"];

/// VT-d: the root entry is not present.
const NO_ROOT_ENTRY: &str = "reason 1";

fn config() -> MachineConfig {
    images::system().machine_with_cpus(2)
}

fn at_prompt(arguments: &[&str]) -> (Machine, Edu) {
    let (mut machine, mut edu) = edu::start(config(), arguments);
    machine.expect_prompt();
    edu.find();
    (machine, edu)
}

/// Physical addresses of pages that hold something: one of the kernel's, from which it runs no more, and one of a program, which it
/// only reads; and another page of the kernel, which the device is to read.
struct Targets {
    kernel: u64,
    program: u64,
    secret: u64,
}

impl Targets {
    fn find(machine: &mut Machine) -> Self {
        machine.stop();
        let dump = machine.dump_memory();
        let all = machine.address_spaces(&dump).concat();
        machine.go_on();
        let page = |physical: u64| {
            let range = physical as usize..(physical + COPY_BYTES) as usize;
            dump.get(range).unwrap_or_default() // Devices are no RAM.
        };
        let archive = images::system().archive();
        let of_archive = |number: usize| {
            let wanted = &archive[number * 4096..][..COPY_BYTES as usize];
            let mut kernel = all.iter().filter(|page| page.address >= UPPER_HALF);
            let found = kernel.find(|mapping| page(mapping.physical) == wanted);
            found.expect("the kernel has the archive mapped").physical
        };
        let mut constants = all
            .iter()
            .filter(|page| page.user && !page.writable && !page.executable);
        let used = |physical| page(physical).iter().filter(|byte| **byte != 0).count() > 64;
        let program = constants
            .find(|mapping| used(mapping.physical))
            .expect("programs have constants");
        Self {
            kernel: of_archive(1),
            program: program.physical,
            secret: of_archive(0),
        }
    }
}

/// Has the device read a page of the kernel, and write what it has over the two others. Returns whether each is what was read, as it was, or
/// neither.
fn attack(machine: &mut Machine, edu: &mut Edu) -> [&'static str; 2] {
    let targets = Targets::find(machine);
    let secret = machine.read_memory(targets.secret, COPY_BYTES);
    edu.read_memory(targets.secret);
    // The unit records one fault of a device until the kernel has read it: at the latest now.
    machine.command("status");
    [targets.kernel, targets.program].map(|target| {
        let before = machine.read_memory(target, COPY_BYTES);
        edu.write_memory(target);
        machine.command("status");
        let after = machine.read_memory(target, COPY_BYTES);
        match () {
            () if after == before => "as it was",
            () if after == secret => "what the device read",
            () => "something else",
        }
    })
}

#[test]
fn a_device_reaches_neither_the_kernels_memory_nor_a_programs_and_is_reported() {
    let (mut machine, mut edu) = at_prompt(&IOMMU);
    let report = machine.command("status");
    let confined = row(&report, "IOMMU").unwrap_or_default();
    machine.check_contains(confined, "on in 1 of 1: DMA is confined");
    machine.check(!is_marked(&report, "IOMMU"), &report);
    // Nobody needed memory: neither what the firmware left running nor a driver.
    machine.check_equal(row(&report, "Stopped DMA"), None, &report);
    let before = services(&mut machine);

    let found = attack(&mut machine, &mut edu);
    machine.check_equal(found, ["as it was"; 2], "memory after the attack");
    let report = machine.command("status");
    let stopped = row(&report, "Stopped DMA").unwrap_or_default().to_owned();
    let count: Option<u64> = stopped.split(',').next().and_then(|n| n.parse().ok());
    machine.check(count >= Some(3), &format!("{count:?} requests stopped"));
    machine.check_contains(&stopped, &format!("last {}, write", edu.name()));
    machine.check_contains(&stopped, NO_ROOT_ENTRY);
    machine.check(is_marked(&report, "Stopped DMA"), &report);
    let log = machine.command("log");
    for what in ["reading", "writing"] {
        let line = format!("device {} was stopped {what} at 0x", edu.name());
        machine.check_contains(&log, &line);
    }
    expect_unharmed(&mut machine, &before, "edu");
}

#[test]
fn without_an_iommu_the_same_device_reaches_all_and_the_status_says_so() {
    let (mut machine, mut edu) = at_prompt(&[]);
    let report = machine.command("status");
    machine.check_equal(
        row(&report, "IOMMU"),
        Some("ABSENT: DMA is not confined"),
        &report,
    );
    machine.check(is_marked(&report, "IOMMU"), &report);
    machine.check(is_marked(&report, "Interrupts"), &report);
    let found = attack(&mut machine, &mut edu);
    machine.check_equal(
        found,
        ["what the device read"; 2],
        "memory after the attack",
    );
    // An NMI for the boot CPU (SDM vol. 3, 11.11).
    edu.interrupt(0xFEE0_0000, 4 << 8);
    machine.expect("nonos: the kernel stopped");
}

#[test]
fn a_device_raises_no_interrupt_in_the_name_of_another() {
    let (mut machine, mut edu) = at_prompt(&IOMMU);
    let report = machine.command("status");
    machine.check(!is_marked(&report, "Interrupts"), &report);
    let remapped = row(&report, "Interrupts").unwrap_or_default();
    machine.check_contains(remapped, "remapped");
    // Interrupts of the serial port and of the keyboard come through the table.
    machine.keyboard_command("help");
    // The entry of the serial port's line, in the format that names entries (VT-d 4.1, 5.1.2).
    const REMAPPABLE: u32 = 1 << 4;
    const SERIAL: u32 = 4 << 5;
    edu.interrupt(0xFEE0_0000 | REMAPPABLE | SERIAL, 0);
    let said = fs::read_to_string(machine.scratch().file("qemu.log")).unwrap_or_default();
    machine.check_contains(&said, "invalid IRTE SID");
    let help = machine.command("help");
    machine.check_contains(&help, "status");
}

#[test]
fn no_device_writes_to_memory_that_was_wiped_at_the_end() {
    /// What the referee has its device copy.
    const PATTERN: [u8; 8] = 0xC0FF_EE00_5EED_F00D_u64.to_le_bytes();
    let config = images::with_referee().machine_with_cpus(2);
    let (mut machine, mut edu) = edu::start(config, &IOMMU);
    machine.expect("ready: copy");
    edu.find();
    edu.read_memory(DEVICE_ADDRESS);
    edu.write_memory(DEVICE_ADDRESS + PAGE_BYTES as u64);
    // The device has its memory, and the unit has cached where that is.
    machine.expect("ready: write beside");
    machine.stop();
    let dump = machine.dump_memory();
    let pages = (0..dump.len()).step_by(PAGE_BYTES);
    let copies: Vec<_> = pages
        .filter(|&page| dump[page..].starts_with(&PATTERN))
        .collect();
    machine.check_equal(copies.len(), 2, "pages with what was copied");
    machine.inject_nmi();
    machine.go_on();
    machine.expect(HALTED);
    edu.write_memory(DEVICE_ADDRESS);
    edu.write_memory(DEVICE_ADDRESS + PAGE_BYTES as u64);
    for page in copies {
        let found = machine.read_memory(page as u64, COPY_BYTES);
        machine.check(found.iter().all(|&byte| byte == 0), "memory was written");
    }
}

#[test]
fn a_driver_maps_memory_for_its_device_and_a_revoke_takes_it_back() {
    let config = images::with_referee().machine_with_cpus(2);
    let (mut machine, mut edu) = edu::start(config, &IOMMU);
    let mut expect = |text: &str| {
        let (found, _) = machine.expect_any(&[text, "ATTACK SUCCEEDED", "BROKEN"]);
        machine.check(found == 0, &format!("instead of {text:?}"));
    };
    let page = |number: u64| DEVICE_ADDRESS + number * PAGE_BYTES as u64;
    expect("works: memory for a device");
    expect("ready: copy");
    edu.find();
    assert_eq!(edu.device, 0x20, "the device is another than the referee's");
    edu.read_memory(page(0));
    edu.write_memory(page(1));
    expect("held: the device copies within its memory");
    expect("ready: write beside");
    edu.write_memory(page(2));
    expect("held: the device is stopped beside its memory");
    expect("ready: write again");
    edu.write_memory(page(1));
    expect("held: the device is stopped where memory was revoked");
    expect("held: memory that was revoked");
}
