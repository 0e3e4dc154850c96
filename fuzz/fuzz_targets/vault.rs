//! Bytes as a key at rest, and as the sealed root that a TPM keeps.
#![no_main]

use vault::blob::Wrapped;
use vault::lock::Record;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Some(blob) = bytes.first_chunk()
        && let Ok((wrapped, attributes, version)) = Wrapped::from_blob(blob)
    {
        assert_eq!(wrapped.to_blob(&attributes, version), *blob);
    }
    if let Some(kept) = bytes.first_chunk()
        && let Some(record) = Record::from_bytes(kept)
    {
        assert_eq!(record.to_bytes(), *kept);
    }
});
