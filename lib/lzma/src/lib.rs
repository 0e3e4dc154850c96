//! Compression of what is stored: the body of the system image, and the boot loader.
//!
//! What is stored is a raw LZMA stream (no header, no end marker, `lc` 4, `lp` and `pb` 0; its length and that of what comes out are known
//! beforehand) of bytes that went through [`x86::to_absolute`]. [`unpack`] decodes it in place: the output is the window, so that
//! nothing is allocated and matches reach back as far as there are bytes. It takes whatever stream there is and returns. It knows most
//! damaged streams by their end, not all, and is no protection against anybody: check a hash or a signature before.
#![cfg_attr(not(test), no_std)]
#![forbid(unsafe_code)]

#[cfg(feature = "pack")]
extern crate alloc;

mod decode;
#[cfg(feature = "pack")]
mod encode;
mod range;
pub mod x86;

use core::fmt;

#[cfg(feature = "pack")]
pub use encode::pack;

/// Why a stream did not unpack. What `pack` made always does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Error {
    /// It refers to what is not there, or has no first bytes.
    Corrupt {
        /// Bytes that came out before.
        at: usize,
    },
    /// It does not end where its output does.
    End,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Corrupt { at } => write!(f, "corrupt after {at} unpacked bytes"),
            Self::End => f.write_str("does not end where its output does"),
        }
    }
}

impl core::error::Error for Error {}

/// Unpacks `stored` to `out`, which it fills exactly.
///
/// # Errors
/// When it is no stream of that length. Then `out` holds nothing of use.
pub fn unpack(stored: &[u8], out: &mut [u8]) -> Result<(), Error> {
    decode::decode(stored, out)?;
    x86::to_relative(out);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn unpacked(stored: &[u8], bytes: usize) -> Result<Vec<u8>, Error> {
        let mut out = vec![0xA5; bytes];
        unpack(stored, &mut out).map(|()| out)
    }

    /// Noise, runs, text, and what came before: literals, and matches of all kinds.
    fn sample(seed: u32, parts: usize) -> Vec<u8> {
        let mut state = seed;
        let mut random = move |below: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) % below
        };
        let mut bytes = Vec::new();
        for _ in 0..parts {
            let length = random(400) as usize;
            match random(4) {
                0 => bytes.extend((0..length).map(|_| random(256) as u8)),
                1 => bytes.extend(core::iter::repeat_n(random(256) as u8, length)),
                2 => bytes.extend(b"the quick brown fox".iter().cycle().take(length)),
                _ => {
                    let from = random(bytes.len() as u32 + 1) as usize;
                    bytes.extend_from_within(from..(from + length).min(bytes.len()));
                }
            }
        }
        bytes
    }

    #[test]
    fn what_was_packed_unpacks() {
        for (seed, parts) in (0..40).map(|number| (number, 5 * number as usize)) {
            let bytes = sample(seed, parts);
            assert_eq!(unpacked(&pack(&bytes), bytes.len()), Ok(bytes), "{seed}");
        }
    }

    #[test]
    fn matches_reach_back_over_all_that_came_before() {
        let noise = sample(1, 1);
        let noise: Vec<u8> = (0..3000_u32)
            .map(|i| ((i * i) >> 5) as u8)
            .chain(noise)
            .collect();
        let bytes = [noise.clone(), vec![0; 2 << 20], noise.clone()].concat();
        let packed = pack(&bytes);
        assert!(
            packed.len() < noise.len() * 3 / 2 + 4000,
            "{}",
            packed.len()
        );
        assert!(unpacked(&packed, bytes.len()).as_ref() == Ok(&bytes));
    }

    #[test]
    fn a_stream_that_does_not_fill_its_output_exactly_is_an_error() {
        let bytes = sample(7, 100);
        let packed = pack(&bytes);
        for length in [0, 1, bytes.len() - 1, bytes.len() + 1, bytes.len() + 1000] {
            assert!(unpacked(&packed, length).is_err(), "{length}");
        }
        assert_eq!(
            unpacked(&[&packed[..], &[0]].concat(), bytes.len()),
            Err(Error::End)
        );
        for length in 0..packed.len() {
            assert!(
                unpacked(&packed[..length], bytes.len()).is_err(),
                "{length}"
            );
        }
    }

    #[test]
    fn a_stream_with_one_changed_bit_unpacks_to_something_else_or_is_an_error() {
        let bytes = sample(9, 20);
        let packed = pack(&bytes);
        let changed = (0..packed.len() * 8).map(|bit| {
            let mut changed = packed.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            unpacked(&changed, bytes.len())
        });
        let errors = changed.filter(|found| {
            assert!(found.as_ref() != Ok(&bytes));
            found.is_err()
        });
        // Not all: an early bit may be one that nothing later depends on.
        assert!(errors.count() > packed.len() * 8 - 16);
    }

    #[test]
    fn a_match_from_before_the_start_is_an_error() {
        // Bits that are all likelier to be 1: a repeated match, of which there is none.
        assert_eq!(
            unpacked(&[0, 0xFF, 0xFF, 0xFF, 0xFE, 0, 0, 0, 0], 100),
            Err(Error::Corrupt { at: 0 })
        );
        assert_eq!(unpacked(&[1, 0, 0, 0, 0], 0), Err(Error::Corrupt { at: 0 }));
        assert_eq!(unpacked(&[0, 0, 0, 0], 0), Err(Error::Corrupt { at: 0 }));
        assert_eq!(unpacked(&[0, 0, 0, 0, 0], 0), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn random_bytes_are_survived(stored in prop::collection::vec(any::<u8>(), 0..600), bytes in 0..5000_usize) {
            let _ = unpacked(&[&[0], &stored[..]].concat(), bytes);
        }
    }
}
