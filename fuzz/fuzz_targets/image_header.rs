//! Bytes as a system image: its header and the whole file, or, when they do not begin like one, a packed body.
#![no_main]

use std::sync::LazyLock;

use nonos_abi::Name;
use nonos_image::image::{self, Header, MAGIC};
use nonos_image::keys::PublicKeys;
use nonos_image::sign::SecretKeys;

/// Keys that no input is signed with.
static KEYS: LazyLock<PublicKeys> =
    LazyLock::new(|| SecretKeys::from_seeds([1; 32], [2; 32]).public());

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if !bytes.starts_with(&MAGIC) {
        let _ = image::unpack_unverified(bytes, &mut [0; 4096]);
        return;
    }
    if let Some(header) = bytes.first_chunk()
        && let Ok(header) = Header::read(header)
    {
        let version = header.version;
        assert_eq!(Name::from_bytes(version.to_bytes()), Some(version));
    }
    assert!(image::verify(bytes, &KEYS).is_err(), "nobody signed it");
});
