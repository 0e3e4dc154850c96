//! Keys, names and a small executable, for the tests.
#![allow(dead_code, reason = "each test program uses a part")]

pub mod sample;

use nonos_abi::Name;
use nonos_image::keys::SecretKeys;

/// Keys that follow from a number.
pub fn keys(number: u8) -> SecretKeys {
    SecretKeys::from_seeds([number; 32], [number ^ 0xFF; 32])
}

/// A name that is known to be valid.
pub fn name(text: &str) -> Name {
    Name::new(text).expect("valid name")
}

/// Bytes without a pattern, the same in every run.
pub fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}
