//! Health tests of a source of entropy (NIST SP 800-90B, 4.3 and 4.4).
//!
//! A sample is a byte. Both tests go on as long as the source is used, and a source counts after [`START_SAMPLES`] of them. One that
//! has failed stays failed. The cut-offs are for a false alarm of 2⁻³⁰ for each sample:
//!
//! | source | assumed min-entropy of a byte | repetition count, 4.4.1: 1 + ⌈30 / H⌉ | adaptive proportion, 4.4.2: of 512 |
//! |---|--:|--:|--:|
//! | [`Limits::GENERATOR`]: a hardware generator, which claims 8 bits | 4 bits | 9 | 71 |
//! | [`Limits::TIMING`]: low byte of the difference of two times | 1 bit | 31 | 325 |
//!
//! The repetition count is made at distances of 1 to [`DISTANCES`] samples, so that a short pattern over and over is found as one value is.

/// Samples of the start-up test (4.3, requirement 4: 1,024 at least).
pub const START_SAMPLES: u16 = 1024;

/// Samples of which one test of proportions is made, for samples that are no bits.
const WINDOW: u16 = 512;

/// Longest pattern that the repetition count finds.
const DISTANCES: usize = 8;

/// What is too often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits {
    /// As many equal samples in a row are a failure.
    repetition: u8,
    /// As many samples of a window that equal its first are a failure.
    proportion: u16,
}

impl Limits {
    /// A hardware generator.
    pub const GENERATOR: Self = Self {
        repetition: 9,
        proportion: 71,
    };
    /// Jitter of times.
    pub const TIMING: Self = Self {
        repetition: 31,
        proportion: 325,
    };
}

/// The tests of one source.
pub struct Health {
    limits: Limits,
    /// The samples before, the last one first.
    recent: [u8; DISTANCES],
    /// How many samples in a row equal the one at this distance, with the first.
    runs: [u8; DISTANCES],
    /// First sample of the window, how many equal it, and how many the window has.
    first: u8,
    equal: u16,
    filled: u16,
    /// Samples so far, up to [`START_SAMPLES`].
    seen: u16,
    failed: bool,
}

impl Health {
    /// Of a source that gave nothing yet.
    pub const fn new(limits: Limits) -> Self {
        Self {
            limits,
            recent: [0; DISTANCES],
            runs: [1; DISTANCES],
            first: 0,
            equal: 0,
            filled: 0,
            seen: 0,
            failed: false,
        }
    }

    /// Tests the next sample.
    pub fn add(&mut self, sample: u8) {
        self.count_repetitions(sample);
        self.count_proportion(sample);
        self.seen = START_SAMPLES.min(self.seen + 1);
    }

    /// Tests the next samples.
    pub fn add_all(&mut self, samples: &[u8]) {
        for sample in samples {
            self.add(*sample);
        }
    }

    /// The source gave nothing when it was asked.
    pub fn fail(&mut self) {
        self.failed = true;
    }

    /// Whether it failed, at any time.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Whether it counts: it went through the start-up test and did not fail since.
    pub fn has_passed(&self) -> bool {
        self.seen == START_SAMPLES && !self.failed
    }

    fn count_repetitions(&mut self, sample: u8) {
        let known = usize::from(self.seen);
        for (before, run) in self.recent.iter().zip(&mut self.runs).take(known) {
            *run = if *before == sample {
                run.saturating_add(1)
            } else {
                1
            };
            self.failed |= *run >= self.limits.repetition;
        }
        self.recent.rotate_right(1);
        self.recent[0] = sample;
    }

    fn count_proportion(&mut self, sample: u8) {
        if self.filled == 0 {
            (self.first, self.equal) = (sample, 0);
        }
        self.equal += u16::from(sample == self.first);
        self.failed |= self.equal >= self.limits.proportion;
        self.filled = (self.filled + 1) % WINDOW;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Tests a source that gives these samples, by number; how many it took to fail.
    fn fails_after(limits: Limits, samples: u32, sample: impl Fn(u32) -> u8) -> Option<u32> {
        let mut health = Health::new(limits);
        (0..samples).find_map(|number| {
            health.add(sample(number));
            health.has_failed().then_some(number + 1)
        })
    }

    /// Bytes without a pattern: SplitMix64 (Steele et al. 2014).
    fn noise(number: u32) -> u8 {
        let mut z = u64::from(number).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ z >> 31) as u8
    }

    const BOTH: [Limits; 2] = [Limits::GENERATOR, Limits::TIMING];

    #[test]
    fn noise_passes_but_not_before_the_start_up_test_is_done() {
        for limits in BOTH {
            let mut health = Health::new(limits);
            for number in 0..u32::from(START_SAMPLES) {
                assert!(!health.has_passed());
                health.add(noise(number));
            }
            assert!(health.has_passed());
            assert_eq!(fails_after(limits, 1_000_000, noise), None);
        }
        // As much as is assumed of each: one of two values, and one of 16.
        let bits = |number| noise(number) & 1;
        assert_eq!(fails_after(Limits::TIMING, 1_000_000, bits), None);
        assert!(fails_after(Limits::GENERATOR, 1000, bits).is_some());
        let halves = |number| noise(number) & 15;
        assert_eq!(fails_after(Limits::GENERATOR, 100_000, halves), None);
    }

    #[test]
    fn a_stuck_source_fails_at_the_cut_off_of_the_repetition_count() {
        for value in [0, 0x5A, 0xFF] {
            assert_eq!(fails_after(Limits::GENERATOR, 99, |_| value), Some(9));
            assert_eq!(fails_after(Limits::TIMING, 99, |_| value), Some(31));
        }
        // Later, too.
        let dies = |number| if number < 5000 { noise(number) } else { 7 };
        let end = fails_after(Limits::GENERATOR, 9999, dies).expect("it fails");
        assert!((5008..=5009).contains(&end), "{end}");
    }

    #[test]
    fn patterns_of_up_to_eight_samples_fail() {
        for length in 2..=8 {
            let pattern = |number| noise(number % length);
            let end = fails_after(Limits::TIMING, 999, pattern).expect("it fails");
            assert!(end < 31 + 8, "{length}: {end}");
        }
        let alternating = |number| if number % 2 == 0 { 0xAA } else { 0x55 };
        assert_eq!(fails_after(Limits::TIMING, 999, alternating), Some(32));
    }

    #[test]
    fn a_biased_source_fails_at_the_cut_off_of_the_adaptive_proportion() {
        // One value in four samples of five, never 31 times in a row.
        let biased = |number| {
            if number % 5 == 4 {
                noise(number) | 1
            } else {
                0
            }
        };
        let end = fails_after(Limits::TIMING, 512, biased).expect("it fails");
        assert!((325..=512).contains(&end), "{end}");
        // For a generator, one in five is too much already.
        let biased = |number| if number % 5 == 0 { 0 } else { noise(number) };
        assert!(fails_after(Limits::GENERATOR, 512, biased).is_some());
    }

    #[test]
    fn a_source_that_failed_stays_failed() {
        let mut health = Health::new(Limits::GENERATOR);
        health.fail();
        (0..5000).for_each(|number| health.add(noise(number)));
        assert!(health.has_failed() && !health.has_passed());
    }
}
