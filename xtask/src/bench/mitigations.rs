//! What each mitigation costs: the calls of `bench/calls` with one more, or one less, than usual.
//!
//! What the compiler adds is left out of kernels that are signed with keys of their own, which no boot loader or firmware but theirs
//! knows. What the kernel does on some CPUs only is measured on models of such.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

use super::calls::{self, Calls};
use crate::build::Protection;
use crate::image::{self, ImageFiles, ImageSpec};

/// The figures that say it, and their titles.
pub const FIGURES: [(&str, &str); 3] = [
    ("null", "null call"),
    ("call-reply", "call and reply"),
    ("switch", "context switch"),
];

/// A CPU with most of the flaws that there are mitigations for.
const FLAWED_CPU: &str = "max,vendor=GenuineIntel";

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
    for protection in Protection::ALL {
        let calls = measure_without(&[protection])?;
        variants.push(variant(&format!("without {}", protection.title()), &calls));
    }
    let calls = measure_without(&Protection::ALL)?;
    variants.push(variant("without any of these four", &calls));
    Ok(variants)
}

fn measure_without(protections: &[Protection]) -> Result<Calls> {
    let image = image::build_weak_image(&calls::image("weak/bench-image")?, protections)?;
    calls::measure(&image, 1, None)
}
