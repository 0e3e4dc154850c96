//! Pixels, and what is painted on them. All lengths here are in pixels.
//!
//! Edges are smooth: a pixel that is covered in part is blended in part. What a pixel becomes depends on nothing but its place, so that
//! painting a piece of a picture gives the same pixels as painting all of it.

use nonos_pixels::blend;

use crate::color::Color;
use crate::geometry::Rect;

/// A picture of 32-bit pixels, 0x00RRGGBB, and the part of it that may be painted.
#[derive(Debug)]
pub struct Canvas<'a> {
    pixels: &'a mut [u32],
    stride: usize,
    bounds: Rect,
    clip: Rect,
}

/// Parts of a pixel that distances are measured in.
const PARTS: i32 = 256;

impl<'a> Canvas<'a> {
    /// A canvas of this size; lines that the pixels have no room for are not there.
    #[inline(never)]
    pub fn new(pixels: &'a mut [u32], width: usize, height: usize, stride: usize) -> Self {
        let stride = stride.max(1);
        let width = width.min(stride);
        let lines = (pixels.len() + stride - width) / stride;
        let bounds = Rect::new(0, 0, width as i32, height.min(lines) as i32);
        Self {
            pixels,
            stride,
            bounds,
            clip: bounds,
        }
    }

    /// All of it.
    pub fn bounds(&self) -> Rect {
        self.bounds
    }

    /// Paint only here from now on.
    pub fn set_clip(&mut self, clip: Rect) {
        self.clip = clip.intersect(self.bounds);
    }

    /// Where it may be painted.
    pub fn clip(&self) -> Rect {
        self.clip
    }

    /// The pixels of a line from `x` on, up to `right`; both must be within the canvas.
    pub(crate) fn line(&mut self, y: i32, x: i32, right: i32) -> &mut [u32] {
        let start = y as usize * self.stride;
        let span = start + x as usize..start + right as usize;
        self.pixels.get_mut(span).unwrap_or_default()
    }

    /// A rectangle.
    #[inline(never)]
    pub fn fill(&mut self, rect: Rect, color: Color) {
        let rect = rect.intersect(self.clip);
        if rect.is_empty() || color.opacity() == 0 {
            return;
        }
        for y in rect.y..rect.bottom() {
            let line = self.line(y, rect.x, rect.right());
            if color.opacity() == 255 {
                nonos_pixels::fill(line, color.0);
            } else {
                nonos_pixels::tint(line, color.0, color.opacity());
            }
        }
    }

    /// A pixel, covered so much (0 to 255).
    fn cover(&mut self, x: i32, y: i32, color: Color, coverage: u32) {
        if coverage > 0 && self.clip.contains(x, y) {
            let coverage = coverage * color.opacity() / 255;
            for pixel in self.line(y, x, x + 1) {
                *pixel = blend(*pixel, color.0, coverage);
            }
        }
    }

    /// A rectangle with round corners.
    #[inline(never)]
    pub fn rounded(&mut self, rect: Rect, radius: i32, color: Color) {
        let radius = radius.min(rect.width / 2).min(rect.height / 2);
        if radius <= 0 {
            return self.fill(rect, color);
        }
        self.fill(rect.inset(0, radius), color);
        let top = Rect::new(rect.x + radius, rect.y, rect.width - 2 * radius, radius);
        self.fill(top, color);
        self.fill(top.moved(0, rect.height - radius), color);
        self.corners(rect, radius, |distance| coverage(radius, distance), color);
    }

    /// A line of this width along the inside of a rectangle with round corners.
    #[inline(never)]
    pub fn frame(&mut self, rect: Rect, radius: i32, width: i32, color: Color) {
        let radius = radius.min(rect.width / 2).min(rect.height / 2);
        let corner = radius.max(width);
        let across = Rect::new(rect.x + corner, rect.y, rect.width - 2 * corner, width);
        self.fill(across, color);
        self.fill(across.moved(0, rect.height - width), color);
        let down = Rect::new(rect.x, rect.y + corner, width, rect.height - 2 * corner);
        self.fill(down, color);
        self.fill(down.moved(rect.width - width, 0), color);
        let ring = |distance| coverage(radius, distance) - coverage(radius - width, distance);
        if radius >= width {
            self.corners(rect, radius, ring, color);
        }
    }

