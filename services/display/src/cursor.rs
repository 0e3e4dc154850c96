//! The cursor: its shapes, as polygons, and their pixels.

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
        let row = size * PARTS;
        let inside: Vec<Points> = (0..row)
            .map(|y| points_within(outline, row, 2 * y + 1, 2 * scale))
            .collect();
        // White as wide as a point around it.
        let (reach, aslant) = (PARTS * scale, PARTS * scale * 3 / 4);
        let around = [
            (0, 0),
            (reach, 0),
            (-reach, 0),
            (0, reach),
            (0, -reach),
            (aslant, aslant),
            (aslant, -aslant),
            (-aslant, aslant),
            (-aslant, -aslant),
        ];
        let near: Vec<Points> = (0..row)
            .map(|y| {
                let at = |y: i32| inside.get(usize::try_from(y).ok()?).copied();
                around.iter().fold([0; 2], |near, &(across, down)| {
                    let [low, high] = moved(at(y + down).unwrap_or_default(), across);
                    [near[0] | low, near[1] | high]
                })
            })
            .collect();
        let covers = (0..size * size).map(|index| {
            let (left, top) = (index % size * PARTS, index / size * PARTS);
            (covered(&inside, left, top), covered(&near, left, top))
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

/// Points of a line over a shape, a bit each, those on the left lowest.
type Points = [u128; 2];

/// So many points from the left.
fn leftmost(count: i32) -> Points {
    let ones = |count: i32| match u32::try_from(count) {
        Ok(count) => 1_u128.checked_shl(count).map_or(u128::MAX, |bit| bit - 1),
        Err(_) => 0,
    };
    [ones(count), ones(count - 128)]
}

/// The points moved to the right, or to the left when that is negative; by less than 128.
fn moved([low, high]: Points, right: i32) -> Points {
    match right {
        0 => [low, high],
        1.. => [low << right, high << right | low >> (128 - right)],
        _ => [low >> -right | high << (128 + right), high >> -right],
    }
}

/// How much of a pixel is covered whose first point this is, 0 to 255.
fn covered(lines: &[Points], left: i32, top: i32) -> u8 {
    let half = (left / 128) as usize;
    let lines = lines.iter().skip(top as usize).take(PARTS as usize);
    let pixel = lines.map(|points| (points[half] >> (left % 128)) as u32 & ((1 << PARTS) - 1));
    let count: u32 = pixel.map(u32::count_ones).sum();
    (count * 255 / (PARTS * PARTS) as u32) as u8
}

/// The points of a line that are within a polygon, of so many. The corners are given in units of `unit`; point `x` of the line lies at
/// 2 `x` + 1.
fn points_within(outline: &[(i32, i32)], row: i32, y: i32, unit: i32) -> Points {
    let mut points = [0; 2];
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
        // Those left of the edge, (2x + 1 − ax) (by − ay) < (y − ay) (bx − ax), are in when they were out.
        let last = ax + ((y - ay) * (bx - ax) - 1).div_euclid(by - ay) - 1;
        let left = leftmost((last.div_euclid(2) + 1).clamp(0, row));
        points = [points[0] ^ left[0], points[1] ^ left[1]];
    }
    points
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
