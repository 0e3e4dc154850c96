//! Memory protection, checked from outside: control registers and page tables of the running system.

use std::collections::HashSet;
use system_tests::attack::run_beside;
use system_tests::canary::Canary;
use system_tests::cpu::{self, Registers};
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::paging::{self, KERNEL_SPACE_START, Mapping, UPPER_HALF};
use system_tests::saved;
use system_tests::shell::{row, words};
use xtask::qemu::MachineConfig;

/// Lowest and highest address of user space (`nonos_abi`).
const USER: std::ops::Range<u64> = nonos_abi::USER_START..nonos_abi::USER_END;

fn at_prompt() -> Machine {
    saved::at_prompt(&images::system().machine_without_tpm())
}

/// Every address space of a machine, each with its mappings.
fn address_spaces(machine: &mut Machine) -> Vec<Vec<Mapping>> {
    machine.stop();
    let dump = machine.dump_memory();
    let spaces = machine.address_spaces(&dump);
    machine.check(
        spaces.len() >= 3,
        "fewer address spaces than init, console and shell need",
    );
    spaces
}

#[test]
fn no_page_breaks_the_rules_in_any_address_space() {
    let mut machine = at_prompt();
    for mappings in address_spaces(&mut machine) {
        let found = paging::violations(&mappings);
        machine.check(found.is_empty(), &found.join("\n"));
        let outside = mappings
            .iter()
            .find(|page| page.user && !USER.contains(&page.address));
        machine.check(
            outside.is_none(),
            &format!("outside user space: {outside:?}"),
        );
    }
}

#[test]
fn no_memory_is_code_in_one_place_and_writable_in_another() {
    let mut machine = at_prompt();
    let all: Vec<Mapping> = address_spaces(&mut machine).concat();
    let found = paging::writable_aliases_of_code(&all);
    machine.check(found.is_empty(), &found.join("\n"));
}

#[test]
fn the_kernel_maps_none_of_the_memory_of_user_space() {
    let mut machine = at_prompt();
    let spaces = address_spaces(&mut machine);
    let kernel: HashSet<u64> =
        frames(spaces[0].iter().filter(|page| page.address >= UPPER_HALF)).collect();
    let user = spaces.iter().flatten().filter(|page| page.user);
    let shared: Vec<String> = frames(user)
        .filter(|frame| kernel.contains(frame))
        .map(|f| format!("{f:#x}"))
        .collect();
    machine.check(
        shared.is_empty(),
        &format!("mapped for user space and for the kernel: {shared:?}"),
    );
}

#[test]
fn no_mapping_of_the_kernel_reaches_what_a_program_holds() {
    let mut machine = at_prompt();
    let canary = Canary::plant(&mut machine);
    // The shell waits: no program runs, or the idle processor would not be in the kernel.
    let registers = machine.stop_at_level(0);
    let dump = machine.dump_memory();
    let holders = canary.frames_with_it(&dump);
    machine.check(!holders.is_empty(), "no frame holds the text");
    let spaces = machine.address_spaces(&dump);
    let current = machine.mappings(&dump, registers[0].cr3);
    let of_kernel = |page: &&Mapping| page.address >= UPPER_HALF || !page.user;
    let reached: Vec<u64> = frames(spaces.iter().flatten().chain(&current).filter(of_kernel))
        .filter(|frame| holders.contains(frame))
        .collect();
    machine.check(
        reached.is_empty(),
        &format!("the kernel maps frames with the text: {reached:x?}"),
    );
    let mapped = frames(spaces.iter().flatten().filter(|page| page.user));
    machine.check(
        mapped.into_iter().any(|frame| holders.contains(&frame)),
        "no program maps the text, so looking for it proves nothing",
    );
}

fn frames<'a>(mappings: impl Iterator<Item = &'a Mapping>) -> impl Iterator<Item = u64> {
    mappings.flat_map(|page| (page.physical..page.physical + page.bytes).step_by(4096))
}

#[test]
fn the_kernels_code_is_read_only_and_its_descriptor_tables_lie_in_its_half() {
    let mut machine = at_prompt();
    let spaces = address_spaces(&mut machine);
    let registers = machine.registers();
    let code = paging::kernel_code(&spaces[0]);
    machine.check(!code.is_empty(), "the kernel has no executable page");
    for region in &code {
        machine.check(
            !region.whole.writable && !region.whole.user,
            &format!("kernel code: {}", region.whole),
        );
        machine.check(
            region.whole.address >= KERNEL_SPACE_START,
            &format!("kernel code: {}", region.whole),
        );
    }
    for (what, base) in [("GDT", registers.gdt_base), ("IDT", registers.idt_base)] {
        let page = spaces[0].iter().find(|page| page.holds(base));
        let hidden = page.is_some_and(|page| !page.user && page.address >= KERNEL_SPACE_START);
        machine.check(hidden, &format!("{what} at {base:#x}: {page:?}"));
    }
}

