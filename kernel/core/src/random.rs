//! The kernel's generator of random numbers: for programs, and for address-space layout.
//!
//! There is none without a seed: [`Random::new`] takes the boot loader's, and it is made before any process.

use nonos_random::Generator;

/// The generator.
pub(crate) struct Random(Generator);

impl Random {
    /// A generator whose output depends on all of the seed.
    pub fn new(seed: &[u8; 32]) -> Self {
        let key = blake3::keyed_hash(seed, b"nonos.kernel.random.v1");
        Self(Generator::new(key.as_bytes()))
    }

    /// Fills with random bytes.
    pub fn fill(&mut self, to: &mut [u8]) {
        self.0.fill(to);
    }

    /// A number below 2^64.
    pub fn double_word(&mut self) -> u64 {
        u64::from_le_bytes(self.0.bytes())
    }

    /// A number below 2^32.
    pub fn word(&mut self) -> u32 {
        u32::from_le_bytes(self.0.bytes())
    }

    /// A number below 2^8.
    #[inline(always)]
    pub fn byte(&mut self) -> u8 {
        self.0.byte()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_depends_on_the_seed_and_does_not_repeat() {
        let (mut a, mut b) = (Random::new(&[1; 32]), Random::new(&[2; 32]));
        let first: [u32; 64] = core::array::from_fn(|_| a.word());
        let second: [u32; 64] = core::array::from_fn(|_| b.word());
        assert!(first.iter().all(|word| !second.contains(word)));
        for (i, word) in first.iter().enumerate() {
            assert!(!first[..i].contains(word));
        }
    }
}
