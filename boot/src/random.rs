//! Entropy from several sources, hashed to one seed, and numbers drawn from it.
//!
//! All sources go through BLAKE3 together: a source that is broken or hostile adds nothing, but cannot take
//! away what the others gave. Seeds are wiped when dropped and never printed.

use nonos_abi::boot::entropy;
use zeroize::{Zeroize, Zeroizing};

/// Bytes that the pool holds: what all sources give together.
const POOL_BYTES: usize = 8192;

/// Timings to take for the jitter source.
pub const JITTER_SAMPLES: usize = 512;

/// Least number of different values among the timings for jitter to count as a source.
const JITTER_DISTINCT: usize = 16;

/// Collects what the sources give.
pub struct Pool {
    bytes: Zeroizing<[u8; POOL_BYTES]>,
    used: usize,
    sources: u64,
}

impl Pool {
    /// An empty pool.
    pub fn new() -> Self {
        Self {
            bytes: Zeroizing::new([0; POOL_BYTES]),
            used: 0,
            sources: 0,
        }
    }

    /// Adds what a source gave and marks it ([`entropy`]) as one that did. Constant bytes, as broken
    /// sources give them (all zeros, all ones), are mixed in but not counted.
    pub fn add(&mut self, source: u64, bytes: &[u8]) {
        self.append(bytes);
        if bytes.iter().any(|byte| *byte != bytes[0]) {
            self.sources |= source;
        }
    }

    /// Adds differences between consecutive readings of the time-stamp counter around work of varying length.
    pub fn add_jitter(&mut self, timings: &[u64; JITTER_SAMPLES]) {
        let mut distinct = [0; JITTER_DISTINCT];
        let mut count = 0;
        for timing in timings {
            self.append(&timing.to_le_bytes());
            if count < JITTER_DISTINCT && !distinct[..count].contains(timing) {
                distinct[count] = *timing;
                count += 1;
            }
        }
        if count == JITTER_DISTINCT {
            self.sources |= entropy::JITTER;
        }
    }

    /// Mixes in what is different between boots and machines but no secret (clocks, serial numbers).
    pub fn add_uncounted(&mut self, bytes: &[u8]) {
        self.append(bytes);
    }

    /// The sources that gave something.
    pub fn sources(&self) -> u64 {
        self.sources
    }

    /// The seed for the kernel, and the generator for the boot loader's own choices. Neither tells
    /// anything about the other.
    pub fn finish(self) -> (Zeroizing<[u8; 32]>, Random) {
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

    #[test]
    fn every_source_changes_both_results() {
        let finish = |bytes: &[u8]| {
            let mut pool = Pool::new();
            pool.add(entropy::RDRAND, bytes);
            let (seed, mut random) = pool.finish();
            (*seed, random.next())
        };
        let (first, second) = (finish(b"ab"), finish(b"ac"));
        assert_ne!(first.0, second.0);
        assert_ne!(first.1, second.1);
        assert_eq!(first, finish(b"ab"));
    }

    #[test]
    fn a_split_elsewhere_is_another_input() {
        let finish = |parts: &[&[u8]]| {
            let mut pool = Pool::new();
            parts.iter().for_each(|part| pool.add_uncounted(part));
            *pool.finish().0
        };
        assert_ne!(finish(&[b"ab", b"c"]), finish(&[b"a", b"bc"]));
    }

    #[test]
    fn constant_bytes_do_not_count_as_a_source() {
        let mut pool = Pool::new();
        pool.add(entropy::EFI_RNG, &[0xFF; 32]);
        pool.add(entropy::TPM, &[]);
        assert_eq!(pool.sources(), 0);
        pool.add(entropy::RDSEED, &[1, 2, 3]);
        assert_eq!(pool.sources(), entropy::RDSEED);
    }

    #[test]
    fn jitter_counts_only_when_timings_vary() {
        let mut pool = Pool::new();
        pool.add_jitter(&core::array::from_fn(|i| (i % 15) as u64));
        assert_eq!(pool.sources(), 0);
        pool.add_jitter(&core::array::from_fn(|i| (i % 16) as u64));
        assert_eq!(pool.sources(), entropy::JITTER);
    }

    #[test]
    fn a_full_pool_forgets_nothing() {
        let finish = |first: u8| {
            let mut pool = Pool::new();
            pool.add_uncounted(&[first]);
            pool.add_uncounted(&[7; 3 * POOL_BYTES]);
            *pool.finish().0
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
