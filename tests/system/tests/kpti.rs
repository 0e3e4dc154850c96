//! Isolated page tables, looked at from outside: on a processor with Meltdown, what CR3 leads to in ring 3 holds the way into
//! the kernel and nothing else of it; on others, and in the kernel, all of it is there.
//!
//! QEMU's own processor says that it is one of AMD's. With Intel's name it is one that does not report RDCL_NO.

use nonos_image::archive;
use std::collections::HashSet;
use system_tests::attack::{
    CPUS, check_output, expect_unharmed, run_beside, services, wait_for_end,
};
use system_tests::bochs::Bochs;
use system_tests::cpu::Registers;
use system_tests::images;
use system_tests::machine::{Machine, PROMPT};
use system_tests::paging::{self, Mapping, UPPER_HALF};
use system_tests::saved;
use system_tests::shell::{row, words};
use xtask::qemu::MachineConfig;

/// Has Meltdown.
const AFFECTED: &str = "max,vendor=GenuineIntel";
/// Have not: one of AMD's, and one of Intel's that executes in order (Saltwell).
const IMMUNE: [&str; 2] = ["max", "max,vendor=GenuineIntel,family=6,model=53"];

fn machine(cpu_model: &str, cpus: u32) -> Machine {
    saved::at_prompt(&MachineConfig {
        cpu_model: cpu_model.into(),
        ..images::with_adversaries().machine_with_cpus(cpus)
    })
}

/// A stopped machine, each of whose processors runs a program.
struct InRing3 {
    machine: Machine,
    dump: Vec<u8>,
    registers: Vec<Registers>,
    /// What the kernel's half held when the first processor was in the kernel.
    kernel: Vec<Mapping>,
    /// GS.base then: the stack protector's value lies behind it.
    kernel_gs: u64,
}

fn in_ring_3(mut machine: Machine) -> InRing3 {
    let in_kernel = machine.stop_at_level(0);
    let dump = machine.dump_memory();
    let kernel = upper(machine.mappings(&dump, in_kernel[0].cr3));
    machine.go_on();
    run_beside(&mut machine, "adv-all-cpus", "spinning on");
    let registers = machine.stop_when("all processors in ring 3", |all| {
        all.iter().all(|registers| registers.cpl == 3)
    });
    let dump = machine.dump_memory();
    InRing3 {
        machine,
        dump,
        registers,
        kernel,
        kernel_gs: in_kernel[0].gs_base,
    }
}

fn upper(mut mappings: Vec<Mapping>) -> Vec<Mapping> {
    mappings.retain(|page| page.address >= UPPER_HALF);
    mappings
}

#[test]
fn in_ring_3_an_affected_processor_has_the_way_into_the_kernel_and_nothing_else_of_it() {
    for cpus in CPUS {
        let InRing3 {
            mut machine,
            dump,
            registers,
            kernel,
            kernel_gs,
        } = in_ring_3(machine(AFFECTED, cpus));
        let code = paging::kernel_code(&kernel);
        for (number, of_cpu) in registers.iter().enumerate() {
            let mappings = machine.mappings(&dump, of_cpu.cr3);
            let user = mappings.iter().filter(|page| page.user).count();
            machine.check(user > 0, &format!("processor {number} has no user space"));
            let mut seen = upper(mappings);
            let all = format!("what processor {number} of {cpus} has: {seen:#?}");
            let guards = |page: &Mapping| page.holds(kernel_gs);
            machine.check(kernel.iter().any(guards), "no page behind GS");
            machine.check(!seen.iter().any(guards), &all);
            // At the same addresses as in the kernel, with the same rights, and not for programs to use.
            let same = |page: &Mapping| kernel.contains(page) && !page.user && page.bytes == 4096;
            machine.check(seen.iter().all(same), &all);
            let mut take = |what: &str, count: usize, is: &dyn Fn(&Mapping) -> bool| {
                let before = seen.len();
                seen.retain(|page| !is(page));
                machine.check_equal(before - seen.len(), count, &format!("{what}; {all}"));
            };
            let trampoline = |page: &Mapping| page.executable && code[0].whole.holds(page.address);
            take("pages of code", 1, &trampoline);
            let idt = |page: &Mapping| !page.writable && page.holds(of_cpu.idt_base);
            take("read-only pages of the IDT", 1, &idt);
            // The blocks of all processors, with the descriptors of each.
            let block = |page: &Mapping| page.writable && page.holds(of_cpu.gdt_base);
            take("pages of blocks", 1, &block);
            // The others are stacks: above each is nothing that even the kernel has.
            let mapped: HashSet<u64> = kernel.iter().map(|page| page.address).collect();
            let stack = |page: &Mapping| {
                let above = page.address.wrapping_add(4096);
                page.writable && !mapped.contains(&above)
            };
            take("topmost pages of stacks", 5 * cpus as usize, &stack);
            machine.check_equal(seen.len(), 0, &format!("other pages; {all}"));
        }
    }
}

