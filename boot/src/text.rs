//! Formatted text in a fixed buffer: works without a heap and after the end of boot services.

use core::fmt;

/// Up to `N` bytes of text. What does not fit is cut off.
pub struct Text<const N: usize> {
    bytes: [u8; N],
    used: usize,
}

impl<const N: usize> Text<N> {
    /// No text.
    pub const fn new() -> Self {
        Self {
            bytes: [0; N],
            used: 0,
        }
    }

    /// Removes the text.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        let bytes = &self.bytes[..self.used];
        core::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> fmt::Write for Text<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = text.floor_char_boundary(N - self.used);
        self.bytes[self.used..self.used + end].copy_from_slice(&text.as_bytes()[..end]);
        self.used += end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::fmt::Write;

    #[test]
    fn what_does_not_fit_is_cut_between_characters() {
        let mut text = Text::<4>::new();
        write!(text, "ab{}Ød", 1).unwrap();
        assert_eq!(text.as_str(), "ab1");
        text.clear();
        write!(text, "1234567").unwrap();
        assert_eq!(text.as_str(), "1234");
    }
}
