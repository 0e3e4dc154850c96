//! Colours, and how they are laid over each other.

use nonos_pixels::blend;

/// A colour: opacity, red, green and blue, 8 bits each (0xAARRGGBB), in sRGB.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Color(pub u32);

impl Color {
    /// An opaque colour, 0xRRGGBB.
    pub const fn rgb(rgb: u32) -> Self {
        Self(rgb | 0xFF00_0000)
    }

    /// The same colour, so opaque (0 to 255).
    pub const fn with_opacity(self, opacity: u8) -> Self {
        Self(self.0 & 0xFF_FFFF | (opacity as u32) << 24)
    }

    /// 0 to 255.
    pub const fn opacity(self) -> u32 {
        self.0 >> 24
    }

    /// This colour over another, opaque one.
    pub const fn over(self, below: Self) -> Self {
        Self::rgb(blend(below.0, self.0, self.opacity()))
    }

    /// Relative luminance, 0 to 1 (WCAG 2.2).
    fn luminance(self) -> f32 {
        let linear = |shift: u32| {
            let value = (self.0 >> shift & 255) as f32 / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                power_2_4((value + 0.055) / 1.055)
            }
        };
        0.2126 * linear(16) + 0.7152 * linear(8) + 0.0722 * linear(0)
    }

    /// Contrast of two opaque colours, 1 to 21 (WCAG 2.2, 1.4.3: text needs 4.5).
    pub fn contrast(self, other: Self) -> f32 {
        let (a, b) = (self.luminance() + 0.05, other.luminance() + 0.05);
        if a > b { a / b } else { b / a }
    }
}

/// `x` to the power of 2.4, for 0 to 1: the square, times the fifth root of the square.
fn power_2_4(x: f32) -> f32 {
    let square = x * x;
    let mut root = 1.0_f32;
    // Newton's method for root^5 = square.
    for _ in 0..24 {
        let fourth = root * root * root * root;
        root = (4.0 * root + square / fourth) / 5.0;
    }
    square * root
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contrast_is_that_of_wcag() {
        let contrast = |a, b| Color::rgb(a).contrast(Color::rgb(b));
        assert!((contrast(0, 0xFF_FFFF) - 21.0).abs() < 0.01);
        // From WebAIM's contrast checker.
        assert!((contrast(0x76_7676, 0xFF_FFFF) - 4.54).abs() < 0.01);
        assert!((contrast(0x00_00FF, 0xFF_FFFF) - 8.59).abs() < 0.01);
    }
}
