//! Bytes as a module: its manifest and the whole file; or, when they do not begin like one, as a list of trusted publishers.
#![no_main]

use std::sync::LazyLock;

use nonos_abi::Name;
use nonos_abi::info::needs;
use nonos_image::anchors::{self, Anchors};
use nonos_image::module::{self, MAGIC, Manifest, PRIORITY_MAX};
use nonos_image::sign::SecretKeys;

/// A publisher who signed no input.
static ANCHORS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let keys = SecretKeys::from_seeds([1; 32], [2; 32]).public();
    let publisher = Name::new("nonos").expect("a valid name");
    anchors::build(&[(publisher, keys)]).expect("one publisher")
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if !bytes.starts_with(&MAGIC) {
        if let Ok(anchors) = Anchors::parse(bytes) {
            assert!(anchors.iter().all(|(name, _)| anchors.find(name).is_some()));
        }
        return;
    }
    if let Some(header) = bytes.first_chunk()
        && let Ok(manifest) = Manifest::read(header)
    {
        assert!(manifest.priority <= PRIORITY_MAX);
        assert_eq!(manifest.needs >> needs::NAMES.len(), 0);
    }
    let anchors = Anchors::parse(&ANCHORS).expect("made here");
    assert!(module::verify(bytes, &anchors).is_err(), "nobody signed it");
});
