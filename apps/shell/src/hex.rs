//! Bytes as hexadecimal digits.

use core::fmt;

/// Shows bytes as digits.
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// The bytes that digits stand for, when there is room for them.
pub fn parse<'a>(digits: &[u8], out: &'a mut [u8]) -> Option<&'a [u8]> {
    let (pairs, []) = digits.as_chunks::<2>() else {
        return None;
    };
    let out = out.get_mut(..pairs.len())?;
    let digit = |byte: u8| char::from(byte).to_digit(16);
    for (byte, &[high, low]) in out.iter_mut().zip(pairs) {
        *byte = (digit(high)? << 4 | digit(low)?) as u8;
    }
    Some(out)
}

/// The same, of exactly as many bytes as there is room for.
pub fn parse_all<const BYTES: usize>(digits: &[u8], out: &mut [u8; BYTES]) -> Option<()> {
    if digits.len() != 2 * BYTES {
        return None;
    }
    parse(digits, out).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_digits_are_read_exactly() {
        let mut out = [0; 2];
        assert_eq!(parse_all(b"0aF9", &mut out), Some(()));
        assert_eq!(out, [0x0A, 0xF9]);
        for wrong in [&b"0aF"[..], b"0aF900", b"0aFg", b"", b"+a+9"] {
            assert_eq!(parse_all(wrong, &mut out), None);
        }
    }

    #[test]
    fn fewer_bytes_than_fit_are_taken_and_more_are_not() {
        let mut out = [0; 2];
        for (digits, bytes) in [
            ("", Some(&[][..])),
            ("0a", Some(&[10])),
            ("0aF9", Some(&[10, 0xF9])),
        ] {
            assert_eq!(parse(digits.as_bytes(), &mut out), bytes);
        }
        for wrong in ["0", "0a1", "0g", "0a0a0a"] {
            assert_eq!(parse(wrong.as_bytes(), &mut out), None, "{wrong}");
        }
        assert_eq!(Hex(&[10, 0xF9]).to_string(), "0af9");
    }
}
