//! The encoder, on the host: slow, and always the same bytes for the same input.

use alloc::vec::Vec;

use lzma_rust2::{LzmaOptions, LzmaWriter, Write};

use crate::decode::LITERAL_CONTEXT_BITS;
use crate::x86;

/// Smallest window of the encoder.
const WINDOW_MIN: u32 = 1 << 12;
/// Largest: more than an image has.
const WINDOW_MAX: u32 = 64 << 20;

/// Compresses bytes.
pub fn pack(bytes: &[u8]) -> Vec<u8> {
    let mut code = bytes.to_vec();
    x86::to_absolute(&mut code);
    let window = u32::try_from(code.len()).unwrap_or(WINDOW_MAX);
    let mut options = LzmaOptions::with_preset(9);
    options.dict_size = window.clamp(WINDOW_MIN, WINDOW_MAX);
    options.nice_len = LzmaOptions::NICE_LEN_MAX;
    options.depth_limit = 512;
    // Code: what precedes a byte says more of it than where it lies.
    options.lc = LITERAL_CONTEXT_BITS;
    options.lp = 0;
    options.pb = 0;
    LzmaWriter::new_no_header(Vec::new(), &options, false)
        .and_then(|mut writer| writer.write_all(&code).map(|()| writer))
        .and_then(LzmaWriter::finish)
        .expect("writing to a Vec does not fail")
}
