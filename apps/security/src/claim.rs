//! What follows from the records, in words: each claim says how well it stands.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use nonos_abi::boot::RollbackStore;
use nonos_abi::info::{
    BootStatus, CpuStatus, DmaStatus, RandomStatus, boot_flags as boot, cpu_features as cpu,
    isolation, module_state,
};
use nonos_mitigations::{State, assess};

use crate::facts::Facts;

/// How well something stands.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Standing {
    /// It holds.
    Good,
    /// It holds in part, or something weaker stands in for it.
    Weak,
    /// It does not hold, or is not there.
    Bad,
}

/// Something that is or is not so.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claim {
    /// What it is about.
    pub name: &'static str,
    /// What is so.
    pub text: String,
    /// How well that stands.
    pub standing: Standing,
}

fn claim(name: &'static str, standing: Standing, text: impl Into<String>) -> Claim {
    let text = text.into();
    Claim {
        name,
        text,
        standing,
    }
}

fn check(name: &'static str, holds: bool, good: &str, bad: &str) -> Claim {
    match holds {
        true => claim(name, Standing::Good, good),
        false => claim(name, Standing::Bad, bad),
    }
}

/// What could not be read is not taken for good.
fn unread(name: &'static str) -> Vec<Claim> {
    [claim(name, Standing::Bad, "could not be read")].into()
}

/// A link of the boot chain: what was started, by whom it was checked, what of it can be shown.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// What was started.
    pub name: &'static str,
    /// How it was checked before.
    pub claims: Vec<Claim>,
    /// A hash that stands for it, and what that is of.
    pub hash: Option<(&'static str, String)>,
}

fn hex(words: &[u64; 4]) -> String {
    let bytes = words.iter().flat_map(|word| word.to_le_bytes());
    bytes.map(|byte| format!("{byte:02x}")).collect()
}

/// The boot chain, from the firmware on.
pub fn chain(facts: &Facts) -> Vec<Link> {
    let Some(status) = &facts.boot else {
        return [Link {
            name: "Boot",
            claims: unread("Record of the boot"),
            hash: None,
        }]
        .into();
    };
    let has = |flag| status.flags & flag != 0;
    let pcr = |wanted: u64| {
        facts
            .pcrs
            .iter()
            .find(|(number, _)| *number == wanted)
            .filter(|_| has(boot::TPM_PRESENT))
    };
    let measured = |number: u64, title| pcr(number).map(|(_, pcr)| (title, hex(&pcr.digest)));
    let tpm = match (has(boot::TPM_PRESENT), has(boot::MEASURED)) {
        (true, true) => claim(
            "Measured boot",
            Standing::Good,
            "Image measured into PCR 11",
        ),
        (true, false) => claim(
            "Measured boot",
            Standing::Bad,
            "TPM present, image not measured",
        ),
        (false, _) => claim(
            "Measured boot",
            Standing::Bad,
            "No TPM: nothing was measured",
        ),
    };
    let not = "Not checked";
    [
        Link {
            name: "Firmware",
            claims: [check(
                "Secure Boot",
                has(boot::SECURE_BOOT),
                "On: only signed boot loaders start",
                "Off: any boot loader starts",
            )]
            .into(),
            hash: measured(0, "PCR 0"),
        },
        Link {
            name: "Boot loader",
            claims: [tpm, rollback(status)].into(),
            hash: measured(4, "PCR 4"),
        },
        Link {
            name: "System image",
            claims: [
                check(
                    "Ed25519",
                    has(boot::ED25519_VALID),
                    "Signature checked, valid",
                    not,
                ),
                check(
                    "ML-DSA-65",
                    has(boot::ML_DSA_VALID),
                    "Signature checked, valid",
                    not,
                ),
                check(
                    "BLAKE3",
                    has(boot::PAYLOAD_HASH_VALID),
                    "Hash of the contents checked, matches",
                    not,
                ),
            ]
            .into(),
            hash: Some(("BLAKE3", hex(&status.payload_hash))),
        },
        Link {
            name: "Kernel and programs",
            claims: [modules(&facts.modules)].into(),
            hash: measured(11, "PCR 11"),
        },
    ]
    .into()
}

