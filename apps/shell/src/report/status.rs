//! `status`: what protects this system, as the records say it.
//!
//! "On" is read from a control register, "detected" from CPUID; a protection that is not on has a row of its own that says so.

use core::fmt::{self, Display, Write};

use nonos_abi::boot::RollbackStore;
use nonos_abi::info::{
    BootStatus, CpuStatus, DmaStatus, Layout, MemoryStatus, Pcr, RandomStatus, boot_flags as boot,
    cpu_features as cpu, isolation,
};

use super::{Hash, Tone, heading, row, set_bits, words};
use super::{dma, random};

/// What `status` is made of.
pub struct Facts<'a, E> {
    /// How the system was booted.
    pub boot: BootStatus,
    /// The CPU, now.
    pub cpu: CpuStatus,
    /// Memory, now.
    pub memory: MemoryStatus,
    /// What keeps devices from memory, now.
    pub dma: DmaStatus,
    /// The kernel's generator of random numbers, now.
    pub random: RandomStatus,
    /// PCRs with their numbers.
    pub pcrs: &'a [(u64, Pcr)],
    /// Where the kernel lies, or why that is not shown.
    pub layout: Result<Layout, E>,
}

/// CR0 (SDM vol. 3, 2.5).
const CR0: [&str; 32] = {
    let mut names = [""; 32];
    (names[0], names[1], names[2], names[3]) = ("PE", "MP", "EM", "TS");
    (names[4], names[5], names[16], names[18]) = ("ET", "NE", "WP", "AM");
    (names[29], names[30], names[31]) = ("NW", "CD", "PG");
    names
};
/// CR4 (SDM vol. 3, 2.5).
const CR4: [&str; 25] = [
    "VME",
    "PVI",
    "TSD",
    "DE",
    "PSE",
    "PAE",
    "MCE",
    "PGE",
    "PCE",
    "OSFXSR",
    "OSXMMEXCPT",
    "UMIP",
    "LA57",
    "VMXE",
    "SMXE",
    "",
    "FSGSBASE",
    "PCIDE",
    "OSXSAVE",
    "KL",
    "SMEP",
    "SMAP",
    "PKE",
    "CET",
    "PKS",
];
/// IA32_EFER (SDM vol. 3, 2.2.1; bits 12 to 14: AMD64 manual vol. 2, 3.1.7).
const EFER: [&str; 15] = [
    "SCE", "", "", "", "", "", "", "", "LME", "", "LMA", "NXE", "SVME", "LMSLE", "FFXSR",
];

/// XCR0 (SDM vol. 1, 13.3).
const XCR0: [&str; 3] = ["x87", "SSE", "AVX"];

/// CR0.WP.
const WP: u64 = 1 << 16;
/// CR4.PCE.
const PCE: u64 = 1 << 8;
/// CR4.PKE.
const PKE: u64 = 1 << 22;
/// CR4.UMIP.
const UMIP: u64 = 1 << 11;
/// CR4.SMEP.
const SMEP: u64 = 1 << 20;
/// CR4.SMAP.
const SMAP: u64 = 1 << 21;
/// CR4.CET.
const CET: u64 = 1 << 23;
/// IA32_S_CET: SH_STK_EN and ENDBR_EN (SDM vol. 1, 17.2).
const SHADOW_STACK: u64 = 1;
const ENDBRANCH: u64 = 1 << 2;
/// IA32_EFER.NXE.
const NXE: u64 = 1 << 11;

/// Features that are neither on nor off: a program just uses them.
const OTHERS: [(u64, &str); 8] = [
    (cpu::RDRAND, "RDRAND"),
    (cpu::RDSEED, "RDSEED"),
    (cpu::AES, "AES-NI"),
    (cpu::PCID, "PCID"),
    (cpu::PKU, "PKU"),
    (cpu::TSC_DEADLINE, "TSC-deadline"),
    (cpu::INVARIANT_TSC, "invariant-TSC"),
    (cpu::HYPERVISOR, "hypervisor"),
];

/// Writes `status`.
pub fn status(out: &mut impl Write, facts: &Facts<'_, impl Display>) -> fmt::Result {
    heading(out, "Boot")?;
    boot_chain(out, &facts.boot)?;
    random::rows(out, &facts.boot, &facts.random)?;
    heading(out, "Machine")?;
    machine(out, facts)?;
    heading(out, "Protections of the CPU")?;
    protections(out, &facts.cpu)?;
    registers(out, &facts.cpu)?;
    heading(out, "Devices")?;
    dma::rows(out, &facts.dma)?;
    heading(out, "Platform configuration registers (SHA-256)")?;
    if facts.boot.flags & boot::TPM_PRESENT == 0 {
        return row(out, "PCRs", Tone::Bad, format_args!("absent: no TPM"));
    }
    for (number, pcr) in facts.pcrs {
        writeln!(out, "  PCR {number:>2}  {}", Hash(&pcr.digest))?;
    }
    Ok(())
}

