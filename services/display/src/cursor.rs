//! The cursor: its shapes, as polygons, and their pixels.

use alloc::vec;
use alloc::vec::Vec;

use nonos_pixels::blend;
use nonos_proto::display::cursor;
use nonos_ui::Rect;

/// Size of every shape, points.
const SIZE: i32 = 24;

/// Parts of a point that polygons are given in.
const PARTS: i32 = 4;

/// A shape: the point of it that is where the pointer is, and its outline.
type Shape = ((i32, i32), &'static [(i32, i32)]);

const ARROW: Shape = (
    (1, 1),
    &[
        (4, 4),
        (4, 70),
        (20, 55),
        (31, 79),
        (41, 74),
        (30, 51),
        (51, 51),
    ],
);
const TEXT: Shape = (
    (12, 12),
    &[
        (36, 12),
        (56, 12),
        (56, 16),
        (48, 16),
        (48, 80),
        (56, 80),
        (56, 84),
        (36, 84),
        (36, 80),
        (44, 80),
        (44, 16),
        (36, 16),
    ],
);
const HAND: Shape = (
    (9, 2),
    &[
        (32, 8),
        (38, 8),
        (41, 12),
        (41, 38),
        (64, 44),
        (72, 50),
        (72, 66),
        (64, 84),
        (38, 84),
        (16, 60),
        (16, 52),
        (22, 50),
        (29, 56),
        (29, 12),
    ],
);
const HORIZONTAL: Shape = (
    (12, 12),
    &[
        (4, 48),
        (24, 28),
        (24, 44),
        (72, 44),
        (72, 28),
        (92, 48),
        (72, 68),
        (72, 52),
        (24, 52),
        (24, 68),
    ],
);
const VERTICAL: Shape = (
    (12, 12),
    &[
        (48, 4),
        (68, 24),
        (52, 24),
        (52, 72),
        (68, 72),
        (48, 92),
        (28, 72),
        (44, 72),
        (44, 24),
        (28, 24),
    ],
);

/// The cursor in one shape.
#[derive(Clone, Debug)]
pub struct Cursor {
    shape: u64,
    scale: i32,
    hot: (i32, i32),
    /// For each pixel how much of it is black, and how much black or white: 0 to 255 each.
    covers: Vec<(u8, u8)>,
}

impl Cursor {
    /// One of [`cursor`]; an arrow when there is none with this number.
    pub fn new(shape: u64, scale: i32) -> Self {
        let ((x, y), outline) = match shape {
            cursor::TEXT => TEXT,
            cursor::HAND => HAND,
            cursor::RESIZE_HORIZONTAL => HORIZONTAL,
            cursor::RESIZE_VERTICAL => VERTICAL,
            _ => ARROW,
        };
        let size = SIZE * scale;
        let mut inside = vec![false; (size * PARTS * size * PARTS) as usize];
        let row = size * PARTS;
        for (y, line) in (0..).zip(inside.chunks_exact_mut(row as usize)) {
            cross(outline, line, 2 * y + 1, 2 * scale);
        }
        let at = |x: i32, y: i32| {
            let seen = x >= 0 && y >= 0 && x < row && y < row;
            seen && inside[(y * row + x) as usize]
        };
        // White as wide as a point around it.
        let reach = PARTS * scale;
        let near = |x: i32, y: i32| {
            at(x, y)
                || [(reach, 0), (-reach, 0), (0, reach), (0, -reach)]
                    .into_iter()
                    .any(|(dx, dy)| {
                        at(x + dx, y + dy) || at(x + (dx + dy) * 3 / 4, y + (dy - dx) * 3 / 4)
                    })
        };
        let covers = (0..size * size).map(|index| {
            let (left, top) = (index % size * PARTS, index / size * PARTS);
            let points =
                || (0..PARTS * PARTS).map(|point| (left + point % PARTS, top + point / PARTS));
            let part = |count: usize| (count * 255 / (PARTS * PARTS) as usize) as u8;
            let black = part(points().filter(|&(x, y)| at(x, y)).count());
            (black, part(points().filter(|&(x, y)| near(x, y)).count()))
        });
        Self {
            shape,
            scale,
            hot: (x * scale, y * scale),
            covers: covers.collect(),
        }
    }

    /// Its shape, one of [`cursor`].
    pub fn shape(&self) -> u64 {
        self.shape
    }

    /// Where it is drawn when the pointer is here.
    pub fn place(&self, x: i32, y: i32) -> Rect {
        let size = SIZE * self.scale;
        Rect::new(x - self.hot.0, y - self.hot.1, size, size)
    }

    /// Draws line `y` of it over pixels that begin at column `x`, where it is at `place`.
    pub fn draw(&self, pixels: &mut [u32], (x, y): (i32, i32), place: Rect) {
        let seen = place.intersect(Rect::new(x, y, pixels.len() as i32, 1));
        if seen.is_empty() {
            return;
        }
        for column in seen.x..seen.right() {
            let index = (y - place.y) * place.width + column - place.x;
            let (black, any) = self.covers[index as usize];
            let pixel = &mut pixels[(column - x) as usize];
            *pixel = blend(*pixel, 0xFF_FFFF, any.into());
            *pixel = blend(*pixel, 0, black.into());
        }
    }
}

/// Turns the points of a line over that are left of each edge of a polygon, so that those within it are `true`. The corners are given in units of
/// `unit`; point `x` of the line lies at 2 `x` + 1.
fn cross(outline: &[(i32, i32)], line: &mut [bool], y: i32, unit: i32) {
    let mut before = outline.last().copied().unwrap_or_default();
    for &corner in outline {
        let (from, to) = (scaled(before, unit), scaled(corner, unit));
        before = corner;
        if (from.1 > y) == (to.1 > y) {
            continue;
        }
        let ((ax, ay), (bx, by)) = if from.1 < to.1 {
            (from, to)
        } else {
            (to, from)
        };
        let edge = (y - ay) * (bx - ax);
        let left = |x: i32| (2 * x + 1 - ax) * (by - ay) < edge;
        for (_, point) in (0..).zip(&mut *line).take_while(|&(x, _)| left(x)) {
            *point = !*point;
        }
    }
}

fn scaled((x, y): (i32, i32), unit: i32) -> (i32, i32) {
    (x * unit, y * unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_is_drawn_within_its_place_and_has_black_and_white() {
        for shape in 0..6 {
            for scale in [1, 2] {
                let cursor = Cursor::new(shape, scale);
                let place = cursor.place(50, 60);
                let mut seen = Vec::new();
                for y in 0..150 {
                    let mut line = [0x80_8080; 150];
                    cursor.draw(&mut line, (0, y), place);
                    for (x, &pixel) in line.iter().enumerate() {
                        if pixel != 0x80_8080 {
                            assert!(place.contains(x as i32, y), "{shape} {x} {y}");
                            seen.push(pixel);
                        }
                    }
                }
                assert!(seen.contains(&0) && seen.contains(&0xFF_FFFF), "{shape}");
            }
        }
    }
}
