//! Entropy from several sources, hashed to one seed, and numbers drawn from it.
//!
//! All sources go through BLAKE3 together: a source that is broken or hostile adds nothing, but cannot take
//! away what the others gave. One that fails the tests of [`nonos_random::health`] is mixed in and does not count. Seeds are wiped when dropped
//! and never printed.

use nonos_abi::boot::entropy;
use nonos_random::health::{Health, Limits, START_SAMPLES};
use zeroize::{Zeroize, Zeroizing};

use crate::Refusal;

/// Bytes that the pool holds until it hashes them together.
const POOL_BYTES: usize = 8192;

/// Bytes to take from each generator: the start-up test's, and the seed is in them.
pub const GENERATOR_BYTES: usize = START_SAMPLES as usize;

/// Timings to take for the jitter source.
pub const JITTER_SAMPLES: usize = START_SAMPLES as usize;

/// Collects what the sources give.
pub struct Pool {
    bytes: Zeroizing<[u8; POOL_BYTES]>,
    used: usize,
    sources: u64,
    failed: u64,
}

/// What went into a seed: bits of [`entropy`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sources {
    /// Those that passed their tests.
    pub passed: u64,
    /// Those that are there and failed them.
    pub failed: u64,
}

impl Pool {
    /// An empty pool.
    pub fn new() -> Self {
        Self {
            bytes: Zeroizing::new([0; POOL_BYTES]),
            used: 0,
            sources: 0,
            failed: 0,
        }
    }

    /// Adds what a generator gave and marks it ([`entropy`]) as one that passed or failed. One that gave nothing is absent.
    pub fn add(&mut self, source: u64, bytes: &[u8]) {
        self.append(bytes);
        if !bytes.is_empty() {
            self.judge(source, Limits::GENERATOR, bytes.iter().copied());
        }
    }

    /// Adds differences between consecutive readings of the time-stamp counter around work of varying length. What is tested is the lowest
    /// byte of each.
    pub fn add_jitter(&mut self, timings: &[u64; JITTER_SAMPLES]) {
        for timing in timings {
            self.append(&timing.to_le_bytes());
        }
        let samples = timings.iter().map(|timing| *timing as u8);
        self.judge(entropy::JITTER, Limits::TIMING, samples);
    }

    fn judge(&mut self, source: u64, limits: Limits, samples: impl Iterator<Item = u8>) {
        let mut health = Health::new(limits);
        samples.for_each(|sample| health.add(sample));
        if health.has_passed() {
            self.sources |= source;
        } else {
            self.failed |= source;
        }
    }

    /// Mixes in what is different between boots and machines but no secret (clocks, serial numbers).
    pub fn add_uncounted(&mut self, bytes: &[u8]) {
        self.append(bytes);
    }

    /// The seed for the kernel, and the generator for the boot loader's own choices. Neither tells
    /// anything about the other.
    ///
    /// # Errors
    /// When no source passed: there is nothing to make a seed of.
    pub fn finish(self) -> Result<(Sources, Zeroizing<[u8; 32]>, Random), Refusal> {
        let sources = Sources {
            passed: self.sources,
            failed: self.failed,
        };
        if sources.passed == 0 {
            return Err(Refusal::Entropy {
                failed: sources.failed,
            });
        }
        let (seed, random) = self.derive();
        Ok((sources, seed, random))
    }

    fn derive(self) -> (Zeroizing<[u8; 32]>, Random) {
        let pool = Zeroizing::new(*blake3::hash(&self.bytes[..self.used]).as_bytes());
        let derive = |purpose: &[u8]| *blake3::keyed_hash(&pool, purpose).as_bytes();
        (
            Zeroizing::new(derive(b"nonos.boot.kernel-seed.v1")),
            Random::new(derive(b"nonos.boot.placement.v1")),
        )
    }

    /// Bytes are led by their length, so that no two sequences of additions look the same. When the pool
    /// is full it is hashed into its own start.
    fn append(&mut self, bytes: &[u8]) {
        let length = (bytes.len() as u64).to_le_bytes();
        for part in [&length[..], bytes] {
            for byte in part {
                if self.used == POOL_BYTES {
                    let hash = *blake3::hash(&self.bytes[..]).as_bytes();
                    self.bytes[..32].copy_from_slice(&hash);
                    self.used = 32;
                }
                self.bytes[self.used] = *byte;
                self.used += 1;
            }
        }
    }
}

impl Default for Pool {
    fn default() -> Self {
        Self::new()
    }
}

/// Random numbers from a key: BLAKE3, keyed, of a counter.
pub struct Random {
    key: Zeroizing<[u8; 32]>,
    counter: u64,
}

impl Random {
    /// A generator that depends on the key alone.
    pub fn new(mut key: [u8; 32]) -> Self {
        let new = Self {
            key: Zeroizing::new(key),
            counter: 0,
        };
        key.zeroize();
        new
    }

