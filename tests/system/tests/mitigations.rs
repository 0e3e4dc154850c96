//! What the kernel says of the known flaws of CPUs, on several of them, and that protections which are on stay on.
//!
//! QEMU's processors have none of the registers that help against these flaws, and say so; that of Bochs has some.

use nonos_abi::boot::remedy;
use system_tests::attack::{check_output, expect_unharmed, run_beside, services};
use system_tests::bochs::Bochs;
use system_tests::cpu;
use system_tests::gdb::Register;
use system_tests::images::{self, Image};
use system_tests::machine::{HALTED, Machine, PROMPT, STOPPED};
use system_tests::saved;
use system_tests::shell::{is_marked, row, words};
use xtask::qemu::MachineConfig;

/// Rows of the kernel's `nonos_detours`.
const DETOURS: usize = 13;
/// A jump, with the distance in the four bytes after it.
const JUMP: u8 = 0xE9;
/// Fast FXSAVE, which leaves registers alone.
const EFER_FFXSR: u64 = 1 << 14;

/// What `status --mitigations` says of a CPU model: microcode, and how the lines of the flaws begin that it has.
struct Expected {
    model: &'static str,
    microcode: &'static str,
    flaws: &'static [(&'static str, &'static str)],
}

/// All flaws, as they are named.
const FLAWS: [&str; 14] = [
    "Meltdown",
    "Spectre v1",
    "Spectre v2",
    "Store bypass",
    "L1TF",
    "MDS",
    "TAA",
    "MMIO stale data",
    "Retbleed",
    "SRSO",
    "Downfall",
    "RFDS",
    "BHI",
    "ITS",
];

const MASKED: (&str, &str) = ("Spectre v1", "mitigated: masked indices");
const NO_BARRIER: (&str, &str) = ("Spectre v2", "IN PART: no IBPB");
const NO_SSBD: (&str, &str) = ("Store bypass", "VULNERABLE: no SSBD that holds");
const MELTDOWN: (&str, &str) = ("Meltdown", "mitigated: page-table isolation");
const L1TF: (&str, &str) = ("L1TF", "mitigated: absent entries are zero");
const MDS: (&str, &str) = ("MDS", NO_CLEARING);
const MMIO: (&str, &str) = ("MMIO stale data", NO_CLEARING);
const BHI: (&str, &str) = ("BHI", "mitigated: retpolines");
const NO_CLEARING: &str = "VULNERABLE: the microcode does not clear buffers";
const NO_ENTRY_BARRIER: &str = "VULNERABLE: no IBPB at entries";

/// The emulator's CPUs have the microcode that they came with.
const CPUS: [Expected; 7] = [
    Expected {
        model: "max",
        microcode: "revision 0x1000065",
        flaws: &[MASKED, NO_BARRIER],
    },
    Expected {
        model: "max,vendor=GenuineIntel,ucode-rev=0x2b00000000",
        microcode: "revision 0x2b",
        flaws: &[MELTDOWN, MASKED, NO_BARRIER, NO_SSBD, L1TF, MDS, MMIO, BHI],
    },
    Expected {
        model: "Haswell,ucode-rev=0x700000000",
        microcode: "revision 0x7",
        flaws: &[MELTDOWN, MASKED, NO_BARRIER, NO_SSBD, L1TF, MDS, MMIO, BHI],
    },
    Expected {
        model: "Skylake-Server",
        microcode: "revision 0x1",
        flaws: &[
            MELTDOWN,
            MASKED,
            NO_BARRIER,
            NO_SSBD,
            L1TF,
            MDS,
            MMIO,
            ("Retbleed", NO_ENTRY_BARRIER),
            ("Downfall", "mitigated: AVX off, no microcode"),
            BHI,
        ],
    },
    Expected {
        model: "Cascadelake-Server",
        microcode: "revision 0x1",
        flaws: &[
            MELTDOWN,
            MASKED,
            NO_BARRIER,
            NO_SSBD,
            L1TF,
            MDS,
            MMIO,
            ("Retbleed", NO_ENTRY_BARRIER),
            ("Downfall", "mitigated: AVX off, no microcode"),
            BHI,
            ("ITS", "mitigated: retpolines, aligned returns"),
        ],
    },
    Expected {
        model: "EPYC-Rome",
        microcode: "revision 0x1000065",
        flaws: &[
            MASKED,
            NO_BARRIER,
            NO_SSBD,
            ("Retbleed", NO_ENTRY_BARRIER),
            ("SRSO", NO_ENTRY_BARRIER),
        ],
    },
    Expected {
        model: "EPYC-Milan,ucode-rev=0x1234",
        microcode: "revision 0x1234",
        flaws: &[MASKED, NO_BARRIER, NO_SSBD, ("SRSO", NO_ENTRY_BARRIER)],
    },
];

