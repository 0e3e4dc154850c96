//! Bytes as a key at rest, and as the sealed root that a TPM keeps.
#![no_main]

use nonos_crypto::hash::sha256;
use vault::blob::Wrapped;
use vault::lock::{CHECKED, Record};
use vault::seal::KEPT_BYTES;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(blob) = bytes.first_chunk()
        && let Ok((wrapped, attributes, version)) = Wrapped::from_blob(blob)
    {
        assert_eq!(wrapped.to_blob(&attributes, version), *blob);
    }
    if let Some(kept) = bytes.first_chunk::<KEPT_BYTES>() {
        // No fuzzer finds the hash.
        let mut kept = *kept;
        kept[CHECKED].fill(0);
        let check = sha256(&kept);
        kept[CHECKED].copy_from_slice(&check);
        if let Some(record) = Record::from_bytes(&kept) {
            assert_eq!(record.to_bytes(), kept);
        }
    }
});