fn boot_chain(out: &mut impl Write, status: &BootStatus) -> fmt::Result {
    let has = |flag| status.flags & flag != 0;
    let mut check = |label, valid, good, bad| match valid {
        true => row(out, label, Tone::Good, format_args!("{good}")),
        false => row(out, label, Tone::Bad, format_args!("{bad}")),
    };
    let unchecked = "NOT CHECKED";
    check(
        "Secure Boot",
        has(boot::SECURE_BOOT),
        "on",
        "OFF: the firmware checked no boot loader",
    )?;
    check(
        "Ed25519",
        has(boot::ED25519_VALID),
        "image signature checked, valid",
        unchecked,
    )?;
    check(
        "ML-DSA-65",
        has(boot::ML_DSA_VALID),
        "image signature checked, valid",
        unchecked,
    )?;
    check(
        "Payload",
        has(boot::PAYLOAD_HASH_VALID),
        "BLAKE3 hash checked, valid",
        unchecked,
    )?;
    writeln!(out, "    {}", Hash(&status.payload_hash))?;
    row(out, "Image keys", Tone::Plain, format_args!("BLAKE3 hash"))?;
    writeln!(out, "    {}", Hash(&status.key_hash))?;
    rollback(out, status)?;
    match (has(boot::TPM_PRESENT), has(boot::MEASURED)) {
        (true, true) => {
            let log = status.event_log_bytes;
            let measured =
                format_args!("present, image measured into PCR 11, event log {log} bytes");
            row(out, "TPM 2.0", Tone::Good, measured)
        }
        (true, false) => row(
            out,
            "TPM 2.0",
            Tone::Bad,
            format_args!("present, image NOT MEASURED"),
        ),
        (false, _) => row(
            out,
            "TPM 2.0",
            Tone::Bad,
            format_args!("ABSENT: nothing was measured"),
        ),
    }
}

fn rollback(out: &mut impl Write, status: &BootStatus) -> fmt::Result {
    let BootStatus {
        image_security_version: image,
        rollback_counter: least,
        ..
    } = status;
    let tone = if image >= least {
        Tone::Good
    } else {
        Tone::Bad
    };
    row(
        out,
        "Security version",
        tone,
        format_args!("{image}, at least {least} is accepted"),
    )?;
    let (tone, store) = match status.rollback_store {
        store if store == RollbackStore::Tpm as u64 => (Tone::Good, "kept in the TPM (NV index)"),
        store if store == RollbackStore::UefiVariable as u64 => (
            Tone::Weak,
            "kept in a UEFI VARIABLE only: weaker than a TPM",
        ),
        _ => (Tone::Bad, "kept NOWHERE: old images are accepted"),
    };
    row(out, "Rollback counter", tone, format_args!("{store}"))
}

fn machine(out: &mut impl Write, facts: &Facts<'_, impl Display>) -> fmt::Result {
    let CpuStatus {
        brand,
        cpus,
        tsc_hz,
        tsc_deadline,
        w_xor_x,
        ..
    } = &facts.cpu;
    let mut bytes = [0; 48];
    for (chunk, word) in bytes.as_chunks_mut().0.iter_mut().zip(brand) {
        *chunk = word.to_le_bytes();
    }
    let printable = |byte: &u8| matches!(byte, b' '..=b'~');
    let length = bytes
        .iter()
        .position(|byte| !printable(byte))
        .unwrap_or(bytes.len());
    let brand = core::str::from_utf8(&bytes[..length]).unwrap_or("").trim();
    row(out, "CPU", Tone::Plain, format_args!("{brand}"))?;
    let timer = if *tsc_deadline == 1 {
        "TSC deadline"
    } else {
        "one-shot"
    };
    let running = format_args!(
        "{cpus} running, TSC {} MHz, {timer} timer",
        tsc_hz / 1_000_000
    );
    row(out, "CPUs", Tone::Plain, running)?;
    let memory = &facts.memory;
    let (free, total) = (memory.free_pages / 256, memory.total_pages / 256);
    row(
        out,
        "Memory",
        Tone::Plain,
        format_args!("{free} MiB of {total} MiB free for programs"),
    )?;
    match w_xor_x {
        1 => row(
            out,
            "W^X",
            Tone::Good,
            format_args!("all page tables walked at boot: held"),
        ),
        _ => row(
            out,
            "W^X",
            Tone::Bad,
            format_args!("NOT SHOWN: a page was writable and executable"),
        ),
    }?;
    match &facts.layout {
        Ok(layout) => {
            let Layout {
                kernel_base,
                kernel_physical,
                ..
            } = layout;
            let bases = format_args!("virtual {kernel_base:#x}, physical {kernel_physical:#x}");
            row(out, "KASLR bases", Tone::Plain, bases)
        }
        Err(why) => row(
            out,
            "KASLR bases",
            Tone::Plain,
            format_args!("hidden: {why}"),
        ),
    }
}