/// Programs that were started: none of them was executed before both of its signatures and its hash were checked.
fn modules(states: &[u64]) -> Claim {
    let name = "Programs";
    let count = |wanted: fn(u64) -> bool| states.iter().filter(|&&state| wanted(state)).count();
    let admitted = count(|state| state == module_state::ADMITTED);
    let text = format!("{admitted} of {} verified and admitted", states.len());
    match count(|state| state >= module_state::REFUSED) {
        0 if admitted > 0 => claim(name, Standing::Good, text),
        0 => claim(name, Standing::Bad, "Not known"),
        refused => claim(name, Standing::Bad, format!("{text}, {refused} refused")),
    }
}

fn rollback(status: &BootStatus) -> Claim {
    let text = |store: &str| {
        let (image, least) = (status.image_security_version, status.rollback_counter);
        format!("Version {image}, at least {least} starts; {store}")
    };
    let name = "Rollback";
    if status.image_security_version < status.rollback_counter {
        return claim(name, Standing::Bad, text("an old image was started"));
    }
    match status.rollback_store {
        store if store == RollbackStore::Tpm as u64 => {
            claim(name, Standing::Good, text("kept in the TPM"))
        }
        store if store == RollbackStore::UefiVariable as u64 => claim(
            name,
            Standing::Weak,
            text("kept in a firmware variable only"),
        ),
        _ => claim(name, Standing::Bad, text("kept nowhere")),
    }
}

/// CR0.WP, bits of CR4, IA32_EFER.NXE, bits of IA32_S_CET (SDM vol. 3, 2.5 and 2.2.1; vol. 1, 17.2).
mod register {
    pub const WP: u64 = 1 << 16;
    pub const UMIP: u64 = 1 << 11;
    pub const SMEP: u64 = 1 << 20;
    pub const SMAP: u64 = 1 << 21;
    pub const CET: u64 = 1 << 23;
    pub const NXE: u64 = 1 << 11;
    pub const SHADOW_STACK: u64 = 1;
    pub const ENDBRANCH: u64 = 1 << 2;
}

/// Protections: what is on, and what this machine lacks.
pub fn protections(facts: &Facts) -> Vec<Claim> {
    let mut claims = match &facts.cpu {
        Some(status) => processor(status),
        None => unread("Processor"),
    };
    claims.extend(match &facts.dma {
        Some(dma) => [devices(dma)].into(),
        None => unread("Devices"),
    });
    claims.extend(match &facts.random {
        Some(random) => [entropy(random)].into(),
        None => unread("Random numbers"),
    });
    claims
}