#[test]
fn in_the_kernel_all_of_it_is_there_and_no_page_of_a_program_is_executable() {
    let mut machine = machine(AFFECTED, 1);
    let registers = machine.stop_at_level(0);
    let dump = machine.dump_memory();
    let mappings = machine.mappings(&dump, registers[0].cr3);
    let code = paging::kernel_code(&mappings);
    let bytes = code.iter().map(|region| region.whole.bytes).sum::<u64>();
    machine.check(bytes > 64 << 10, &format!("{bytes} bytes of code"));
    let stack = mappings.iter().find(|page| page.holds(registers[0].rsp));
    machine.check(stack.is_some_and(|page| page.writable), "no kernel stack");
    let executable = mappings.iter().find(|page| page.user && page.executable);
    machine.check(executable.is_none(), &format!("{executable:?}"));
    machine.check(mappings.iter().any(|page| page.user), "no program's tables");
}

#[test]
fn no_page_breaks_the_rules_in_either_table_of_an_address_space() {
    let InRing3 {
        mut machine,
        dump,
        registers,
        kernel,
        ..
    } = in_ring_3(machine(AFFECTED, 1));
    // Tables of user mode share the kernel's entry with this one's; those of the kernel, with those that the kernel ran with.
    let for_user = machine.address_spaces_like(&dump, registers[0].cr3, &kernel);
    machine.go_on();
    let in_kernel = machine.stop_at_level(0);
    let dump = machine.dump_memory();
    let for_kernel = machine.address_spaces_like(&dump, in_kernel[0].cr3, &kernel);
    machine.check(
        for_kernel.len() >= 4 && for_user.len() >= 4,
        "fewer address spaces than init, console, shell and an attacker need",
    );
    let all = [for_user, for_kernel].concat();
    for mappings in &all {
        let found = paging::violations(mappings);
        machine.check(found.is_empty(), &found.join("\n"));
    }
    let found = paging::writable_aliases_of_code(&all.concat());
    machine.check(found.is_empty(), &found.join("\n"));
}

#[test]
fn a_processor_without_the_flaw_keeps_its_tables_and_status_says_why() {
    for model in IMMUNE {
        let InRing3 {
            mut machine,
            dump,
            registers,
            kernel,
            ..
        } = in_ring_3(self::machine(model, 2));
        for of_cpu in registers {
            let seen = upper(machine.mappings(&dump, of_cpu.cr3));
            machine.check(seen == kernel, &format!("{model}: other tables in ring 3"));
        }
        let mut machine = self::machine(model, 1);
        let status = machine.command("status");
        let said = row(&status, "KPTI").unwrap_or_default();
        machine.check_contains(
            said,
            "not needed     CPUs of this kind are free of Meltdown",
        );
    }
    let mut machine = machine(AFFECTED, 1);
    let status = machine.command("status");
    let said = row(&status, "KPTI").unwrap_or_default();
    machine.check_contains(said, "on             the CPU has Meltdown");
}

