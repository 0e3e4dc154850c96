//! `status --mitigations`: the known flaws of CPUs, and what is so of each on this one.

use core::fmt::{self, Write};

use nonos_abi::info::CpuSecurity;
use nonos_mitigations::{State, assess, signature};

use super::{Tone, heading, row, set_bits, words};

/// IA32_SPEC_CTRL (SDM vol. 4, table 2-2).
const SPEC_CONTROL: [&str; 11] = [
    "IBRS",
    "STIBP",
    "SSBD",
    "IPRED_DIS_U",
    "IPRED_DIS_S",
    "RRSBA_DIS_U",
    "RRSBA_DIS_S",
    "PSFD",
    "DDPD_U",
    "",
    "BHI_DIS_S",
];

/// Writes `status --mitigations`.
pub fn mitigations(out: &mut impl Write, cpu: &CpuSecurity) -> fmt::Result {
    heading(out, "Known flaws of CPUs, and this one")?;
    let [family, model, stepping] = signature(cpu);
    row(
        out,
        "CPU",
        Tone::Plain,
        format_args!("family {family:#x}, model {model:#x}, stepping {stepping:#x}"),
    )?;
    match cpu.microcode {
        0 => row(out, "Microcode", Tone::Weak, format_args!("not known")),
        revision => row(
            out,
            "Microcode",
            Tone::Plain,
            format_args!("revision {revision:#x}"),
        ),
    }?;
    for verdict in assess(cpu) {
        let (tone, state) = match verdict.state {
            State::NotAffected => (Tone::Good, "not affected"),
            State::Mitigated => (Tone::Good, "mitigated: "),
            State::InPart => (Tone::Weak, "IN PART: "),
            State::Vulnerable => (Tone::Bad, "VULNERABLE: "),
        };
        let name = verdict.issue.name();
        row(out, name, tone, format_args!("{state}{}", verdict.why))?;
    }
    let on = set_bits(cpu.spec_control, &SPEC_CONTROL).filter(|name| !name.is_empty());
    words(out, "SPEC_CTRL bits on", on)
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;

    #[test]
    fn a_flaw_that_nothing_helps_against_stands_out() {
        let mut out = String::new();
        let cpu = CpuSecurity {
            spec_control: 1 << 2 | 1 << 10,
            microcode: 0x2B,
            ..CpuSecurity::default()
        };
        mitigations(&mut out, &cpu).unwrap();
        let text = plain(&out);
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
        for line in [
            "  Microcode         revision 0x2b",
            "! Meltdown          VULNERABLE: user page tables hold the kernel",
            "  Store bypass      mitigated: SSBD, for all programs",
            "  SRSO              not affected",
            "  SPEC_CTRL bits on SSBD BHI_DIS_S",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        out.clear();
        mitigations(&mut out, &CpuSecurity::default()).unwrap();
        assert!(plain(&out).contains("! Microcode         not known"));
    }
}