fn protections(out: &mut impl Write, status: &CpuStatus) -> fmt::Result {
    let CpuStatus {
        cr0,
        cr4,
        efer,
        features,
        supervisor_cet,
        ..
    } = *status;
    let rows = [
        ("NX", efer & NXE != 0, cpu::NX, "no-execute pages"),
        (
            "WP",
            cr0 & WP != 0,
            u64::MAX,
            "bars kernel writes to read-only pages",
        ),
        (
            "SMEP",
            cr4 & SMEP != 0,
            cpu::SMEP,
            "bars the kernel from running user pages",
        ),
        (
            "SMAP",
            cr4 & SMAP != 0,
            cpu::SMAP,
            "bars the kernel from touching user pages",
        ),
        (
            "UMIP",
            cr4 & UMIP != 0,
            cpu::UMIP,
            "hides descriptor tables from programs",
        ),
        (
            "CET shadow stack",
            cr4 & CET != 0,
            cpu::CET_SS,
            "guards return addresses",
        ),
        (
            "CET IBT",
            cr4 & CET != 0,
            cpu::CET_IBT,
            "guards indirect jumps",
        ),
    ];
    // CR4.CET is for both; the kernel has a register of its own besides.
    let only_programs = |feature| match feature {
        cpu::CET_SS => supervisor_cet & SHADOW_STACK == 0,
        cpu::CET_IBT => supervisor_cet & ENDBRANCH == 0,
        _ => false,
    };
    for (name, enabled, feature, meaning) in rows {
        let (tone, state, whose) = match (features & feature != 0, enabled) {
            (true, true) if only_programs(feature) => {
                (Tone::Weak, "on, IN PART   ", " of programs only")
            }
            (true, true) => (Tone::Good, "on            ", ""),
            (true, false) => (Tone::Bad, "DETECTED, OFF ", ""),
            (false, _) => (Tone::Bad, "ABSENT        ", ""),
        };
        row(out, name, tone, format_args!("{state} {meaning}{whose}"))?;
    }
    // Off on purpose (decision 12).
    for (name, bit, meaning) in [
        (
            "Protection keys",
            PKE,
            "programs would change them by themselves",
        ),
        ("RDPMC", PCE, "programs read no performance counters"),
    ] {
        let (tone, state) = match cr4 & bit {
            0 => (Tone::Good, "off"),
            _ => (Tone::Bad, "ON "),
        };
        row(
            out,
            name,
            tone,
            format_args!("{state}            {meaning}"),
        )?;
    }
    let immune = features & cpu::RDCL_NO != 0;
    let text = match (status.isolation, immune) {
        (isolation::AFFECTED, _) => "on             the CPU has Meltdown",
        (isolation::ASKED, _) => "on             the image asks for it",
        (_, true) => "not needed     the CPU reports that it is free of Meltdown",
        (_, false) => "not needed     CPUs of this kind are free of Meltdown",
    };
    row(out, "KPTI", Tone::Good, format_args!("{text}"))?;
    let (tone, text) = match features & cpu::IBRS_ALL != 0 {
        true => (Tone::Good, "detected"),
        false => (Tone::Weak, "ABSENT"),
    };
    row(out, "Enhanced IBRS", tone, format_args!("{text}"))
}

