//! Pictures that a program shows, larger or smaller than they are.

use alloc::vec::Vec;
use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};

use crate::canvas::Canvas;
use crate::geometry::Rect;

/// Most pixels of the picture that a pixel of a smaller one is made of, in each direction.
const SAMPLES: usize = 4;

/// A picture, which is known by its number: what is shown of it is painted anew when another takes its place.
pub struct Picture {
    /// No other has it in this process.
    pub(crate) id: u64,
    width: usize,
    height: usize,
    pixels: Vec<u32>,
}

impl fmt::Debug for Picture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Picture {} ({} × {})", self.id, self.width, self.height)
    }
}

impl Picture {
    /// A picture of pixels 0x00RRGGBB, line by line; `None` when they are not as many as its size says, or none.
    #[inline(never)]
    pub fn new(width: usize, height: usize, pixels: Vec<u32>) -> Option<Self> {
        static LAST: AtomicU64 = AtomicU64::new(0);
        let fits = width > 0 && height > 0 && width.checked_mul(height) == Some(pixels.len());
        fits.then(|| Self {
            id: LAST.fetch_add(1, Ordering::Relaxed),
            width,
            height,
            pixels,
        })
    }

    /// Pixels in a line.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Lines.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Paints it so that it fills a rectangle (pixels), where that may be painted. What is smaller is made of the middle of several pixels.
    #[inline(never)]
    pub(crate) fn paint(&self, canvas: &mut Canvas<'_>, rect: Rect) {
        let seen = rect.intersect(canvas.clip());
        for y in seen.y..seen.bottom() {
            let lines = span(y - rect.y, rect.height, self.height);
            for (x, pixel) in (seen.x..).zip(canvas.line(y, seen.x, seen.right())) {
                let columns = span(x - rect.x, rect.width, self.width);
                *pixel = self.middle(lines, columns);
            }
        }
    }

    #[inline(never)]
    fn middle(&self, lines: (usize, usize), columns: (usize, usize)) -> u32 {
        let at = |line: usize, column: usize| {
            let pixel = self.pixels.get(line * self.width + column);
            pixel.copied().unwrap_or_default()
        };
        if lines.1 == 1 && columns.1 == 1 {
            return at(lines.0, columns.0);
        }
        let (rows, across) = (lines.1.min(SAMPLES), columns.1.min(SAMPLES));
        let mut sums = [0_u32; 3];
        for row in 0..rows {
            let line = lines.0 + row * lines.1 / rows;
            for step in 0..across {
                let [_, colors @ ..] =
                    at(line, columns.0 + step * columns.1 / across).to_be_bytes();
                for (sum, color) in sums.iter_mut().zip(colors) {
                    *sum += u32::from(color);
                }
            }
        }
        let count = (rows * across) as u32;
        let [red, green, blue] = sums.map(|sum| (sum + count / 2) / count);
        red << 16 | green << 8 | blue
    }
}

/// Which of `length` pixels a pixel of `shown` is made of: the first, and how many.
fn span(at: i32, shown: i32, length: usize) -> (usize, usize) {
    let place = |at: i32| (at.max(0) as u64 * length as u64 / shown.max(1) as u64) as usize;
    let first = place(at).min(length - 1);
    let end = place(at.saturating_add(1)).clamp(first + 1, length);
    (first, end - first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn painted(picture: &Picture, rect: Rect) -> Vec<u32> {
        let mut pixels = vec![9; 36];
        let mut canvas = Canvas::new(&mut pixels, 6, 6, 6);
        picture.paint(&mut canvas, rect);
        pixels
    }

    #[test]
    fn a_picture_fills_its_place_larger_and_smaller_and_nothing_else() {
        let picture = Picture::new(2, 2, vec![1, 2, 3, 4]).unwrap();
        let as_is = painted(&picture, Rect::new(1, 1, 2, 2));
        assert_eq!((as_is[7], as_is[8], as_is[13], as_is[14]), (1, 2, 3, 4));
        assert_eq!(as_is.iter().filter(|&&pixel| pixel == 9).count(), 32);
        let large = painted(&picture, Rect::new(0, 0, 6, 6));
        assert_eq!((large[2], large[3], large[32], large[33]), (1, 2, 3, 4));
        // Most of it lies outside.
        let part = painted(&picture, Rect::new(-6, -6, 8, 8));
        assert_eq!((part[0], part[7], part[8]), (4, 4, 9));
        let small = Picture::new(4, 2, vec![0, 0x10_2030, 8, 8, 0x10_2030, 0, 8, 8]).unwrap();
        let small = painted(&small, Rect::new(0, 0, 2, 1));
        assert_eq!((small[0], small[1], small[2]), (0x08_1018, 8, 9));
        let huge = painted(&picture, Rect::new(i32::MIN / 2, -9, i32::MAX, 18));
        assert!(huge.iter().all(|pixel| (1..5).contains(pixel)));
    }

    #[test]
    fn no_picture_has_fewer_pixels_than_it_says() {
        assert!(Picture::new(2, 2, vec![0; 3]).is_none());
        assert!(Picture::new(0, 2, vec![]).is_none());
        assert!(Picture::new(usize::MAX, 2, vec![0; 3]).is_none());
    }
}
