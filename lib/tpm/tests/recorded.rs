//! What `swtpm` answered once is what the driver wants, and any change of what is authenticated is noticed: so what the fuzzer begins with leads
//! through the sessions to their ends.

mod replay;

use nonos_tpm::device::{Failure, Meaning};

fn recorded(name: &str) -> Vec<u8> {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../fuzz/corpus/tpm_sessions"
    );
    std::fs::read(format!("{folder}/{name}")).unwrap()
}

#[test]
fn recorded_answers_are_good() {
    for name in ["random", "seal", "quote", "counter", "store", "state"] {
        assert_eq!(replay::operation(&recorded(name)), Some(Ok(())), "{name}");
    }
    // This emulator has no certificate, and the credential was none.
    let failed = |name: &str, failure: Failure| {
        let found = replay::operation(&recorded(name)).unwrap();
        assert_eq!(found, Err(failure), "{name}");
    };
    failed("certificate", Failure::NotStored);
    let found = replay::operation(&recorded("activate")).unwrap();
    assert_eq!(found.unwrap_err().meaning(), Meaning::Malformed);
}

/// The last answer is authenticated as a whole.
#[test]
fn no_byte_of_an_authenticated_answer_can_be_another() {
    for name in ["random", "counter", "store"] {
        let good = recorded(name);
        let (mut at, mut answers) = (1, Vec::new());
        while at < good.len() {
            let length = usize::from(u16::from_le_bytes([good[at], good[at + 1]]));
            answers.push(at + 2..at + 2 + length);
            at += 2 + length;
        }
        let last = answers.pop().unwrap();
        let changes = last.len();
        for byte in last {
            let mut changed = good.clone();
            changed[byte] ^= 1;
            let outcome = replay::operation(&changed).unwrap();
            assert!(outcome.is_err(), "{name}: byte {byte}");
        }
        assert!(changes > 50, "{name}");
    }
}