#[test]
fn the_kernels_stack_has_guard_pages() {
    let mut machine = at_prompt();
    let registers = kernel_registers(&mut machine);
    let dump = machine.dump_memory();
    let mappings = machine.mappings(&dump, registers.cr3);
    let stack = paging::regions(&mappings)
        .into_iter()
        .find(|region| region.whole.holds(registers.rsp));
    let Some(stack) = stack else {
        machine.fail("the kernel's stack pointer points nowhere")
    };
    let whole = stack.whole;
    machine.check(
        whole.writable && !whole.executable && !whole.user,
        &format!("the stack is {whole}"),
    );
    machine.check(
        whole.bytes <= 1 << 20,
        &format!("no guard page bounds the stack: {whole}"),
    );
    let neighbour = |address| mappings.iter().find(|page| page.holds(address));
    let around = [
        neighbour(whole.address - 1),
        neighbour(whole.address + whole.bytes),
    ];
    machine.check_equal(
        around,
        [None, None],
        "what is mapped beside the kernel's stack",
    );
}

/// Registers at a moment when the processor is in the kernel: it idles there. Leaves the machine stopped.
fn kernel_registers(machine: &mut Machine) -> Registers {
    let mut found = None;
    machine.wait_until("the processor in the kernel", |machine| {
        machine.stop();
        let registers = machine.registers();
        if registers.cpl == 0 {
            found = Some(registers);
        } else {
            machine.go_on();
        }
        registers.cpl == 0
    });
    found.expect("set when the wait ends")
}

#[test]
fn the_processors_protections_are_on() {
    let mut machine = at_prompt();
    let registers = machine.registers();
    let on = |value: u64, bits: u64| value & bits == bits;
    machine.check(
        on(registers.cr0, cpu::CR0_PE | cpu::CR0_PG | cpu::CR0_WP),
        &format!("CR0 is {:#x}", registers.cr0),
    );
    let protections = cpu::CR4_SMEP | cpu::CR4_SMAP | cpu::CR4_UMIP;
    machine.check(
        on(registers.cr4, protections),
        &format!("CR4 is {:#x}", registers.cr4),
    );
    machine.check(
        on(registers.efer, cpu::EFER_NXE | cpu::EFER_LMA),
        &format!("EFER is {:#x}", registers.efer),
    );
    machine.check(!on(registers.cr4, cpu::CR4_LA57), "five-level paging is on");
    for (bit, what) in [
        (cpu::CR4_PCE, "reading performance counters"),
        (cpu::CR4_PKE, "protection keys"),
        (cpu::CR4_FSGSBASE, "writing segment bases"),
    ] {
        machine.check(!on(registers.cr4, bit), &format!("{what} is on"));
    }
}

#[test]
fn what_the_status_claims_is_what_the_monitor_shows() {
    for cpu_model in ["max", "max,-smap", "max,-smep,-umip"] {
        let config = MachineConfig {
            cpu_model: cpu_model.into(),
            ..images::system().machine_without_tpm()
        };
        let mut machine = saved::at_prompt(&config);
        let status = machine.command("status");
        let registers = machine.registers();
        let facts = [
            ("SMEP", registers.cr4 & cpu::CR4_SMEP != 0),
            ("SMAP", registers.cr4 & cpu::CR4_SMAP != 0),
            ("UMIP", registers.cr4 & cpu::CR4_UMIP != 0),
            ("NX", registers.efer & cpu::EFER_NXE != 0),
            ("WP", registers.cr0 & cpu::CR0_WP != 0),
        ];
        for (name, on) in facts {
            let claimed = claims_on(&status, name);
            machine.check_equal(
                claimed,
                Some(on),
                &format!("what status says of {name} on -cpu {cpu_model}"),
            );
        }
    }
}

/// Whether a row of the status says that a protection is on; `None` when there is no such row.
fn claims_on(status: &str, name: &str) -> Option<bool> {
    row(status, name).map(|value| value.starts_with("on "))
}

