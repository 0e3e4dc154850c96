//! What the machine's screen shows: a picture that the monitor takes.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use nonos_ui::host::write_png;

/// A picture, as QEMU's `screendump` writes it (PPM, binary, 8 bits a colour).
#[derive(Clone, Debug)]
pub struct Picture {
    /// Pixels in a line.
    pub width: usize,
    /// Lines.
    pub height: usize,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Reads a PPM file; `None` when it is not one.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let mut word = || {
            let start = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
            let length = rest[start..].iter().position(u8::is_ascii_whitespace)?;
            let word = &rest[start..start + length];
            rest = &rest[start + length..];
            Some(word)
        };
        if word()? != b"P6" {
            return None;
        }
        let mut number = || std::str::from_utf8(word()?).ok()?.parse::<usize>().ok();
        let (width, height, depth) = (number()?, number()?, number()?);
        let (pixels, tail) = rest.get(1..)?.as_chunks::<3>();
        let whole = depth == 255 && tail.is_empty() && pixels.len() == width.checked_mul(height)?;
        whole.then(|| Self {
            width,
            height,
            pixels: pixels.to_vec(),
        })
    }

    /// Reads a PNG file; `None` when it is not one.
    pub fn read_png(path: &Path) -> Option<Self> {
        let picture = nonos_picture::decode(&std::fs::read(path).ok()?).ok()?;
        let pixels = picture.pixels.iter().map(|pixel| {
            let [_, red, green, blue] = pixel.to_be_bytes();
            [red, green, blue]
        });
        Some(Self {
            width: picture.width,
            height: picture.height,
            pixels: pixels.collect(),
        })
    }

    /// Keeps it for a person to look at: `target/screens/NAME.png`.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn keep(&self, name: &str) -> PathBuf {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/screens");
        let path = folder.join(name).with_extension("png");
        let pixels = self.pixels.iter();
        let pixels = pixels.map(|&[red, green, blue]| u32::from_be_bytes([0, red, green, blue]));
        write_png(&path, &pixels.collect::<Vec<_>>(), self.width).expect("it can be written");
        path
    }

    /// A pixel: red, green, blue.
    ///
    /// # Panics
    /// When it lies outside.
    pub fn pixel(&self, x: usize, y: usize) -> [u8; 3] {
        assert!(x < self.width, "{x} is beyond the line");
        self.pixels[y * self.width + x]
    }

    /// Without the clock of the desktop: the right end of the bar is as where nothing stands in it.
    pub fn without_clock(mut self) -> Self {
        const LINES: usize = 56;
        let ground = |y: usize| self.pixels.get(y * self.width + self.width - 1).copied();
        let lines = (0..LINES.min(self.height)).take_while(|&y| ground(y) == ground(0));
        let lines = lines.count();
        // It is less than six times as wide as the bar is high.
        let columns = (lines * 6).min(self.width);
        for row in self.pixels.chunks_mut(self.width).take(lines) {
            let ground = row[self.width - 1];
            row[self.width - columns..].fill(ground);
        }
        self
    }

    /// Where pixels of a colour lie: left, top, right and bottom of the smallest rectangle with all of them.
    pub fn bounds_of(&self, color: [u8; 3]) -> Option<[usize; 4]> {
        let places = self
            .pixels
            .iter()
            .enumerate()
            .filter(|(_, pixel)| **pixel == color);
        places
            .map(|(index, _)| (index % self.width, index / self.width))
            .fold(None, |bounds, (x, y)| {
                let [left, top, right, bottom] = bounds.unwrap_or([x, y, x + 1, y + 1]);
                Some([left.min(x), top.min(y), right.max(x + 1), bottom.max(y + 1)])
            })
    }

    /// How many pixels differ from the most frequent colour, the background.
    pub fn drawn_pixels(&self) -> usize {
        let mut counts = HashMap::new();
        for pixel in &self.pixels {
            *counts.entry(pixel).or_insert(0) += 1;
        }
        self.pixels.len() - counts.into_values().max().unwrap_or(0)
    }

    /// Whether anything but black is in the lowest fifth.
    pub fn lower_part_is_drawn(&self) -> bool {
        self.pixels[self.pixels.len() / 5 * 4..]
            .iter()
            .any(|pixel| *pixel != [0; 3])
    }

    /// How many pixels differ between two pictures of the same size; `None` for different sizes.
    pub fn changed_pixels(&self, other: &Self) -> Option<usize> {
        self.unlike_pixels(other, 0)
    }

    /// How many pixels differ by more than so much in one of their colours, between two pictures of the same size.
    pub fn unlike_pixels(&self, other: &Self, much: u8) -> Option<usize> {
        let same_size = (self.width, self.height) == (other.width, other.height);
        let unlike = |(a, b): &(&[u8; 3], &[u8; 3])| {
            let mut colors = a.iter().zip(b.iter());
            colors.any(|(a, b)| a.abs_diff(*b) > much)
        };
        same_size.then(|| self.pixels.iter().zip(&other.pixels).filter(unlike).count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_other_than_the_background_count_as_drawn() {
        let blank = Picture::parse(b"P6\n2 2\n255\n\0\0\0\0\0\0\0\0\0\0\0\0").unwrap();
        let dot = Picture::parse(b"P6\n2 2\n255\n\0\0\0\0\0\0\0\xff\0\0\0\0").unwrap();
        assert_eq!(blank.drawn_pixels(), 0);
        assert_eq!(dot.drawn_pixels(), 1);
        assert!(dot.lower_part_is_drawn() && !blank.lower_part_is_drawn());
        assert_eq!(blank.changed_pixels(&dot), Some(1));
        assert_eq!(blank.unlike_pixels(&dot, 254), Some(1));
        assert_eq!(blank.unlike_pixels(&dot, 255), Some(0));
        assert!(Picture::parse(b"P6\n2 2\n255\n\0\0\0").is_none());
        assert!(Picture::parse(b"P5\n1 1\n255\n\0").is_none());
    }
}
