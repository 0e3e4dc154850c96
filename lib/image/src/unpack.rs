//! Why a verified body did not unpack. A body made by [`crate::image::build`] always does.

use core::fmt;

/// What is wrong with the body, or the place for what it holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum UnpackError {
    /// The buffer does not have the signed size.
    Buffer {
        /// Bytes of the buffer.
        found: usize,
        /// Signed size.
        expected: usize,
    },
    /// The body is no stream of the signed size.
    Stream(nonos_lzma::Error),
}

impl fmt::Display for UnpackError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Buffer { found, expected } => {
                write!(f, "buffer of {found} bytes for a payload of {expected}")
            }
            Self::Stream(error) => write!(f, "compressed payload {error}"),
        }
    }
}

impl core::error::Error for UnpackError {}