#[test]
fn the_register_bits_in_the_status_are_those_of_the_registers() {
    let mut machine = at_prompt();
    let status = machine.command("status");
    let registers = machine.registers();
    for (label, value, names) in [
        ("CR0 bits on", registers.cr0, &cpu::CR0_NAMES[..]),
        ("CR4 bits on", registers.cr4, &cpu::CR4_NAMES[..]),
        ("EFER bits on", registers.efer, &cpu::EFER_NAMES[..]),
    ] {
        let on = names.iter().filter(|(bit, _)| value >> bit & 1 != 0);
        let expected: Vec<&str> = on.map(|(_, name)| *name).collect();
        machine.check_equal(
            words(&status, label),
            expected,
            &format!("{label} in the status"),
        );
        let named = names.iter().fold(0, |bits, (bit, _)| bits | 1 << bit);
        machine.check(
            value & !named == 0,
            &format!("a bit of {value:#x} has no name"),
        );
    }
}

#[test]
fn no_command_tells_where_the_kernel_lies() {
    let mut machine = at_prompt();
    for command in [
        "status",
        "status --boot",
        "ps",
        "mem",
        "modules",
        "caps",
        "caps 1",
        "log",
    ] {
        let output = machine.command(command).to_lowercase();
        let address = output.lines().find(|line| line.contains("ffffffff"));
        machine.check(address.is_none(), &format!("{command} shows {address:?}"));
    }
    let status = machine.command("status");
    machine.check_contains(row(&status, "KASLR bases").unwrap_or_default(), "hidden");
}

#[test]
fn memory_of_a_program_is_zero_after_its_end() {
    let mut machine = saved::at_prompt(&images::with_adversaries().machine_without_tpm());
    let before: HashSet<u64> = user_frames(&mut machine).into_iter().collect();
    let number = run_beside(&mut machine, "adv-spin", "spinning");
    let mut own = user_frames(&mut machine);
    own.retain(|frame| !before.contains(frame));
    machine.check(
        own.len() >= 4,
        &format!("the program has only {} frames", own.len()),
    );
    machine.command(&format!("kill {number}"));
    let after: HashSet<u64> = user_frames(&mut machine).into_iter().collect();
    own.retain(|frame| !after.contains(frame));
    machine.check(!own.is_empty(), "all of its frames are in use again");
    machine.stop();
    let dump = machine.dump_memory();
    let frame = |address: u64| dump.iter().skip(address as usize).take(4096);
    let left = own
        .iter()
        .filter(|address| frame(**address).any(|byte| *byte != 0))
        .count();
    machine.check_equal(
        left,
        0,
        &format!("frames of {} that still hold something", own.len()),
    );
}

/// Physical addresses of what is mapped for user space anywhere, but for devices. Leaves the machine running.
fn user_frames(machine: &mut Machine) -> Vec<u64> {
    let ram = u64::from(machine.config().memory_mb) << 20;
    let spaces = address_spaces(machine).concat();
    machine.go_on();
    frames(spaces.iter().filter(|page| page.user))
        .filter(|frame| *frame < ram)
        .collect()
}

#[test]
fn the_kernel_lies_at_a_random_place_in_the_top_2_gib() {
    const BOOTS: usize = 16;
    let mut places = Vec::new();
    for _ in 0..BOOTS {
        let mut machine = Machine::start(images::system().machine_without_tpm());
        machine.expect_prompt();
        machine.stop();
        let dump = machine.dump_memory();
        let cr3 = machine.registers().cr3;
        let mappings = machine.mappings(&dump, cr3);
        let code = paging::kernel_code(&mappings);
        machine.check(
            code.first()
                .is_some_and(|code| code.whole.address >= KERNEL_SPACE_START),
            "no kernel code",
        );
        places.push((code[0].whole.address, code[0].whole.physical));
    }
    println!("{places:x?}");
    for (what, values) in [
        (
            "virtual",
            places.iter().map(|place| place.0).collect::<Vec<_>>(),
        ),
        ("physical", places.iter().map(|place| place.1).collect()),
    ] {
        let different: HashSet<u64> = values.iter().copied().collect();
        // One coincidence is possible (some ten thousand physical places), two are not.
        assert!(
            different.len() >= BOOTS - 1,
            "{what} places repeat: {values:x?}"
        );
        let varying = values
            .iter()
            .fold(0, |bits, value| bits | (value ^ values[0]));
        assert!(
            varying.count_ones() >= 10,
            "{what} places vary in bits {varying:#x} only: {values:x?}"
        );
    }
}
