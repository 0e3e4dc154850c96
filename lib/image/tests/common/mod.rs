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

/// A file of test vectors. A missing file fails the test.
pub fn vectors(path: &str) -> serde_json::Value {
    let path = format!(
        "{}/../../../shared/vectors/{path}",
        env!("CARGO_MANIFEST_DIR")
    );
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Bytes from a string of hexadecimal digits.
pub fn hex(value: &serde_json::Value) -> Vec<u8> {
    let digits = value.as_str().expect("a string");
    assert!(digits.len().is_multiple_of(2), "{digits}");
    let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).expect("hexadecimal digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}
