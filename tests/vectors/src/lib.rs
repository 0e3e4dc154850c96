//! `lib/crypto` against all public vectors that we have, in a form that runs on the host and in ring 3: the vectors are packed by
//! `build.rs` and compiled in, nothing allocates, and what came of it is told suite by suite.
//!
//! Not every vector can be given to `lib/crypto`. Where a key, a nonce or a signature has a length that the algorithm does not have, the type
//! has refused it, and the vector counts as run. AES-GCM with other keys than of 256 bits and other nonces than of 96 bits is
//! counted as not offered, so that the sum is always the whole file.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

mod packed;
mod suites;

use packed::Reader;
pub use packed::{Expected, Test};

/// Stack to have free: signatures of ML-DSA-65 keep their matrix there.
pub const STACK_BYTES: usize = 1 << 20;

/// What became of a test.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// As the vector says.
    Right,
    /// Not as the vector says.
    Wrong,
    /// Valid, but nothing that `lib/crypto` offers.
    NotOffered,
}

/// What became of a suite.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// Name of the suite.
    pub name: &'static str,
    /// Tests that were run, with the outcome that they must have or another.
    pub run: u32,
    /// Tests of what is not offered.
    pub not_offered: u32,
    /// Of those run, the ones with another outcome.
    pub wrong: u32,
    /// Number of the first of these.
    pub first_wrong: Option<u32>,
}

/// Runs all suites; `each` gets what became of one.
///
/// # Panics
/// When the packed vectors are malformed, or there is a suite without a test in `suites.rs`.
pub fn run(mut each: impl FnMut(&Summary)) {
    let mut reader = Reader::of_all();
    while let Some((name, tests)) = reader.suite() {
        let check = suites::find(name);
        let mut summary = Summary {
            name,
            run: 0,
            not_offered: 0,
            wrong: 0,
            first_wrong: None,
        };
        for _ in 0..tests {
            let test = reader.test();
            match check(&test) {
                Outcome::Right => summary.run += 1,
                Outcome::NotOffered => summary.not_offered += 1,
                Outcome::Wrong => {
                    summary.run += 1;
                    summary.wrong += 1;
                    summary.first_wrong.get_or_insert(test.id);
                }
            }
        }
        each(&summary);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::println;
    use std::vec::Vec;

    /// Name, tests run, tests of what is not offered. The numbers are those of the files, so that none gets lost.
    const SUITES: [(&str, u32, u32); 19] = [
        ("BLAKE3", 35, 0),
        ("SHA-2 and SHA-3", 2, 0),
        ("Ed25519 signing", 4, 0),
        ("X-Wing", 3, 0),
        ("AES-GCM", 68, 248),
        ("ChaCha20-Poly1305", 325, 0),
        ("Ed25519", 151, 0),
        ("Ed25519 signing, 1023 bytes", 1, 0),
        ("X25519", 518, 0),
        ("HMAC-SHA-256", 174, 0),
        ("HMAC-SHA-512", 174, 0),
        ("HKDF-SHA-256", 86, 0),
        ("HKDF-SHA-512", 83, 0),
        ("ML-KEM-768 keys", 100, 0),
        ("ML-KEM-768 encapsulation", 265, 0),
        ("ML-KEM-768 decapsulation", 201, 0),
        ("ML-KEM-768 expanded keys", 9, 0),
        ("ML-DSA-65 verification", 210, 0),
        ("ML-DSA-65 signing", 105, 0),
    ];

    #[test]
    fn all_public_vectors_hold() {
        let mut found = Vec::new();
        run(|suite| {
            println!(
                "{}: {} run, {} not offered, {} wrong, the first of these {:?}",
                suite.name, suite.run, suite.not_offered, suite.wrong, suite.first_wrong
            );
            found.push(*suite);
        });
        let run: u32 = found.iter().map(|suite| suite.run).sum();
        println!("{run} vectors run");
        for suite in &found {
            assert_eq!(
                suite.wrong, 0,
                "{}: test {:?}",
                suite.name, suite.first_wrong
            );
        }
        let numbers: Vec<_> = found
            .iter()
            .map(|suite| (suite.name, suite.run, suite.not_offered))
            .collect();
        assert_eq!(numbers, SUITES);
    }

    /// Every suite finds fault with its first test that must pass, when a byte of what must come out is another.
    #[test]
    fn a_changed_vector_is_found() {
        let mut reader = Reader::of_all();
        let mut suites = 0;
        while let Some((name, tests)) = reader.suite() {
            let check = suites::find(name);
            let mut found = false;
            for _ in 0..tests {
                let test = reader.test();
                let expected = test.field(test.fields - 1);
                if found || test.expected == Expected::Refused || expected.is_empty() {
                    continue;
                }
                if check(&test) == Outcome::Right {
                    let mut other = expected.to_vec();
                    other[0] ^= 1;
                    let outcome = check(&test.with_last_field(&other));
                    assert_eq!(outcome, Outcome::Wrong, "{name}, test {}", test.id);
                    found = true;
                }
            }
            assert!(found, "{name}: no test that passes");
            suites += 1;
        }
        assert_eq!(suites, SUITES.len());
    }
}
