//! Machines with several processors, seen from outside.

use system_tests::attack::{CPUS, at_prompt};
use system_tests::cpu;
use system_tests::images;
use system_tests::machine::Machine;
use system_tests::saved;
use system_tests::shell::row;

#[test]
fn every_processor_has_the_same_protections_and_tables() {
    for cpus in CPUS {
        let mut machine = saved::at_prompt(&images::system().machine_with_cpus(cpus));
        let all = machine.registers_of_all();
        machine.check_equal(all.len(), cpus as usize, "processors");
        let first = all[0];
        for (number, registers) in all.iter().enumerate() {
            let same = |what: &str, found: u64, expected: u64| {
                let what = format!("{what} of processor {number} of {cpus}");
                machine.check_equal(format!("{found:#x}"), format!("{expected:#x}"), &what);
            };
            // Task-switched is the kernel's for the floating-point registers, and each processor's own.
            const TS: u64 = 1 << 3;
            same("CR0", registers.cr0 | TS, first.cr0 | TS);
            // So is this one, which follows the process that runs.
            const TSD: u64 = 1 << 2;
            same("CR4", registers.cr4 | TSD, first.cr4 | TSD);
            same("EFER", registers.efer, first.efer);
            let protected = cpu::CR4_SMEP | cpu::CR4_SMAP | cpu::CR4_UMIP;
            same("SMEP, SMAP and UMIP", registers.cr4 & protected, protected);
            let paging = cpu::CR0_PE | cpu::CR0_PG | cpu::CR0_WP;
            same("PE, PG and WP", registers.cr0 & paging, paging);
            let efer = cpu::EFER_NXE | cpu::EFER_LMA;
            same("NXE and LMA", registers.efer & efer, efer);
        }
    }
}

#[test]
fn every_processor_has_a_stack_and_descriptor_table_of_its_own() {
    for cpus in CPUS {
        let mut machine = saved::at_prompt(&images::system().machine_with_cpus(cpus));
        let all = at_rest(&mut machine);
        let mut stacks: Vec<u64> = all.iter().map(|registers| registers.rsp >> 12).collect();
        let mut tables: Vec<u64> = all.iter().map(|registers| registers.gdt_base).collect();
        for values in [&mut stacks, &mut tables] {
            values.sort_unstable();
            values.dedup();
            machine.check_equal(values.len(), cpus as usize, "different values");
        }
    }
}

#[test]
fn every_processor_has_a_stack_protector_value_of_its_own_and_another_at_each_boot() {
    let mut values = Vec::new();
    for cpus in CPUS {
        let mut machine = saved::at_prompt(&images::system().machine_with_cpus(cpus));
        let all = at_rest(&mut machine);
        machine.debug(|debugger| {
            for registers in all {
                // Where the compiler has the value read.
                let value = debugger.read_memory(registers.gs_base + 0x28, 8);
                values.push(value.expect("the kernel has the value mapped"));
            }
        });
    }
    let random = |value: &Vec<u8>| value.iter().filter(|&&byte| byte != 0).count() > 4;
    assert!(values.iter().all(random), "{values:x?}");
    let found = values.len();
    values.sort();
    values.dedup();
    assert_eq!((found, values.len()), (7, 7), "{values:x?}");
}

/// Registers of all processors at a moment when each is in the kernel: it idles there.
fn at_rest(machine: &mut Machine) -> Vec<cpu::Registers> {
    let mut found = Vec::new();
    machine.wait_until("all processors in the kernel", |machine| {
        machine.stop();
        found = machine.registers_of_all();
        machine.go_on();
        // On the way in, GS is still the program's, which is 0.
        found
            .iter()
            .all(|registers| registers.cpl == 0 && registers.gs_base != 0)
    });
    found
}

#[test]
fn a_restored_machine_goes_on_with_all_its_processors() {
    for cpus in CPUS {
        for _ in 0..2 {
            let mut machine = at_prompt(cpus);
            let output = machine.command("run adv-revoke-race");
            machine.check_contains(&output, &format!("uses on {cpus} CPUs"));
            let output = machine.command("uptime");
            machine.check_contains(&output, "up ");
        }
    }
}

#[test]
fn the_status_counts_the_processors() {
    for cpus in CPUS {
        let mut machine = saved::at_prompt(&images::system().machine_with_cpus(cpus));
        let status = machine.command("status");
        machine.check_contains(&status, &format!("{cpus} running"));
    }
}

#[test]
fn what_the_processors_stacks_took_is_not_promised_to_processes() {
    /// Page tables of a usual process, KiB (`nonos_kernel_core::Sizes`).
    const TABLES_KIB: u64 = 12 * 4;
    for cpus in CPUS {
        let mut machine = saved::at_prompt(&images::system().machine_with_cpus(cpus));
        let memory = machine.command("mem");
        let number = |text: Option<&str>, word: usize| {
            let word = text.and_then(|text| text.split_whitespace().nth(word));
            let number = word.and_then(|word| word.parse::<u64>().ok());
            number.unwrap_or_else(|| machine.fail(&format!("not understood: {memory}")))
        };
        let kernel = memory.split_once("Kernel objects").map(|(_, rest)| rest);
        let free_kib = number(kernel.and_then(|kernel| row(kernel, "  free")), 0);
        let processes = row(&memory, "Processes");
        let (now, most) = (number(processes, 0), number(processes, 4));
        machine.check(
            free_kib >= (most - now) * TABLES_KIB,
            &format!("{cpus} CPUs, {free_kib} KiB for {most} processes"),
        );
    }
}