fn registers(out: &mut impl Write, status: &CpuStatus) -> fmt::Result {
    let named = |bits, names| set_bits(bits, names).filter(|name| !name.is_empty());
    words(out, "CR0 bits on", named(status.cr0, &CR0))?;
    words(out, "CR4 bits on", named(status.cr4, &CR4))?;
    words(out, "EFER bits on", named(status.efer, &EFER))?;
    words(out, "XCR0 bits on", named(status.xcr0, &XCR0))?;
    let others = |detected| {
        OTHERS
            .iter()
            .filter(move |(bit, _)| (status.features & bit != 0) == detected)
            .map(|(_, name)| *name)
    };
    words(out, "Detected", others(true))?;
    words(out, "Not detected", others(false))
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;

    fn facts() -> Facts<'static, &'static str> {
        Facts {
            boot: BootStatus {
                flags: 0x3F,
                rollback_store: 1,
                entropy_sources: 0b11101,
                ..BootStatus::default()
            },
            cpu: CpuStatus {
                cr0: 0x8001_0033,
                cr4: 0x0030_0EF0,
                efer: 0xD01,
                xcr0: 7,
                features: u64::MAX,
                w_xor_x: 1,
                ..CpuStatus::default()
            },
            memory: MemoryStatus::default(),
            dma: DmaStatus {
                units: 1,
                translating: 1,
                remapping: 1,
                ..DmaStatus::default()
            },
            random: RandomStatus {
                sources: 0b100,
                reseeds: 3,
                knows_generation: 1,
                ..RandomStatus::default()
            },
            pcrs: &[(11, Pcr { digest: [1; 4] })],
            layout: Err("not granted"),
        }
    }

    #[track_caller]
    fn shown(facts: &Facts<'_, &str>) -> String {
        let mut out = String::new();
        status(&mut out, facts).unwrap();
        let text = plain(&out);
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
        text
    }

    #[track_caller]
    fn line<'a>(text: &'a str, label: &str) -> &'a str {
        text.lines()
            .find(|line| line.get(2..).is_some_and(|l| l.starts_with(label)))
            .unwrap()
    }

    #[test]
    fn what_is_on_and_checked_is_said_without_alarm() {
        let text = shown(&facts());
        assert_eq!(line(&text, "Secure Boot"), "  Secure Boot       on");
        assert!(line(&text, "SMEP").contains(" on "));
        assert!(line(&text, "Protection keys").contains(" off "));
        assert!(line(&text, "RDPMC").contains(" off "));
        assert!(line(&text, "KASLR").ends_with("hidden: not granted"));
        assert!(line(&text, "CR0").ends_with("PE MP ET NE WP PG"));
        assert!(line(&text, "EFER").ends_with("SCE LME LMA NXE"));
        assert!(line(&text, "XCR0").ends_with("x87 SSE AVX"));
        assert!(line(&text, "  not from").ends_with("RDSEED"));
        assert!(
            line(&text, "PCR 11").ends_with("0100000000000000"),
            "{text}"
        );
        assert_eq!(
            text.lines().filter(|line| line.starts_with('!')).count(),
            2,
            "CET is off: {text}"
        );
    }

    #[test]
    fn detected_off_and_absent_are_different_words() {
        let mut facts = facts();
        facts.cpu.cr4 = PKE;
        facts.cpu.features = !(cpu::CET_SS | cpu::UMIP);
        let text = shown(&facts);
        assert!(
            line(&text, "SMAP").starts_with("! ") && line(&text, "SMAP").contains("DETECTED, OFF")
        );
        assert!(line(&text, "CET shadow stack").starts_with("! "));
        assert!(line(&text, "CET shadow stack").contains("ABSENT"));
        assert!(line(&text, "UMIP").contains("ABSENT"));
        assert!(
            line(&text, "Protection keys").starts_with("! ")
                && line(&text, "Protection keys").contains(" ON ")
        );
    }

    #[test]
    fn control_flow_that_is_enforced_in_programs_only_is_on_in_part() {
        let mut facts = facts();
        facts.cpu.cr4 |= CET;
        for (supervisor_cet, state) in [(0, "on, IN PART"), (SHADOW_STACK | ENDBRANCH, "on      ")]
        {
            facts.cpu.supervisor_cet = supervisor_cet;
            let text = shown(&facts);
            for name in ["CET shadow stack", "CET IBT"] {
                assert!(line(&text, name).contains(state), "{text}");
            }
        }
    }

    #[test]
    fn whether_user_mode_has_its_own_page_tables_is_said_with_the_reason() {
        let mut facts = facts();
        for (why, features, expected) in [
            (
                isolation::AFFECTED,
                0,
                "on             the CPU has Meltdown",
            ),
            (isolation::ASKED, u64::MAX, "on             the image asks"),
            (isolation::OFF, u64::MAX, "not needed     the CPU reports"),
            (isolation::OFF, 0, "not needed     CPUs of this kind"),
        ] {
            (facts.cpu.isolation, facts.cpu.features) = (why, features);
            let text = shown(&facts);
            assert!(line(&text, "KPTI").contains(expected), "{text}");
        }
    }

    #[test]
    fn a_machine_without_tpm_or_secure_boot_says_so() {
        let mut facts = facts();
        facts.boot.flags = 0;
        facts.boot.rollback_store = 2;
        let text = shown(&facts);
        for label in [
            "Secure Boot",
            "Ed25519",
            "ML-DSA-65",
            "Payload",
            "TPM 2.0",
            "Rollback counter",
            "PCRs",
        ] {
            assert!(line(&text, label).starts_with("! "), "{label}");
        }
        assert!(line(&text, "Rollback").contains("UEFI VARIABLE only"));
    }
}
