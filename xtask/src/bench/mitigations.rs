//! What each mitigation costs: the calls of `bench/calls` with one more, or one less, than usual.
//!
//! What the compiler adds is left out of kernels that are signed with keys of their own, which no boot loader or firmware but theirs
//! knows. What the kernel does on some CPUs only is measured on models of such; for what no emulator's CPU has, one function of the kernel is replaced: the
//! one that says what is to be done. The kernel does it then by itself, and the emulator takes the instructions as ones that do nothing.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use nonos_abi::boot::remedy;
use nonos_abi::info::isolation;
use nonos_image::symbols::Symbols;
use serde::Serialize;

use super::calls::{self, Calls};
use crate::build::Protection;
use crate::elf;
use crate::image::{self, ImageFiles, ImageSpec};
use crate::paths;

/// The figures that say it, and their titles.
pub const FIGURES: [(&str, &str); 3] = [
    ("null", "null call"),
    ("call-reply", "call and reply"),
    ("switch", "context switch"),
];

/// A CPU with most of the flaws that there are mitigations for.
const FLAWED_CPU: &str = "max,vendor=GenuineIntel";

/// What the kernel does on CPUs of which there is no emulated one.
const FORCED: [(&str, u64); 5] = [
    ("buffers cleared at exits (VERW)", remedy::CLEAR_BUFFERS),
    (
        "history of branches overwritten at entries",
        remedy::CLEAR_HISTORY,
    ),
    (
        "predictions forgotten at switches (IBPB)",
        remedy::BARRIER_ON_SWITCH,
    ),
    (
        "the same at entries, too",
        remedy::BARRIER_ON_SWITCH | remedy::BARRIER_ON_ENTRY,
    ),
    // Where predictions are forgotten, so is history.
    (
        "all of these with page-table isolation",
        remedy::BARRIER_ON_SWITCH
            | remedy::BARRIER_ON_ENTRY
            | remedy::CLEAR_BUFFERS
            | remedy::ISOLATE_TABLES,
    ),
];

/// The kernel's function that says what is to be done, and what it notes of page tables.
const DECIDE: &str = "nonos_hal::isolation::decide";
const WHY_ISOLATED: &str = "nonos_hal::isolation::WHY";

/// Figures with other mitigations.
#[derive(Serialize, Clone, PartialEq, Eq, Debug)]
pub struct Variant {
    /// What is different.
    pub title: String,
    /// The least of each figure.
    pub calls: BTreeMap<String, u64>,
}

/// Measures all variants; the first is the usual one, whose figures are known.
///
/// # Errors
/// When a build or a measurement fails.
pub fn measure(image: &ImageFiles, usual: &Calls) -> Result<Vec<Variant>> {
    let variant = |title: &str, calls: &Calls| Variant {
        title: title.to_owned(),
        calls: calls.least(),
    };
    let mut variants = vec![variant("as built, on a CPU that needs nothing", usual)];
    let isolated = image::build_image(&ImageSpec {
        kpti: true,
        ..calls::image("bench-image-kpti")?
    })?;
    let calls = calls::measure(&isolated, 1, None)?;
    variants.push(variant("page-table isolation, forced", &calls));
    let calls = calls::measure(image, 1, Some(FLAWED_CPU))?;
    let title = format!("all that the CPU `{FLAWED_CPU}` needs");
    variants.push(variant(&title, &calls));
    let weak = image::build_weak_image(&calls::image("weak/bench-image")?, &[])?;
    for (title, remedies) in FORCED {
        let forced = image::with_kernel(&weak, &forced_kernel(&weak, remedies)?, "forced")?;
        variants.push(variant(title, &calls::measure(&forced, 1, None)?));
    }
    for protection in Protection::ALL {
        let calls = measure_without(&[protection])?;
        variants.push(variant(&format!("without {}", protection.title()), &calls));
    }
    let calls = measure_without(&Protection::ALL)?;
    variants.push(variant("without any of these five", &calls));
    Ok(variants)
}

/// The kernel of an image, but what it does against flaws is this, whatever CPU it runs on.
fn forced_kernel(image: &ImageFiles, remedies: u64) -> Result<Vec<u8>> {
    let linked = paths::read(&image.kernel_debug)?;
    let (decide, why) = (
        elf::address_of(&linked, DECIDE)?,
        elf::address_of(&linked, WHY_ISOLATED)?,
    );
    let mut kernel = paths::read(&image.kernel)?;
    let place = elf::place(&kernel, decide)?;
    let code = decision(decide, why, remedies);
    let symbols = elf::symbols(&linked)?;
    let symbols = Symbols::parse(&symbols).map_err(|error| anyhow!("{error}"))?;
    let last = symbols.resolve((decide + code.len() as u64 - 1) as u32);
    ensure!(
        last.is_some_and(|(name, _)| name == DECIDE),
        "the function is too short"
    );
    kernel[place..place + code.len()].copy_from_slice(&code);
    Ok(kernel)
}

/// `mov qword ptr [rip + …], …; mov eax, …; ret; int3`, at this address: notes whether page tables are isolated, returns the remedies.
fn decision(at: u64, why: u64, remedies: u64) -> Vec<u8> {
    const STORE_BYTES: u64 = 11;
    let distance = why.wrapping_sub(at + STORE_BYTES) as u32;
    let isolated = match remedies & remedy::ISOLATE_TABLES {
        0 => isolation::OFF,
        _ => isolation::ASKED,
    };
    [
        &[0x48, 0xC7, 0x05][..],
        &distance.to_le_bytes(),
        &(isolated as u32).to_le_bytes(),
        &[0xB8],
        &(remedies as u32).to_le_bytes(),
        &[0xC3, 0xCC],
    ]
    .concat()
}

fn measure_without(protections: &[Protection]) -> Result<Calls> {
    let image = image::build_weak_image(&calls::image("weak/bench-image")?, protections)?;
    calls::measure(&image, 1, None)
}
