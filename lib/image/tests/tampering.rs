//! No byte of a signed file can change without a refusal that names the right check.

mod common;

use std::sync::LazyLock;

use common::{keys, name, noise};
use nonos_image::anchors::{self, Anchors};
use nonos_image::envelope::{ED25519_AT, ENVELOPE_BYTES, ML_DSA_AT, PADDING_AT, Refusal};
use nonos_image::keys::PublicKeys;
use nonos_image::list::{self, VerifiedList};
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
static LIST: LazyLock<Vec<u8>> = LazyLock::new(|| build_list("nonos", 1).expect("list"));

/// A list of two modules of a publisher, signed by the keys with this number.
fn build_list(publisher: &str, signer: u8) -> Result<Vec<u8>, Refusal> {
    let publisher = name(publisher);
    let module = |text| module::Description {
        name: name(text),
        publisher,
        ..description()
    };
    let (shell, console) = (noise(300), noise(500));
    let modules = [(module("shell"), &shell[..]), (module("console"), &console)];
    list::build(publisher, &modules, &keys(signer))
}

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

fn read_list(file: &[u8]) -> Result<VerifiedList<'_>, Refusal> {
    let anchors = Anchors::parse(&ANCHORS).expect("anchors");
    list::verify(name("modules.nonos"), file, &anchors)
}

fn verify_list(file: &[u8]) -> Result<(), Refusal> {
    read_list(file).map(|_| ())
}

/// Which check must refuse a file whose byte at `offset` changed.
fn expect_refusal(refusal: Refusal, offset: usize) {
    let right = match refusal {
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

    let list = read_list(&LIST).unwrap_or_else(|refusal| panic!("{refusal}"));
    let modules: Vec<_> = list.iter().collect();
    let [console, shell] = &modules[..] else {
        panic!("two modules by name");
    };
    assert!(shell.is_named(name("shell")) && !shell.is_named(name("console")));
    let names: Vec<_> = list.manifests().map(|manifest| manifest.name).collect();
    assert_eq!(names, [name("console"), name("shell")]);
    let elf = noise(500);
    let module = console.verify(&elf);
    let module = module.unwrap_or_else(|refusal| panic!("{refusal}"));
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

#[test]
fn an_elf_with_any_byte_changed_or_of_another_module_is_refused() {
    let list = read_list(&LIST).unwrap_or_else(|refusal| panic!("{refusal}"));
    let console = list.iter().next().expect("console");
    let elf = noise(500);
    let refused = |elf: &[u8]| matches!(console.verify(elf), Err(Refusal::Hash { .. }));
    assert!(!refused(&elf));
    for offset in 0..elf.len() {
        assert!(refused(&flip(&elf, offset, 1 << (offset % 8))), "{offset}");
    }
    assert!(refused(&elf[..499]) && refused(&[]) && refused(&[&elf[..], &[0]].concat()));
    assert!(refused(&noise(300)), "the ELF of the shell");
}

fn every_changed_byte_is_refused(file: &[u8], verify: fn(&[u8]) -> Result<(), Refusal>) {
    for offset in 0..file.len() {
        let refusal = verify(&flip(file, offset, 1 << (offset % 8))).expect_err("a changed byte");
        expect_refusal(refusal, offset);
    }
}

#[test]
fn every_changed_byte_of_an_image_is_refused_by_the_right_check() {
    every_changed_byte_is_refused(&IMAGE, verify_image);
}

#[test]
fn every_changed_byte_of_a_list_is_refused_by_the_right_check() {
    every_changed_byte_is_refused(&LIST, verify_list);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_change_of_any_byte_is_refused(offset in any::<prop::sample::Index>(), bits in 1_u8..) {
        let at = offset.index(IMAGE.len());
        expect_refusal(verify_image(&flip(&IMAGE, at, bits)).expect_err("a changed byte"), at);
        let at = offset.index(LIST.len());
        expect_refusal(verify_list(&flip(&LIST, at, bits)).expect_err("a changed byte"), at);
    }

    #[test]
    fn random_files_are_refused(file in prop::collection::vec(any::<u8>(), 0..3 * ENVELOPE_BYTES)) {
        prop_assert!(verify_image(&file).is_err());
        prop_assert!(verify_list(&file).is_err());
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
            verify_list(&LIST[..length]),
            Err(Refusal::Length { found: length })
        );
    }
    for file in [&*IMAGE, &*LIST] {
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
                verify_list
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
fn an_image_is_no_list_and_a_list_no_image() {
    assert_eq!(
        verify_image(&LIST),
        Err(Refusal::Ed25519),
        "the context differs"
    );
    assert_eq!(verify_list(&IMAGE), Err(Refusal::Ed25519));
}

#[test]
fn a_publisher_signs_only_in_its_own_name() {
    let forged = build_list("nonos", 2).expect("list");
    assert_eq!(
        verify_list(&forged),
        Err(Refusal::Ed25519),
        "signed by `other` in the name of `nonos`"
    );
    let of_other = build_list("other", 2).expect("list");
    assert_eq!(verify_list(&of_other), Err(Refusal::Ed25519));
    let anchors = Anchors::parse(&ANCHORS).expect("anchors");
    let verify = |entry, file, anchors| list::verify(name(entry), file, anchors).map(|_| ());
    assert_eq!(verify("modules.other", &of_other, &anchors), Ok(()));
    assert_eq!(
        verify("modules.stranger", &of_other, &anchors),
        Err(Refusal::Publisher {
            found: name("stranger")
        })
    );
    assert!(
        verify("modules.nonos", &LIST, &Anchors::NONE).is_err(),
        "no anchors, no modules"
    );
}

#[test]
fn signing_is_reproducible() {
    assert_eq!(
        image::build(name("1.0.0"), 7, &noise(500), &keys(1)),
        *IMAGE
    );
    assert_eq!(build_list("nonos", 1).as_ref(), Ok(&*LIST));
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
fn lists_that_could_not_be_used_are_not_signed() {
    let build = |modules: &[module::Description]| {
        let modules: Vec<_> = modules.iter().map(|module| (*module, &[][..])).collect();
        list::build(name("nonos"), &modules, &keys(1)).map(|_| ())
    };
    let refused = |field| Err(Refusal::Field { field });
    let good = description();
    assert_eq!(build(&[good]), Ok(()));
    assert_eq!(build(&[]), Ok(()));
    assert_eq!(build(&[good, good]), refused("order of names"));
    let other = [
        (
            module::Description {
                priority: 32,
                ..good
            },
            "priority",
        ),
        (
            module::Description {
                needs: 1 << 63,
                ..good
            },
            "set of needs",
        ),
        (
            module::Description {
                publisher: name("other"),
                ..good
            },
            "publisher",
        ),
    ];
    for (module, field) in other {
        assert_eq!(build(&[module]), refused(field));
    }
    assert_eq!(
        build_list(&"n".repeat(25), 1).map(|_| ()),
        refused("publisher"),
        "no entry of the archive has such a name"
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
    assert!(text(&flip(&IMAGE, ENVELOPE_BYTES, 1)).starts_with("BLAKE3 hash is wrong: found "));
    let unknown = Refusal::Publisher {
        found: name("stranger"),
    };
    assert_eq!(unknown.to_string(), "publisher \"stranger\" is not trusted");
    let hostile = Refusal::Magic {
        found: *b"a\x1B[2J\0\0\0",
        expected: image::MAGIC,
    };
    assert_eq!(
        hostile.to_string(),
        "not this kind of file: found \"a?[2J\", expected \"NONOSIMG\"",
        "no control characters reach the screen"
    );
}