fn processor(status: &CpuStatus) -> Vec<Claim> {
    use register::{CET, ENDBRANCH, NXE, SHADOW_STACK, SMAP, SMEP, UMIP, WP};
    let CpuStatus {
        cr0,
        cr4,
        efer,
        supervisor_cet,
        features,
        ..
    } = *status;
    let kernel = |bit| cr4 & CET != 0 && supervisor_cet & bit != 0;
    let rows = [
        (
            "No-execute pages",
            efer & NXE != 0,
            cpu::NX,
            "Data is never executed",
        ),
        (
            "Read-only kernel",
            cr0 & WP != 0,
            u64::MAX,
            "The kernel cannot write what it mapped to read",
        ),
        (
            "SMEP",
            cr4 & SMEP != 0,
            cpu::SMEP,
            "The kernel does not execute pages of programs",
        ),
        (
            "SMAP",
            cr4 & SMAP != 0,
            cpu::SMAP,
            "The kernel does not touch pages of programs by accident",
        ),
        (
            "UMIP",
            cr4 & UMIP != 0,
            cpu::UMIP,
            "Programs do not see where the kernel's tables lie",
        ),
        (
            "Shadow stacks",
            kernel(SHADOW_STACK),
            cpu::CET_SS,
            "Return addresses cannot be changed",
        ),
        (
            "Branch tracking",
            kernel(ENDBRANCH),
            cpu::CET_IBT,
            "Indirect branches land where they may",
        ),
    ];
    let mut claims: Vec<Claim> = rows
        .into_iter()
        .map(
            |(name, on, feature, text)| match (on, features & feature != 0) {
                (true, _) => claim(name, Standing::Good, text),
                (false, true) => claim(name, Standing::Bad, "Off, though the processor has it"),
                (false, false) => claim(
                    name,
                    Standing::Weak,
                    "Absent: the processor does not have it",
                ),
            },
        )
        .collect();
    claims.insert(
        0,
        check(
            "W^X",
            status.w_xor_x == 1,
            "No page was writable and executable at boot",
            "A page was writable and executable at boot",
        ),
    );
    let separate = match status.isolation {
        isolation::OFF => "Not needed on this processor",
        _ => "Programs have page tables without the kernel in them",
    };
    claims.push(claim("Isolation", Standing::Good, separate));
    claims
}

fn devices(dma: &DmaStatus) -> Claim {
    let name = "Devices";
    let stopped = match dma.stopped {
        0 => String::new(),
        stopped => format!("; {stopped} requests stopped"),
    };
    match (
        dma.units,
        dma.translating == dma.units,
        dma.remapping == dma.units,
    ) {
        (0, ..) => claim(name, Standing::Bad, "No IOMMU: devices reach all memory"),
        (_, true, true) => claim(
            name,
            Standing::Good,
            format!("Confined by {} IOMMUs, interrupts too{stopped}", dma.units),
        ),
        (_, true, false) => claim(
            name,
            Standing::Weak,
            format!("Confined to memory, interrupts are not remapped{stopped}"),
        ),
        (units, ..) => claim(
            name,
            Standing::Bad,
            format!(
                "{} of {units} IOMMUs translate: not confined{stopped}",
                dma.translating
            ),
        ),
    }
}

fn entropy(random: &RandomStatus) -> Claim {
    let name = "Random numbers";
    let (good, failed) = (random.sources.count_ones(), random.failed.count_ones());
    match (good, failed) {
        (0, _) => claim(
            name,
            Standing::Weak,
            "No source of the kernel: seeded by the boot loader alone",
        ),
        (_, 0) => claim(
            name,
            Standing::Good,
            format!("{good} sources, {} times seeded again", random.reseeds),
        ),
        _ => claim(
            name,
            Standing::Weak,
            format!("{good} sources, {failed} failed their tests"),
        ),
    }
}

/// Known flaws of processors, and what is so of each here.
pub fn flaws(facts: &Facts) -> Vec<Claim> {
    let Some(cpu) = &facts.flaws else {
        return unread("Flaws of processors");
    };
    let verdict = |verdict: nonos_mitigations::Verdict| {
        let name = verdict.issue.name();
        match verdict.state {
            State::NotAffected => claim(name, Standing::Good, "Not affected"),
            State::Mitigated => claim(
                name,
                Standing::Good,
                "Mitigated: ".to_string() + verdict.why,
            ),
            State::InPart => claim(name, Standing::Weak, "In part: ".to_string() + verdict.why),
            State::Vulnerable => claim(
                name,
                Standing::Bad,
                "Vulnerable: ".to_string() + verdict.why,
            ),
        }
    };
    assess(cpu).into_iter().map(verdict).collect()
}

/// How well the worst of them stands.
pub fn worst<'a>(claims: impl IntoIterator<Item = &'a Claim>) -> Standing {
    let standings = claims.into_iter().map(|claim| claim.standing);
    standings.max().unwrap_or(Standing::Bad)
}
