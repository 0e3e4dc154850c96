//! No byte of a signed file can change without a refusal that names the right check.

mod common;

use std::sync::LazyLock;

use common::{keys, name, noise};
use nonos_image::anchors::{self, Anchors};
use nonos_image::envelope::{ED25519_AT, ENVELOPE_BYTES, ML_DSA_AT, PADDING_AT, Refusal};
use nonos_image::keys::PublicKeys;
use nonos_image::{image, module};
use proptest::prelude::*;

static KEYS: LazyLock<PublicKeys> = LazyLock::new(|| keys(1).public());
static IMAGE: LazyLock<Vec<u8>> =
    LazyLock::new(|| image::build(name("1.0.0"), 7, &noise(500), &keys(1)));
static ANCHORS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    anchors::build(&[
        (name("nonos"), keys(1).public()),
        (name("other"), keys(2).public()),
    ])
    .expect("anchors")
});
static MODULE: LazyLock<Vec<u8>> =
    LazyLock::new(|| module::build(&description(), &noise(500), &keys(1)).expect("module"));

fn description() -> module::Description {
    module::Description {
        name: name("console"),
        publisher: name("nonos"),
        version: name("0.1.0"),
        security_version: 3,
        priority: 20,
        quota_pages: 256,
        needs: nonos_abi::info::needs::SERIAL,
    }
}

fn verify_image(file: &[u8]) -> Result<(), Refusal> {
    image::verify(file, &KEYS).map(|_| ())
}

fn verify_module(file: &[u8]) -> Result<(), Refusal> {
    module::verify(file, &Anchors::parse(&ANCHORS).expect("anchors")).map(|_| ())
}

/// Which check must refuse a file whose byte at `offset` changed.
fn expect_refusal(refusal: Refusal, offset: usize, is_module: bool) {
    let right = match refusal {
        // The publisher's name picks the key: without it there is none.
        Refusal::Publisher { .. } => is_module && (48..80).contains(&offset),
        Refusal::Ed25519 => offset < ML_DSA_AT,
        Refusal::MlDsa => (ML_DSA_AT..PADDING_AT).contains(&offset),
        Refusal::Padding { offset: at, .. } => {
            at == offset && (PADDING_AT..ENVELOPE_BYTES).contains(&offset)
        }
        Refusal::Hash { .. } => offset >= ENVELOPE_BYTES,
        _ => false,
    };
    assert!(right, "byte {offset}: {refusal:?}");
}

fn flip(file: &[u8], offset: usize, bits: u8) -> Vec<u8> {
    let mut file = file.to_vec();
    file[offset] ^= bits;
    file
}

#[test]
fn untouched_files_are_accepted_with_what_was_signed() {
    let image = image::verify(&IMAGE, &KEYS).unwrap_or_else(|refusal| panic!("{refusal}"));
    assert_eq!(
        (image.header().security_version, image.header().version),
        (7, name("1.0.0"))
    );
    assert_eq!(image.payload(), &IMAGE[ENVELOPE_BYTES..]);
    let mut archive = vec![0; image.unpacked_bytes()];
    image.unpack(&mut archive).expect("unpacks");
    assert_eq!(archive, noise(500));

    let anchors = Anchors::parse(&ANCHORS).expect("anchors");
    let module = module::verify(&MODULE, &anchors).unwrap_or_else(|refusal| panic!("{refusal}"));
    let manifest = module.manifest();
    assert_eq!(module.elf(), noise(500));
    assert_eq!(
        (manifest.name, manifest.publisher),
        (name("console"), name("nonos"))
    );
    assert_eq!(
        (
            manifest.priority,
            manifest.quota_pages,
            manifest.security_version
        ),
        (20, 256, 3)
    );
}

fn every_changed_byte_is_refused(
    file: &[u8],
    verify: fn(&[u8]) -> Result<(), Refusal>,
    is_module: bool,
) {
    for offset in 0..file.len() {
        let refusal = verify(&flip(file, offset, 1 << (offset % 8))).expect_err("a changed byte");
        expect_refusal(refusal, offset, is_module);
    }
}

#[test]
fn every_changed_byte_of_an_image_is_refused_by_the_right_check() {
    every_changed_byte_is_refused(&IMAGE, verify_image, false);
}

#[test]
fn every_changed_byte_of_a_module_is_refused_by_the_right_check() {
    every_changed_byte_is_refused(&MODULE, verify_module, true);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_change_of_any_byte_is_refused(offset in any::<prop::sample::Index>(), bits in 1_u8..) {
        let at = offset.index(IMAGE.len());
        expect_refusal(verify_image(&flip(&IMAGE, at, bits)).expect_err("a changed byte"), at, false);
        let at = offset.index(MODULE.len());
        expect_refusal(verify_module(&flip(&MODULE, at, bits)).expect_err("a changed byte"), at, true);
    }

    #[test]
    fn random_files_are_refused(file in prop::collection::vec(any::<u8>(), 0..3 * ENVELOPE_BYTES)) {
        prop_assert!(verify_image(&file).is_err());
        prop_assert!(verify_module(&file).is_err());
    }
}

