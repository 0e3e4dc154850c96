//! Protections of the CPU which are on stay on.

use system_tests::cpu;
use system_tests::gdb::Register;
use system_tests::images;
use system_tests::saved;

const STOPPED: &str = "nonos: the kernel stopped: ";
const HALTED: &str = "nonos: memory is wiped, the machine is halted";

/// Programs may read performance counters.
const CR4_PCE: u64 = 1 << 8;
/// Fast FXSAVE, which leaves registers alone.
const EFER_FFXSR: u64 = 1 << 14;

#[test]
fn a_protection_that_is_changed_from_outside_stops_the_kernel() {
    // The last two are bits that stay off.
    for (register, bit, was_on) in [
        (Register::Cr4, cpu::CR4_SMAP, true),
        (Register::Cr0, cpu::CR0_WP, true),
        (Register::Cr4, CR4_PCE, false),
        (Register::Efer, EFER_FFXSR, false),
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
        machine.check_contains(
            &report,
            &format!("{register:?} was changed: {after:#x} instead of {before:#x}"),
        );
    }
}