    /// A number below `bound`, all equally likely.
    ///
    /// # Panics
    /// When `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        // Numbers from the last, incomplete multiple of the bound up are drawn again.
        let limit = u64::MAX - u64::MAX % bound;
        loop {
            let number = self.next();
            if number < limit {
                return number % bound;
            }
        }
    }

    /// A number below 2^64.
    pub fn number(&mut self) -> u64 {
        self.next()
    }

    fn next(&mut self) -> u64 {
        let block = blake3::keyed_hash(&self.key, &self.counter.to_le_bytes());
        self.counter += 1;
        let (first, _) = block.as_bytes().split_at(8);
        first
            .iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u64::from(*byte))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes without a pattern: SplitMix64 (Steele et al. 2014).
    fn noise(number: usize) -> u64 {
        let mut z = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn good() -> [u8; GENERATOR_BYTES] {
        core::array::from_fn(|number| noise(number) as u8)
    }

    #[test]
    fn every_source_changes_both_results() {
        let finish = |last: u8| {
            let mut pool = Pool::new();
            let mut bytes = good();
            bytes[GENERATOR_BYTES - 1] ^= last;
            pool.add(entropy::RDRAND, &bytes);
            let (_, seed, mut random) = pool.finish().expect("one source passed");
            (*seed, random.next())
        };
        let (first, second) = (finish(0), finish(1));
        assert_ne!(first.0, second.0);
        assert_ne!(first.1, second.1);
        assert_eq!(first, finish(0));
    }

    #[test]
    fn a_split_elsewhere_is_another_input() {
        let finish = |parts: &[&[u8]]| {
            let mut pool = Pool::new();
            parts.iter().for_each(|part| pool.add_uncounted(part));
            *pool.derive().0
        };
        assert_ne!(finish(&[b"ab", b"c"]), finish(&[b"a", b"bc"]));
    }

    #[test]
    fn a_generator_that_is_stuck_biased_alternating_or_stops_fails_and_the_others_count() {
        let alternating = |number| if number % 2 == 0 { 0xAA } else { 0x55 };
        let biased = |number| match number % 4 {
            0 => 0,
            _ => noise(number) as u8,
        };
        let bad: [[u8; GENERATOR_BYTES]; 4] = [
            [0xFF; GENERATOR_BYTES],
            [0; GENERATOR_BYTES],
            core::array::from_fn(alternating),
            core::array::from_fn(biased),
        ];
        let short = &good()[1..];
        for bytes in bad.iter().map(|bytes| &bytes[..]).chain([short]) {
            let mut pool = Pool::new();
            pool.add(entropy::EFI_RNG, bytes);
            pool.add(entropy::TPM, &[]);
            pool.add(entropy::RDSEED, &good());
            let (sources, ..) = pool.finish().expect("one source passed");
            let expected = Sources {
                passed: entropy::RDSEED,
                failed: entropy::EFI_RNG,
            };
            assert_eq!(sources, expected);
        }
    }

    #[test]
    fn jitter_counts_only_when_timings_vary() {
        let sources = |timing: fn(usize) -> u64| {
            let mut pool = Pool::new();
            pool.add_jitter(&core::array::from_fn(timing));
            pool.add(entropy::TPM, &good());
            pool.finish().expect("the TPM passed").0
        };
        let failed = Sources {
            passed: entropy::TPM,
            failed: entropy::JITTER,
        };
        assert_eq!(sources(|_| 3000), failed);
        assert_eq!(sources(|number| 3000 + number as u64 % 2), failed);
        assert_eq!(sources(|number| 3000 + noise(number % 8) % 100), failed);
        assert_eq!(sources(|number| noise(number) << 8), failed);
        let varying = sources(|number| 3000 + noise(number) % 4);
        assert_eq!(
            (varying.failed, varying.passed),
            (0, entropy::TPM | entropy::JITTER)
        );
    }

    #[test]
    fn without_any_source_that_passes_there_is_no_seed() {
        let mut pool = Pool::new();
        pool.add_uncounted(&good());
        let nothing = pool.finish().map(drop);
        assert!(matches!(nothing, Err(Refusal::Entropy { failed: 0 })));
        let mut pool = Pool::new();
        pool.add(entropy::RDRAND, &[7; GENERATOR_BYTES]);
        pool.add_jitter(&[1; JITTER_SAMPLES]);
        let all_failed = entropy::RDRAND | entropy::JITTER;
        let refused = pool.finish().map(drop);
        assert!(matches!(refused, Err(Refusal::Entropy { failed }) if failed == all_failed));
    }

    #[test]
    fn a_full_pool_forgets_nothing() {
        let finish = |first: u8| {
            let mut pool = Pool::new();
            pool.add_uncounted(&[first]);
            pool.add_uncounted(&[7; 3 * POOL_BYTES]);
            *pool.derive().0
        };
        assert_ne!(finish(1), finish(2));
    }

    #[test]
    fn numbers_stay_below_the_bound_and_reach_all_values() {
        let mut random = Random::new([9; 32]);
        let mut seen = [0; 7];
        for _ in 0..7000 {
            seen[random.below(7) as usize] += 1;
        }
        assert!(
            seen.iter().all(|count| (800..1200).contains(count)),
            "{seen:?}"
        );
        assert_eq!(random.below(1), 0);
    }
}
