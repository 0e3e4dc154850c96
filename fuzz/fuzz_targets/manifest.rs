//! Bytes as a publisher's list of modules: its header, its body and the whole file; or, when they do not begin like one, as a list of
//! trusted publishers.
#![no_main]

use std::sync::LazyLock;

use nonos_abi::Name;
use nonos_abi::info::needs;
use nonos_image::anchors::{self, Anchors};
use nonos_image::envelope::ENVELOPE_BYTES;
use nonos_image::list::{self, Header, List, MAGIC};
use nonos_image::module::{MANIFEST_BYTES, PRIORITY_MAX};
use nonos_image::sign::SecretKeys;

/// A publisher who signed no input.
static ANCHORS: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let keys = SecretKeys::from_seeds([1; 32], [2; 32]).public();
    anchors::build(&[(publisher(), keys)]).expect("one publisher")
});

fn publisher() -> Name {
    Name::new("nonos").expect("a valid name")
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if !bytes.starts_with(&MAGIC) {
        if let Ok(anchors) = Anchors::parse(bytes) {
            assert!(anchors.iter().all(|(name, _)| anchors.find(name).is_some()));
        }
        return;
    }
    if let Some(header) = bytes.first_chunk() {
        let _ = Header::read(header);
    }
    let body = bytes.get(ENVELOPE_BYTES..).unwrap_or_default();
    if let Ok(list) = List::read(publisher(), body) {
        let mut previous = None;
        for manifest in list.iter() {
            assert!(manifest.priority <= PRIORITY_MAX);
            assert_eq!(manifest.needs >> needs::NAMES.len(), 0);
            assert!(previous < Some(manifest.name));
            previous = Some(manifest.name);
        }
        assert_eq!(list.iter().count() * MANIFEST_BYTES, body.len());
    }
    let anchors = Anchors::parse(&ANCHORS).expect("made here");
    let entry = list::entry(publisher()).expect("a short name");
    assert!(list::verify(entry, bytes, &anchors).is_err(), "nobody signed it");
});