    /// The four corners; `covered` says by the distance from the centre of the corner how much of a pixel is covered.
    fn corners(&mut self, rect: Rect, radius: i32, covered: impl Fn(i32) -> u32, color: Color) {
        if rect.intersect(self.clip).is_empty() {
            return;
        }
        let (right, bottom) = (rect.right() - 1, rect.bottom() - 1);
        for down in 0..radius {
            let rows = [rect.y + down, bottom - down];
            let covered = |across| covered(distance(radius - across, radius - down));
            let mut across = 0;
            while across < radius {
                let (first, part) = (across, covered(across));
                across += 1;
                if part == 255 {
                    // All of these are covered whole.
                    while across < radius && covered(across) == 255 {
                        across += 1;
                    }
                    for y in rows {
                        let left = Rect::new(rect.x + first, y, across - first, 1);
                        self.fill(left, color);
                        self.fill(
                            Rect {
                                x: right + 1 - across,
                                ..left
                            },
                            color,
                        );
                    }
                } else if part > 0 {
                    for y in rows {
                        self.cover(rect.x + first, y, color, part);
                        self.cover(right - first, y, color, part);
                    }
                }
            }
        }
    }

    /// The shadow of a rectangle with round corners that lies `blur` above the ground, with the light from above; nothing within the
    /// rectangle's straight parts.
    #[inline(never)]
    pub fn shadow(&mut self, rect: Rect, radius: i32, blur: i32, color: Color) {
        let blur = blur.max(1);
        let fallen = rect.moved(0, blur / 4);
        let inner = fallen.inset(radius, radius);
        let around = fallen.inset(-blur, -blur).intersect(self.clip);
        for y in around.y..around.bottom() {
            let down = (inner.y - y).max(y - inner.bottom() + 1).max(0);
            let (hidden, beside) = if y < rect.y || y >= rect.bottom() {
                (0, 0)
            } else if y < rect.y + radius || y >= rect.bottom() - radius {
                (rect.x + radius, rect.right() - radius)
            } else {
                (rect.x, rect.right())
            };
            let mut x = around.x;
            while x < around.right() {
                if x >= hidden && x < beside {
                    x = beside;
                    continue;
                }
                let across = (inner.x - x).max(x - inner.right() + 1).max(0);
                let away = match (across, down) {
                    (0, down) => down * PARTS,
                    (across, 0) => across * PARTS,
                    (across, down) => distance(across + 1, down + 1),
                };
                // Falls off with the square of what is left.
                let outside = (away - radius * PARTS).max(0);
                let left = (blur * PARTS - outside).max(0) / blur;
                self.cover(x, y, color, (left * left / PARTS).min(255) as u32);
                x += 1;
            }
        }
    }

    /// A glyph: coverage of its pixels, which lie line by line.
    #[inline(never)]
    pub fn glyph(&mut self, rect: Rect, coverage: &[u8], color: Color) {
        let seen = rect.intersect(self.clip);
        let width = rect.width as usize;
        for y in seen.y..seen.bottom() {
            let first = (y - rect.y) as usize * width + (seen.x - rect.x) as usize;
            let coverage = coverage.get(first..).unwrap_or_default();
            let line = self.line(y, seen.x, seen.right());
            nonos_pixels::cover(line, coverage, color.0, color.opacity());
        }
    }

    /// A curve through values at equal distances over the width of `rect`, 0 at its bottom and 1000 at its top; the area below it
    /// is tinted.
    #[inline(never)]
    pub fn plot(&mut self, rect: Rect, values: &[u16], width: i32, color: Color, tint: Color) {
        let seen = rect.intersect(self.clip);
        let Some(gaps) = values.len().checked_sub(1).filter(|&gaps| gaps > 0) else {
            return;
        };
        let height = |x: i32| {
            let at = x as i64 * gaps as i64 * 256 / i64::from(rect.width.max(1));
            let index = (at / 256) as usize;
            let value = |index: usize| i64::from(values[index.min(gaps)].min(1000));
            let between = value(index) * (256 - at % 256) + value(index + 1) * (at % 256);
            // From the bottom, in parts of a pixel, with room for half the line.
            (between * i64::from(rect.height - width) / 1000) as i32 + width * PARTS / 2
        };
        for x in seen.x..seen.right() {
            let (a, b) = (height(x - rect.x), height(x - rect.x + 1));
            // As thick across, however steep.
            let rise = (b - a).clamp(-8 * PARTS, 8 * PARTS);
            let half = width * ((rise * rise + PARTS * PARTS) as u32).isqrt() as i32 / 2;
            let (low, high) = (a.min(b) - half, a.max(b) + half);
            // Above that there is nothing.
            let first = rect.bottom() - 1 - high.max(i32::midpoint(a, b)) / PARTS;
            for y in seen.y.max(first)..seen.bottom() {
                let bottom = (rect.bottom() - 1 - y) * PARTS;
                let within = (high.min(bottom + PARTS) - low.max(bottom)).clamp(0, PARTS);
                let below = (i32::midpoint(a, b) - bottom).clamp(0, PARTS);
                self.cover(x, y, tint, (below * 255 / PARTS) as u32);
                self.cover(x, y, color, (within * 255 / PARTS) as u32);
            }
        }
    }