#[test]
fn truncated_and_extended_files_are_refused() {
    let envelope_lengths =
        (0..ENVELOPE_BYTES)
            .step_by(97)
            .chain([511, 512, ED25519_AT + 64, ENVELOPE_BYTES - 1]);
    for length in envelope_lengths {
        assert_eq!(
            verify_image(&IMAGE[..length]),
            Err(Refusal::Length { found: length })
        );
        assert_eq!(
            verify_module(&MODULE[..length]),
            Err(Refusal::Length { found: length })
        );
    }
    for file in [&*IMAGE, &*MODULE] {
        let expected = (file.len() - ENVELOPE_BYTES) as u64;
        let mut longer = file.clone();
        longer.push(0);
        let shorter = (ENVELOPE_BYTES..file.len())
            .step_by(101)
            .chain([file.len() - 1])
            .map(|n| &file[..n]);
        for other in shorter.chain([&longer[..]]) {
            let found = (other.len() - ENVELOPE_BYTES) as u64;
            let verify = if std::ptr::eq(file, &*IMAGE) {
                verify_image
            } else {
                verify_module
            };
            assert_eq!(verify(other), Err(Refusal::BodyLength { found, expected }));
        }
    }
}

#[test]
fn one_valid_signature_is_not_enough() {
    let stranger = image::build(name("1.0.0"), 7, &noise(500), &keys(9));
    assert_eq!(
        verify_image(&stranger),
        Err(Refusal::Ed25519),
        "signed by another key"
    );

    let mut ed25519_only = IMAGE.clone();
    ed25519_only[ML_DSA_AT..PADDING_AT].copy_from_slice(&stranger[ML_DSA_AT..PADDING_AT]);
    assert_eq!(verify_image(&ed25519_only), Err(Refusal::MlDsa));

    let mut ml_dsa_only = IMAGE.clone();
    ml_dsa_only[ED25519_AT..ML_DSA_AT].copy_from_slice(&stranger[ED25519_AT..ML_DSA_AT]);
    assert_eq!(verify_image(&ml_dsa_only), Err(Refusal::Ed25519));

    let mut unsigned = IMAGE.clone();
    unsigned[ED25519_AT..PADDING_AT].fill(0);
    assert_eq!(verify_image(&unsigned), Err(Refusal::Ed25519));
}

#[test]
fn degenerate_keys_accept_nothing() {
    let mut zero = KEYS.clone();
    zero.ed25519 = [0; 32];
    assert_eq!(image::verify(&IMAGE, &zero).err(), Some(Refusal::Ed25519));
    let mut zero = KEYS.clone();
    zero.ml_dsa = [0; 1952];
    assert_eq!(image::verify(&IMAGE, &zero).err(), Some(Refusal::MlDsa));
}

#[test]
fn an_image_is_no_module_and_a_module_no_image() {
    assert_eq!(
        verify_image(&MODULE),
        Err(Refusal::Ed25519),
        "the context differs"
    );
    // With the publisher's name where a module has it, the image reaches the signature check.
    let found = IMAGE[48..80].try_into().expect("32 bytes");
    assert_eq!(verify_module(&IMAGE), Err(Refusal::Publisher { found }));
}

#[test]
fn a_publisher_signs_only_in_its_own_name() {
    let forged = module::build(&description(), &noise(10), &keys(2)).expect("module");
    assert_eq!(
        verify_module(&forged),
        Err(Refusal::Ed25519),
        "signed by `other` in the name of `nonos`"
    );
    let unknown = module::Description {
        publisher: name("stranger"),
        ..description()
    };
    let unknown = module::build(&unknown, &noise(10), &keys(2)).expect("module");
    assert_eq!(
        verify_module(&unknown),
        Err(Refusal::Publisher {
            found: name("stranger").to_bytes()
        })
    );
    assert!(
        module::verify(&MODULE, &Anchors::NONE).is_err(),
        "no anchors, no modules"
    );
}

#[test]
fn signing_is_reproducible() {
    assert_eq!(
        image::build(name("1.0.0"), 7, &noise(500), &keys(1)),
        *IMAGE
    );
    assert_eq!(
        module::build(&description(), &noise(500), &keys(1)).as_ref(),
        Ok(&*MODULE)
    );
    let other_key = image::build(name("1.0.0"), 7, &noise(500), &keys(2));
    assert_eq!(
        other_key[ENVELOPE_BYTES..],
        IMAGE[ENVELOPE_BYTES..],
        "the payload does not depend on the key"
    );
    assert_eq!(
        other_key[..ED25519_AT],
        IMAGE[..ED25519_AT],
        "nor does the header"
    );
}

#[test]
fn manifests_that_could_not_run_are_not_signed() {
    let priority = module::Description {
        priority: 32,
        ..description()
    };
    assert_eq!(
        module::build(&priority, &[], &keys(1)),
        Err(Refusal::Field { field: "priority" })
    );
    let needs = module::Description {
        needs: 1 << 63,
        ..description()
    };
    assert_eq!(
        module::build(&needs, &[], &keys(1)),
        Err(Refusal::Field {
            field: "set of needs"
        })
    );
}

#[test]
fn refusals_say_what_was_found_and_expected() {
    let text = |file: &[u8]| verify_image(file).expect_err("refused").to_string();
    assert_eq!(text(b""), "too short: 0 bytes, at least 4096 expected");
    assert_eq!(
        text(&IMAGE[..IMAGE.len() - 1]),
        format!(
            "body has the wrong length: found {} bytes, signed {}",
            IMAGE.len() - ENVELOPE_BYTES - 1,
            IMAGE.len() - ENVELOPE_BYTES
        )
    );
    assert_eq!(
        text(&flip(&IMAGE, PADDING_AT + 3, 5)),
        "padding: found 0x05 at byte 3888, expected 0"
    );
    assert!(
        text(&flip(&IMAGE, ENVELOPE_BYTES, 1))
            .starts_with("BLAKE3 hash of the body is wrong: found ")
    );
    let hostile = Refusal::Publisher {
        found: *b"a\x1B[2J\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
    };
    assert_eq!(
        hostile.to_string(),
        "publisher \"a?[2J\" is not trusted",
        "no control characters reach the screen"
    );
}
