//! The name, NØNOS, as strokes of one width: straight lines and rings, anti-aliased by their distance from
//! the middle of a pixel. All in whole numbers of 64ths of a pixel; the boot loader has no floating point.

use super::{Canvas, Color};

/// Units in a pixel.
const UNIT: i32 = 64;
/// Widest letter that is drawn, in pixels: more than letters of the greatest height take.
const LETTER_PIXELS: usize = 96;

/// A stroke of a letter, around its middle line.
#[derive(Clone, Copy)]
enum Stroke {
    /// From a point, so far in both directions, and in all.
    Line {
        from: (i32, i32),
        vector: (i32, i32),
        length: i32,
    },
    /// A circle around a point.
    Ring {
        centre: (i32, i32),
        radius: i32,
        kept: Kept,
    },
}

/// Which part of a ring is drawn.
#[derive(Clone, Copy)]
enum Kept {
    All,
    /// Without the lower right quarter: the upper half of an S.
    WithoutLowerRight,
    /// Without the upper left quarter: the lower half of an S.
    WithoutUpperLeft,
}

/// A letter: strokes with the number of their colour, and its size, beyond which only the slash reaches.
struct Letter {
    strokes: [Option<(Stroke, usize)>; 3],
    width: i32,
    height: i32,
}

/// Numbers of the colours.
const LETTER: usize = 0;
const SLASH: usize = 1;

/// Draws the name with its upper left corner at (x, y). `colors`: of the letters, and of the slash of the Ø.
pub fn draw(
    canvas: &mut dyn Canvas,
    (x, y): (usize, usize),
    height: usize,
    colors: &[Color; 2],
    background: Color,
) {
    let size = height as i32 * UNIT;
    let width = size / 9;
    let letters = [
        n(size, width),
        o(size, width, true),
        n(size, width),
        o(size, width, false),
        s(size, width),
    ];
    // The slash of the Ø reaches above and below the others.
    let overhang = height / 8;
    let mut left = x;
    for letter in &letters {
        let columns = ((letter.width / UNIT) as usize + 1).min(LETTER_PIXELS);
        let mut row = [background; LETTER_PIXELS];
        for line in 0..height + 2 * overhang {
            for (column, pixel) in row[..columns].iter_mut().enumerate() {
                let middle = |position: i32| position * UNIT + UNIT / 2;
                let at = (middle(column as i32), middle(line as i32 - overhang as i32));
                *pixel = letter.color_at(at, width, colors, background);
            }
            if let Some(y) = (y + line).checked_sub(overhang) {
                canvas.write(left, y, &row[..columns]);
            }
        }
        left += columns + height / 3;
    }
}

impl Letter {
    fn color_at(
        &self,
        at: (i32, i32),
        width: i32,
        colors: &[Color; 2],
        background: Color,
    ) -> Color {
        let mut covered = [0; 2];
        for (stroke, number) in self.strokes.iter().flatten() {
            let stroke = stroke.coverage(at, width);
            covered[*number] = stroke.max(covered[*number]);
        }
        if covered[LETTER] > 0 {
            covered[LETTER] = covered[LETTER].min(self.inside(at));
        }
        let mut color = background;
        for (over, covered) in colors.iter().zip(covered) {
            if covered > 0 {
                color = color.blend(*over, (covered * 255 / UNIT) as u8);
            }
        }
        color
    }

    /// How much of the pixel around a point lies inside the letter's box.
    fn inside(&self, (x, y): (i32, i32)) -> i32 {
        ramp(x.min(self.width - x).min(y).min(self.height - y))
    }
}

impl Stroke {
    /// From point to point.
    fn line(from: (i32, i32), to: (i32, i32)) -> Self {
        let vector = (to.0 - from.0, to.1 - from.1);
        let length = (vector.0 * vector.0 + vector.1 * vector.1).isqrt().max(1);
        Self::Line {
            from,
            vector,
            length,
        }
    }

    /// How much of the pixel around a point the stroke covers, in [`UNIT`]ths.
    fn coverage(&self, (x, y): (i32, i32), width: i32) -> i32 {
        match *self {
            Self::Line {
                from,
                vector: (dx, dy),
                length,
            } => {
                let (px, py) = (x - from.0, y - from.1);
                let across = (px * dy - py * dx) / length;
                let along = (px * dx + py * dy) / length;
                let from_end = along.min(length - along);
                ramp(width / 2 - across.abs()).min(ramp(from_end))
            }
            Self::Ring {
                centre,
                radius,
                kept,
            } => {
                let (px, py) = (x - centre.0, y - centre.1);
                let squared = px * px + py * py;
                let (inner, outer) = (radius - width / 2 - UNIT, radius + width / 2 + UNIT);
                if squared < inner * inner || squared > outer * outer {
                    return 0;
                }
                let from_middle = (squared.isqrt() - radius).abs();
                // The halves of an S overlap by a pixel where they meet.
                let part = match kept {
                    Kept::All => UNIT,
                    Kept::WithoutLowerRight => ramp(UNIT - px.min(py)),
                    Kept::WithoutUpperLeft => ramp(UNIT + px.max(py)),
                };
                ramp(width / 2 - from_middle).min(part)
            }
        }
    }
}

/// Coverage of a pixel whose middle is `inside` units inside an edge (outside, when negative).
fn ramp(inside: i32) -> i32 {
    (inside + UNIT / 2).clamp(0, UNIT)
}

fn n(size: i32, stroke: i32) -> Letter {
    let width = size * 4 / 5;
    let (left, right) = (stroke / 2, width - stroke / 2);
    let line = |from, to| Some((Stroke::line(from, to), LETTER));
    Letter {
        strokes: [
            line((left, 0), (left, size)),
            line((right, 0), (right, size)),
            line((left, stroke / 2), (right, size - stroke / 2)),
        ],
        width,
        height: size,
    }
}

fn o(size: i32, stroke: i32, slashed: bool) -> Letter {
    let radius = (size - stroke) / 2;
    let ring = Stroke::Ring {
        centre: (size / 2, size / 2),
        radius,
        kept: Kept::All,
    };
    let over = size / 10;
    let slash = Stroke::line((size / 8, size + over), (size * 7 / 8, -over));
    Letter {
        strokes: [
            Some((ring, LETTER)),
            slashed.then_some((slash, SLASH)),
            None,
        ],
        width: size,
        height: size,
    }
}

fn s(size: i32, stroke: i32) -> Letter {
    // Two rings, one on the other, that share the stroke in the middle.
    let radius = (size - stroke) / 4;
    let middle = radius + stroke / 2;
    let ring = |y, kept| {
        Some((
            Stroke::Ring {
                centre: (middle, y),
                radius,
                kept,
            },
            LETTER,
        ))
    };
    Letter {
        strokes: [
            ring(middle, Kept::WithoutLowerRight),
            ring(size - middle, Kept::WithoutUpperLeft),
            None,
        ],
        width: 2 * middle,
        height: size,
    }
}
