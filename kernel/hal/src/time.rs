//! Arithmetic of clocks: rates and conversions. Pure, tested on the host.

/// Nanoseconds in a second.
pub const SECOND_NS: u64 = 1_000_000_000;

/// A factor as a fixed-point number with 32 fractional bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ratio(u64);

impl Ratio {
    /// `numerator / denominator`, rounded down. Saturates where it does not fit.
    pub const fn new(numerator: u64, denominator: u64) -> Self {
        let value = ((numerator as u128) << 32) / denominator as u128;
        Self(if value > u64::MAX as u128 {
            u64::MAX
        } else {
            value as u64
        })
    }

    /// `value` times the factor, rounded down. Saturates.
    pub const fn scale(self, value: u64) -> u64 {
        let product = (value as u128 * self.0 as u128) >> 32;
        if product > u64::MAX as u128 {
            u64::MAX
        } else {
            product as u64
        }
    }
}

/// Frequency of a counter that advanced `count` while a reference of `reference_hz` advanced `reference_count`.
pub const fn frequency(count: u64, reference_count: u64, reference_hz: u64) -> u64 {
    (count as u128 * reference_hz as u128 / reference_count as u128) as u64
}

/// How far a counter of `bits` bits advanced, wrapped around at most once.
pub const fn advance(from: u32, to: u32, bits: u32) -> u32 {
    to.wrapping_sub(from) & (u32::MAX >> (32 - bits))
}

/// TSC frequency from CPUID leaf 0x15 (SDM vol. 2, CPUID): crystal `hz` × `numerator` / `denominator`; `None` when not all are named.
pub const fn from_crystal(denominator: u32, numerator: u32, hz: u32) -> Option<u64> {
    if denominator == 0 || numerator == 0 || hz == 0 {
        return None;
    }
    Some(hz as u64 * numerator as u64 / denominator as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_convert_forth_and_back_within_a_nanosecond_per_second() {
        for hz in [24_000_000, 1_000_000_000, 2_995_200_123, 5_800_000_000] {
            let to_ns = Ratio::new(SECOND_NS, hz);
            let day = hz * 86_400;
            let error = (86_400 * SECOND_NS).abs_diff(to_ns.scale(day));
            assert!(error < 86_400 * 20, "{hz}: {error}");
            let back = Ratio::new(hz, SECOND_NS).scale(to_ns.scale(day));
            assert!(day.abs_diff(back) < hz / 1000, "{hz}: {back}");
        }
    }

    #[test]
    fn scaling_saturates() {
        assert_eq!(Ratio::new(u64::MAX, 1).scale(u64::MAX), u64::MAX);
        assert_eq!(Ratio::new(4, 1).scale(u64::MAX), u64::MAX);
        assert_eq!(Ratio::new(3, 2).scale(5), 7);
    }

    #[test]
    fn counters_wrap() {
        assert_eq!(advance(0xFF_FFF0, 0x10, 24), 0x20);
        assert_eq!(advance(0xFFFF_FFF0, 0x10, 32), 0x20);
        assert_eq!(advance(5, 9, 24), 4);
    }

    #[test]
    fn frequencies() {
        assert_eq!(frequency(3_000_000, 3580, 3_579_545), 2_999_618_715);
        assert_eq!(from_crystal(2, 216, 24_000_000), Some(2_592_000_000));
        assert_eq!(from_crystal(2, 216, 0), None);
    }
}
