//! Random numbers for address-space layout: BLAKE3 keyed by the boot loader's seed.
//!
//! The key is replaced by a hash of itself after every block, so what was given out cannot be computed from the
//! kernel's later state. Nothing of this leaves the kernel but as addresses, and as each process's own random number.

const BLOCK_BYTES: usize = 32;

/// The generator.
pub(crate) struct Random {
    key: [u8; BLOCK_BYTES],
    block: [u8; BLOCK_BYTES],
    used: usize,
}

impl Random {
    /// A generator whose output depends on all of the seed.
    pub fn new(seed: &[u8; 32]) -> Self {
        let key = *blake3::keyed_hash(seed, b"nonos.kernel.layout.v1").as_bytes();
        Self {
            key,
            block: [0; BLOCK_BYTES],
            used: BLOCK_BYTES,
        }
    }

    /// A number below 2^32.
    pub fn word(&mut self) -> u32 {
        u32::from_le_bytes(core::array::from_fn(|_| self.byte()))
    }

    /// A number below 2^64.
    pub fn double_word(&mut self) -> u64 {
        u64::from(self.word()) << 32 | u64::from(self.word())
    }

    /// Once for many numbers, in a function of its own so that the others are short.
    #[cold]
    #[inline(never)]
    fn refill(&mut self) {
        self.block = *blake3::keyed_hash(&self.key, b"output").as_bytes();
        self.key = *blake3::keyed_hash(&self.key, b"next key").as_bytes();
        self.used = 0;
    }

    /// A number below 2^8.
    pub fn byte(&mut self) -> u8 {
        if self.used == BLOCK_BYTES {
            self.refill();
        }
        let byte = core::mem::take(&mut self.block[self.used]);
        self.used += 1;
        byte
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