#[test]
fn a_signed_image_can_ask_for_it_on_a_processor_without_the_flaw() {
    let image = images::with_adversaries();
    let asking = image.with_entries(&[(archive::KPTI, Vec::new())]);
    let mut machine = saved::at_prompt(&MachineConfig {
        disk: image.variant("kpti", &asking),
        ..image.machine_with_cpus(2)
    });
    let status = machine.command("status");
    let said = row(&status, "KPTI").unwrap_or_default();
    machine.check_contains(said, "on             the image asks for it");
    let InRing3 {
        mut machine,
        dump,
        registers,
        kernel,
        ..
    } = in_ring_3(machine);
    for of_cpu in registers {
        let seen = upper(machine.mappings(&dump, of_cpu.cr3)).len();
        machine.check(
            seen < kernel.len() / 2,
            &format!("{seen} pages of the kernel in ring 3"),
        );
    }
}

/// Bochs has process-context identifiers, which QEMU has not.
#[test]
fn with_identifiers_for_what_is_cached_programs_run_and_attackers_are_repelled() {
    let image = images::with_adversaries();
    let asking = image.with_entries(&[(archive::KPTI, Vec::new())]);
    let mut machine = Bochs::boot(image, &asking);
    machine.expect(PROMPT);
    let status = machine.command("status");
    let said = row(&status, "KPTI").unwrap_or_default();
    machine.check_contains(said, "on             the image asks for it");
    let bits = words(&status, "CR4 bits on").join(" ");
    machine.check_contains(&bits, "PCIDE");
    for (name, expected) in [
        (
            "adv-kernel-read",
            "page fault: read from address 0xffffffff8",
        ),
        ("adv-breakpoint", "ended by fault: breakpoint"),
        ("adv-sysret", "survived with flags"),
        ("adv-busy", "14 shown, 0 failed"),
    ] {
        let output = machine.command(&format!("run {name}"));
        machine.check_contains(&output, expected);
        assert!(!output.contains("ATTACK SUCCEEDED"), "{output}");
    }
}

#[test]
fn attackers_are_repelled_as_on_other_processors() {
    for (cpus, name, expected) in [
        (
            1,
            "adv-kernel-read",
            "page fault: read from address 0xffffffff8",
        ),
        (
            1,
            "adv-kernel-jump",
            "page fault: execute address 0xffffffff8",
        ),
        (1, "adv-interrupt", "ended by fault: general protection"),
        (1, "adv-breakpoint", "ended by fault: breakpoint"),
        (1, "adv-single-step", "survived: the kernel was not stepped"),
        (1, "adv-sysret", "survived with flags"),
        (1, "adv-revoked-map", "page fault"),
        (4, "adv-revoke-race", "ended: exit code 0"),
    ] {
        let mut machine = machine(AFFECTED, cpus);
        let before = services(&mut machine);
        let output = machine.command(&format!("run {name}"));
        check_output(&machine, &output, &[expected]);
        expect_unharmed(&mut machine, &before, name);
    }
}

#[test]
fn memory_of_a_program_is_given_back_with_its_second_table() {
    for cpus in CPUS {
        let mut machine = machine(AFFECTED, cpus);
        let mut memory = || {
            machine.command("run adv-null");
            wait_for_end(&mut machine, "adv-");
            machine.command("mem")
        };
        let before = memory();
        let after = memory();
        machine.check_equal(after, before, "memory afterwards");
    }
}

#[test]
fn an_nmi_in_ring_3_is_reported_and_memory_is_wiped() {
    let InRing3 { mut machine, .. } = in_ring_3(machine(AFFECTED, 2));
    machine.inject_nmi();
    machine.go_on();
    let report = machine.expect("nonos: memory is wiped, the machine is halted");
    machine.check_contains(&report, "non-maskable interrupt (vector 2");
}
