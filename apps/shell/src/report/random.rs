//! Where random numbers come from, for `status`.

use core::fmt::{self, Write};

use nonos_abi::boot::entropy;
use nonos_abi::info::{BootStatus, RandomStatus};

use super::{Tone, row, set_bits, words};

/// Writes the rows about entropy.
pub(super) fn rows(out: &mut impl Write, boot: &BootStatus, random: &RandomStatus) -> fmt::Result {
    let absent = !(boot.entropy_sources | boot.entropy_failed);
    words(out, "Entropy from", names(boot.entropy_sources))?;
    words(out, "  not from", names(absent))?;
    words(out, "  renewed from", names(random.sources))?;
    for name in names(boot.entropy_failed | random.failed) {
        row(
            out,
            "Entropy",
            Tone::Bad,
            format_args!("{name} FAILED its health test, does not count"),
        )?;
    }
    let (tone, snapshots) = match random.knows_generation {
        0 => (Tone::Plain, "none: a restored snapshot is not noticed"),
        _ => (Tone::Good, "present: a restored snapshot is noticed"),
    };
    row(out, "VM generation id", tone, format_args!("{snapshots}"))
}

/// The names of sources, each as one word.
fn names(sources: u64) -> impl Iterator<Item = &'static str> {
    set_bits(sources, &entropy::NAMES).map(|name| match name {
        "timer jitter" => "timer-jitter",
        name => name,
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;

    fn shown(boot: &BootStatus, random: &RandomStatus) -> String {
        let mut out = String::new();
        rows(&mut out, boot, random).unwrap();
        plain(&out)
    }

    #[test]
    fn sources_that_count_are_absent_or_failed_are_told_apart() {
        let boot = BootStatus {
            entropy_sources: entropy::TPM | entropy::JITTER,
            entropy_failed: entropy::EFI_RNG,
            ..BootStatus::default()
        };
        let random = RandomStatus {
            sources: entropy::RDSEED,
            failed: entropy::RDRAND,
            ..RandomStatus::default()
        };
        let text = shown(&boot, &random);
        let lines: Vec<_> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "  Entropy from      TPM timer-jitter",
                "    not from        RDSEED RDRAND",
                "    renewed from    RDSEED",
                "! Entropy           EFI_RNG FAILED its health test, does not count",
                "! Entropy           RDRAND FAILED its health test, does not count",
                "  VM generation id  none: a restored snapshot is not noticed",
            ]
        );
        let knows = RandomStatus {
            knows_generation: 1,
            ..random
        };
        assert!(shown(&boot, &knows).contains("  VM generation id  present"));
    }
}
