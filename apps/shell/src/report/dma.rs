//! What keeps devices from memory, for `status`.

use core::fmt::{self, Write};

use nonos_abi::info::DmaStatus;

use super::{Tone, row};

/// Writes the rows about devices.
pub(super) fn rows(out: &mut impl Write, status: &DmaStatus) -> fmt::Result {
    let DmaStatus {
        units,
        translating,
        remapping,
        stopped,
        ..
    } = *status;
    let mut say = |label, tone, text: fmt::Arguments<'_>| row(out, label, tone, text);
    match (units, translating) {
        (0, _) => say(
            "IOMMU",
            Tone::Bad,
            format_args!("ABSENT: DMA is not confined"),
        ),
        (_, on) if on == units => say(
            "IOMMU",
            Tone::Good,
            format_args!("on in {units} of {units}: DMA is confined"),
        ),
        (_, on) => say(
            "IOMMU",
            Tone::Bad,
            format_args!("DETECTED, on in {on} of {units}: DMA is not confined"),
        ),
    }?;
    match units > 0 && remapping == units {
        true => say(
            "Interrupts",
            Tone::Good,
            format_args!("remapped: devices raise only those of their lines"),
        ),
        false => say(
            "Interrupts",
            Tone::Bad,
            format_args!("NOT REMAPPED: a device can raise any"),
        ),
    }?;
    if stopped == 0 {
        return Ok(());
    }
    let DmaStatus {
        device,
        address,
        reason,
        ..
    } = *status;
    let (bus, slot, function) = (device >> 8 & 0xFF, device >> 3 & 31, device & 7);
    let what = if status.write == 1 { "write" } else { "read" };
    say(
        "Stopped DMA",
        Tone::Bad,
        format_args!(
            "{stopped}, last {bus:02x}:{slot:02x}.{function}, {what} at {address:#x}, reason {reason}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::super::tests::plain;
    use super::*;

    fn shown(status: DmaStatus) -> String {
        let mut out = String::new();
        rows(&mut out, &status).unwrap();
        let text = plain(&out);
        assert!(text.lines().all(|line| line.chars().count() < 80), "{text}");
        text
    }

    #[test]
    fn dma_is_confined_when_translation_is_on_in_all_units() {
        let all = DmaStatus {
            units: 2,
            translating: 2,
            remapping: 2,
            ..DmaStatus::default()
        };
        let text = shown(all);
        assert!(
            text.contains("DMA is confined") && !text.contains('!'),
            "{text}"
        );
        let some = DmaStatus {
            translating: 1,
            ..all
        };
        assert!(shown(some).contains("on in 1 of 2: DMA is not confined"));
        let interrupts = DmaStatus {
            remapping: 1,
            ..all
        };
        assert!(shown(interrupts).contains("! Interrupts        NOT REMAPPED"));
    }

    #[test]
    fn a_machine_without_iommu_says_so() {
        let text = shown(DmaStatus::default());
        assert!(text.contains("! IOMMU             ABSENT: DMA is not confined"));
        assert!(text.contains("NOT REMAPPED"), "{text}");
        assert!(!text.contains("Stopped"));
    }

    #[test]
    fn what_was_stopped_is_said_with_the_device() {
        let text = shown(DmaStatus {
            units: 1,
            translating: 1,
            stopped: u32::MAX.into(),
            device: 0xFFFB,
            address: 0xFF_FFFF_F000,
            reason: 5,
            write: 1,
            ..DmaStatus::default()
        });
        let row = "! Stopped DMA       4294967295, last ff:1f.3, write at 0xfffffff000, reason 5";
        assert!(text.contains(row), "{text}");
    }
}
