//! ChaCha20 with fast key erasure (D. J. Bernstein, "Fast-key-erasure random-number generators", 2017).
//!
//! A key makes 256 bytes of ChaCha20's key stream (64-bit counter and nonce, both 0). The first 32 are the next key, at once; the
//! others are given out, and each is wiped when it is. What was given out cannot be computed from a later state.

use chacha20::variants::Legacy;
use chacha20::{ChaChaCore, R20};
use rand_core::SeedableRng;
use rand_core::block::Generator as _;
use zeroize::{Zeroize, Zeroizing};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

/// Words that the library makes at a time: four blocks of ChaCha20.
const STREAM_WORDS: usize = 64;

const WORD_BYTES: usize = 4;
const KEY_WORDS: usize = KEY_BYTES / WORD_BYTES;

/// Bytes that one key gives beside the next.
pub const BLOCK_BYTES: usize = (STREAM_WORDS - KEY_WORDS) * WORD_BYTES;

/// The generator. It can be neither printed nor cloned, and is wiped when dropped.
pub struct Generator {
    key: [u8; KEY_BYTES],
    block: [u8; BLOCK_BYTES],
    /// Bytes of the block that were not given out: its last ones.
    left: usize,
}

impl Generator {
    /// A generator whose output depends on the key alone. Who knows the key knows all.
    pub fn new(key: &[u8; KEY_BYTES]) -> Self {
        Self {
            key: *key,
            block: [0; BLOCK_BYTES],
            left: 0,
        }
    }

    /// Puts another key in the place of the present one, which must depend on it, and forgets the rest of the present block.
    pub fn replace_key(&mut self, next: impl FnOnce(&[u8; KEY_BYTES]) -> [u8; KEY_BYTES]) {
        let mut key = next(&self.key);
        self.key.copy_from_slice(&key);
        key.zeroize();
        self.block.zeroize();
        self.left = 0;
    }

    /// Fills with random bytes.
    pub fn fill(&mut self, mut to: &mut [u8]) {
        while !to.is_empty() {
            if self.left == 0 {
                self.refill();
            }
            let count = self.left.min(to.len());
            let start = BLOCK_BYTES - self.left;
            let (now, later) = to.split_at_mut(count);
            let given = &mut self.block[start..start + count];
            now.copy_from_slice(given);
            given.zeroize();
            self.left -= count;
            to = later;
        }
    }

    /// Random bytes, as many as fit.
    pub fn bytes<const COUNT: usize>(&mut self) -> [u8; COUNT] {
        let mut bytes = [0; COUNT];
        self.fill(&mut bytes);
        bytes
    }

    /// A random byte.
    #[inline(always)]
    pub fn byte(&mut self) -> u8 {
        let next = BLOCK_BYTES.wrapping_sub(self.left);
        let Some(byte) = self.block.get_mut(next) else {
            let [byte] = self.bytes();
            return byte;
        };
        self.left = self.left.wrapping_sub(1);
        core::mem::take(byte)
    }

    #[inline(never)]
    fn refill(&mut self) {
        let mut stream = Zeroizing::new([0; STREAM_WORDS]);
        ChaChaCore::<R20, Legacy>::from_seed(self.key).generate(&mut stream);
        let (key, block) = stream.split_at(KEY_WORDS);
        let write = |to: &mut [u8], words: &[u32]| {
            for (to, word) in to.as_chunks_mut().0.iter_mut().zip(words) {
                *to = word.to_le_bytes();
            }
        };
        write(&mut self.key, key);
        write(&mut self.block, block);
        self.left = BLOCK_BYTES;
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        self.key.zeroize();
        self.block.zeroize();
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::*;
    use std::string::String;
    use std::vec::Vec;

    fn hex(bytes: &[u8]) -> String {
        bytes
            .iter()
            .map(|byte| std::format!("{byte:02x}"))
            .collect()
    }

    /// RFC 8439, A.1, vectors 1 and 2 (key, nonce and first counter 0): the next key, then what is given out.
    #[test]
    fn the_first_block_is_that_of_rfc_8439() {
        let mut generator = Generator::new(&[0; 32]);
        let given: [u8; 96] = generator.bytes();
        assert_eq!(
            hex(&generator.key),
            "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
        );
        assert_eq!(
            hex(&given),
            "da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586\
             9f07e7be5551387a98ba977c732d080dcb0f29a048e3656912c6533e32ee7aed\
             29b721769ce64e43d57133b074d839d531ed1f28510afb45ace10a1f4b794d6f"
        );
    }

    /// The stream of the second key as OpenSSL makes it.
    #[test]
    fn the_second_block_has_the_next_key() {
        let mut generator = Generator::new(&[0; 32]);
        let _: [u8; BLOCK_BYTES] = generator.bytes();
        let given: [u8; BLOCK_BYTES] = generator.bytes();
        assert_eq!(
            hex(&generator.key),
            "b0fd14ff96a0bda154c329082c9c6533bb4c9473bf5dde138f82c9ac5553d958"
        );
        assert!(
            hex(&given)
                .starts_with("afbdad2845b93cdbb2fe6463d2fe162adae0f6e676f0494218f5ce0596e79f5c")
        );
        assert!(
            hex(&given)
                .ends_with("a2a00c3b31a1cf716a6d61b8e82602915f3e6b8d412f5f5b83b958e98b971043607")
        );
    }

    #[test]
    fn the_parts_that_are_asked_for_make_one_stream() {
        let mut whole = [0; 1000];
        Generator::new(&[7; 32]).fill(&mut whole);
        let mut generator = Generator::new(&[7; 32]);
        let mut parts = Vec::new();
        for length in (0..).take_while(|length| length * (length + 1) / 2 <= 1000) {
            let mut part = std::vec![0; length];
            generator.fill(&mut part);
            parts.extend(part);
        }
        assert_eq!(parts, whole[..parts.len()]);
        assert!(parts.len() > 900);
    }

    #[test]
    fn bytes_one_by_one_are_the_same_stream_and_are_wiped() {
        let mut whole = [0; 1000];
        Generator::new(&[7; 32]).fill(&mut whole);
        let mut generator = Generator::new(&[7; 32]);
        for (at, &byte) in whole.iter().enumerate() {
            assert_eq!(generator.byte(), byte);
            let given = &generator.block[..=at % BLOCK_BYTES];
            assert!(given.iter().all(|&byte| byte == 0));
        }
    }

    #[test]
    fn what_was_given_out_is_not_in_the_state() {
        let mut generator = Generator::new(&[3; 32]);
        let given: [u8; 100] = generator.bytes();
        assert_eq!(generator.block[..100], [0; 100]);
        assert_ne!(generator.block[100..], [0; BLOCK_BYTES - 100]);
        assert_ne!(generator.key, [3; 32]);
        assert!(
            !generator
                .key
                .windows(8)
                .any(|part| given.windows(8).any(|other| part == other))
        );
    }

    #[test]
    fn another_key_gives_other_bytes_at_once() {
        let generate = |last: u8| {
            let mut generator = Generator::new(&[3; 32]);
            let first: [u8; 8] = generator.bytes();
            generator.replace_key(|key| {
                let mut key = *key;
                key[31] ^= last;
                key
            });
            (first, generator.bytes::<8>())
        };
        let (kept, changed) = (generate(0), generate(1));
        assert_eq!(kept.0, changed.0);
        assert_ne!(kept.1, changed.1);
        let mut plain = Generator::new(&[3; 32]);
        assert_eq!(plain.bytes::<8>(), kept.0);
        assert_ne!(
            plain.bytes::<8>(),
            kept.1,
            "the rest of the block is forgotten"
        );
    }
}
