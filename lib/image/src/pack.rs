//! Compression of the image's body: BCJ x86, then LZMA2 (the raw stream, without the xz container).
//!
//! Only verified bytes come here. Still the decoder forbids unsafe code, and its output and window are bounded
//! whatever the stream says.

use core::fmt;

use lzma_rust2::filter::bcj::BcjReader;
use lzma_rust2::{Lzma2Reader, Read};

/// LZMA2 window of a payload up to [`LARGE_PAYLOAD_BYTES`]. Beside the payload, the firmware of a machine with 64 MB has little more.
const SMALL_WINDOW_BYTES: u32 = 512 << 10;

/// From here on, all of the payload is in the window: many programs with windows have much in common, and need more than 64 MB.
const LARGE_PAYLOAD_BYTES: usize = 2 << 20;

/// Largest window.
const LARGE_WINDOW_BYTES: u32 = 8 << 20;

/// The window for a payload of so many bytes, which the signed header says.
const fn window(payload: usize) -> u32 {
    if payload > LARGE_PAYLOAD_BYTES {
        LARGE_WINDOW_BYTES
    } else {
        SMALL_WINDOW_BYTES
    }
}

/// Why a verified body did not unpack. A body made by `image::build` always does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnpackError {
    /// The buffer does not have the signed size.
    Buffer {
        /// Bytes of the buffer.
        found: usize,
        /// Signed size.
        expected: usize,
    },
    /// The body is no valid LZMA2 stream.
    Corrupt {
        /// Bytes that came out before.
        at: usize,
    },
    /// The stream ends early.
    Short {
        /// Bytes that came out.
        found: usize,
        /// Signed size.
        expected: usize,
    },
    /// The stream does not end at the signed size.
    Long {
        /// Signed size.
        expected: usize,
    },
    /// Bytes follow the end of the stream.
    Trailing {
        /// How many.
        bytes: usize,
    },
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer { found, expected } => {
                write!(f, "buffer of {found} bytes for a payload of {expected}")
            }
            Self::Corrupt { at } => {
                write!(f, "compressed payload is corrupt after {at} unpacked bytes")
            }
            Self::Short { found, expected } => {
                write!(f, "payload unpacks to {found} bytes, signed {expected}")
            }
            Self::Long { expected } => write!(
                f,
                "payload unpacks to more than the signed {expected} bytes"
            ),
            Self::Trailing { bytes } => write!(f, "{bytes} bytes follow the compressed payload"),
        }
    }
}

impl core::error::Error for UnpackError {}

/// Decompresses `stored` to `out`, which it fills exactly.
pub(crate) fn unpack(stored: &[u8], out: &mut [u8]) -> Result<(), UnpackError> {
    let expected = out.len();
    // Nothing refers further back than the output is long, and a small machine has no memory to spare.
    let most = window(expected);
    let window = u32::try_from(expected).map_or(most, |bytes| bytes.min(most));
    let mut reader = BcjReader::new_x86(Lzma2Reader::new(stored, window, None), 0);
    let mut found = 0;
    while let Some(rest) = out.get_mut(found..).filter(|rest| !rest.is_empty()) {
        match reader.read(rest) {
            Ok(0) => return Err(UnpackError::Short { found, expected }),
            Ok(count) => found += count,
            Err(_) => return Err(UnpackError::Corrupt { at: found }),
        }
    }
    match reader.read(&mut [0]) {
        Ok(0) => {}
        Ok(_) => return Err(UnpackError::Long { expected }),
        Err(_) => return Err(UnpackError::Corrupt { at: found }),
    }
    match reader.into_inner().into_inner().len() {
        0 => Ok(()),
        bytes => Err(UnpackError::Trailing { bytes }),
    }
}

/// Compresses: slow, small, always the same bytes for the same input.
#[cfg(feature = "sign")]
pub(crate) fn pack(data: &[u8]) -> alloc::vec::Vec<u8> {
    use alloc::vec::Vec;
    use lzma_rust2::filter::bcj::BcjWriter;
    use lzma_rust2::{Lzma2Options, Lzma2Writer, LzmaOptions, Write};

    let mut options = LzmaOptions::with_preset(9);
    options.dict_size = window(data.len());
    options.nice_len = LzmaOptions::NICE_LEN_MAX;
    // Code: what precedes a byte says more of it than where it lies.
    options.lc = 4;
    options.pb = 0;
    options.depth_limit = 512;
    let lzma = Lzma2Writer::new(
        Vec::new(),
        Lzma2Options {
            lzma_options: options,
            chunk_size: None,
        },
    );
    let mut writer = BcjWriter::new_x86(lzma, 0);
    writer
        .write_all(data)
        .and_then(|()| writer.finish())
        .and_then(Lzma2Writer::finish)
        .expect("writing to a Vec does not fail")
}

#[cfg(all(test, feature = "sign"))]
mod tests {
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    /// Bytes that do not compress, with the same ones again at the end.
    fn twice(bytes: usize, between: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let noise = (0..bytes).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let noise: Vec<u8> = noise.collect();
        [noise.clone(), vec![0; between], noise].concat()
    }

    #[test]
    fn a_large_payload_refers_to_all_that_came_before_and_a_small_one_does_not() {
        const NOISE: usize = 100_000;
        for (between, most) in [(LARGE_PAYLOAD_BYTES, NOISE * 3 / 2), (1 << 20, usize::MAX)] {
            let payload = twice(NOISE, between);
            let packed = pack(&payload);
            assert!(packed.len() <= most, "{}", packed.len());
            assert_eq!(packed.len() > NOISE * 2 - 1000, most == usize::MAX);
            let mut out = vec![0; payload.len()];
            assert_eq!(unpack(&packed, &mut out), Ok(()));
            assert!(out == payload);
        }
    }
}
