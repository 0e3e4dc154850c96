//! The verify functions of the format against public test vectors.

mod common;

use common::{hex, vectors};
use nonos_image::signature::{ed25519_is_valid, hash, ml_dsa_is_valid};
use serde_json::Value;

/// Runs every test of a file and compares the verdict; returns how many signatures were valid.
fn check(file: &str, mut is_valid: impl FnMut(&Value, &Value) -> bool) -> usize {
    let file = vectors(file);
    let groups = file["testGroups"].as_array().expect("groups");
    let tests = groups.iter().flat_map(|g| {
        g["tests"]
            .as_array()
            .expect("tests")
            .iter()
            .map(move |t| (g, t))
    });
    let (mut count, mut valid) = (0, 0);
    for (group, test) in tests {
        let expected = test["result"] == "valid";
        assert_eq!(
            is_valid(group, test),
            expected,
            "test {}: {}",
            test["tcId"],
            test["comment"]
        );
        count += 1;
        valid += usize::from(expected);
    }
    assert_eq!(count, file["numberOfTests"], "all tests ran");
    valid
}

#[test]
fn ed25519_agrees_with_wycheproof() {
    let valid = check("wycheproof/ed25519_test.json", |group, test| {
        let key = hex(&group["publicKey"]["pk"]).try_into().expect("32 bytes");
        // A signature of another length cannot even be given to the function.
        hex(&test["sig"])
            .try_into()
            .is_ok_and(|signature| ed25519_is_valid(&key, &hex(&test["msg"]), &signature))
    });
    assert_eq!(valid, 88);
}

#[test]
fn ml_dsa_65_agrees_with_wycheproof() {
    let valid = check("wycheproof/mldsa_65_verify_test.json", |group, test| {
        let context = if test["ctx"].is_null() {
            Vec::new()
        } else {
            hex(&test["ctx"])
        };
        let (Ok(key), Ok(signature)) = (
            hex(&group["publicKey"]).try_into(),
            hex(&test["sig"]).try_into(),
        ) else {
            return false;
        };
        ml_dsa_is_valid(&key, &hex(&test["msg"]), &context, &signature)
    });
    assert_eq!(valid, 79);
}

#[test]
fn blake3_agrees_with_its_vectors() {
    let file = vectors("blake3/test_vectors.json");
    let cases = file["cases"].as_array().expect("cases");
    assert!(cases.len() >= 35);
    for case in cases {
        let length = case["input_len"].as_u64().expect("a length") as usize;
        let input: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        assert_eq!(
            hash(&input)[..],
            hex(&case["hash"])[..32],
            "length {length}"
        );
    }
}
