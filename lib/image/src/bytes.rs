//! Little-endian fields in byte strings, and their printing.

use core::fmt;

/// Takes fields off the front of a byte string; `None` when it is too short.
#[derive(Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    pub(crate) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (field, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(field)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<&'a [u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(field)
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        self.array().copied().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.array().copied().map(u64::from_le_bytes)
    }
}

/// A field of a record. Positions are checked when the code is compiled.
#[cfg(feature = "verify")]
pub(crate) fn field<const AT: usize, const N: usize, const SIZE: usize>(
    record: &[u8; SIZE],
) -> [u8; N] {
    const { assert!(AT + N <= SIZE) };
    core::array::from_fn(|i| record[AT + i])
}

/// A number in a record.
#[cfg(feature = "verify")]
pub(crate) fn number<const AT: usize, const SIZE: usize>(record: &[u8; SIZE]) -> u64 {
    u64::from_le_bytes(field::<AT, 8, SIZE>(record))
}

/// Writes a field of a record.
#[cfg(feature = "sign")]
pub(crate) fn put<const AT: usize, const N: usize, const SIZE: usize>(
    record: &mut [u8; SIZE],
    value: &[u8; N],
) {
    const { assert!(AT + N <= SIZE) };
    record[AT..AT + N].copy_from_slice(value);
}

/// Prints bytes as lower-case hexadecimal digits.
#[derive(Clone, Copy)]
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Prints bytes that should be text: printable ASCII up to the padding, the rest as `?`.
#[cfg(feature = "verify")]
pub(crate) struct Text<'a>(pub(crate) &'a [u8]);

#[cfg(feature = "verify")]
impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use fmt::Write;
        let length = self
            .0
            .iter()
            .rposition(|&byte| byte != 0)
            .map_or(0, |last| last + 1);
        let printable = |byte: u8| {
            if byte == b' ' || byte.is_ascii_graphic() {
                byte.into()
            } else {
                '?'
            }
        };
        self.0
            .iter()
            .take(length)
            .try_for_each(|&byte| f.write_char(printable(byte)))
    }
}