/// A machine with this CPU model, at the prompt.
fn machine_with(cpu_model: &str) -> Machine {
    let mut machine = Machine::start(MachineConfig {
        cpu_model: cpu_model.to_owned(),
        ..images::system().machine_without_tpm()
    });
    machine.expect_prompt();
    machine
}

#[test]
fn the_state_of_each_flaw_is_that_of_the_processor() {
    for cpu in CPUS {
        let mut machine = machine_with(cpu.model);
        let status = machine.command("status --mitigations");
        let microcode = row(&status, "Microcode").unwrap_or_default();
        machine.check_equal(microcode, cpu.microcode, cpu.model);
        for flaw in FLAWS {
            let found = row(&status, flaw).unwrap_or_default();
            let listed = cpu.flaws.iter().find(|(name, _)| *name == flaw);
            let expected = listed.map_or("not affected", |(_, text)| text);
            machine.check(
                found.starts_with(expected),
                &format!("{}: {flaw}: {found:?}, not {expected:?}", cpu.model),
            );
            let loud = found.starts_with("VULNERABLE") || found.starts_with("IN PART");
            machine.check_equal(is_marked(&status, flaw), loud, flaw);
        }
        let bits = words(&status, "SPEC_CTRL bits on");
        machine.check_equal(bits, vec!["none"], cpu.model);
    }
}

#[test]
fn a_processor_with_other_microcode_than_the_first_is_left_out() {
    let arguments = [
        "-smp",
        "1,maxcpus=2,sockets=2",
        "-device",
        "max-x86_64-cpu,ucode-rev=0x1000066,socket-id=1,die-id=0,core-id=0,thread-id=0",
    ];
    let config = images::system().machine_without_tpm();
    let mut machine = Machine::start_with(config, &arguments);
    machine.expect_prompt();
    let said = machine.transcript();
    machine.check_contains(&said, "is not like the first");
    machine.check_contains(&said, "1 CPUs left out");
    let status = machine.command("status");
    let running = row(&status, "CPUs").unwrap_or_default();
    machine.check(running.starts_with("1 running"), running);
}

#[test]
fn what_a_processor_has_against_flaws_is_on() {
    let image = images::system();
    let mut machine = Bochs::boot(image, &image.system_image());
    machine.expect(PROMPT);
    let status = machine.command("status --mitigations");
    for (name, state) in [
        ("Spectre v2", "mitigated: enhanced IBRS, IBPB, STIBP"),
        ("BHI", "mitigated: history cleared at entries"),
        ("Store bypass", "not affected"),
        ("Retbleed", "mitigated: enhanced IBRS"),
        ("SPEC_CTRL bits on", "IBRS STIBP"),
    ] {
        machine.check_contains(row(&status, name).unwrap_or_default(), state);
    }
}

#[test]
fn a_protection_that_is_changed_from_outside_stops_the_kernel() {
    // The last two are bits that stay off.
    for (register, name, bit, was_on) in [
        (Register::Cr4, "CR4", cpu::CR4_SMAP, true),
        (Register::Cr0, "CR0", cpu::CR0_WP, true),
        (Register::Cr4, "CR4", cpu::CR4_PCE, false),
        (Register::Efer, "EFER", EFER_FFXSR, false),
    ] {
        let mut machine = saved::at_prompt(&images::system().machine_without_tpm());
        let (before, after) = machine.debug(|debugger| {
            let before = debugger.read(register);
            let after = before ^ bit;
            debugger.write(register, after);
            (before, after)
        });
        machine.check_equal(before & bit != 0, was_on, "the bit before");
        // A key wakes the processor, which waits again then.
        machine.press(&["spc"]);
        machine.expect(STOPPED);
        let report = machine.expect(HALTED);
        machine.check_contains(&report, &format!("{name} was changed to {after:#x}"));
    }
}