    /// Pixels of another picture, whose lines are `stride` apart, at a place; those from `from` on.
    #[inline(never)]
    pub fn copy(&mut self, rect: Rect, pixels: &[u32], stride: usize, from: (usize, usize)) {
        let seen = rect.intersect(self.clip);
        for y in seen.y..seen.bottom() {
            let (across, down) = ((seen.x - rect.x) as usize, (y - rect.y) as usize);
            let first = (from.1 + down) * stride + from.0 + across;
            let line = self.line(y, seen.x, seen.right());
            let source = pixels.get(first..).unwrap_or_default();
            nonos_pixels::copy(line, source);
        }
    }
}

/// From the middle of a pixel to a corner's centre, `across` and `down` pixels away from its far edges, in parts of a pixel.
fn distance(across: i32, down: i32) -> i32 {
    let part = |pixels: i32| {
        let parts = pixels.min(160) * PARTS - PARTS / 2;
        (parts * parts) as u32
    };
    (part(across) + part(down)).isqrt() as i32
}

/// How much of a pixel at this distance from the centre a disc covers, 0 to 255.
fn coverage(radius: i32, distance: i32) -> u32 {
    let inside = radius * PARTS + PARTS / 2 - distance;
    (inside.clamp(0, PARTS) * 255 / PARTS) as u32
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const INK: Color = Color::rgb(0xFF_FFFF);

    #[test]
    fn nothing_is_painted_outside_of_the_clip_or_the_canvas() {
        let mut pixels = vec![0; 20 * 10];
        let mut canvas = Canvas::new(&mut pixels, 16, 10, 20);
        canvas.set_clip(Rect::new(4, 2, 8, 5));
        let large = Rect::new(-50, -50, 200, 200);
        canvas.fill(large, INK);
        canvas.rounded(large, 30, INK);
        canvas.frame(Rect::new(-2, -2, 40, 40), 6, 3, INK);
        canvas.shadow(Rect::new(6, 4, 2, 2), 1, 20, INK);
        canvas.plot(large, &[0, 1000, 5], 2, INK, INK);
        canvas.glyph(large, &[255; 100], INK);
        canvas.copy(large, &[7; 10], 3, (0, 0));
        for (index, &pixel) in pixels.iter().enumerate() {
            let (x, y) = (index as i32 % 20, index as i32 / 20);
            let inside = Rect::new(4, 2, 8, 5).contains(x, y);
            assert_eq!(pixel != 0, inside, "{x} {y}");
        }
    }

    #[test]
    fn a_disc_covers_what_its_area_says_and_is_symmetric() {
        let mut pixels = vec![0; 40 * 40];
        Canvas::new(&mut pixels, 40, 40, 40).rounded(Rect::new(5, 5, 30, 30), 15, INK);
        let total: u32 = pixels.iter().map(|pixel| pixel & 255).sum();
        let area = total as f32 / 255.0;
        let exact = core::f32::consts::PI * 225.0;
        assert!((area - exact).abs() < exact * 0.01, "{area} {exact}");
        for y in 0..40 {
            for x in 0..40 {
                assert_eq!(pixels[y * 40 + x], pixels[y * 40 + 39 - x]);
                assert_eq!(pixels[y * 40 + x], pixels[(39 - y) * 40 + x]);
            }
        }
    }

    #[test]
    fn a_shadow_fades_and_leaves_its_rectangle_alone() {
        let mut pixels = vec![0; 60 * 60];
        let rect = Rect::new(20, 20, 20, 20);
        Canvas::new(&mut pixels, 60, 60, 60).shadow(rect, 6, 12, INK);
        let row: alloc::vec::Vec<_> = (8..20).map(|x| pixels[30 * 60 + x] & 255).collect();
        assert!(
            row.windows(2).all(|pair| pair[0] <= pair[1]) && row[11] > 150,
            "{row:?}"
        );
        assert!((20..40).all(|x| pixels[30 * 60 + x] == 0));
        assert!(
            (40..44).all(|y| pixels[y * 60 + 30] > 0),
            "it falls downwards"
        );
        // Round corners: the corner of the rectangle itself is outside of them, and in the shadow.
        assert!(pixels[20 * 60 + 20] > 0 && pixels[8 * 60 + 8] == 0);
    }

    #[test]
    fn a_canvas_with_too_few_pixels_is_smaller() {
        let mut pixels = vec![0; 25];
        let mut canvas = Canvas::new(&mut pixels, 10, 10, 10);
        assert_eq!(canvas.bounds(), Rect::new(0, 0, 10, 2));
        canvas.fill(Rect::new(0, 0, 10, 10), INK);
        assert_eq!(pixels.iter().filter(|&&pixel| pixel != 0).count(), 20);
    }
}
