//! Bytes as what a TPM answers to the driver: sessions, sealing, quotes, NV memory. The inputs to begin with were recorded and are authentic.
#![no_main]

#[path = "../../lib/tpm/tests/replay/mod.rs"]
mod replay;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = replay::operation(bytes);
});