#[test]
fn extended_state_that_is_turned_on_from_outside_stops_the_kernel() {
    const XSETBV: [u8; 3] = [0x0F, 0x01, 0xD1];
    // What the kernel turns on, and the keys of protected pages.
    const AFTER: u64 = 0x207;
    let image = images::with_adversaries();
    let mut machine = saved::at_prompt(&image.machine_without_tpm());
    run_beside(&mut machine, "adv-spin", "spinning");
    let registers = machine.stop_at_level(3);
    let interrupted =
        image.kernel_base(&registers[0]) + image.kernel_symbol("nonos_interrupted", 3).0;
    machine.debug(|debugger| {
        debugger.run_to(interrupted);
        let registers = [
            (Register::Rax, AFTER),
            (Register::Rcx, 0),
            (Register::Rdx, 0),
        ];
        debugger.execute(&XSETBV, &registers);
    });
    machine.expect(STOPPED);
    let report = machine.expect(HALTED);
    machine.check_contains(&report, &format!("XCR0 was changed to {AFTER:#x}"));
}

/// Where the kernel of a machine has a way in or out that is another for some remedy, with the other: `nonos_detours` of `entry.s`.
struct Detour {
    from: u64,
    to: u64,
    remedy: u64,
}

fn detours(machine: &mut Machine, image: &Image) -> Vec<Detour> {
    let kernel = image.kernel_base(&machine.registers());
    let (start, table) = image.kernel_symbol("nonos_detours", DETOURS * 12);
    let word = |at: usize| u32::from_le_bytes(table[at..][..4].try_into().expect("four bytes"));
    // Places are counted from the word that says them.
    let place =
        |at: usize| (kernel + start + at as u64).wrapping_add_signed(i64::from(word(at) as i32));
    let rows = (0..DETOURS * 12).step_by(12).map(|at| Detour {
        from: place(at),
        to: place(at + 4),
        remedy: word(at + 8).into(),
    });
    rows.collect()
}

/// Programs that use all ways in and out, with all registers, on a kernel that was changed as it changes itself on a CPU with these flaws.
#[test]
fn ways_in_and_out_for_flaws_that_no_emulator_has_keep_what_is_the_programs() {
    let image = images::with_adversaries();
    for (cpu_model, remedies) in [
        ("max", remedy::CLEAR_BUFFERS | remedy::CLEAR_HISTORY),
        ("max", remedy::BARRIER_ON_ENTRY),
        // With isolated page tables.
        (
            "max,vendor=GenuineIntel",
            remedy::ISOLATE_TABLES | remedy::BARRIER_ON_ENTRY,
        ),
    ] {
        let mut machine = saved::at_prompt(&MachineConfig {
            cpu_model: cpu_model.into(),
            ..image.machine_without_tpm()
        });
        machine.stop_at_level(0);
        let all = detours(&mut machine, image);
        machine.go_on();
        let wanted: Vec<_> = all
            .iter()
            .filter(|detour| remedies & detour.remedy != 0)
            .collect();
        machine.check(!wanted.is_empty(), "no way is another");
        machine.debug(|debugger| {
            for detour in wanted {
                let mut jump = [JUMP; 5];
                let distance = detour.to.wrapping_sub(detour.from + 5) as u32;
                jump[1..].copy_from_slice(&distance.to_le_bytes());
                debugger.write_memory(detour.from, &jump);
            }
        });
        let before = services(&mut machine);
        let output = machine.command("run adv-busy");
        check_output(&machine, &output, &["14 shown, 0 failed"]);
        expect_unharmed(&mut machine, &before, "adv-busy");
    }
}
