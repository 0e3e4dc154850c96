//! Shadows and round corners, line by line.

use alloc::vec;
use alloc::vec::Vec;

use nonos_pixels::{blend, part_of, shade, tint};
use nonos_ui::canvas::Canvas;
use nonos_ui::{Color, Rect};

/// How much of each pixel a round corner covers.
#[derive(Clone, Debug)]
pub struct Corners {
    radius: i32,
    covers: Vec<u8>,
}

impl Corners {
    /// For corners of this radius, pixels.
    pub fn new(radius: i32) -> Self {
        let size = radius.max(0) as usize;
        let mut pixels = vec![0; size * size];
        let disc = Rect::new(0, 0, 2 * radius, 2 * radius);
        Canvas::new(&mut pixels, size, size, size).rounded(disc, radius, Color::rgb(0xFF));
        Self {
            radius,
            covers: pixels.into_iter().map(|pixel| pixel as u8).collect(),
        }
    }

    /// The radius.
    pub fn radius(&self) -> i32 {
        self.radius
    }

    /// How much of its pixels a corner covers in a line so far from the edge above or below, from the outermost pixel on; nothing where
    /// there is no corner any more.
    pub fn row(&self, y: i32) -> &[u8] {
        if y < 0 || y >= self.radius {
            return &[];
        }
        let radius = self.radius as usize;
        let start = y as usize * radius;
        self.covers.get(start..start + radius).unwrap_or_default()
    }
}

/// How dark a shadow is at each distance from an edge. That of a blurred rectangle is the product of those of its edges.
#[derive(Clone, Debug)]
pub struct Shadow {
    reach: i32,
    color: Color,
    edge: Vec<u16>,
    /// Parts of a line that lies as far within as can be, at the left and at the right edge.
    rising: Vec<u16>,
    falling: Vec<u16>,
}

impl Shadow {
    /// A shadow that reaches so far beyond a rectangle, pixels, and has this colour and opacity below it.
    pub fn new(reach: i32, color: Color) -> Self {
        let reach = reach.max(1);
        let steps = 2 * i64::from(reach);
        // 3t² − 2t³, from −reach to reach.
        let edge = |t: i64| (256 * t * t * (3 * steps - 2 * t) / (steps * steps * steps)) as u16;
        let edge: Vec<u16> = (0..=steps).map(edge).collect();
        let part = |&edge: &u16| part_of(u32::from(edge) * color.opacity() / 256) as u16;
        Self {
            reach,
            color,
            rising: edge.iter().map(part).collect(),
            falling: edge.iter().rev().skip(1).map(part).collect(),
            edge,
        }
    }

    /// What a rectangle darkens.
    pub fn around(&self, rect: Rect) -> Rect {
        rect.inset(-self.reach, -self.reach)
    }

    /// How dark it is so far within an edge: 0 to 256.
    fn at(&self, distance: i32) -> u32 {
        let index = (distance + self.reach).clamp(0, 2 * self.reach);
        self.edge.get(index as usize).map_or(0, |&part| part.into())
    }

    /// How dark it is so far within two edges: 0 to 256.
    fn between(&self, from: i32, to: i32) -> u32 {
        self.at(from) * self.at(to) / 256
    }

    /// Darkens pixels of line `y`, which begin at column `x`, by the shadow of a rectangle.
    pub fn darken(&self, pixels: &mut [u32], (x, y): (i32, i32), rect: Rect) {
        let row = self.between(y - rect.y, rect.bottom() - 1 - y) * self.color.opacity() / 256;
        if row == 0 {
            return;
        }
        let shade_one =
            |pixel: &mut u32, part: u32| *pixel = blend(*pixel, self.color.0, part * row / 256);
        if rect.width <= 2 * self.reach {
            for (pixel, x) in pixels.iter_mut().zip(x..) {
                shade_one(pixel, self.between(x - rect.x, rect.right() - 1 - x));
            }
            return;
        }
        // Two edges are so far from each other that each pixel has the shadow of the nearer one alone.
        let (rise, fall) = (rect.x - self.reach, rect.right() - self.reach);
        let all = rect.x + self.reach;
        let steps = 2 * self.reach;
        let at = |column: i32| (column - x).clamp(0, pixels.len() as i32) as usize;
        let [a, b, c, d] = [rise, all, fall, fall + steps].map(at);
        let skipped = |column: i32| (x - column).max(0) as usize;
        if row == self.color.opacity() {
            let [left, right] = [(&self.rising, rise), (&self.falling, fall)]
                .map(|(parts, column)| parts.get(skipped(column)..).unwrap_or_default());
            shade(&mut pixels[a..b], left, self.color.0);
            tint(&mut pixels[b..c], self.color.0, row);
            shade(&mut pixels[c..d], right, self.color.0);
            return;
        }
        let parts = self.edge.iter().map(|&part| u32::from(part));
        for (pixel, part) in pixels[a..b]
            .iter_mut()
            .zip(parts.clone().skip(skipped(rise)))
        {
            shade_one(pixel, part);
        }
        tint(
            &mut pixels[b..c],
            self.color.0,
            self.at(self.reach) * row / 256,
        );
        let falling = parts.rev().skip(1).skip(skipped(fall));
        for (pixel, part) in pixels[c..d].iter_mut().zip(falling) {
            shade_one(pixel, part);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corner_grows_from_nothing_to_all() {
        let corners = Corners::new(8);
        assert_eq!(corners.row(0)[0], 0);
        for y in 0..8 {
            let row = corners.row(y);
            assert!(row.is_sorted(), "{row:?}");
            assert_eq!(row.len(), 8);
        }
        assert_eq!(corners.row(7)[7], 255);
        assert!(corners.row(8).is_empty() && corners.row(-1).is_empty());
    }

    #[test]
    fn a_part_of_a_shadow_is_that_part_of_all_of_it() {
        let shadow = Shadow::new(16, Color(0x6000_0000));
        for width in [20, 32, 33, 60] {
            let rect = Rect::new(50, 50, width, 60);
            for y in [40, 52, 80] {
                let mut all = [0xFF_FFFF; 200];
                shadow.darken(&mut all, (0, y), rect);
                for (x, pixel) in (0..).zip(all) {
                    let cover = shadow.between(x - rect.x, rect.right() - 1 - x);
                    let row = shadow.between(y - rect.y, rect.bottom() - 1 - y) * 0x60 / 256;
                    let expected = blend(0xFF_FFFF, 0, cover * row / 256);
                    assert_eq!(pixel, expected, "{width} {x} {y}");
                }
                for from in 0..140 {
                    let mut part = [0xFF_FFFF; 40];
                    shadow.darken(&mut part, (from, y), rect);
                    assert_eq!(
                        part,
                        all[from as usize..from as usize + 40],
                        "{width} {from} {y}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_shadow_fades_to_nothing_where_it_ends() {
        const WHITE: u32 = 0xFF_FFFF;
        let shadow = Shadow::new(16, Color(0x6000_0000));
        let rect = Rect::new(50, 50, 60, 60);
        let mut line = [WHITE; 200];
        shadow.darken(&mut line, (0, 80), rect);
        assert_eq!(line[50 - 17], WHITE);
        assert!(line[45] < line[40] && line[80] < line[45]);
        for y in [50 - 17, 110 + 16] {
            let mut line = [WHITE; 200];
            shadow.darken(&mut line, (0, y), rect);
            assert!(line.iter().all(|&pixel| pixel == WHITE));
            assert!(!shadow.around(rect).contains(60, y));
        }
    }
}
